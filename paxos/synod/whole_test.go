package synod

import (
	"os"
	"strings"
	"testing"
)

// deep asks for the searches that take minutes instead of seconds and some GB:
// QUORATE_MODEL=deep go test -run Deep -v ./paxos/synod
var deep = os.Getenv("QUORATE_MODEL") == "deep"

// Two proposers, three acceptors, three ballots, two slots, and crashes: whatever
// happens, no slot has two values, and no COMMIT makes anything chosen that is not.
func TestEveryExecutionAgrees(t *testing.T) {
	agrees(t, &search{ballots: 4, slots: 1})
	if testing.Short() {
		t.Skip("two slots take seconds")
	}
	agrees(t, &search{ballots: 3, slots: 2})
}

func TestDeep(t *testing.T) {
	if !deep {
		t.Skip("takes minutes: QUORATE_MODEL=deep")
	}
	agrees(t, &search{ballots: 4, slots: 2})
}

func agrees(t *testing.T, h *search) {
	t.Helper()
	execution, states := h.explore()
	if execution != nil {
		t.Errorf("%d ballots, %d slots:\n%s", h.ballots, h.slots, strings.Join(execution, "\n"))
	}
	var chosen, learnt, taken bool
	for _, n := range h.nodes {
		chosen = chosen || n.known() == h.slots
		taken = taken || n.cells[C].base != 0
	}
	for c := range h.commits {
		learnt = learnt || c.cell.promised != 0
	}
	if !chosen || !learnt || !taken {
		t.Errorf("nothing happened: chosen %v, learnt by COMMIT %v, a state taken %v", chosen, learnt, taken)
	}
	t.Logf("%d ballots, %d slots: %d states agree", h.ballots, h.slots, states)
}

// Each rule that is switched off has a shortest execution in which a slot has two
// values, of so many steps. That the first bugs are found shows what the silence
// of the search without them is worth.
func TestSearchFindsWeakerRules(t *testing.T) {
	for _, c := range []struct {
		rule  string
		h     search
		steps int
	}{
		{"1: one of three is a quorum", search{weakness: weakness{quorum: 1}, ballots: 3, slots: 1}, 4},
		{"2: ballots belong to nobody", search{weakness: weakness{shared: true}, ballots: 3, slots: 1}, 6},
		{"3: a second life speaks under the ballot of the first", search{weakness: weakness{reuse: true}, ballots: 3, slots: 1}, 6},
		{"5: a promise is said, and lost", search{weakness: weakness{forget: true}, ballots: 3, slots: 1}, 8},
		{"6: a promise that was cut counts", search{weakness: weakness{cut: true}, ballots: 3, slots: 2}, 8},
		{"7: a promise counts for a later ballot", search{weakness: weakness{stale: true}, ballots: 3, slots: 1}, 9},
		{"8: the value that was heard first", search{weakness: weakness{heard: true}, ballots: 3, slots: 1}, 11},
		{"10: bases do not count", search{weakness: weakness{baseless: true}, ballots: 3, slots: 1}, 9},
		{"14: a leader counts its own vote, and loses it", search{weakness: weakness{early: true}, ballots: 3, slots: 1}, 8},
		{"15: accepting does not promise", search{weakness: weakness{lenient: true}, ballots: 3, slots: 1}, 11},
		{"17: votes of different ballots are added up", search{weakness: weakness{added: true}, ballots: 4, slots: 1}, 12},
		{"19: COMMIT makes chosen whatever is held", search{weakness: weakness{any: true}, ballots: 3, slots: 1}, 7},
		{"23: the promise goes with the log", search{weakness: weakness{detached: true}, ballots: 3, slots: 2}, 11},
		{"25: a state that is taken empties the log", search{weakness: weakness{emptied: true}, ballots: 3, slots: 2}, 11},
		{"COMMIT of what was learnt, whatever was proposed", search{weakness: weakness{believing: true}, ballots: 3, slots: 1}, 7},
	} {
		execution, states := c.h.explore()
		if len(execution) != c.steps+1 {
			t.Errorf("%s: %d states, %d steps, want %d:\n%s", c.rule, states, len(execution)-1, c.steps, strings.Join(execution, "\n"))
			continue
		}
		t.Logf("%s: %d steps\n%s", c.rule, c.steps, strings.Join(execution, "\n"))
	}
}

// Rule 16 guards where rules 2 and 3 are broken: of two values that are proposed
// under one ballot only one is ever chosen by votes of that ballot. It is no more
// than a second guard: a COMMIT, or a later ballot, may still take the other one.
func TestTheFirstValueOfABallotIsASecondGuard(t *testing.T) {
	for overwrite, forks := range map[bool]bool{false: false, true: true} {
		h := search{weakness: weakness{reuse: true, votesOnly: true, overwrite: overwrite}, ballots: 1, slots: 1}
		if execution, states := h.explore(); states < 20 || (execution != nil) != forks {
			t.Errorf("overwriting %v: %d states\n%s", overwrite, states, strings.Join(execution, "\n"))
		}
	}
}
