package model

import (
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
)

// tell lists the steps that led to a node, in the words of the protocol.
func (h *search) tell(i int32) []string {
	var path []int32
	for ; i >= 0; i = h.nodes[i].parent {
		path = append(path, i)
	}
	slices.Reverse(path)
	var lines []string
	executor := [values]consensus.ReplicaID{}
	for at, i := range path {
		n := &h.nodes[i]
		switch {
		case n.parent < 0:
			lines = append(lines, h.title(0))
		case n.by.outcome != nil:
			before := &h.nodes[path[at-1]].state
			lines = append(lines, h.tellVotes(before, n)...)
			lines = append(lines, h.tellExecutions(before, n, &executor)...)
		default:
			lines = append(lines, h.title(int(n.state.view))+": "+h.tellEntry(&h.nodes[path[at-1]].state, n.by.entry))
		}
	}
	return lines
}

func (h *search) title(view int) string {
	character := "honest"
	if h.Liars.Has(h.primary(view)) {
		character = "liar"
	}
	return fmt.Sprintf("view %d, primary R%d (%s)", view, h.primary(view), character)
}

func letter(value int) string { return string(rune('A' + value)) }

// tellVotes says who accepted and prepared what, and who lost his disk.
func (h *search) tellVotes(before *state, n *node) (lines []string) {
	o := n.by.outcome
	primary := h.primary(int(before.view))
	for _, i := range h.leadersFirst(primary) {
		id := h.ids[i]
		if i == h.second && n.by.wipe {
			lines = append(lines, fmt.Sprintf("  R%d loses its disk and starts again", id))
		}
		for value := range values {
			switch {
			case !o.votedFor(i, value):
			case id == primary:
				lines = append(lines, fmt.Sprintf("  R%d proposes %s", id, letter(value)))
			default:
				lines = append(lines, fmt.Sprintf("  R%d accepts %s: PREPARE", id, letter(value)))
			}
		}
	}
	for i, id := range h.ids {
		if value := int(o.commits[i]); value >= 0 {
			lines = append(lines, fmt.Sprintf("  R%d has %s prepared: COMMIT", id, letter(value)))
		}
	}
	return lines
}

// leadersFirst lists the actors with the primary's before the others.
func (h *search) leadersFirst(primary consensus.ReplicaID) (order []int) {
	for i := range h.ids {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		rank := func(i int) int { return min(1, int(h.ids[i]^primary)) }
		return rank(a) - rank(b)
	})
	return order
}

// tellExecutions says who executes. Without checkpoints anybody may; it is
// somebody who committed the value, and never one replica for both values.
func (h *search) tellExecutions(before *state, n *node, executor *[values]consensus.ReplicaID) (lines []string) {
	for value := range values {
		if h.Checkpoints || (n.state.executed&^before.executed)>>value&1 == 0 {
			continue
		}
		who := h.ids[0]
		for _, id := range append(slices.Clone(h.ids), h.committers(n.by.outcome, value).Replicas()...) {
			other := before.executed | n.state.executed&(1<<value-1)
			if !h.Liars.Has(id) && (other == 0 || id != executor[1-value]) {
				who = id
			}
		}
		executor[value] = who
		lines = append(lines, fmt.Sprintf("  R%d has a quorum of COMMITs: executes %s", who, letter(value)))
	}
	for i, id := range h.ids {
		was, is := before.actors[i], n.state.actors[i]
		if is.executed != was.executed {
			lines = append(lines, fmt.Sprintf("  R%d executes %s: CHECKPOINT", id, letter(int(is.executed-1))))
		}
		if is.stable > was.stable {
			lines = append(lines, fmt.Sprintf("  R%d has a quorum of CHECKPOINTs: %s is stable", id, letter(int(is.stable-1))))
		}
	}
	return lines
}

// tellEntry says what the VIEW-CHANGEs said, and what follows.
func (h *search) tellEntry(before *state, e entry) string {
	if e.allowed == 0 {
		return "no votes"
	}
	var parts []string
	for i, id := range h.ids {
		if e.senders>>i&1 == 1 {
			parts = append(parts, fmt.Sprintf("R%d says %s", id, saying(before.actors[i])))
		}
	}
	for _, id := range h.Liars.Replicas() {
		parts = append(parts, fmt.Sprintf("R%d what suits", id))
	}
	allowed := map[uint8]string{1: "A", 2: "B", bothValues: "A or B"}[e.allowed]
	return fmt.Sprintf("VIEW-CHANGEs: %s; may propose %s", strings.Join(parts, ", "), allowed)
}

func saying(a actor) string {
	switch {
	case a.stable != 0:
		return letter(int(a.stable-1)) + " is stable"
	case a.held == 0:
		return "nothing prepared"
	}
	return fmt.Sprintf("%s prepared in view %d", letter(valueOf(a.held)), viewOf(a.held))
}
