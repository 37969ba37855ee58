package pbft

import (
	"fmt"
	"slices"

	"quorate.dev/quorate/consensus"
)

// checkInvariants panics, with the numbers, when this replica broke a promise
// of its own. Tests and simulations run it after each step; input from outside
// can never make it fail.
func (r *replica) checkInvariants() {
	must := func(ok bool, format string, args ...any) {
		if !ok {
			panic(fmt.Sprintf("pbft: replica %d in view %d: %s", r.id, r.view.number, fmt.Sprintf(format, args...)))
		}
	}
	e := &r.exec
	must(e.applied <= e.handed, "host executed %d, handed only %d", e.applied, e.handed)
	must(e.kept <= e.applied || r.state.Active(), "disk at %d, applied only %d", e.kept, e.applied)
	must(e.kept <= r.low(), "disk at %d, stable only at %d", e.kept, r.low())
	must(e.forgotten <= e.kept, "log cut at %d, disk only at %d", e.forgotten, e.kept)
	most := 2 * r.rules.Genesis.Window
	if e.replayed > e.handed {
		most += e.replayed - e.handed
	}
	must(len(r.log.slots) <= int(most), "%d slots with a window of %d", len(r.log.slots), r.rules.Genesis.Window)
	for n, s := range r.log.slots {
		must(r.inReach(n), "slot %d outside (%d, %d]", n, r.floor(), r.high())
		must(s.proposal == nil || s.proposal.View == r.view.number || r.view.changing, "slot %d has a proposal of view %d", n, s.proposalView())
		must(s.prepared == nil || s.prepared.View <= r.view.number, "slot %d prepared in a view to come", n)
		must(s.committed == nil || s.committed.Seq == n, "slot %d has another slot's certificate", n)
	}
	prepared, committed := r.log.settledIn(r.view.number, r.floor())
	drawn := r.log.draw(r.view.number, r.floor())
	must(slices.Equal(prepared, drawn.prepared) && slices.Equal(committed, drawn.committed), "the horizon shows %b and %b, not %b and %b",
		prepared, committed, drawn.prepared, drawn.committed)
	for i := 1; i < len(r.log.history); i++ {
		must(r.log.history[i].certificate.Seq == r.log.history[i-1].certificate.Seq+1, "gap in the history at %d", r.log.history[i].certificate.Seq)
	}
	for i := range r.peers {
		must(len(r.held.queues[i].events) <= maxHeld, "%d messages of replica %d held", len(r.held.queues[i].events), i)
	}
}

func (s *slot) proposalView() consensus.View {
	if s.proposal == nil {
		return 0
	}
	return s.proposal.View
}
