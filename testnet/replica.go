package testnet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/genesis"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/storage"
)

// replica is one member of a cluster as a process on this machine.
type replica struct {
	Place
	dir     string // its home
	pidFile string
	logFile string
}

// replica is the member of a number that the cluster has.
func (c *Cluster) replica(i int) *replica {
	p := c.Manifest.Replicas[i]
	return &replica{Place: p, dir: c.path(p.Home), pidFile: c.path(p.Pid), logFile: c.path(p.Log)}
}

// find answers the replica's process by its pid file, or by the lock of its data.
func (r *replica) find() (*process, error) {
	p, err := find(r.pidFile, r.dir)
	if p != nil || err != nil {
		return p, err
	}
	data := filepath.Join(r.dir, dataName)
	if h, err := home.LoadConfig(r.dir, home.Overrides{}); err == nil {
		data = h.DataDir()
	}
	if p, err = find(storage.LockFileOf(data), r.dir); p != nil {
		p.unfiled = true
	} else if !errors.Is(err, errCopied) {
		return nil, nil // what the lock says is no more than a help
	}
	return p, err
}

// process is the replica's process; nil if none runs. That of a home which this
// one is a copy of is not this replica's.
func (r *replica) process() (*process, error) {
	p, err := r.find()
	if errors.Is(err, errCopied) {
		return nil, nil
	}
	return p, err
}

// copied reports whether the home is a copy of one that is running.
func (r *replica) copied() bool {
	_, err := r.find()
	return errors.Is(err, errCopied)
}

// load reads the home as its process would.
func (r *replica) load() (*home.Home, error) {
	return home.Load(r.dir, home.Overrides{}, envPassphrase)
}

// startable looks before a replica is started, so that the answer to a taken port or
// a wrong genesis is one line here and not the end of a log.
func (r *replica) startable(g *consensus.Genesis) error {
	return cmp.Or(r.elsewhere(g), portFree(r.ID, r.Address), portFree(r.ID, r.Admin), r.isOf(g))
}

// elsewhere is an error if the replica runs, but not as a process that is known here.
func (r *replica) elsewhere(g *consensus.Genesis) error {
	if r.copied() {
		return fmt.Errorf("replica %d runs in the directory that %s was copied from, and two with one key would break what it has promised: stop that one first, or make another cluster with `quorate testnet up` in another --dir", r.ID, r.dir)
	}
	if r.runsElsewhere(g) {
		return fmt.Errorf("replica %d of this cluster runs already, started by hand or from a copy of this directory, and two with one key would break what it has promised: stop the process that listens on %s (ss -ltnp shows it)", r.ID, r.Admin)
	}
	return nil
}

// runsElsewhere asks at the replica's address whether it runs, though no process is
// known here.
func (r *replica) runsElsewhere(g *consensus.Genesis) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	report, err := ask(ctx, r.Admin)
	return err == nil && report.Cluster == g.ID().String() && int(report.Replica) == r.ID
}

// portFree tries a port. An address that is not this machine's own may be that of
// a network namespace: the replica will know.
func portFree(id int, address string) error {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("replica %d cannot listen on %s: %s: stop the process that has the port (ss -ltnp shows it), or change the port in config.toml, genesis.toml and testnet.toml",
			id, address, brief(err))
	}
	return l.Close()
}

// isOf refuses a home of another cluster: without data to contradict it, such a
// replica would run and never be heard by anybody; and that of another replica, which
// would do what this one is told. A home that cannot be read
// says so itself, in its log.
func (r *replica) isOf(g *consensus.Genesis) error {
	h, err := home.LoadConfig(r.dir, home.Overrides{})
	if err != nil {
		return nil
	}
	file, err := genesis.Load(h.GenesisFile())
	if err != nil {
		return nil
	}
	if have, want := file.Genesis.ID(), g.ID(); have != want {
		return fmt.Errorf("replica %d is of another cluster: %s has cluster id %s, the cluster's own genesis has %s: copy the right one over the other",
			r.ID, h.GenesisFile(), have.Short(), want.Short())
	}
	if h.Config.Replica != r.ID {
		return fmt.Errorf("%s is the home of replica %d, where that of replica %d should be: move each back to its place", r.dir, h.Config.Replica, r.ID)
	}
	return nil
}

