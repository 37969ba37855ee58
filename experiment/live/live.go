package live

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/internal/files"
	"quorate.dev/quorate/internal/netlab"
	"quorate.dev/quorate/sim"
	"quorate.dev/quorate/testnet"
	"quorate.dev/quorate/transcript"
)

// ErrPlace is what errors wrap when a real run finds no place on this machine for
// the files of its cluster, whatever the Spec: the disk is full, or closed to it.
var ErrPlace = errors.New("no place for the cluster of this run")

// Options say where and how a real run happens.
type Options struct {
	Dir      string                       // of the cluster; new, and the caller's to remove
	Command  func(home string) []string   // how a home becomes a process; nil = this program's node command
	Progress func(text string)            // hears what happens, on any goroutine; may be nil
	Prepare  func(*testnet.Cluster) error // changes the homes before anything starts; may be nil
	Also     []Mishap                     // happens beside the spec's faults: what no simulator has
}

// Mishap is something done to a real cluster at a moment of the load.
type Mishap struct {
	At   consensus.Time
	What string
	Do   func(*testnet.Cluster) error
}

// The timing of clusters that are tried: a view change must not take longer
// than people wait.
const (
	realTick     = 10 * time.Millisecond
	realPatience = 300 * time.Millisecond
	realCap      = 2400 * time.Millisecond
	upWithin     = 30 * time.Second // until all processes answer
)

// Run runs one experiment with real processes over libp2p and judges it by
// what they and their clients wrote down. It leaves no process behind. Faults
// of the network need Linux and root: elsewhere the error wraps
// netlab.ErrUnavailable. Other errors wrap ErrSpec or ErrPlace, or say what did not start;
// how a run ends is never one.
func Run(ctx context.Context, s spec.Spec, o Options) (out spec.Outcome, err error) {
	if err := s.Complete(); err != nil {
		return spec.Outcome{}, err
	}
	r := &real{spec: &s, options: &o, begun: time.Now()}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.found(); err != nil {
		return spec.Outcome{}, err
	}
	if err := r.up(ctx); err != nil {
		return spec.Outcome{}, err
	}
	if err := r.lead(ctx); err != nil {
		return spec.Outcome{}, err
	}
	if err := r.run(ctx, &out); err != nil {
		return spec.Outcome{}, err
	}
	return out, r.judge(&out)
}

// real is one run.
type real struct {
	spec    *spec.Spec
	options *Options
	cluster *testnet.Cluster
	lab     *netlab.Lab // nil unless the network is to fail
	begun   time.Time   // of the load
}

func (r *real) say(format string, args ...any) {
	if r.options.Progress != nil {
		r.options.Progress(fmt.Sprintf(format, args...))
	}
}

// close ends all processes, whatever happened before.
func (r *real) close() error {
	var errs []error
	if r.cluster != nil {
		errs = append(errs, r.cluster.Down())
	}
	if r.lab != nil {
		errs = append(errs, r.lab.Close())
	}
	return errors.Join(errs...)
}

// found makes the cluster, in a lab of its own if links are to be cut.
func (r *real) found() error {
	s := r.spec
	o := testnet.Options{Dir: r.options.Dir, Protocol: s.Protocol, Replicas: s.Replicas, Name: "trial", Adjust: r.adjust, Settings: r.settings}
	if cuts(s) {
		lab, err := newLab(s.Replicas)
		if err != nil {
			return fmt.Errorf("cut links between processes: %w", err)
		}
		r.lab = lab
		for i := range s.Replicas {
			o.Hosts = append(o.Hosts, lab.Address(i))
		}
	}
	c, err := testnet.Init(o)
	if err != nil {
		return refused(err)
	}
	if s.Clients > len(c.ClientKeys()) {
		return fmt.Errorf("%w: %d clients: a real cluster has keys for %d", spec.ErrSpec, s.Clients, len(c.ClientKeys()))
	}
	c.Command = r.options.Command
	if r.lab != nil {
		c.Command = r.inLab
	}
	r.cluster = c
	if r.options.Prepare != nil {
		if err := r.options.Prepare(c); err != nil {
			return fmt.Errorf("prepare the cluster: %w", err)
		}
	}
	return r.corrupt()
}

// refused tells what the machine would not do from what the spec should not ask.
func refused(err error) error {
	var file *fs.PathError
	var link *os.LinkError
	if errors.As(err, &file) || errors.As(err, &link) {
		return fmt.Errorf("%w: %w", ErrPlace, err)
	}
	return fmt.Errorf("%w: %w", spec.ErrSpec, err)
}

// labTries bounds how often a lab is tried: the kernel takes the links of one that
// was closed away a moment later.
const labTries = 20

