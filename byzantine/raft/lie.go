package raft

import (
	"fmt"
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
)

// raftLiar is the mask of one lie about Raft: it listens, and then tells.
type lie struct {
	*seen
	name      string
	act       func(*step)
	incoming  func(from consensus.ReplicaID, message any) any // what the engine hears in the place of a member's message, nil = nothing; may be nil
	seeksLead bool                                            // sees to it that it leads
	changed   int                                             // messages that the engine hears otherwise, in this step
	patient   int                                             // tick before which it does not topple a leader again
}

func (*lie) ReportsItself() {}

// haste is how much faster than the others' the clock of a usurper runs, until
// it leads: so it is the first to ask for votes when there is no leader.
const haste = 4

// beat implements ticker.
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
			Kind: byzantine.Lied, View: consensus.View(l.term), Seq: consensus.Seq(l.commit), Replica: l.self, Reason: consensus.Reason(l.name), Text: fmt.Sprintf("%d letters", t.lies),
		})
	}
}

// topple tells whoever leads that its term is over, which it believes of any
// answer. The way to a lie is not counted as the lie.
func (l *lie) depose(m *byzantine.Outbox) {
	if !m.Act || !l.known || l.leader == l.self || l.tick < l.patient {
		return
	}
	l.patient = l.tick + 3*l.env.Patience
	m.Add(l.leader, consensus.Votes, l.Say(l.leader, pb.Message{Type: pb.MsgAppResp, Term: l.term + 1, Reject: true}))
}

// raftTelling is one step of a liar about Raft.
type step struct {
	*seen
	*byzantine.Outbox
	lies int // letters that are lies, or that are missing
}

// raftLying makes the mask of a lie about Raft. build reads the parameters and
// answers what is to be done in each step.
func stateful(build func(*lie, *byzantine.Spec) error) func(*byzantine.Env, byzantine.Spec) (byzantine.Interceptor, error) {
	return func(e *byzantine.Env, s byzantine.Spec) (byzantine.Interceptor, error) {
		l := &lie{seen: newSeen(e), name: s.Profile.Name}
		if err := build(l, &s); err != nil {
			return nil, err
		}
		return l, nil
	}
}

// raftLyingHow makes the mask of a lie whose main parameter is one of words.
func eachStepHow(words []string, tell func(*step, string)) func(*byzantine.Env, byzantine.Spec) (byzantine.Interceptor, error) {
	return stateful(func(l *lie, s *byzantine.Spec) error {
		how, err := s.Word("", words...)
		l.act = func(t *step) { tell(t, how) }
		return err
	})
}

// raftLyingSo makes the mask of a lie without parameters.
func eachStep(tell func(*step)) func(*byzantine.Env, byzantine.Spec) (byzantine.Interceptor, error) {
	return stateful(func(l *lie, _ *byzantine.Spec) error {
		l.act = tell
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
			l.Bytes = t.Say(l.To.Replica, *out)
			all = append(all, l)
		}
	}
	t.Messages = all
}

// say adds a message to one member. A liar waits for no disk.
func (t *step) say(to consensus.ReplicaID, m pb.Message) {
	class := consensus.Votes
	if len(m.Entries) > 0 {
		class = consensus.Bodies
	}
	t.Messages = append(t.Messages, byzantine.Outbound{To: consensus.ReplicaPeer(to), Class: class, Bytes: t.Say(to, m), Early: true})
	t.lies++
}

// misled are the second half of the victims, without the one who leads: who
// is told the other story. Victims who are named are told it all.
func (t *step) misled(named bool) []consensus.ReplicaID {
	victims := slices.DeleteFunc(slices.Clone(t.Victims), func(id consensus.ReplicaID) bool { return t.known && id == t.leader })
	if named {
		return victims
	}
	return victims[len(victims)/2:]
}
