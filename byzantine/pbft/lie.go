package pbft

import (
	"fmt"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// lie is the interceptor of one lie: it learns, and then acts.
type lie struct {
	*seen
	name     string
	act      func(*step)
	incoming func(b *consensus.Burst, ticks int) int // changes what the engine gets, returns how many events; may be nil
	release  func() []byzantine.Outbound             // hands over what it holds back; may be nil
	changed  int                                     // events changed in this step
}

func (l *lie) Incoming(b *consensus.Burst, ticks int) {
	if l.incoming != nil {
		l.changed += l.incoming(b, ticks)
	}
}

// Release hands over what is held back.
func (l *lie) Release() []byzantine.Outbound {
	if l.release == nil {
		return nil
	}
	return l.release()
}

func (*lie) ReportsItself() {}

func (l *lie) Outgoing(b *consensus.Burst, m *byzantine.Outbox) {
	l.watch(b, m)
	t := step{seen: l.seen, Outbox: m, burst: b, lies: l.changed}
	l.changed = 0
	if l.act != nil {
		l.act(&t)
	}
	if t.lies > 0 {
		m.Out.Notes = append(m.Out.Notes, consensus.Note{
			Kind: byzantine.Lied, View: l.view, Seq: l.executed, Replica: l.self, Reason: consensus.Reason(l.name), Text: fmt.Sprintf("%d messages", t.lies),
		})
	}
}

// step is one step of a lie.
type step struct {
	*seen
	*byzantine.Outbox
	burst *consensus.Burst
	lies  int // messages that are lies, or that are missing
}

// stateful makes the interceptor of a lie. build reads the parameters and sets
// what is to be done in each step.
func stateful(build func(*lie, *byzantine.Spec) error) func(*byzantine.Env, byzantine.Spec) (byzantine.Interceptor, error) {
	return func(e *byzantine.Env, s byzantine.Spec) (byzantine.Interceptor, error) {
		f, err := newForger(e)
		if err != nil {
			return nil, err
		}
		l := &lie{seen: newSeen(e, f, s.Profile.Name), name: s.Profile.Name}
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

// alter goes through the chosen messages of these kinds to replicas. f returns
// what goes out in the place of one, and whether that is a lie.
func (t *step) alter(f func(to consensus.ReplicaID, frame []byte) (out [][]byte, lie bool), kinds ...message.Kind) {
	var all []byzantine.Outbound
	for _, l := range t.Messages {
		if l.To.Kind != consensus.PeerReplica || !isKind(l.Bytes, kinds) {
			all = append(all, l)
			continue
		}
		out, lie := f(l.To.Replica, l.Bytes)
		if !lie {
			all = append(all, l)
			continue
		}
		t.lies++
		for _, frame := range out {
			all = append(all, byzantine.Outbound{To: l.To, Class: l.Class, Bytes: frame, Early: l.Early})
		}
	}
	t.Messages = all
}

// alterOwn is alter for messages of one type that this replica wrote.
func alterOwn[M any](t *step, f func(to consensus.ReplicaID, m *M) (out [][]byte, lie bool), kinds ...message.Kind) {
	t.alter(func(to consensus.ReplicaID, frame []byte) ([][]byte, bool) {
		if m := own[M](t, frame); m != nil {
			return f(to, m)
		}
		return nil, false
	}, kinds...)
}

func isKind(frame []byte, kinds []message.Kind) bool {
	for _, k := range kinds {
		if len(frame) > 0 && message.Kind(frame[0]) == k {
			return true
		}
	}
	return false
}

// drop loses the chosen messages of these kinds that f names.
func (t *step) drop(f func(to consensus.ReplicaID, frame []byte) bool, kinds ...message.Kind) {
	t.alter(func(to consensus.ReplicaID, frame []byte) ([][]byte, bool) { return nil, f(to, frame) }, kinds...)
}

// say adds a frame to one victim.
func (t *step) say(to consensus.ReplicaID, frames ...[]byte) {
	for _, b := range frames {
		t.Add(to, classOf(b), b)
		t.lies++
	}
}

// sayAll adds frames to every victim.
func (t *step) sayAll(frames ...[]byte) {
	for _, to := range t.Victims {
		t.say(to, frames...)
	}
}

// classOf is the class in which the engine sends frames of this kind.
func classOf(frame []byte) consensus.Class {
	if isKind(frame, []message.Kind{message.PrePrepareKind, message.NewViewKind, message.FetchReplyKind, message.RejoinAnswerKind}) {
		return consensus.Bodies
	}
	return consensus.Votes
}

// misled reports whether a victim belongs to the second half of the victims,
// which gets the other version.
func (t *step) misled(to consensus.ReplicaID) bool {
	for i, v := range t.Victims {
		if v == to {
			return i >= len(t.Victims)/2
		}
	}
	return false
}

// own reads a message that this replica wrote; nil for one that it only passes
// on, and for a proposal without its batch.
func own[M any](t *step, frame []byte) *M {
	m, mine := t.decode(frame), true
	switch m := m.(type) {
	case *message.Vote:
		mine = m.Replica == t.self
	case *message.PrePrepare:
		mine = m.Replica == t.self && m.Batch != nil
	case *message.ViewChange:
		mine = m.Replica == t.self
	case *message.NewView:
		mine = m.Replica == t.self
	}
	if !mine {
		return nil
	}
	is, _ := m.(*M)
	return is
}
