package bounds

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// ballot is one leader's count of who has the slot's entry.
type ballot struct {
	leader string
	term   consensus.View
}

// elects reports whether the protocol elects its leaders.
func (d *drawer) elects() bool { return d.result.Spec.UnderTest().Elected }

// hearRaft counts acknowledgements as their leader does, and remembers who told
// an end that the slot is decided.
func (d *drawer) hearRaft(s sim.Step, said protocol.Summary) {
	slot := d.result.Outcome.Slot
	if said.Stored >= slot && said.Stored > 0 {
		at := ballot{s.To, said.View}
		if !slices.Contains(d.votedBy[at], said.Signer) {
			d.votedBy[at] = append(d.votedBy[at], said.Signer)
		}
	}
	if said.Decided >= slot && said.Decided > 0 {
		d.told[s.To] = s.From
	}
}

// stored is what an execution rests on: a majority that acknowledged the entry to
// this leader, or a leader's word.
func (d *drawer) stored(s sim.Step, from int) string {
	self := consensus.ReplicaID(from - len(d.chart.Lifelines) + d.result.Spec.Replicas)
	if have := d.votedBy[ballot{s.From, s.View}]; len(have) > 0 {
		have = append(slices.Clone(have), self)
		slices.Sort(have)
		return " · stored by " + replicas(slices.Compact(have))
	} else if by, known := d.told[s.From]; known {
		return " · on the word of " + by
	}
	return ""
}
