package testnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"quorate.dev/quorate/home"
	"quorate.dev/quorate/protocol"
)

// interrupt asks replica i to end and answers its process; nil if none runs.
// A paused one is let go on, else it could not hear.
func (c *Cluster) interrupt(i int) (*process, error) {
	p, err := find(c.path(c.Manifest.Replicas[i].Pid))
	if err != nil || p == nil {
		return nil, err
	}
	return p, errors.Join(p.signal(syscall.SIGTERM), p.signal(sigCont))
}

// outlive waits for the end of replica i's process, and forces it if need be.
func (c *Cluster) outlive(i int, p *process, within time.Duration) error {
	if !p.gone(within) {
		if err := p.signal(syscall.SIGKILL); err != nil {
			return err
		}
		if !p.gone(stopWithin) {
			return fmt.Errorf("replica %d, process %d, does not end even when killed: is its disk hanging?", i, p.pid)
		}
	}
	return c.forget(i)
}

// forget removes the pid file of a process that has ended.
func (c *Cluster) forget(i int) error {
	if err := os.Remove(c.path(c.Manifest.Replicas[i].Pid)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// ErrNotRunning: the replica has no process to disturb.
var ErrNotRunning = errors.New("not running")

// alive answers the process of replica i, or ErrNotRunning.
func (c *Cluster) alive(i int) (*process, error) {
	if err := c.Has(i); err != nil {
		return nil, err
	}
	p, err := find(c.path(c.Manifest.Replicas[i].Pid))
	if err == nil && p == nil {
		err = fmt.Errorf("replica %d is %w: start it with `quorate testnet restart %d`", i, ErrNotRunning, i)
	}
	return p, err
}

// Kill ends replica i by SIGKILL, as a crash would, and returns when it is
// gone. A replica that does not run is left as it is.
func (c *Cluster) Kill(i int) error {
	p, err := c.alive(i)
	if errors.Is(err, ErrNotRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	return c.outlive(i, p, stopWithin)
}

// Pause stops replica i by SIGSTOP: it keeps its connections and says nothing.
func (c *Cluster) Pause(i int) error {
	p, err := c.alive(i)
	if err != nil {
		return err
	}
	return p.signal(sigStop)
}

// Resume lets a paused replica go on, and returns when it answers or has had
// its time; that it ended instead is an error.
func (c *Cluster) Resume(i int) error {
	p, err := c.alive(i)
	if err != nil {
		return err
	}
	if err := p.signal(sigCont); err != nil {
		return err
	}
	return c.survives(context.Background(), i)
}

// Restart stops replica i, if it runs, in good order, and starts it. That it
// ends at once is an error with the last line of its log.
func (c *Cluster) Restart(i int) error { return c.again(i, func() error { return nil }) }

// Wipe stops replica i, removes all that it kept, the birth record too, and
// starts it: it comes back as one that lost its disk (PROTOCOL.md §8).
// Where no replica may fail none may forget either, so nothing is removed.
func (c *Cluster) Wipe(i int) error {
	system, err := protocol.System(c.Genesis)
	if err == nil && system.Faults() == 0 {
		err = fmt.Errorf("with %d replicas none may lose its disk, it could not come back: nothing was removed", c.Size())
	}
	if err != nil {
		return err
	}
	return c.again(i, func() error {
		h, err := c.LoadHome(i)
		if err != nil {
			return err
		}
		return os.RemoveAll(h.DataDir())
	})
}

// LoadHome reads the home of replica i as its process would.
func (c *Cluster) LoadHome(i int) (*home.Home, error) {
	return home.Load(c.Home(i), home.Overrides{}, envPassphrase)
}

// again stops replica i, does something to it, and starts it.
func (c *Cluster) again(i int, between func() error) error {
	if err := c.Has(i); err != nil {
		return err
	}
	release, err := c.hold()
	if err != nil {
		return err
	}
	defer release()
	if err := c.reload(); err != nil {
		return err
	}
	if err := c.stopAll([]int{i}); err != nil {
		return err
	}
	if err := between(); err != nil {
		return err
	}
	if _, err = c.start(i); err != nil {
		return err
	}
	return c.survives(context.Background(), i)
}
