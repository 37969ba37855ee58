package paxos

import (
	"bytes"
	"fmt"
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/paxos"
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
// it is the first to prepare when there is no leader.
const haste = 4

// Ticks implements byzantine.Ticker.
func (l *lie) Ticks(ticks int) int {
	if l.seeksLead && !l.led() {
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
			Kind: byzantine.Lied, View: consensus.View(l.ballot), Seq: l.commit, Replica: l.self, Reason: consensus.Reason(l.name), Text: fmt.Sprintf("%d messages", t.lies),
		})
	}
}

// depose speaks, where another one leads, as whoever leads under the next ballot:
// all follow it, though nobody has promised anything, and the one who led waits. They
// answer their new leader's PREPARE, which its own engine sends soon. It is not
// counted as a lie.
func (l *lie) depose(m *byzantine.Outbox) {
	b := l.above(l.ballot)
	if !m.Act || !l.known || l.led() || l.tick < l.patient || b == 0 {
		return
	}
	l.patient = l.tick + 3*l.env.Patience
	frame := (&paxos.Heartbeat{Ballot: b}).Encode()
	for _, to := range consensus.Others(l.members, l.self) {
		m.Add(to, consensus.Votes, frame)
	}
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

// eachStep makes the interceptor of a lie without parameters.
func eachStep(act func(*step)) func(*byzantine.Env, byzantine.Spec) (byzantine.Interceptor, error) {
	return stateful(func(l *lie, _ *byzantine.Spec) error {
		l.act = act
		return nil
	})
}

// leading reads whether a leader's lie goes to meet its occasion.
func (l *lie) leading(s *byzantine.Spec, param string) error {
	lead, err := s.Word(param, "yes", "no")
	l.seeksLead = lead == "yes"
	return err
}

// alter goes through the chosen messages to members. f gets a copy of its own, and
// answers what goes out in its place, nil for nothing, and whether that is a lie.
func (t *step) alter(f func(to consensus.ReplicaID, message any) (frame []byte, lie bool)) {
	var all []byzantine.Outbound
	for _, l := range t.Messages {
		m := decode(l.Bytes)
		if m == nil || l.To.Kind != consensus.PeerReplica {
			all = append(all, l)
			continue
		}
		frame, lie := f(l.To.Replica, m)
		if !lie {
			all = append(all, l)
			continue
		}
		t.lies++
		if l.Bytes = frame; frame != nil {
			all = append(all, l)
		}
	}
	t.Messages = all
}

// say adds a message to one member. A traitor waits for no disk.
func (t *step) say(to consensus.ReplicaID, frame []byte) {
	class := consensus.Votes
	if frame[0] == paxos.AcceptKind {
		class = consensus.Bodies
	}
	t.Messages = append(t.Messages, byzantine.Outbound{To: consensus.ReplicaPeer(to), Class: class, Bytes: frame, Early: true})
	t.lies++
}

// obey gives every member but those in but whatever it asks for: the promise that
// promise makes, a vote for what it proposes, and that it is followed, whatever
// this replica has promised to others. What the engine answers itself goes out as
// it is if it says the same; that it has promised more is kept back.
func (t *step) obey(but []consensus.ReplicaID, promise func(*paxos.Prepare) paxos.Promise) {
	for _, w := range t.heard {
		if slices.Contains(but, w.from) || !t.Act {
			continue
		}
		var yes []byte
		switch m := w.message.(type) {
		case *paxos.Prepare:
			p := promise(m)
			yes = paxos.EncodePromise(&p)
		case *paxos.Accept:
			yes = (&paxos.Accepted{Ballot: m.Ballot, Slot: m.Slot}).Encode()
		case *paxos.Heartbeat:
			yes = (&paxos.Alive{Ballot: m.Ballot, Round: m.Round}).Encode()
		default:
			continue
		}
		if !t.agrees(w.from, yes) {
			t.say(w.from, yes)
		}
	}
	t.alter(func(to consensus.ReplicaID, m any) ([]byte, bool) {
		_, no := m.(*paxos.Reject)
		return nil, no && t.Act && !slices.Contains(but, to)
	})
}

// agrees reports whether the engine itself says yes to a member in this step: of a
// promise, whatever it names.
func (t *step) agrees(with consensus.ReplicaID, yes []byte) bool {
	if yes[0] == paxos.PromiseKind {
		yes = yes[:1+8] // the ballot
	}
	return slices.ContainsFunc(t.Messages, func(l byzantine.Outbound) bool {
		return l.To == consensus.ReplicaPeer(with) && bytes.HasPrefix(l.Bytes, yes)
	})
}

// abstain keeps the traitor from leading: its lie is an acceptor's.
func (t *step) abstain() {
	t.Messages = slices.DeleteFunc(t.Messages, func(l byzantine.Outbound) bool {
		return len(l.Bytes) > 0 && l.Bytes[0] == paxos.PrepareKind
	})
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
