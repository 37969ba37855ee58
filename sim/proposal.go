package sim

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// lostProposal loses the next proposal of one replica on its way to all others, and
// whatever proposes the same slot again, until the fault ends. The first frame after
// its beginning says which slot that is.
type lostProposal struct {
	by   endpoint
	slot consensus.Seq // 0 = not known yet
	over bool
}

// loseProposals begins to lose the next proposal of each of some replicas.
func (w *World) loseProposals(f Fault) {
	var all []*lostProposal
	for _, id := range f.Replicas {
		w.watchFault(w.replicas[id], string(f.Kind))
		all = append(all, &lostProposal{by: w.replicas[id].end})
	}
	w.losing = append(w.losing, all...)
	if f.Lasts > 0 {
		w.clock.after(f.Lasts, func() {
			for _, l := range all {
				l.over = true
				w.watchFault(w.replicas[l.by], string(f.Kind)+" ends")
			}
		})
	}
}

// loses reports whether a packet is a proposal that a fault loses.
func (w *World) loses(p packet) bool {
	if len(w.losing) == 0 || w.bodyAt(p.to) == nil {
		return false
	}
	said, ok := w.codec.Summary(p.bytes)
	if !ok || said.Topic != protocol.Proposal {
		return false
	}
	slots := said.Slots
	if said.Seq > 0 {
		slots = []consensus.Seq{said.Seq}
	}
	for _, l := range w.losing {
		if l.over || l.by != p.from || len(slots) == 0 {
			continue
		}
		if l.slot == 0 {
			l.slot = slots[0]
		}
		for _, slot := range slots {
			if slot == l.slot {
				return true
			}
		}
	}
	return false
}
