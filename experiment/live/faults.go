package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/sim"
)

// event is something that happens to processes at a moment of the run.
type event struct {
	at   consensus.Time
	what string
	do   func() error
}

// events are the faults and acts of the spec, by time.
func (r *real) events() []event {
	var all []event
	add := func(at consensus.Time, do func() error, format string, args ...any) {
		all = append(all, event{at, fmt.Sprintf(format, args...), do})
	}
	for _, t := range r.spec.Traitors {
		i := int(t.Replica)
		for _, a := range t.Acts {
			switch {
			case a.From == 0:
			case len(a.Behaviours) == 0:
				add(a.From, func() error { return r.cluster.Heal(i) }, "replica %d does as the honest do", i)
			default:
				add(a.From, func() error { return r.cluster.Corrupt(i, a.Behaviours) }, "replica %d turns: %v", i, a.Behaviours)
			}
		}
	}
	for _, f := range r.spec.Faults {
		add(f.At, func() error { return r.strike(f) }, "%s: %v", f.Kind, f.Replicas)
		if f.Lasts > 0 && f.Kind != sim.FaultWipe {
			add(f.At+f.Lasts, func() error { return r.mend(f) }, "%s ends: %v", f.Kind, f.Replicas)
		}
	}
	for _, m := range r.options.Also {
		add(m.At, func() error { return m.Do(r.cluster) }, "%s", m.What)
	}
	slices.SortStableFunc(all, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	return all
}

// happen lets the events happen until ctx ends.
func (r *real) happen(ctx context.Context) error {
	for _, e := range r.events() {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(r.begun.Add(time.Duration(e.at)))):
		}
		r.say("%s", e.what)
		if err := e.do(); err != nil {
			return fmt.Errorf("%s: %w", e.what, err)
		}
	}
	return nil
}

// strike begins a fault.
func (r *real) strike(f sim.Fault) error {
	switch f.Kind {
	case sim.FaultCrash:
		return r.each(f, r.cluster.Kill)
	case sim.FaultPause:
		return r.each(f, r.cluster.Pause)
	case sim.FaultWipe:
		return r.each(f, r.cluster.Wipe)
	}
	return r.cut(f, true)
}

// mend ends it.
func (r *real) mend(f sim.Fault) error {
	switch f.Kind {
	case sim.FaultCrash:
		return r.each(f, r.cluster.Restart)
	case sim.FaultPause:
		return r.each(f, r.cluster.Resume)
	}
	return r.cut(f, false)
}

func (r *real) each(f sim.Fault, do func(int) error) error {
	var errs []error
	for _, id := range f.Replicas {
		errs = append(errs, do(int(id)))
	}
	return errors.Join(errs...)
}

// cut cuts or mends the links that a fault is about.
func (r *real) cut(f sim.Fault, on bool) error {
	var errs []error
	for from := range r.spec.Replicas {
		for to := range r.spec.Replicas {
			a, b := slices.Contains(f.Replicas, consensus.ReplicaID(from)), slices.Contains(f.Replicas, consensus.ReplicaID(to))
			if from != to && severs(f.Kind, a, b) {
				errs = append(errs, r.lab.Cut(from, to, on))
			}
		}
	}
	return errors.Join(errs...)
}

// severs says which links a fault cuts, as the simulator has it.
func severs(kind sim.FaultKind, from, to bool) bool {
	switch kind {
	case sim.FaultDeaf:
		return to
	case sim.FaultMute:
		return from
	case sim.FaultIsolate:
		return from || to
	}
	return from != to
}

// thisProgram is how to start this very program again.
func thisProgram() []string {
	exe, err := os.Executable()
	if err != nil {
		return []string{"quorate"}
	}
	return []string{exe}
}
