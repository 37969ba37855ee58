package sim

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/byzantine/catalogue"
	"quorate.dev/quorate/consensus"
)

// Traitor is a replica with behaviours of package byzantine, as its specs name
// them. They change over time: an assignment holds from its moment on, until the
// next.
type Traitor struct {
	Replica  consensus.ReplicaID
	Schedule []Assignment
}

// Assignment is what a traitor does from a moment on, since the start of the run.
// Without behaviours it is honest again.
type Assignment struct {
	From       consensus.Time
	Behaviours []string
}

// traitor is what makes a replica a traitor. It outlives the process: plans
// hold across restarts.
type traitor struct {
	env      byzantine.Env
	schedule []assignment
	plan     *byzantine.Plan // what it does now; nil while it does as the honest
	doing    []string        // the plan's behaviours, for coverage and traces
	met      Phase           // what the honest were doing meanwhile
	replies  *byzantine.ReplyFilter
}

// assignment is an Assignment whose plan has been checked.
type assignment struct {
	from  consensus.Time
	plan  *byzantine.Plan
	doing []string
}

// makeTraitors makes traitors of the replicas that the configuration names. It fails
// if one of them is not there, or if a behaviour does not exist.
func (w *World) makeTraitors() error {
	var coalition []byzantine.Member
	for _, t := range w.cfg.Traitors {
		if int(t.Replica) >= len(w.replicas) {
			return fmt.Errorf("there is no replica %d to be a traitor", t.Replica)
		}
		coalition = append(coalition, byzantine.Member{Replica: t.Replica, Signer: w.keys.replicas[t.Replica]})
	}
	if !w.cfg.Coalition {
		coalition = nil
	}
	for _, t := range w.cfg.Traitors {
		r := w.replicas[t.Replica]
		if r.traitor != nil {
			return fmt.Errorf("replica %d stands twice among the traitors", t.Replica)
		}
		r.traitor = &traitor{env: byzantine.Env{
			Genesis: w.genesis, Self: t.Replica, Signer: w.keys.replicas[t.Replica], Coalition: coalition,
			Patience: w.cfg.Timing.Patience, Seed: newStream(w.cfg.Seed, "traitors").rng.Uint64(),
		}}
		if err := r.traitor.setSchedule(t.Schedule); err != nil {
			return err
		}
	}
	return nil
}

// setSchedule checks what a traitor is to do.
func (t *traitor) setSchedule(schedule []Assignment) error {
	t.replies = byzantine.NewReplyFilter(t.env, t.current)
	for _, a := range schedule {
		plan, err := planOf(&t.env, a.Behaviours)
		if err != nil {
			return err
		}
		t.schedule = append(t.schedule, assignment{from: a.From, plan: plan, doing: a.Behaviours})
	}
	return nil
}

// planOf reads behaviours as a command line has them.
func planOf(env *byzantine.Env, behaviours []string) (*byzantine.Plan, error) {
	if len(behaviours) == 0 {
		return nil, nil
	}
	var specs []byzantine.Spec
	for _, text := range behaviours {
		s, err := catalogue.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("behaviour %q: %w", text, err)
		}
		specs = append(specs, s)
	}
	return env.Plan(specs...)
}

// current is the plan in force.
func (t *traitor) current() *byzantine.Plan { return t.plan }

// scheduleTraitors schedules the assignments of all traitors.
func (w *World) scheduleTraitors() {
	for _, r := range w.replicas {
		if r.traitor == nil {
			continue
		}
		for _, a := range r.traitor.schedule {
			w.clock.after(max(0, a.from), func() { r.assign(a) })
		}
	}
}

// assign lets a traitor begin an assignment.
func (r *replica) assign(a assignment) {
	r.traitor.record(r.world.pastPhases)
	r.traitor.plan, r.traitor.doing = a.plan, a.doing
	what := strings.Join(a.doing, " + ")
	if what == "" {
		what = "does as the honest do"
	}
	r.world.trace.event(r.world.clock.now, r, "turns: %s", what)
	r.world.watchFault(r, what)
}

// protocol wraps a life's protocol if r is a traitor.
func (r *replica) wrapped(p consensus.Protocol) consensus.Protocol {
	if r.traitor == nil {
		return p
	}
	return byzantine.New(p, r.traitor.env, r.traitor.current)
}

// filterReplies passes replies through a traitor's reply filter.
func (r *replica) filterReplies(replies []consensus.Reply) []consensus.Reply {
	if r.traitor == nil || r.traitor.plan == nil {
		return replies
	}
	said := r.traitor.replies.Apply(replies)
	if !slices.EqualFunc(replies, said, sameReply) {
		r.world.stats.Notes[byzantine.Lied]++
	}
	return said
}

// sameReply compares what a client would compare, and whether it was told.
func sameReply(a, b consensus.Reply) bool {
	return a.Client == b.Client && bytes.Equal(a.Encode(), b.Encode())
}

// honest reports whether r does as its protocol says, from first to last.
func (r *replica) honest() bool { return r.traitor == nil && !r.twinned && !r.setBack }

// honest reports whether a peer cannot be at fault.
func (w *World) honest(p consensus.Peer) bool {
	switch p.Kind {
	case consensus.PeerReplica:
		return int(p.Replica) < len(w.replicas) && w.replicas[p.Replica].honest()
	case consensus.PeerClient:
		return w.byKey[p.Key] != nil
	}
	return true
}

// falls takes down a replica that cannot go on. What justifies nothing among
// the honest is what a traitor that deceived its own engine deserves: it stays
// away, as if it had crashed.
func (r *replica) falls(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if r.honest() {
		r.world.violate("%s", text)
		return
	}
	r.world.trace.event(r.world.clock.now, r, "falls: %s", text)
	r.world.stats.Fallen++
	r.health.fell, r.health.gone = text, true
	// It may be in the midst of a step.
	r.world.clock.after(0, r.stop)
}

// run lets the engine take one step. A traitor may break an invariant of the
// engine that it abuses.
func (r *replica) run(b consensus.Burst) {
	if !r.honest() {
		defer func() {
			if p := recover(); p != nil {
				r.falls("%v panics: %v (%s)", r, p, culprits(debug.Stack()))
			}
		}()
	}
	r.driver.Step(b)
}
