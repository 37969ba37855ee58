package testnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/storage"
)

// ReadyWithin bounds how long Up waits for the cluster to be ready.
const ReadyWithin = 60 * time.Second

// hold keeps two commands from starting and stopping the same cluster at once.
func (c *Cluster) hold() (release func(), err error) {
	if _, err := os.Stat(filepath.Join(c.Dir, manifestName)); err != nil {
		return nil, c.gone(err) // and not made again by its lock
	}
	lock, err := storage.LockHome(c.Dir, "")
	if errors.Is(err, storage.ErrInUse) {
		return nil, busy(c.Dir)
	}
	if err != nil {
		return nil, err
	}
	return func() { _ = lock.Unlock() }, nil
}

// busy says that another command has the directory.
func busy(dir string) error {
	return fmt.Errorf("another quorate testnet command is running in %s: wait for it, or find it with ps", dir)
}

// gone says that the cluster's directory is not there any more.
func (c *Cluster) gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w in %s any more: it was removed or moved, and its replicas end by themselves", ErrNoCluster, c.Dir)
	}
	return err
}

// alone does something while no other command starts, stops or changes the
// cluster, by the manifest as it is then: another one may have changed it.
func (c *Cluster) alone(do func() error) error {
	release, err := c.hold()
	if err != nil {
		return err
	}
	defer release()
	fresh, err := Open(c.Dir)
	if err != nil {
		return err
	}
	c.Manifest = fresh.Manifest
	return do()
}

