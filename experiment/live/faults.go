package live

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/testnet"
)

// Due yields faults, each when its moment has come, until ctx ends. Each that
// lasts is followed by its end.
func Due(ctx context.Context, begun time.Time, faults []spec.Fault) iter.Seq[spec.Fault] {
	return func(yield func(spec.Fault) bool) {
		for _, f := range spec.Timeline(faults) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Until(begun.Add(time.Duration(f.At)))):
			}
			if ctx.Err() != nil || !yield(f) {
				return
			}
		}
	}
}

// errNobody: no replica has the role that a fault is about.
var errNobody = errors.New("nobody to be found")

// roleWithin is how long somebody is looked for who leads: between two leaders
// there is none.
const roleWithin = 2 * time.Second

// Find fills in whom a fault befalls, if it names a role. It ends for whom it
// began, whatever office that one has by then.
func (c *Cluster) Find(ctx context.Context, f *spec.Fault) error {
	var found consensus.ReplicaID
	var err error
	switch office := f.Role == spec.RoleLeader || f.Role == spec.RoleFollower; {
	case f.Role == "":
		return nil
	case f.Role == spec.RoleCrashed:
		found, err = c.latest(spec.Crash, spec.TornWrite)
	case !office || f.Ends:
		found, err = c.latest(f.Kind)
	default:
		found, err = c.inOffice(ctx, f.Role)
	}
	if err == nil {
		f.Replicas = []consensus.ReplicaID{found}
	}
	if err == nil && f.Ends {
		f.Role = ""
	}
	return err
}

// latest is whom such a fault befell last that has not ended.
func (c *Cluster) latest(kinds ...spec.Kind) (consensus.ReplicaID, error) {
	for _, f := range slices.Backward(c.open) {
		if slices.Contains(kinds, f.Kind) {
			return f.Replicas[0], nil
		}
	}
	return 0, errNobody
}

// inOffice finds who leads, or somebody who follows.
func (c *Cluster) inOffice(ctx context.Context, role spec.Role) (consensus.ReplicaID, error) {
	ctx, cancel := context.WithTimeout(ctx, roleWithin)
	defer cancel()
	for {
		all := c.Statuses(ctx)
		i := leading(all)
		if role == spec.RoleFollower {
			i = c.following(all, i)
		}
		if i >= 0 {
			return consensus.ReplicaID(i), nil
		}
		select {
		case <-ctx.Done():
			return 0, errNobody
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// following is the first that runs, is honest and does not lead; -1 if there is
// none, or it is not known who leads.
func (c *Cluster) following(all []testnet.ReplicaStatus, leader int) int {
	for i, x := range all {
		if leader >= 0 && i != leader && x.Report != nil && !slices.Contains(c.Traitors(), consensus.ReplicaID(i)) {
			return i
		}
	}
	return -1
}

// Inject lets a fault that names replicas begin or end, and remembers it.
func (c *Cluster) Inject(f *spec.Fault) error {
	if f.Kind.Cuts() {
		c.note(*f)
		return c.rig.cut(f)
	}
	for _, id := range f.Replicas {
		if err := c.inject(f, int(id)); err != nil {
			return fmt.Errorf("%s replica %d: %w", f.Word(), id, err)
		}
		one := *f
		one.Replicas = []consensus.ReplicaID{id}
		c.note(one)
	}
	return nil
}

// inject does it to one replica.
func (c *Cluster) inject(f *spec.Fault, i int) error {
	switch f.Kind {
	case spec.Crash, spec.TornWrite:
		if f.Ends {
			return c.Restart(i)
		}
		if err := c.Kill(i); err != nil || f.Kind == spec.Crash {
			return err
		}
		return c.tear(i)
	case spec.Pause:
		if f.Ends {
			return c.Resume(i)
		}
		return c.Pause(i)
	case spec.Corrupt:
		if f.Ends {
			return c.Heal(i)
		}
		return c.Corrupt(i, f.Behaviours)
	case spec.Wipe:
		return c.Wipe(i)
	case spec.Delay:
		c.rig.delay(i, f)
		return nil
	case spec.DiskFull:
		if !f.Ends {
			return c.rig.disks[i].fill()
		}
		return errors.Join(c.rig.disks[i].empty(), c.Restart(i))
	case spec.LostProposal:
		return fmt.Errorf("%w: %s: processes talk over streams, which lose no single message: use the simulator", spec.ErrSpec, f.Kind)
	}
	return fmt.Errorf("%w: no fault is called %q", spec.ErrSpec, f.Kind)
}

// note remembers which faults are open.
func (c *Cluster) note(f spec.Fault) {
	over := []spec.Kind{f.Kind}
	if slices.Contains([]spec.Kind{spec.Crash, spec.TornWrite, spec.Wipe}, f.Kind) {
		over = []spec.Kind{spec.Crash, spec.TornWrite, spec.Pause} // its process is another
	}
	c.open = slices.DeleteFunc(c.open, func(o spec.Fault) bool { return slices.Contains(over, o.Kind) && slices.Equal(o.Replicas, f.Replicas) })
	if !f.Ends && f.Kind != spec.Wipe {
		c.open = append(c.open, f)
	}
}

// Recover ends all faults that are open, but for traitors, who stay traitors. What
// it does is told one by one.
func (c *Cluster) Recover(tell func(f *spec.Fault, err error)) {
	for _, f := range slices.Clone(c.open) {
		if f.Kind != spec.Corrupt {
			f.Ends, f.Role = true, ""
			tell(&f, c.Inject(&f))
		}
	}
}
