package testnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
)

// ErrNotRunning: the replica has no process to disturb.
var ErrNotRunning = errors.New("not running")

// alive answers replica i and its process, or ErrNotRunning.
func (c *Cluster) alive(i int) (*replica, *process, error) {
	if err := c.Has(i); err != nil {
		return nil, nil, err
	}
	r := c.replica(i)
	p, err := r.process()
	if err == nil && p == nil && r.elsewhere(&c.Genesis) != nil {
		err = fmt.Errorf("replica %d is %w here: %w", i, ErrNotRunning, r.elsewhere(&c.Genesis))
	} else if err == nil && p == nil {
		err = fmt.Errorf("replica %d is %w: start it with %s", i, ErrNotRunning, c.starts(i))
	}
	return r, p, err
}

// starts is the command that starts replica i.
func (c *Cluster) starts(i int) string {
	if !c.Genesis.Testnet {
		return fmt.Sprintf("`quorate node --home %s`", c.Home(i))
	}
	return Advice(c.Dir, "testnet restart", strconv.Itoa(i))
}

// Kill ends replica i by SIGKILL, as a crash would, and returns when it is
// gone. A replica that does not run is left as it is; that it runs elsewhere is an
// error.
func (c *Cluster) Kill(i int) error {
	r, p, err := c.alive(i)
	if errors.Is(err, ErrNotRunning) && r.elsewhere(&c.Genesis) == nil {
		return nil
	}
	if err != nil {
		return err
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	return r.await(p, stopWithin)
}

// pauseWithin bounds how long a process may take to stand still: one that waits
// for its disk does so when the disk has answered.
const pauseWithin = 2 * time.Second

// Pause stops replica i by SIGSTOP, and returns when it stands still or has had
// its time: it keeps its connections and says nothing.
func (c *Cluster) Pause(i int) error {
	_, p, err := c.alive(i)
	if err != nil {
		return err
	}
	if err := p.signal(sigStop); err != nil {
		return err
	}
	for end := time.Now().Add(pauseWithin); condition(p.pid) == Running && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

// Resume lets a paused replica go on, and returns when it answers or has had
// its time; that it ended instead is an error.
func (c *Cluster) Resume(i int) error {
	r, p, err := c.alive(i)
	if err != nil {
		return err
	}
	if err := p.signal(sigCont); err != nil {
		return err
	}
	return r.survives(context.Background())
}

// Restart stops replica i, if it runs, in good order, and starts it. One that
// could not start again is not stopped. That it ends at once is an error with the
// last line of its log.
func (c *Cluster) Restart(i int) error { return c.again(i, asItIs) }

// Wipe stops replica i, removes all that it kept, the birth record too, and
// starts it: it comes back as one that lost its disk (PROTOCOL.md §8).
// Where no replica may fail none may forget either, so nothing is removed; nor is
// it where the replica could not be started afterwards.
func (c *Cluster) Wipe(i int) error {
	system, err := protocol.System(c.Genesis)
	if err == nil && system.Faults() == 0 {
		err = fmt.Errorf("with %s none may lose its disk, it could not come back: nothing was removed", noun.Several(c.Size(), "replica"))
	}
	if err != nil {
		return err
	}
	return c.again(i, func(r *replica) error {
		h, err := r.load()
		if err != nil {
			return err
		}
		return os.RemoveAll(h.DataDir())
	})
}

// again stops replica i, does something to it, and starts it.
func (c *Cluster) again(i int, between func(*replica) error) error {
	if err := c.Has(i); err != nil {
		return err
	}
	return c.alone(func() error { return c.cycle(i, between) })
}

// cycle is again for one who is alone with the cluster.
func (c *Cluster) cycle(i int, between func(*replica) error) error {
	r := c.replica(i)
	if err := errors.Join(c.suits(), r.isOf(&c.Genesis)); err != nil {
		return err
	}
	if _, err := r.load(); err != nil {
		return fmt.Errorf("replica %d could not start again: %w", i, err)
	}
	if p, err := r.process(); err != nil {
		return err
	} else if p == nil {
		if err := r.startable(&c.Genesis); err != nil {
			return err
		}
	}
	if err := c.stopAll([]int{i}); err != nil {
		return err
	}
	if err := between(r); err != nil {
		return err
	}
	if _, err := c.start(i); err != nil {
		return err
	}
	return r.survives(context.Background())
}

// asItIs does nothing to a replica between its stop and its start.
func asItIs(*replica) error { return nil }
