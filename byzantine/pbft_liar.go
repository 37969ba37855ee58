package byzantine

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// Lied is the kind of note by which a traitor's engine owns up to the lies of
// one step: Reason names the behaviour, Text counts the letters. Nobody but
// tests and reports reads it.
const Lied consensus.NoteKind = "lied"

// liar is the mask of one lie: it watches, and then tells.
type liar struct {
	*scene
	name string
	tell func(*telling)
	ears func(b *consensus.Burst, ticks int) int // changes what the engine hears, answers how many events; may be nil
	keep func() []Letter                         // hands over what it holds back; may be nil
	deaf int                                     // events changed in this step
}

func (l *liar) hear(b *consensus.Burst, ticks int) {
	if l.ears != nil {
		l.deaf += l.ears(b, ticks)
	}
}

// letGo hands over what is held back when the mask comes off.
func (l *liar) letGo() []Letter {
	if l.keep == nil {
		return nil
	}
	return l.keep()
}

func (*liar) confesses() {}

func (l *liar) speak(b *consensus.Burst, m *Mail) {
	l.watch(b, m)
	t := telling{scene: l.scene, Mail: m, burst: b, told: l.deaf}
	l.deaf = 0
	if l.tell != nil {
		l.tell(&t)
	}
	if t.told > 0 {
		m.Out.Notes = append(m.Out.Notes, consensus.Note{
			Kind: Lied, View: l.view, Seq: l.executed, Replica: l.self, Reason: consensus.Reason(l.name), Text: fmt.Sprintf("%d letters", t.told),
		})
	}
}

// telling is one step of a liar.
type telling struct {
	*scene
	*Mail
	burst *consensus.Burst
	told  int // letters that are lies, or that are missing
}

// lying makes the mask of a lie. build reads the parameters and answers what
// is to be done in each step.
func lying(build func(*liar, *Spec) error) func(*Env, Spec) (mask, error) {
	return func(e *Env, s Spec) (mask, error) {
		f, err := NewForger(e)
		if err != nil {
			return nil, err
		}
		l := &liar{scene: newScene(e, f, s.Name), name: s.Name}
		if err := build(l, &s); err != nil {
			return nil, err
		}
		return l, nil
	}
}

// lyingHow makes the mask of a lie whose main parameter is one of words.
func lyingHow(words []string, tell func(*telling, string)) func(*Env, Spec) (mask, error) {
	return lying(func(l *liar, s *Spec) error {
		how, err := s.word("", words...)
		l.tell = func(t *telling) { tell(t, how) }
		return err
	})
}

// lyingSo makes the mask of a lie without parameters.
func lyingSo(tell func(*telling)) func(*Env, Spec) (mask, error) {
	return lying(func(l *liar, _ *Spec) error {
		l.tell = tell
		return nil
	})
}

// anyOf goes through words, turn after turn.
func anyOf(how string, words []string, turn uint64) string {
	if how == "any" {
		return words[turn%uint64(len(words))]
	}
	return how
}

// alter goes through the chosen letters of these kinds to replicas. f answers
// what goes out in the place of one, and whether that is a lie.
func (t *telling) alter(f func(to consensus.ReplicaID, frame []byte) (out [][]byte, lie bool), kinds ...message.Kind) {
	var all []Letter
	for _, l := range t.Letters {
		if l.To.Kind != consensus.PeerReplica || !isKind(l.Bytes, kinds) {
			all = append(all, l)
			continue
		}
		out, lie := f(l.To.Replica, l.Bytes)
		if !lie {
			all = append(all, l)
			continue
		}
		t.told++
		for _, frame := range out {
			all = append(all, Letter{To: l.To, Class: l.Class, Bytes: frame, Early: l.Early})
		}
	}
	t.Letters = all
}

func isKind(frame []byte, kinds []message.Kind) bool {
	for _, k := range kinds {
		if len(frame) > 0 && message.Kind(frame[0]) == k {
			return true
		}
	}
	return false
}

// drop loses the chosen letters of these kinds that f names.
func (t *telling) drop(f func(to consensus.ReplicaID, frame []byte) bool, kinds ...message.Kind) {
	t.alter(func(to consensus.ReplicaID, frame []byte) ([][]byte, bool) { return nil, f(to, frame) }, kinds...)
}

// say adds a frame to one victim.
func (t *telling) say(to consensus.ReplicaID, frames ...[]byte) {
	for _, b := range frames {
		t.Post(to, classOf(b), b)
		t.told++
	}
}

// sayAll adds frames to every victim.
func (t *telling) sayAll(frames ...[]byte) {
	for _, to := range t.Victims {
		t.say(to, frames...)
	}
}

// classOf is the class in which the engine sends frames of this kind.
func classOf(frame []byte) consensus.Class {
	if isKind(frame, []message.Kind{message.PrePrepareKind, message.NewViewKind, message.GivenKind, message.RejoinAnswerKind}) {
		return consensus.Bodies
	}
	return consensus.Votes
}

// upper reports whether a victim belongs to the second half of the victims,
// which is told the other story.
func (t *telling) upper(to consensus.ReplicaID) bool {
	for i, v := range t.Victims {
		if v == to {
			return i >= len(t.Victims)/2
		}
	}
	return false
}

// ownProposal reads a PRE-PREPARE that this replica makes as the primary of
// its view; nil for one that it only passes on.
func (t *telling) ownProposal(frame []byte) *message.PrePrepare {
	m, _ := t.decode(frame).(*message.PrePrepare)
	if m == nil || m.Replica != t.self || m.Batch == nil {
		return nil
	}
	return m
}

// ownVote reads a vote of this replica's; nil for one that it only passes on.
func (t *telling) ownVote(frame []byte) *message.Vote {
	v, _ := t.decode(frame).(*message.Vote)
	if v == nil || v.Replica != t.self {
		return nil
	}
	return v
}