// settleWithin is how long a replica that was started is watched at most: what is
// wrong with a home shows in a process that ends, late on a busy machine.
const settleWithin = 10 * time.Second

// survives watches the replica until its admin address answers. If its process ends
// meanwhile, the error has the last line of its log.
func (r *replica) survives(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	for {
		p, err := r.process()
		if err != nil {
			return err
		}
		if p == nil {
			return fmt.Errorf("replica %d ended as soon as it was started: %s", r.ID, r.lastLine())
		}
		if _, err := ask(ctx, r.Admin); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// followWithin bounds how long a running process may take to follow its home.
const followWithin = 30 * time.Second

// follows waits until the process does what byzantine.toml says. One that is
// paused does so when it goes on.
func (r *replica) follows(p *process) error {
	want, followed := filepath.Join(r.dir, traitorName), filepath.Join(r.dir, obeyedName)
	for end := time.Now().Add(followWithin); condition(p.pid) == Running; time.Sleep(10 * time.Millisecond) {
		a, errA := os.ReadFile(want)
		b, errB := os.ReadFile(followed)
		if string(a) == string(b) && errors.Is(errA, fs.ErrNotExist) == errors.Is(errB, fs.ErrNotExist) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("replica %d did not load its new behaviours: %s", r.ID, r.lastLine())
		}
	}
	return nil
}

// interrupt asks the replica to end and answers its process; nil if none runs. A
// paused one is let go on, else it could not hear.
func (r *replica) interrupt() (*process, error) {
	p, err := r.process()
	if err != nil || p == nil {
		return nil, err
	}
	return p, errors.Join(p.signal(syscall.SIGTERM), p.signal(sigCont))
}

// stopWithin bounds how long a replica may take to end by itself.
const stopWithin = 10 * time.Second

// await waits for the end of the replica's process, forces it if need be, and
// removes its pid file.
func (r *replica) await(p *process, within time.Duration) error {
	if !p.gone(within) {
		if err := p.signal(syscall.SIGKILL); err != nil {
			return err
		}
		if !p.gone(stopWithin) {
			return fmt.Errorf("replica %d, process %d, does not end even when killed: is its disk hanging?", r.ID, p.pid)
		}
	}
	if err := os.Remove(r.pidFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// crashed reports that a replica is gone that nobody here stopped: its pid file
// is left behind.
func (r *replica) crashed() bool {
	_, err := os.Stat(r.pidFile)
	return err == nil
}

// lastLine is the last line of the replica's log, and where the rest stands.
func (r *replica) lastLine() string {
	lines := strings.Split(strings.TrimSpace(r.tail()), "\n")
	return fmt.Sprintf("%s (log: %s)", strings.TrimSpace(lines[len(lines)-1]), r.logFile)
}

// tail is the end of the replica's log.
func (r *replica) tail() string {
	const lines, size = 12, 8 << 10
	f, err := os.Open(r.logFile)
	if err != nil {
		return "  (no log)"
	}
	defer func() { _ = f.Close() }() // only read
	if stat, err := f.Stat(); err == nil && stat.Size() > size {
		if _, err := f.Seek(-size, 2); err != nil {
			return "  (log not readable)"
		}
	}
	b := make([]byte, size)
	n, err := f.Read(b)
	if n == 0 || err != nil {
		return "  (the log is empty)"
	}
	all := strings.Split(strings.TrimRight(string(b[:n]), "\n"), "\n")
	return "  " + strings.Join(all[max(0, len(all)-lines):], "\n  ")
}
