package quorum

import (
	"errors"
	"math/bits"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// The formulas of PROTOCOL.md §1 in real-number form, written out by another
// way than the code: the largest f with 3f+1 <= n, the smallest q with
// 2q >= n+f+1.
func TestByzantineFollowsTheFormula(t *testing.T) {
	for n := 1; n <= 31; n++ {
		f := 0
		for 3*(f+1)+1 <= n {
			f++
		}
		q := 0
		for 2*q < n+f+1 {
			q++
		}
		s := Byzantine.System(n)
		if s.Size() != n || s.Faults() != f || s.Quorum() != q || s.Weak() != f+1 || s.Replies() != f+1 {
			t.Errorf("n=%d: got %v w=%d replies=%d, want f=%d q=%d w=%d", n, s, s.Weak(), s.Replies(), f, q, f+1)
		}
		if n == 3*f+1 && q != 2*f+1 {
			t.Errorf("n=%d: quorum %d, the paper has 2f+1=%d", n, q, 2*f+1)
		}
	}
}

// The rows that people get wrong, by hand.
func TestTableByHand(t *testing.T) {
	for _, row := range []struct{ n, bf, bq, cf, cq int }{
		{1, 0, 1, 0, 1}, {2, 0, 2, 0, 2}, {3, 0, 2, 1, 2}, {4, 1, 3, 1, 3}, {5, 1, 4, 2, 3}, {6, 1, 4, 2, 4},
		{7, 2, 5, 3, 4}, {8, 2, 6, 3, 5}, {9, 2, 6, 4, 5}, {10, 3, 7, 4, 6}, {13, 4, 9, 6, 7}, {31, 10, 21, 15, 16},
	} {
		if s := Byzantine.System(row.n); s.Faults() != row.bf || s.Quorum() != row.bq {
			t.Errorf("Byzantine.System(%d) = %v, want f=%d q=%d", row.n, s, row.bf, row.bq)
		}
		if s := Crash.System(row.n); s.Faults() != row.cf || s.Quorum() != row.cq || s.Replies() != 1 {
			t.Errorf("Crash.System(%d) = %v replies=%d, want f=%d q=%d replies=1", row.n, s, s.Replies(), row.cf, row.cq)
		}
	}
}

func TestQuorumsAreReachableAndNotLargerThanNeeded(t *testing.T) {
	for n := 1; n <= consensus.MaxReplicas; n++ {
		for name, s := range map[string]System{"byzantine": Byzantine.System(n), "crash": Crash.System(n)} {
			if n-s.Faults() < s.Quorum() {
				t.Errorf("%s %v: the replicas that do not fail are no quorum", name, s)
			}
		}
		// One less than a quorum would no longer meet in f+1.
		if s := Byzantine.System(n); 2*(s.Quorum()-1)-n >= s.Faults()+1 {
			t.Errorf("%v: a smaller quorum would do", s)
		}
	}
}

// drawQuorum draws a set of exactly q out of n replicas.
func drawQuorum(t *rapid.T, s System, label string) Set {
	ids := make([]consensus.ReplicaID, s.Size())
	for i := range ids {
		ids[i] = consensus.ReplicaID(i)
	}
	return SetOf(rapid.Permutation(ids).Draw(t, label)[:s.Quorum()]...)
}

func TestAnyTwoQuorumsMeet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, consensus.MaxReplicas).Draw(t, "n")
		for _, c := range []struct {
			s    System
			want int
		}{{Byzantine.System(n), Byzantine.System(n).Faults() + 1}, {Crash.System(n), 1}} {
			a, b := drawQuorum(t, c.s, "a"), drawQuorum(t, c.s, "b")
			if common := bits.OnesCount64(uint64(a & b)); common < c.want {
				t.Fatalf("%v: quorums %v and %v share %d, want %d", c.s, a.Replicas(), b.Replicas(), common, c.want)
			}
		}
	})
}

func TestPrimaryRotates(t *testing.T) {
	s := Byzantine.System(4)
	for v, want := range map[consensus.View]consensus.ReplicaID{0: 0, 3: 3, 4: 0, 1<<64 - 1: 3} {
		if got := s.Primary(v); got != want {
			t.Errorf("primary of view %d is %d, want %d", v, got, want)
		}
	}
	if !s.Has(3) || s.Has(4) {
		t.Error("membership of four replicas is not 0..3")
	}
}

func genesis(n int, change func(*consensus.Genesis)) consensus.Genesis {
	keys := make([]crypto.PublicKey, n)
	for i := range keys {
		keys[i][0] = byte(i)
	}
	g := consensus.NewGenesis("test", "any", keys)
	if change != nil {
		change(&g)
	}
	return g
}

func TestFor(t *testing.T) {
	demo := func(q int) func(*consensus.Genesis) {
		return func(g *consensus.Genesis) { g.UnsafeDemo, g.Quorum = true, q }
	}
	for _, c := range []struct {
		name  string
		model Model
		g     consensus.Genesis
		want  string // "" is an error
	}{
		{"byzantine", Byzantine, genesis(4, nil), "n=4 f=1 q=3"},
		{"byzantine of five", Byzantine, genesis(5, nil), "n=5 f=1 q=4"},
		{"crash", Crash, genesis(5, nil), "n=5 f=2 q=3"},
		{"demo flag alone", Byzantine, genesis(4, func(g *consensus.Genesis) { g.UnsafeDemo = true }), "n=4 f=1 q=3"},
		{"demo", Byzantine, genesis(4, demo(2)), "n=4 f=1 q=2"},
		{"quorum without the flag", Byzantine, genesis(4, func(g *consensus.Genesis) { g.Quorum = 2 }), ""},
		{"right quorum without the flag", Byzantine, genesis(4, func(g *consensus.Genesis) { g.Quorum = 3 }), ""},
		{"demo above n", Byzantine, genesis(4, demo(5)), ""},
		{"demo below zero", Byzantine, genesis(4, demo(-1)), ""},
		{"nobody", Byzantine, genesis(0, nil), ""},
		{"too many", Byzantine, genesis(consensus.MaxReplicas+1, nil), ""},
		{"wish for faults", Byzantine, genesis(4, func(g *consensus.Genesis) { g.UnsafeDemo, g.Faults = true, 2 }), "n=4 f=2 q=4"},
		{"wish for crashes", Crash, genesis(4, func(g *consensus.Genesis) { g.UnsafeDemo, g.Faults = true, 2 }), "n=4 f=2 q=3"},
	} {
		s, err := c.model.For(&c.g)
		if c.want == "" {
			if !errors.Is(err, consensus.ErrGenesis) {
				t.Errorf("%s: got %v and error %v, want one that wraps ErrGenesis", c.name, s, err)
			}
		} else if err != nil || s.String() != c.want {
			t.Errorf("%s: got %v and error %v, want %s", c.name, s, err, c.want)
		}
	}
}

func TestImpossibleSizesAreAMistakeOfTheCaller(t *testing.T) {
	for _, n := range []int{-1, 0, consensus.MaxReplicas + 1} {
		for name, make := range map[string]func(int) System{"Byzantine": Byzantine.System, "Crash": Crash.System} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s(%d) did not panic", name, n)
					}
				}()
				make(n)
			}()
		}
	}
}

func TestLeast(t *testing.T) {
	for f := range 8 {
		for name, m := range map[string]Model{"byzantine": Byzantine, "crash": Crash} {
			n := m.Least(f)
			if m.System(n).Faults() != f || n > 1 && m.System(n-1).Faults() >= f {
				t.Errorf("%s: %d is not the least that tolerates %d", name, n, f)
			}
		}
	}
}
