package synod

import (
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
)

// The whole life of a round: nobody had voted.
func TestRound(t *testing.T) {
	r := NewRound(3, 2, 0, window)
	if r.Propose(1, x) {
		t.Error("proposed before phase 1")
	}
	for range 2 {
		if r.Hear(A, Promise{Ballot: 3}) || r.Prepared() {
			t.Fatal("prepared by one")
		}
	}
	if !r.Hear(C, Promise{Ballot: 3}) || !r.Prepared() || r.Promisers() != quorum.SetOf(A, C) || r.Plan().First() != 1 {
		t.Fatalf("promises of %v, first free slot %d", r.Promisers().Replicas(), r.Plan().First())
	}
	if r.Hear(B, Promise{Ballot: 3, Base: 7}) || r.Plan().Base != 0 {
		t.Error("a promise after the quorum counts")
	}
	if r.Accepted(A, 3, 1) || r.Accepted(B, 3, 1) {
		t.Error("chosen before it was proposed")
	}
	for range 2 {
		if !r.Propose(1, x) || r.Propose(1, y) || r.Propose(0, y) || r.Propose(window+1, y) {
			t.Error("the wrong things were proposed")
		}
	}
	for _, said := range []struct {
		from   consensus.ReplicaID
		b      Ballot
		slot   consensus.Seq
		chosen bool
	}{{A, 3, 1, false}, {A, 3, 1, false}, {B, 6, 1, false}, {B, 3, 2, false}, {C, 3, 1, true}, {C, 3, 1, false}, {B, 3, 1, false}} {
		if got := r.Accepted(said.from, said.b, said.slot); got != said.chosen {
			t.Errorf("%d accepted slot %d under %d: chosen %v", said.from, said.slot, said.b, got)
		}
	}
	if d, by, ok := r.Proposed(1); d != x || by != quorum.SetOf(A, B, C) || !ok {
		t.Errorf("proposed %v, accepted by %v", ok, by.Replicas())
	}
	r.Drop(1)
	if _, _, ok := r.Proposed(1); ok || r.Accepted(B, 3, 1) || !r.Propose(window+1, y) {
		t.Error("the window did not move")
	}
}

// Rules 8, 12, 13: per slot the vote of the highest ballot, null where nobody named
// one, what is new above.
func TestPlan(t *testing.T) {
	r := NewRound(9, 3, 0, window)
	r.Hear(A, Promise{Ballot: 9, Votes: []Vote{vote(2, 3, x), vote(3, 5, y)}})
	r.Hear(B, Promise{Ballot: 9, Votes: []Vote{vote(2, 4, y), vote(5, 4, x)}})
	r.Hear(C, Promise{Ballot: 9, Votes: []Vote{vote(2, 3, x), vote(3, 4, x), {5, 0, y, true}}})
	null := Vote{Digest: consensus.NullDigest}
	want := []Choice{
		{null, 0}, {vote(2, 4, y), quorum.SetOf(B)}, {vote(3, 5, y), quorum.SetOf(A)}, {null, 0}, {Vote{5, 0, y, true}, quorum.SetOf(C)},
	}
	want[0].Slot, want[3].Slot = 1, 4
	if got := r.Plan(); got.Base != 0 || got.First() != 6 || !slices.Equal(got.Slots, want) {
		t.Fatalf("plan %+v", got)
	}
	for _, c := range want {
		if r.Propose(c.Slot, x) != (c.Digest == x) || !r.Propose(c.Slot, c.Digest) {
			t.Errorf("slot %d: something else than planned can be proposed", c.Slot)
		}
	}
	if !r.Propose(7, x) || !r.Propose(6, y) {
		t.Error("new proposals do not stand above")
	}
}

// Rule 10: A cut its log at 8. Nothing is proposed at or below, also not what B
// has a vote for, and what B asks from is as good as a base.
func TestNothingIsProposedBelowTheHighestBase(t *testing.T) {
	r := NewRound(4, 2, 2, window)
	r.Hear(A, Promise{Ballot: 4, Base: 8, Votes: []Vote{vote(10, 3, x)}})
	r.Hear(B, Promise{Ballot: 4, Base: 1, Votes: []Vote{vote(3, 3, x), vote(9, 3, y)}})
	if got := r.Plan(); got.Base != 8 || len(got.Slots) != 2 || got.Slots[0].Digest != y || got.Slots[1].Digest != x {
		t.Fatalf("plan %+v", got)
	}
	if r.Propose(4, consensus.NullDigest) || r.Propose(8, y) || !r.Propose(9, y) {
		t.Error("proposed below the highest base")
	}
	asked := NewRound(4, 1, 2, window)
	if asked.Hear(B, Promise{Ballot: 4, Votes: []Vote{vote(2, 3, y), vote(3, 3, x)}}); asked.Plan().Base != 2 || len(asked.Plan().Slots) != 1 {
		t.Errorf("plan %+v", asked.Plan())
	}
}

// Rule 7: C's promise for 3 is late, and x was chosen under 4 meanwhile.
func TestAPromiseCountsForItsBallot(t *testing.T) {
	r := NewRound(6, 2, 0, window)
	r.Hear(A, Promise{Ballot: 6})
	if r.Hear(C, Promise{Ballot: 3}) || r.Hear(C, Promise{Ballot: 9}) || r.Promisers() != quorum.SetOf(A) {
		t.Fatal("a promise of another ballot counts")
	}
	if !r.Hear(C, Promise{Ballot: 6, Votes: []Vote{vote(1, 4, x)}}) || r.Plan().Slots[0].Digest != x {
		t.Errorf("plan %+v", r.Plan())
	}
}

