package synod

import (
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
)

func TestAPromiseIsKept(t *testing.T) {
	a := NewAcceptor(window)
	for _, c := range []struct {
		b    Ballot
		want Effect
	}{{4, Promised}, {3, Rejected}, {4, Repeated}, {5, Promised}, {4, Rejected}} {
		if got := a.Promise(c.b); got != c.want {
			t.Errorf("PREPARE(%d): %v, want %v", c.b, got, c.want)
		}
	}
	if got := a.Accept(4, 1, x); got != Rejected || a.Promised() != 5 {
		t.Errorf("ACCEPT below the promise: %v, promise %d", got, a.Promised())
	}
}

// Rule 15: B promised 3, is not in the phase 1 of 5, and accepts under 5. What was
// sent under 3 comes too late then, for every slot.
func TestAcceptingPromises(t *testing.T) {
	b := NewAcceptor(window)
	b.Promise(3)
	if got := b.Accept(5, 1, y); got != Accepted || b.Promised() != 5 {
		t.Fatalf("ACCEPT above the promise: %v, promise %d", got, b.Promised())
	}
	for slot := consensus.Seq(1); slot < 3; slot++ {
		if got := b.Accept(3, slot, x); got != Rejected {
			t.Errorf("a late ACCEPT of 3 for slot %d: %v", slot, got)
		}
	}
	if b.Promise(4) != Rejected {
		t.Error("it promises below what it accepted")
	}
	if v, _ := b.Vote(1); v != vote(1, 5, y) {
		t.Errorf("its vote is %v", v)
	}
}

// Rule 16: one value for a ballot and a slot.
func TestTheFirstValueOfABallotStays(t *testing.T) {
	a := NewAcceptor(window)
	for _, c := range []struct {
		b    Ballot
		slot consensus.Seq
		v    Vote
		want Effect
	}{
		{3, 1, vote(1, 3, x), Accepted},
		{3, 1, vote(1, 3, x), Repeated},
		{3, 1, vote(1, 3, y), Conflict},
		{3, 2, vote(2, 3, y), Accepted},
		{6, 1, vote(1, 6, y), Accepted},
		{3, 1, vote(1, 3, x), Rejected},
	} {
		if got := a.Accept(c.b, c.slot, c.v.Digest); got != c.want {
			t.Errorf("ACCEPT%v: %v, want %v", c.v, got, c.want)
		}
	}
	if got := a.Report(nil, 0, nil); !slices.Equal(got, []Vote{vote(1, 6, y), vote(2, 3, y)}) {
		t.Errorf("reported %v", got)
	}
}

func TestVotesStandInAWindow(t *testing.T) {
	a := NewAcceptor(2)
	a.Accept(1, 1, x)
	a.Accept(1, 2, y)
	if got := a.Accept(1, 3, x); got != Beyond {
		t.Errorf("past the window: %v", got)
	}
	a.Drop(1)
	if got := a.Accept(1, 1, x); got != Settled {
		t.Errorf("at the base: %v", got)
	}
	if got := a.Accept(1, 3, x); got != Accepted {
		t.Errorf("in the window that moved: %v", got)
	}
	a.Drop(0) // never back
	if got := a.Report(nil, 0, nil); a.Base() != 1 || !slices.Equal(got, []Vote{vote(2, 1, y), vote(3, 1, x)}) {
		t.Errorf("base %d, reported %v", a.Base(), got)
	}
	if got := a.Report(nil, 2, nil); !slices.Equal(got, []Vote{vote(3, 1, x)}) {
		t.Errorf("asked from 2, reported %v", got)
	}
	if a.Drop(100); a.Base() != 100 || a.Report(nil, 0, nil) != nil {
		t.Errorf("base %d, reported %v", a.Base(), a.Report(nil, 0, nil))
	}
}

// What a learner knows is told in the place of the vote.
func TestAReportTellsWhatIsChosen(t *testing.T) {
	a, l := NewAcceptor(window), NewLearner(window)
	a.Accept(3, 1, x)
	a.Accept(3, 2, x)
	a.Accept(3, 3, x)
	l.Learn(2, x)
	l.Learn(3, y)
	l.Learn(5, y)
	want := []Vote{vote(1, 3, x), {2, 3, x, true}, {3, 0, y, true}, {5, 0, y, true}}
	if got := a.Report(nil, 0, l); !slices.Equal(got, want) {
		t.Errorf("reported %v, want %v", got, want)
	}
}

// The records of a log, in any order, are the acceptor that wrote them.
func TestRestore(t *testing.T) {
	type record struct {
		promised Ballot
		vote     Vote
	}
	log := []record{{promised: 3}, {vote: vote(1, 3, x)}, {vote: vote(2, 3, x)}, {promised: 5}, {vote: vote(1, 6, y)}}
	for range len(log) {
		log = append(log[1:], log[0])
		a := NewAcceptor(window)
		for _, r := range log {
			a.Restore(r.promised, r.vote)
		}
		if got := a.Report(nil, 0, nil); a.Promised() != 6 || !slices.Equal(got, []Vote{vote(1, 6, y), vote(2, 3, x)}) {
			t.Errorf("from %v: promise %d, votes %v", log, a.Promised(), got)
		}
	}
	a := NewAcceptor(window)
	a.Restore(4, Vote{})
	if a.Promised() != 4 || a.Report(nil, 0, nil) != nil {
		t.Errorf("a promise alone: %d, votes %v", a.Promised(), a.Report(nil, 0, nil))
	}
}

// Rule 25: the state at 8 comes from others; the vote above it stays, and the promise.
func TestAStateDropsNoVoteAboveIt(t *testing.T) {
	b := NewAcceptor(window)
	b.Accept(5, 8, x)
	b.Accept(5, 9, y)
	b.Promise(7)
	b.Drop(8)
	if got := b.Report(nil, 0, nil); b.Promised() != 7 || !slices.Equal(got, []Vote{vote(9, 5, y)}) {
		t.Errorf("promise %d, votes %v", b.Promised(), got)
	}
}
