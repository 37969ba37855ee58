package live

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/check/linear"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/testnet"
)

// ErrPlace is what errors wrap when a run finds no place on this machine for the
// files of its cluster, whatever the Spec: the disk is full, or closed to it.
var ErrPlace = errors.New("no place for the cluster of this run")

// Setup says which cluster is made, and where.
type Setup struct {
	Dir      string                     // new or empty, and the caller's to remove
	Command  func(home string) []string // how a home becomes a process; nil = this program's node command
	Name     string
	Protocol string
	Replicas int
	Faults   []spec.Fault                // that will happen: what they take is put in place
	Adjust   func(*consensus.Genesis)    // changes the genesis; nil = leave it
	Settings func(i int, c *home.Config) // changes a home's settings; nil = leave them
	Apart    []*Cluster                  // have ports that it must not have, for they may not listen yet
}

// Cluster is a cluster of processes that faults befall and clients call. All that
// is said is written down.
type Cluster struct {
	*testnet.Cluster
	rig  *rig
	open []spec.Fault // that began and have not ended, each with one replica unless it cuts links; the latest last
}

// recordBytes is the room of each replica for what it writes down: all of it, or
// the judges could not execute it again. It is a bound, not a size.
const recordBytes = 1 << 30

// New makes a cluster, and starts nothing. Errors wrap ErrSpec, ErrPlace, or
// netlab.ErrUnavailable, if the faults take what this machine does not give.
func New(s Setup) (*Cluster, error) {
	for range 8 {
		c, err := s.make()
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(s.Apart, c.meets) {
			return c, nil
		}
		if err := errors.Join(c.rig.close(), os.RemoveAll(s.Dir)); err != nil {
			return nil, fmt.Errorf("make a cluster anew: %w", err)
		}
	}
	return nil, errors.New("no ports are left that no other cluster has: stop what listens on loopback")
}

func (s *Setup) make() (*Cluster, error) {
	rig, err := newRig(s)
	if err != nil {
		return nil, err
	}
	c, err := testnet.Init(testnet.Options{
		Dir: s.Dir, Protocol: s.Protocol, Replicas: s.Replicas, Name: s.Name, Hosts: rig.hosts(), Adjust: s.Adjust,
		Settings: func(i int, c *home.Config) {
			c.Record.Level, c.Record.Bytes = home.RecordAll, recordBytes
			rig.settings(i, c)
			if s.Settings != nil {
				s.Settings(i, c)
			}
		},
	})
	if err != nil {
		return nil, errors.Join(refused(err), rig.close())
	}
	c.Command, c.Tied = rig.command(s.Command), true
	if err := rig.prepare(c, s.Faults); err != nil {
		return nil, errors.Join(err, rig.close())
	}
	return &Cluster{Cluster: c, rig: rig}, nil
}

// meets reports whether another cluster has one of its ports.
func (c *Cluster) meets(other *Cluster) bool {
	taken := map[string]bool{}
	for _, p := range other.Manifest.Replicas {
		taken[p.Address], taken[p.Admin] = true, true
	}
	return slices.ContainsFunc(c.Manifest.Replicas, func(p testnet.Place) bool { return taken[p.Address] || taken[p.Admin] })
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

// upWithin is how long processes have until all answer.
const upWithin = 30 * time.Second

// Start starts the processes and waits until each answers. It need not be ready:
// traitors may see to it that none is.
func (c *Cluster) Start(ctx context.Context) error {
	if _, err := c.Up(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, upWithin)
	defer cancel()
	for {
		var late []string
		for _, s := range c.Statuses(ctx) {
			if s.Condition == testnet.Stopped {
				return fmt.Errorf("replica %d ended as soon as it was started:\n%s", s.Replica, c.Tail(s.Replica))
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

// leading is who leads by its own word, in the highest view of those who say so;
// -1 = nobody.
func leading(all []testnet.ReplicaStatus) int {
	found := -1
	for i, x := range all {
		if x.Report == nil || x.Report.Changing || x.Report.Primary != x.Report.Replica {
			continue
		}
		if found < 0 || x.Report.View > all[found].Report.View {
			found = i
		}
	}
	return found
}

// Close ends all processes at once and takes away what faults took. It may be
// repeated. Judge has ended them in good order before, if it was asked.
func (c *Cluster) Close() error { return errors.Join(c.Discard(), c.rig.close()) }

// Judge ends all processes and reads what everybody wrote down. It may take as
// long as the load did; if ctx ends, nobody waits for it any more.
func (c *Cluster) Judge(ctx context.Context, a app.Application, m *linear.Model) (check.Verdict, error) {
	if err := ctx.Err(); err != nil {
		return check.Verdict{}, err
	}
	if err := c.Down(); err != nil {
		return check.Verdict{}, err
	}
	var v check.Verdict
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		v, err = c.Cluster.Judge(a, m)
	}()
	select {
	case <-ctx.Done():
		return check.Verdict{}, ctx.Err()
	case <-done:
		return v, err
	}
}