// What no acceptor says is not heard, and allocates nothing.
func TestPromisesThatCannotBe(t *testing.T) {
	r := NewRound(6, 1, 0, window)
	for name, p := range map[string]Promise{
		"votes out of order":      {Ballot: 6, Votes: []Vote{vote(2, 3, x), vote(1, 3, x)}},
		"two votes for a slot":    {Ballot: 6, Votes: []Vote{vote(1, 3, x), vote(1, 4, y)}},
		"a vote at the base":      {Ballot: 6, Base: 1, Votes: []Vote{vote(1, 3, x)}},
		"a vote above the ballot": {Ballot: 6, Votes: []Vote{vote(1, 7, x)}},
		"a vote of no ballot":     {Ballot: 6, Votes: []Vote{vote(1, 0, x)}},
	} {
		if r.Hear(A, p) || r.Promisers() != 0 {
			t.Errorf("%s counts", name)
		}
	}
	if r.Hear(100, Promise{Ballot: 6}) {
		t.Error("a stranger counts")
	}
	r.Hear(A, Promise{Ballot: 6, Votes: []Vote{vote(1, 3, x), vote(consensus.MaxSeq, 3, x)}})
	if n := len(r.Plan().Slots); n != window {
		t.Errorf("a vote far away makes a plan of %d slots", n)
	}
}

// Every permutation and repetition of up to four votes: Choose agrees with what
// PMS says, word by word.
func TestChooseAgreesWithTheOracle(t *testing.T) {
	var kinds []Vote
	for b := Ballot(1); b <= 3; b++ {
		for _, d := range []crypto.Digest{x, y} {
			kinds = append(kinds, vote(1, b, d))
		}
	}
	kinds = append(kinds, Vote{1, 0, x, true}, Vote{1, 2, x, true})
	var try func(votes []Vote)
	try = func(votes []Vote) {
		if got, ok := Choose(votes); ok != (len(votes) > 0) || ok && !oracle(votes, got) {
			t.Fatalf("of %v it chose %v", votes, got)
		}
		for i := 0; i < len(kinds) && len(votes) < 4; i++ {
			try(append(slices.Clip(votes), kinds[i]))
		}
	}
	try(nil)
}

// oracle judges a choice: one of the votes, and none weighs more.
func oracle(votes []Vote, got Vote) bool {
	for _, v := range votes {
		if v.Chosen {
			return got.Chosen && slices.Contains(votes, got)
		}
	}
	for _, v := range votes {
		if v.Ballot > got.Ballot {
			return false
		}
	}
	return slices.Contains(votes, got)
}

// A leads under 3 and sent x for slot 2; y was chosen there under 5, and A hears of
// the value alone. By COMMIT(3, 2) whoever accepted x would take it for chosen.
func TestALeaderCommitsWhatItProposed(t *testing.T) {
	r, l := NewRound(3, 1, 0, window), NewLearner(window)
	if _, leads := r.Commit(l); leads {
		t.Error("it leads before phase 1")
	}
	r.Hear(A, Promise{Ballot: 3})
	r.Propose(1, x)
	r.Propose(2, x)
	for _, c := range []struct {
		slot  consensus.Seq
		d     crypto.Digest
		upTo  consensus.Seq
		leads bool
	}{{3, y, 0, true}, {1, x, 1, true}, {2, y, 1, false}} {
		l.Learn(c.slot, c.d)
		if upTo, leads := r.Commit(l); upTo != c.upTo || leads != c.leads {
			t.Errorf("after slot %d: COMMIT up to %d, leads %v", c.slot, upTo, leads)
		}
	}
	r.Drop(3)
	l.Drop(3)
	if upTo, leads := r.Commit(l); upTo != 1 || leads {
		t.Errorf("after the state at 3: COMMIT up to %d, leads %v", upTo, leads)
	}
}

// A leader that is behind its acceptors commits what they know, and goes on.
func TestALeaderCommitsFromTheHighestBase(t *testing.T) {
	r, l := NewRound(4, 1, 0, window), NewLearner(window)
	r.Hear(A, Promise{Ballot: 4, Base: 8, Votes: []Vote{vote(9, 3, x)}})
	r.Propose(9, x)
	if upTo, leads := r.Commit(l); upTo != 8 || !leads {
		t.Errorf("COMMIT up to %d, leads %v", upTo, leads)
	}
	r.Drop(8) // the state at 8 has come
	l.Drop(8)
	l.Learn(9, x)
	if upTo, leads := r.Commit(l); upTo != 9 || !leads {
		t.Errorf("COMMIT up to %d, leads %v", upTo, leads)
	}
}

// The normal case of a slot allocates nothing.
func TestASlotAllocatesNothing(t *testing.T) {
	r, l, a := NewRound(3, 1, 0, window), NewLearner(window), NewAcceptor(window)
	r.Hear(A, Promise{Ballot: 3})
	slot := consensus.Seq(0)
	if n := testing.AllocsPerRun(100, func() {
		slot++
		a.Accept(3, slot, x)
		if !r.Propose(slot, x) || !r.Accepted(A, 3, slot) || l.Learn(slot, x) != Learned {
			t.Fatalf("slot %d is not chosen", slot)
		}
		r.Commit(l)
		r.Drop(slot)
		a.Drop(slot)
		l.Drop(slot)
	}); n != 0 {
		t.Errorf("a slot takes %v allocations", n)
	}
}
