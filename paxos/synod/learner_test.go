package synod

import (
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
)

func TestLearnersExecuteWithoutGaps(t *testing.T) {
	l := NewLearner(4)
	for _, c := range []struct {
		slot   consensus.Seq
		v      Vote
		want   Effect
		prefix consensus.Seq
	}{
		{slot: 2, v: vote(2, 0, y), want: Learned, prefix: 0},
		{slot: 4, v: vote(4, 0, y), want: Learned, prefix: 0},
		{slot: 5, v: vote(5, 0, y), want: Beyond, prefix: 0},
		{slot: 1, v: vote(1, 0, x), want: Learned, prefix: 2},
		{slot: 1, v: vote(1, 0, x), want: Repeated, prefix: 2},
		{slot: 1, v: vote(1, 0, y), want: Conflict, prefix: 2},
		{slot: 3, v: vote(3, 0, y), want: Learned, prefix: 4},
	} {
		if got := l.Learn(c.slot, c.v.Digest); got != c.want || l.Prefix() != c.prefix {
			t.Errorf("slot %d: %v, prefix %d; want %v, %d", c.slot, got, l.Prefix(), c.want, c.prefix)
		}
	}
	if d, ok := l.Chosen(1); !ok || d != x {
		t.Error("of two values the first did not stay")
	}
	l.Drop(3)
	if got := l.Learn(3, x); got != Settled || l.Base() != 3 || l.Prefix() != 4 {
		t.Errorf("at the base: %v; base %d, prefix %d", got, l.Base(), l.Prefix())
	}
	l.Learn(7, x)
	l.Drop(6) // a state from others
	if _, known := l.Chosen(4); known || l.Prefix() != 7 {
		t.Errorf("after the state at 6: prefix %d, 4 known %v", l.Prefix(), known)
	}
}

// Rule 19: (3,1,x) reached B alone, y was chosen under 5. COMMIT(5, 1) makes nothing
// of what B holds chosen; what B accepted under 5 it does.
func TestACommitCountsItsOwnBallot(t *testing.T) {
	b, l := NewAcceptor(window), NewLearner(window)
	b.Accept(3, 1, x)
	b.Accept(5, 2, y)
	b.Accept(5, 4, y)
	if got := l.Commit(5, 3, b, nil); !slices.Equal(got, []consensus.Seq{2}) {
		t.Fatalf("learnt %v", got)
	}
	if l.Learn(1, y) != Learned || l.Prefix() != 2 {
		t.Errorf("prefix %d", l.Prefix())
	}
	if got := l.Commit(5, 1<<62, b, nil); !slices.Equal(got, []consensus.Seq{4}) {
		t.Errorf("a commit far away: %v", got)
	}
}

// Rule 17: five acceptors; three hold x of two ballots, and y is what is chosen.
func TestVotesOfDifferentBallotsAreNotAddedUp(t *testing.T) {
	tally := NewTally(5, 3)
	for _, c := range []struct {
		from   consensus.ReplicaID
		v      Vote
		chosen bool
	}{
		{A, vote(1, 5, x), false}, {B, vote(1, 5, x), false},
		{E, vote(1, 9, y), false},
		{A, vote(1, 10, x), false}, {C, vote(1, 10, x), false},
		{C, vote(1, 10, x), false}, {A, vote(1, 5, x), false}, {99, vote(1, 10, x), false},
		{B, vote(1, 14, y), false}, {D, vote(1, 14, y), false}, {E, vote(1, 14, y), true},
	} {
		if got := tally.Add(c.from, c.v); got != c.chosen {
			t.Errorf("%d says %v: chosen %v", c.from, c.v, got)
		}
	}
}
