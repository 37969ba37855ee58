package quorum

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
)

// TestTallyAgainstOracle votes at random and compares with a list of first
// votes, counted anew for every question.
func TestTallyAgainstOracle(t *testing.T) {
	type vote struct {
		by    consensus.ReplicaID
		value string
	}
	rapid.Check(t, func(t *rapid.T) {
		var tally Tally[string]
		var first []vote
		steps := rapid.IntRange(0, 120).Draw(t, "steps")
		for range steps {
			v := vote{
				by:    consensus.ReplicaID(rapid.IntRange(0, consensus.MaxReplicas+3).Draw(t, "by")),
				value: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "value"),
			}
			want := Counted
			if v.by >= consensus.MaxReplicas {
				want = Stranger
			}
			for _, f := range first {
				if f.by == v.by && f.value == v.value {
					want = Repeated
				} else if f.by == v.by {
					want = Contradicted
				}
			}
			if got := tally.Vote(v.by, v.value); got != want {
				t.Fatalf("vote %v: verdict %d, want %d", v, got, want)
			}
			if want == Counted {
				first = append(first, v)
			}
		}

		counts, values, all := map[string]int{}, []string(nil), Set(0)
		for _, f := range first {
			if counts[f.value]++; counts[f.value] == 1 {
				values = append(values, f.value)
			}
			all.Add(f.by)
			if got, voted := tally.Of(f.by); !voted || got != f.value {
				t.Fatalf("vote of %d is %q (%v), want %q", f.by, got, voted, f.value)
			}
		}
		leader, most := "", 0
		for _, v := range values {
			if counts[v] > most {
				leader, most = v, counts[v]
			}
		}
		if got, n := tally.Leading(); got != leader || n != most {
			t.Fatalf("leading %q with %d, want %q with %d", got, n, leader, most)
		}
		if tally.Voters() != all || !slices.Equal(tally.Values(), values) {
			t.Fatalf("voters %v values %q, want %v %q", tally.Voters().Replicas(), tally.Values(), all.Replicas(), values)
		}
		for _, v := range []string{"", "a", "b", "c", "never"} {
			if got := tally.Count(v); got != counts[v] {
				t.Fatalf("count of %q is %d, want %d", v, got, counts[v])
			}
		}
	})
}

func TestSecondVoteCountsForNeitherSide(t *testing.T) {
	var tally Tally[string]
	for _, c := range []struct {
		by    consensus.ReplicaID
		value string
		want  Verdict
	}{
		{3, "x", Counted}, {3, "y", Contradicted}, {3, "x", Repeated}, {0, "y", Counted}, {63, "x", Counted}, {64, "x", Stranger},
	} {
		if got := tally.Vote(c.by, c.value); got != c.want {
			t.Errorf("vote of %d for %q: verdict %d, want %d", c.by, c.value, got, c.want)
		}
	}
	if got := tally.For("x").Replicas(); !slices.Equal(got, []consensus.ReplicaID{3, 63}) {
		t.Errorf("voters for x: %v", got)
	}
	if got := tally.For("y").Replicas(); !slices.Equal(got, []consensus.ReplicaID{0}) {
		t.Errorf("voters for y: %v", got)
	}
	if _, voted := tally.Of(64); voted {
		t.Error("a stranger has a vote")
	}
}

func TestSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		oracle := map[consensus.ReplicaID]bool{}
		var s Set
		for _, r := range rapid.SliceOf(rapid.Uint16Range(0, consensus.MaxReplicas+1)).Draw(t, "ids") {
			id := consensus.ReplicaID(r)
			isNew := id < consensus.MaxReplicas && !oracle[id]
			if s.Add(id) != isNew {
				t.Fatalf("adding %d: new is not %v", id, isNew)
			}
			if isNew {
				oracle[id] = true
			}
		}
		list := s.Replicas()
		if len(list) != len(oracle) || s.Len() != len(oracle) || !slices.IsSorted(list) || SetOf(list...) != s {
			t.Fatalf("set %v, want %d replicas in order", list, len(oracle))
		}
		for id := range consensus.ReplicaID(consensus.MaxReplicas + 2) {
			if s.Has(id) != oracle[id] {
				t.Fatalf("has %d: %v", id, s.Has(id))
			}
		}
	})
}
