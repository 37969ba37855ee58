package compare

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/testnet"
)

// roleWithin is how long somebody is looked for who leads: between two leaders
// there is none.
const roleWithin = 2 * time.Second

// errNobody: no replica has the role that a fault is about.
var errNobody = errors.New("nobody to be found")

// play lets the faults happen, each at its moment of the load, until ctx ends. A
// fault that cannot happen is told as an event and ends nothing: it is the same
// scenario for both sides, and they are not in the same state.
func (s *side) play(ctx context.Context, sc *Scenario) {
	for _, f := range sc.byTime(s.options.Duration) {
		behaviours := f.Behaviours[s.protocol]
		if f.Kind == Corrupt && len(behaviours) == 0 {
			continue // the other protocol's
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(s.begun.Add(f.At.Of(s.options.Duration)))):
		}
		i, err := s.target(ctx, &f)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.happens(f.Kind, -1, fmt.Sprintf("%s %s", f.Kind, s.role(f.Role)), err)
			continue
		}
		what := fmt.Sprintf("%s replica %d", f.Kind, i)
		if f.Role != "" && makes[f.Role] == "" {
			what = fmt.Sprintf("%s %s: replica %d", f.Kind, s.role(f.Role), i)
		}
		if f.Kind == Corrupt {
			what += " (" + strings.Join(behaviours, ", ") + ")"
		}
		// Counters end with their process: one last look.
		if f.Kind == Kill || f.Kind == Restart || f.Kind == Wipe {
			s.meter.look(ctx, s.cluster)
		}
		at := len(s.events) // ours alone until the load has ended
		s.happens(f.Kind, i, what, nil)
		if err := s.strike(f.Kind, i, behaviours); err != nil {
			s.failed(at, err)
		}
	}
}

// role is the protocol's own word for a role.
func (s *side) role(role string) string {
	x := Side{Protocol: s.protocol}
	switch {
	case role == RoleLeader:
		return x.leads()
	case role == RoleFollower:
		return x.underTest().Words.Follow
	case role == RoleKilled || role == RolePaused:
		return "who was " + role
	}
	return role
}

// failed adds to an event why it did not happen.
func (s *side) failed(at int, err error) {
	s.mu.Lock()
	s.events[at].Error = err.Error()
	s.mu.Unlock()
	s.changed()
}

// strike does it, and remembers who is now what.
func (s *side) strike(kind string, i int, behaviours []string) error {
	do := map[string]func(int) error{
		Kill: s.cluster.Kill, Pause: s.cluster.Pause, Resume: s.cluster.Resume, Restart: s.cluster.Restart, Wipe: s.cluster.Wipe, Heal: s.cluster.Heal,
		Corrupt: func(i int) error { return s.cluster.Corrupt(i, behaviours) },
	}[kind]
	if err := do(i); err != nil {
		return err
	}
	switch kind {
	case Kill:
		s.killed, s.paused = latest(s.killed, i), without(s.paused, i)
	case Pause:
		s.paused = latest(s.paused, i)
	case Resume:
		s.paused = without(s.paused, i)
	case Restart, Wipe:
		s.killed, s.paused = without(s.killed, i), without(s.paused, i)
	case Corrupt:
		s.turned = latest(s.turned, i)
	case Heal:
		s.turned = without(s.turned, i)
	}
	return nil
}

// without is the list without i; latest is it with i at its end.
func without(list []int, i int) []int {
	return slices.DeleteFunc(slices.Clone(list), func(j int) bool { return i == j })
}

func latest(list []int, i int) []int { return append(without(list, i), i) }

// target finds whom a fault is about.
func (s *side) target(ctx context.Context, f *Fault) (int, error) {
	switch f.Role {
	case "":
		return f.Replica, nil
	case RoleKilled:
		return last(s.killed)
	case RolePaused:
		return last(s.paused)
	case RoleTraitor:
		return last(s.turned)
	}
	ctx, cancel := context.WithTimeout(ctx, roleWithin)
	defer cancel()
	for {
		all := s.cluster.Statuses(ctx)
		i := leading(all)
		if f.Role == RoleFollower {
			i = s.following(all, i)
		}
		if i >= 0 {
			return i, nil
		}
		select {
		case <-ctx.Done():
			return -1, errNobody
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func last(list []int) (int, error) {
	if len(list) == 0 {
		return -1, errNobody
	}
	return list[len(list)-1], nil
}

// leading is who leads by its own word, in the highest view of those who say
// so; -1 = nobody.
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

// following is the first that runs, is honest and does not lead; -1 if there is
// none, or it is not known who leads.
func (s *side) following(all []testnet.ReplicaStatus, leader int) int {
	for i, x := range all {
		if leader >= 0 && i != leader && x.Report != nil && !s.lies(i) {
			return i
		}
	}
	return -1
}
