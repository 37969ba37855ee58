package raft

import (
	"fmt"
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
)

// lie is the interceptor of one lie: it learns, and then acts.
type lie struct {
	*seen
	name      string
	act       func(*step)
	incoming  func(from consensus.ReplicaID, message any) any // what the engine gets in the place of a member's message, nil = nothing; may be nil
	seeksLead bool                                            // sees to it that it leads
	changed   int                                             // messages that the engine gets changed, in this step
	patient   int                                             // tick before which it does not depose a leader again
}

func (*lie) ReportsItself() {}

// haste is how much faster than the others' its clock runs until it leads: so
// it is the first to ask for votes when there is no leader.
const haste = 4

// Ticks implements byzantine.Ticker.
func (l *lie) Ticks(ticks int) int {
	if l.seeksLead && !l.leads() {
		return ticks * haste
	}
	return ticks
}

func (l *lie) Incoming(b *consensus.Burst, ticks int) {
	l.listen(b, ticks)
	if l.incoming == nil {
		return
	}
	var events []consensus.Event
	for _, e := range b.Events {
		r, received := e.(consensus.Receive)
		if !received || r.From.Kind != consensus.PeerReplica {
			events = append(events, e)
			continue
		}
		heard := l.incoming(r.From.Replica, r.Message)
		if heard != r.Message {
			l.changed++
		}
		if heard != nil {
			events = append(events, consensus.Receive{From: r.From, Message: heard})
		}
	}
	b.Events = events
}

func (l *lie) Outgoing(_ *consensus.Burst, m *byzantine.Outbox) {
	l.watch(m)
	t := step{seen: l.seen, Outbox: m, lies: l.changed}
	l.changed = 0
	l.act(&t)
	if l.seeksLead {
		l.depose(m)
	}
	if t.lies > 0 {
		m.Out.Notes = append(m.Out.Notes, consensus.Note{
			Kind: byzantine.Lied, View: consensus.View(l.term), Seq: consensus.Seq(l.commit), Replica: l.self, Reason: consensus.Reason(l.name), Text: fmt.Sprintf("%d messages", t.lies),
		})
	}
}

// depose tells whoever leads that its term is over, which a leader believes of
// any answer. It is not counted as a lie.
func (l *lie) depose(m *byzantine.Outbox) {
	if !m.Act || !l.known || l.leader == l.self || l.tick < l.patient {
		return
	}
	l.patient = l.tick + 3*l.env.Patience
	m.Add(l.leader, consensus.Votes, l.frame(l.leader, pb.Message{Type: pb.MsgAppResp, Term: l.term + 1, Reject: true}))
}

// step is one step of a lie.
type step struct {
	*seen
	*byzantine.Outbox
	lies int // messages that are lies, or that are missing
}

// stateful makes the interceptor of a lie. build reads the parameters and sets
// what is to be done in each step.
func stateful(build func(*lie, *byzantine.Spec) error) func(*byzantine.Env, byzantine.Spec) (byzantine.Interceptor, error) {
	return func(e *byzantine.Env, s byzantine.Spec) (byzantine.Interceptor, error) {
		l := &lie{seen: newSeen(e), name: s.Profile.Name}
		if err := build(l, &s); err != nil {
			return nil, err
		}
		return l, nil
	}
}

// eachStepHow makes the interceptor of a lie whose main parameter is one of words.
func eachStepHow(words []string, act func(*step, string)) func(*byzantine.Env, byzantine.Spec) (byzantine.Interceptor, error) {
	return stateful(func(l *lie, s *byzantine.Spec) error {
		how, err := s.Word("", words...)
		l.act = func(t *step) { act(t, how) }
		return err
	})
}

// eachStep makes the interceptor of a lie without parameters.
func eachStep(act func(*step)) func(*byzantine.Env, byzantine.Spec) (byzantine.Interceptor, error) {
	return stateful(func(l *lie, _ *byzantine.Spec) error {
		l.act = act
		return nil
	})
}

// alter goes through the chosen messages of these types to members. f gets a
// copy of its own, and answers what goes out in its place, nil for nothing, and
// whether that is a lie.
func (t *step) alter(f func(to consensus.ReplicaID, m *pb.Message) (out *pb.Message, lie bool), types ...pb.MessageType) {
	var all []byzantine.Outbound
	for _, l := range t.Messages {
		m := decode(l.Bytes)
		if m == nil || l.To.Kind != consensus.PeerReplica || !slices.Contains(types, m.Type) {
			all = append(all, l)
			continue
		}
		out, lie := f(l.To.Replica, m)
		if !lie {
			all = append(all, l)
			continue
		}
		t.lies++
		if out != nil {
			l.Bytes = t.frame(l.To.Replica, *out)
			all = append(all, l)
		}
	}
	t.Messages = all
}

// say adds a message to one member. A traitor waits for no disk.
func (t *step) say(to consensus.ReplicaID, m pb.Message) {
	class := consensus.Votes
	if len(m.Entries) > 0 {
		class = consensus.Bodies
	}
	t.Messages = append(t.Messages, byzantine.Outbound{To: consensus.ReplicaPeer(to), Class: class, Bytes: t.frame(to, m), Early: true})
	t.lies++
}

// misled are the victims that get the other version: the second half of them,
// or all that are named, without the one who leads.
func (t *step) misled(named bool) []consensus.ReplicaID {
	victims := slices.DeleteFunc(slices.Clone(t.Victims), func(id consensus.ReplicaID) bool { return t.known && id == t.leader })
	if named {
		return victims
	}
	return victims[len(victims)/2:]
}
