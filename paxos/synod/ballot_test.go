package synod

import (
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
)

func TestBallotsAreDealtOutByRemainder(t *testing.T) {
	for _, c := range []struct {
		b     Ballot
		owner consensus.ReplicaID
		next  Ballot
	}{{0, A, 3}, {0, B, 1}, {0, C, 2}, {3, A, 6}, {3, B, 4}, {4, A, 6}, {4, C, 5}, {5, C, 8}, {5, B, 7}} {
		if got := c.b.Next(c.owner, 3); got != c.next || got.Owner(3) != c.owner {
			t.Errorf("above %d replica %d owns %d, want %d", c.b, c.owner, got, c.next)
		}
	}
}

// Next is the lowest ballot above that is the owner's, and of no other proposer.
func TestNextBallot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, consensus.MaxReplicas).Draw(t, "n")
		owner := consensus.ReplicaID(rapid.IntRange(0, n-1).Draw(t, "owner"))
		b := Ballot(rapid.Uint64Range(0, 1000).Draw(t, "ballot"))
		if rapid.Bool().Draw(t, "high") {
			b = MaxBallot - b
		}
		want := b + 1
		for want.Owner(n) != owner {
			want++
		}
		if want > MaxBallot {
			want = 0
		}
		if got := b.Next(owner, n); got != want || got != 0 && !got.Valid() {
			t.Fatalf("n=%d: above %d replica %d owns %d, want %d", n, b, owner, got, want)
		}
	})
}

// One message raises a promise by a bounded amount, and never beyond the last
// ballot, above which nobody has another.
func TestALiarRaisesNoBallotForGood(t *testing.T) {
	for _, c := range []struct{ from, to, want Ballot }{
		{0, 1, 1}, {7, 3, 7}, {7, 7, 7}, {0, MaxLeap, MaxLeap}, {0, MaxLeap + 1, MaxLeap}, {5, MaxBallot, MaxLeap + 5},
		{MaxBallot - 1, 1<<64 - 1, MaxBallot}, {MaxBallot, 1<<64 - 1, MaxBallot},
	} {
		if got := c.from.Toward(c.to); got != c.want {
			t.Errorf("%d toward %d: %d, want %d", c.from, c.to, got, c.want)
		}
	}
	a := NewAcceptor(window)
	for _, b := range []Ballot{0, MaxBallot + 1, 1<<64 - 1} {
		if a.Promise(b) != Beyond || a.Accept(b, 1, x) != Beyond || a.Promised() != 0 {
			t.Errorf("ballot %d had an effect", b)
		}
	}
	if a.Promise(MaxBallot) != Raised || a.Accept(MaxBallot, 1, x) != Raised || a.Promised() != 2*MaxLeap {
		t.Errorf("two messages raised the promise to %d", a.Promised())
	}
	if _, voted := a.Vote(1); voted {
		t.Error("a vote under a ballot that was not promised")
	}
	if next := a.Next(A, 3); next <= a.Promised() || next.Owner(3) != A {
		t.Errorf("the next ballot of replica 0 above %d is %d", a.Promised(), next)
	}
}
