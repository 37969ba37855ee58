package course

import (
	"fmt"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// maxSlots bounds the slots of an Outcome.
const maxSlots = 256

// Log is who led in a run, in order, and what became of each slot that somebody
// executed.
func (r *Recorder) Log(g consensus.Genesis) ([]spec.Leader, []spec.Slot) {
	b := logBuilder{read: r.protocol.Codec(g).Summary, slots: map[consensus.Seq]*spec.Slot{}}
	for i := range r.entered {
		b.entered(&r.entered[i], r.protocol.Elected, len(g.Replicas))
	}
	for i := range r.steps {
		b.step(&r.steps[i])
	}
	var all []spec.Slot
	for _, s := range b.slots {
		if s.Executed > 0 {
			all = append(all, *s)
		}
	}
	slices.SortFunc(all, func(x, y spec.Slot) int { return int(x.Seq) - int(y.Seq) })
	return b.leaders, all
}

// logBuilder gathers what steps say of leaders and slots.
type logBuilder struct {
	read    func(frame []byte) (protocol.Summary, bool)
	leaders []spec.Leader
	slots   map[consensus.Seq]*spec.Slot
}

// entered takes down that a view has a leader: of views that members elect, when the
// leader says so itself; of others, when the first one enters.
func (b *logBuilder) entered(s *sim.Step, elected bool, n int) {
	leader := s.Note.Replica
	if !elected {
		leader = consensus.ReplicaID(uint64(s.Note.View) % uint64(n))
	}
	if elected && s.From != fmt.Sprintf("R%d", leader) || slices.ContainsFunc(b.leaders, func(l spec.Leader) bool { return l.View == s.Note.View }) {
		return
	}
	b.leaders = append(b.leaders, spec.Leader{At: s.At, View: s.Note.View, Replica: leader})
}

func (b *logBuilder) step(s *sim.Step) {
	switch s.Kind {
	case sim.StepSend:
		if said, ok := b.read(s.Frame); ok && said.Topic == protocol.Proposal {
			b.proposed(said)
		}
	case sim.StepNote:
		if slot := b.slot(s.Seq); s.Note.Kind == consensus.Committed && slot != nil && slot.Decided == 0 {
			slot.Decided = s.At
		}
	case sim.StepExecute:
		if slot := b.slot(s.Seq); slot != nil && slot.Executed == 0 {
			slot.Executed, slot.View, slot.Value = s.At, s.View, s.Digest
			if slot.Decided == 0 {
				slot.Decided = s.At
			}
		}
	}
}

// slot finds a slot, or makes it; nil if there are too many.
func (b *logBuilder) slot(n consensus.Seq) *spec.Slot {
	if s := b.slots[n]; s != nil || n == 0 || n > maxSlots {
		return s
	}
	b.slots[n] = &spec.Slot{Seq: n}
	return b.slots[n]
}

// proposed notes each value that a frame proposes, once for each view.
func (b *logBuilder) proposed(said protocol.Summary) {
	if said.Seq > 0 && said.Valued {
		b.propose(said.Seq, said.View, said.Value, said.Request)
		return
	}
	for i, n := range said.Slots {
		if i < len(said.Holds) {
			b.propose(n, said.View, said.Values[i], said.Holds[i])
		}
	}
}

func (b *logBuilder) propose(n consensus.Seq, v consensus.View, value crypto.Digest, requests []crypto.Digest) {
	slot := b.slot(n)
	if slot == nil || slices.ContainsFunc(slot.Proposed, func(p spec.Proposal) bool { return p.View == v && p.Value == value }) {
		return
	}
	slot.Proposed = append(slot.Proposed, spec.Proposal{View: v, Value: value, Requests: requests})
}