// Up starts the replicas that do not run and answers their numbers. It does
// not wait for them to be ready. If one cannot be started, those that this
// call started are stopped again.
func (c *Cluster) Up() (started []int, err error) {
	err = c.alone(func() error {
		for i := range c.Size() {
			running, err := c.start(i)
			if err != nil {
				return errors.Join(err, c.stopAll(started))
			}
			if !running {
				started = append(started, i)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return started, nil
}

// start starts replica i, unless it runs.
func (c *Cluster) start(i int) (running bool, err error) {
	r := c.replica(i)
	p, err := r.process()
	switch {
	case err != nil || p != nil && !p.unfiled:
		return p != nil, err
	case p != nil:
		return true, recordProcess(r.pidFile, r.dir, p.pid)
	}
	if err := errors.Join(c.suits(), r.startable(&c.Genesis)); err != nil {
		return false, err
	}
	if err := c.writeTraitor(i); err != nil {
		return false, err
	}
	command, err := c.command(r.dir)
	if err != nil {
		return false, err
	}
	return false, c.launch(r, command)
}

// launch makes a process of a replica. It is known by its pid file, or it is ended.
func (c *Cluster) launch(r *replica, command []string) error {
	kind := leashLoose
	if c.Tied {
		kind = leashTied
	}
	cmd, leash, err := spawn(command, r.logFile, kind, c.share())
	if err != nil {
		return fmt.Errorf("start replica %d: %w", r.ID, err)
	}
	// Asked for at once, so that it leaves no zombie behind while we live. The leash
	// is held until then.
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		_ = leash.ours.Close()
		close(ended)
	}()
	if err := recordProcess(r.pidFile, r.dir, cmd.Process.Pid); err != nil {
		_ = cmd.Process.Kill() // it has ended, or it does now
		<-ended
		return fmt.Errorf("replica %d was ended again, because its pid file cannot be written, and nothing could stop it later: make room in %s, or make it writable, and start again: %w",
			r.ID, filepath.Dir(r.pidFile), err)
	}
	if err := leash.register(); err != nil || condition(cmd.Process.Pid) == Stopped {
		_ = cmd.Process.Kill()
		<-ended
		return fmt.Errorf("replica %d ended as soon as it was started: %s", r.ID, r.lastLine())
	}
	return nil
}

// suits refuses to start replicas of another application than the program's.
func (c *Cluster) suits() error {
	if c.Runs == nil {
		return nil
	}
	if err := app.Suits(c.Runs, &c.Genesis); err != nil {
		return fmt.Errorf("the cluster in %s: %w", c.Dir, err)
	}
	return nil
}

// share gives each replica its part of the machine's processors, as an
// environment variable that the user's own overrules. Replicas that each plan
// with all of them wake each other's threads for nothing: on two cores, a
// single caller waited a quarter longer.
func (c *Cluster) share() string {
	return fmt.Sprintf("GOMAXPROCS=%d", max(1, runtime.NumCPU()/len(c.Manifest.Replicas)))
}

// command is how a home becomes a process: this very program, unless a test says
// otherwise. See Serve.
func (c *Cluster) command(dir string) ([]string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if c.Command != nil {
		return c.Command(dir), nil
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if !c.Genesis.Testnet {
		return append([]string{program}, honestArguments(dir)...), nil
	}
	return append([]string{program}, Arguments(dir)...), nil
}

// AwaitReady waits until all replicas are ready. It fails early, with the ends
// of the logs, if one of them has ended, and otherwise when ctx ends.
func (c *Cluster) AwaitReady(ctx context.Context) error {
	return c.await(ctx, func(all []ReplicaStatus) (bool, string) {
		late := unready(all)
		return len(late) == 0, strings.Join(late, "; ")
	})
}

// unready has one line for each replica that is not ready.
func unready(all []ReplicaStatus) (late []string) {
	for _, s := range all {
		if !s.Ready {
			late = append(late, fmt.Sprintf("replica %d: %s", s.Replica, s.Health))
		}
	}
	return late
}

// graceForSome is how long AwaitUsable waits for the last ones once a quorum is
// ready: one that lost its disk, or has a large state to fetch, may take long,
// and the cluster serves without it.
const graceForSome = 10 * time.Second

// AwaitUsable waits until all replicas are ready or, for a while longer than
// that takes, until a quorum is and all others run. It answers one line for
// each that is not ready yet.
func (c *Cluster) AwaitUsable(ctx context.Context) (late []string, err error) {
	system, err := protocol.System(c.Genesis)
	if err != nil {
		return nil, err
	}
	var since time.Time // a quorum is ready
	err = c.await(ctx, func(all []ReplicaStatus) (bool, string) {
		late = unready(all)
		switch ready := len(all) - len(late); {
		case ready < system.Quorum():
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		}
		usable := !since.IsZero() && time.Since(since) >= graceForSome
		return len(late) == 0 || usable, strings.Join(late, "; ")
	})
	return late, err
}

// AwaitSettled waits until all replicas are ready and stand at the same
// sequence number and root.
func (c *Cluster) AwaitSettled(ctx context.Context) error { return c.await(ctx, Settled) }

// await asks again until done says so. That a replica has ended is never cured by
// waiting, so that is an error at once.
func (c *Cluster) await(ctx context.Context, done func([]ReplicaStatus) (bool, string)) error {
	for {
		all := c.Statuses(ctx)
		ok, why := done(all)
		if ok {
			return nil
		}
		for _, s := range all {
			if s.Condition == Stopped {
				return fmt.Errorf("replica %d is not running; the end of its log %s:\n%s", s.Replica, c.replica(s.Replica).logFile, c.Tail(s.Replica))
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting (%w): %s%s", ctx.Err(), why, c.tails())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Down stops all replicas that run. It may be repeated.
func (c *Cluster) Down() error { return c.Stop(c.all()) }

// Discard ends all replicas at once, as a crash does: of a cluster whose data nobody
// wants any more. It may be repeated.
func (c *Cluster) Discard() error {
	var errs []error
	for i := range c.Size() {
		errs = append(errs, c.Kill(i))
	}
	return errors.Join(errs...)
}

// all are the numbers of all replicas.
func (c *Cluster) all() []int {
	all := make([]int, c.Size())
	for i := range all {
		all[i] = i
	}
	return all
}

// Stop stops the given replicas as far as they run.
func (c *Cluster) Stop(replicas []int) error {
	release, err := c.hold()
	if err != nil {
		return err
	}
	defer release()
	return c.stopAll(replicas)
}

// stopAll asks all first and waits then.
func (c *Cluster) stopAll(replicas []int) error {
	var errs []error
	running := map[int]*process{}
	for _, i := range replicas {
		p, err := c.replica(i).interrupt()
		errs = append(errs, err)
		if p != nil {
			running[i] = p
		}
	}
	deadline := time.Now().Add(stopWithin)
	for i, p := range running {
		errs = append(errs, c.replica(i).await(p, time.Until(deadline)))
	}
	return errors.Join(errs...)
}

// Tail is the end of replica i's log.
func (c *Cluster) Tail(i int) string { return c.replica(i).tail() }

// tails are the ends of all logs: when the whole does not become ready, the reason
// may stand in any of them.
func (c *Cluster) tails() string {
	var b strings.Builder
	for i := range c.Size() {
		fmt.Fprintf(&b, "\nthe end of %s:\n%s", c.replica(i).logFile, c.Tail(i))
	}
	return b.String()
}