func newLab(hosts int) (lab *netlab.Lab, err error) {
	for range labTries {
		if lab, err = netlab.New(hosts); err == nil || !strings.Contains(err.Error(), "File exists") {
			return lab, err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, err
}

// cuts reports whether a fault concerns links.
func cuts(s *spec.Spec) bool {
	for _, f := range s.Faults {
		switch f.Kind {
		case sim.FaultIsolate, sim.FaultPartition, sim.FaultDeaf, sim.FaultMute:
			return true
		}
	}
	return false
}

// adjust bends the genesis as the spec wants it.
func (r *real) adjust(g *consensus.Genesis) {
	g.CheckpointInterval, g.Window = 8, 32
	g.Quorum, g.Faults = r.spec.Quorum, r.spec.Assumed
	g.UnsafeDemo = g.Quorum != 0 || g.Faults != 0
}

// settings make a home impatient, and have it write everything down. Where
// somebody is to be elected first, all others wait longer.
func (r *real) settings(i int, c *home.Config) {
	c.Engine.Tick, c.Engine.Patience, c.Engine.PatienceCap = files.Duration(realTick), files.Duration(realPatience), files.Duration(realCap)
	if r.spec.Elected() {
		c.Engine.Patience *= 2 // for an election may last, on a small machine
		if !slices.Contains(r.spec.Forward, consensus.ReplicaID(i)) {
			c.Engine.Patience *= spec.Backward
		}
	}
	c.Engine.StatusEvery = files.Duration(100 * time.Millisecond)
	c.Record.Level = home.RecordAll
}

// inLab runs a home on its host of the lab.
func (r *real) inLab(dir string) []string {
	argv := testnet.Arguments(dir)
	if r.options.Command != nil {
		argv = r.options.Command(dir)
	} else {
		argv = append(thisProgram(), argv...)
	}
	_, number, _ := strings.Cut(filepath.Base(dir), "-")
	i, err := strconv.Atoi(number)
	if err != nil {
		return argv
	}
	return r.lab.Command(i, argv)
}

// corrupt makes the traitors of the beginning: those of later acts are still
// honest.
func (r *real) corrupt() error {
	var gang []int
	for _, t := range r.spec.Traitors {
		gang = append(gang, int(t.Replica))
	}
	if r.spec.Gang && len(gang) > 1 {
		if err := r.cluster.Collude(gang); err != nil {
			return refused(err)
		}
	}
	for _, t := range r.spec.Traitors {
		for _, a := range t.Acts {
			if a.From > 0 || len(a.Behaviours) == 0 {
				continue
			}
			if err := r.cluster.Corrupt(int(t.Replica), a.Behaviours); err != nil {
				return refused(err)
			}
		}
	}
	return nil
}

// up starts the processes and waits until each answers.
func (r *real) up(ctx context.Context) error {
	if _, err := r.cluster.Up(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, upWithin)
	defer cancel()
	for {
		var late []string
		for _, s := range r.cluster.Statuses(ctx) {
			if s.Condition == testnet.Stopped {
				return fmt.Errorf("replica %d ended as soon as it was started:\n%s", s.Replica, r.cluster.Tail(s.Replica))
			}
			if s.Report == nil {
				late = append(late, fmt.Sprintf("replica %d: %s", s.Replica, s.Health))
			}
		}
		if len(late) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("processes do not answer: %s: %w", strings.Join(late, "; "), ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// electedWithin is how long a run waits for its first leader. Traitors may see to
// it that there is none, which is then how it ends.
const electedWithin = 10 * time.Second

// lead waits until one of those leads whom the spec puts forward. Another who was
// quicker is started again.
func (r *real) lead(ctx context.Context) error {
	if !r.spec.Elected() || slices.ContainsFunc(r.spec.Forward, r.spec.Lies) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, electedWithin)
	defer cancel()
	for {
		for _, s := range r.cluster.Statuses(ctx) {
			if s.Report == nil || s.Report.Changing || s.Report.Primary != s.Report.Replica {
				continue
			}
			if slices.Contains(r.spec.Forward, s.Report.Replica) {
				return nil
			}
			if err := errors.Join(r.cluster.Kill(s.Replica), r.cluster.Restart(s.Replica)); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// judge reads what everybody wrote down.
func (r *real) judge(out *spec.Outcome) error {
	if err := r.cluster.Down(); err != nil {
		return err
	}
	logs, err := r.cluster.Logs()
	if err != nil {
		return err
	}
	var suspects []consensus.ReplicaID
	for _, t := range r.spec.Traitors {
		suspects = append(suspects, t.Replica)
	}
	if out.Verdict, err = transcript.Judge(check.Case{Genesis: r.cluster.Genesis, Application: kv.Store{}, Model: check.Store(), Suspects: suspects}, logs); err != nil {
		return fmt.Errorf("judge the run: %w", err)
	}
	out.Lies = -1
	out.Genesis = r.cluster.Genesis
	return nil
}
