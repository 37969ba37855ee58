package viewchange

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// oracle is Select again, in the words of the paper and as slowly as they are:
// for every number, look through everything.
func oracle(vs vcs) (low consensus.Seq, chosen []crypto.Digest) {
	var high consensus.Seq
	for _, vc := range vs {
		low = max(low, vc.Low)
		for _, p := range vc.Prepared {
			high = max(high, p.Seq)
		}
	}
	for n := low + 1; n <= high; n++ {
		var candidates []cert
		for _, vc := range vs {
			for _, p := range vc.Prepared {
				if p.Seq == n {
					candidates = append(candidates, p)
				}
			}
		}
		digest := consensus.NullDigest
		for _, p := range candidates {
			best := !slices.ContainsFunc(candidates, func(o cert) bool {
				return o.View > p.View || o.View == p.View && bytes.Compare(o.Digest[:], p.Digest[:]) < 0
			})
			if best {
				digest = p.Digest
			}
		}
		chosen = append(chosen, digest)
	}
	return low, chosen
}

// agree compares a Start with the oracle and with what every Start promises.
func agree(t rapid.TB, vs vcs, s Start) {
	low, want := oracle(vs)
	if s.Min != low || len(s.Chosen) != len(want) {
		t.Fatalf("min-s %d with %d slots, want %d with %d", s.Min, len(s.Chosen), low, len(want))
	}
	if (s.Checkpoint == nil) != (low == 0) || low > 0 && s.Checkpoint.Seq != low {
		t.Fatalf("min-s %d is proven by %v", low, s.Checkpoint)
	}
	for i, slot := range s.Chosen {
		if slot.Seq != low+consensus.Seq(i)+1 || slot.Digest != want[i] {
			t.Fatalf("slot %d of min-s %d: n=%d d=%s, want d=%s", i, low, slot.Seq, slot.Digest.Short(), want[i].Short())
		}
		if p := slot.Prepared; p == nil != (slot.Digest == consensus.NullDigest) || p != nil && (p.Digest != slot.Digest || p.Seq != slot.Seq) {
			t.Fatalf("slot %d: %v is no reason for %s", i, p, slot.Digest.Short())
		}
	}
}

// every VIEW-CHANGE that a replica can send about slots 1..3, with stable
// checkpoints at 0 or 2 and two digests over two views.
func every(id consensus.ReplicaID) vcs {
	entry := func(view consensus.View, n consensus.Seq, d crypto.Digest) cert {
		return &message.Certificate{Kind: message.PreparedCertificate, View: view, Seq: n, Digest: d}
	}
	options := func(n consensus.Seq) []cert {
		return []cert{nil, entry(0, n, a), entry(1, n, b), entry(1, n, a)}
	}
	var all vcs
	for _, low := range []consensus.Seq{0, 2} {
		sets := [][]cert{nil}
		for n := low + 1; n <= 3; n++ {
			var longer [][]cert
			for _, set := range sets {
				for _, p := range options(n) {
					if p == nil {
						longer = append(longer, set)
					} else {
						longer = append(longer, append(slices.Clone(set), p))
					}
				}
			}
			sets = longer
		}
		for _, set := range sets {
			vc := &message.ViewChange{View: 2, Low: low, Prepared: set, Replica: id}
			if low > 0 {
				vc.Checkpoint = &message.Certificate{Kind: message.CheckpointCertificate, Seq: low}
			}
			all = append(all, vc)
		}
	}
	return all
}

// Every combination of three such VIEW-CHANGEs, some 55,000. Who says what of
// the three makes no difference (the property below shuffles them), so each
// combination comes once.
func TestSelectAgreesWithTheOracleExhaustively(t *testing.T) {
	c := newCluster(t, 4)
	first, second, third := every(0), every(1), every(2)
	if len(first) != 68 {
		t.Fatalf("%d view-changes to combine", len(first))
	}
	for i, x := range first {
		for j, y := range second[:i+1] {
			for _, z := range third[:j+1] {
				vs := vcs{x, y, z}
				agree(t, vs, Select(c.Rules, vs))
			}
		}
	}
}

func drawViewChanges(t *rapid.T, c *cluster, view consensus.View) vcs {
	var vs vcs
	digests := []crypto.Digest{a, b, consensus.NullDigest, crypto.Hash([]byte("c"))}
	for id := range consensus.ReplicaID(c.System.Quorum()) {
		vc := &message.ViewChange{View: view, Low: 2 * consensus.Seq(rapid.IntRange(0, 4).Draw(t, "low")), Replica: id}
		if vc.Low > 0 {
			vc.Checkpoint = &message.Certificate{Kind: message.CheckpointCertificate, Seq: vc.Low}
		}
		for n := vc.Low + 1; n <= vc.Low+c.Genesis.Window; n++ {
			if rapid.Bool().Draw(t, "prepared") {
				vc.Prepared = append(vc.Prepared, &message.Certificate{
					Kind: message.PreparedCertificate, Seq: n, Digest: rapid.SampledFrom(digests).Draw(t, "digest"),
					View: consensus.View(rapid.Uint64Max(uint64(view-1)).Draw(t, "view")),
				})
			}
		}
		vs = append(vs, vc)
	}
	return vs
}

func TestSelectAgreesWithTheOracleAtLarge(t *testing.T) {
	c := newCluster(t, 10)
	rapid.Check(t, func(t *rapid.T) {
		vs := drawViewChanges(t, c, consensus.View(rapid.Uint64Range(1, 5).Draw(t, "v")))
		s := Select(c.Rules, vs)
		agree(t, vs, s)
		shuffled := slices.Clone(vs)
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "shuffle"), 0)).Shuffle(len(shuffled), func(i, j int) {
			shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
		})
		if again := Select(c.Rules, shuffled); fmt.Sprintf("%v", again) != fmt.Sprintf("%v", s) {
			t.Fatalf("in another order %v, was %v", again, s)
		}
	})
}

// The executions that PROTOCOL.md §6 and ADVERSARIES.md tell, one by one.
func TestSelectRules(t *testing.T) {
	c := newCluster(t, 4)
	null := consensus.NullDigest
	for _, tc := range []struct {
		name   string
		v      vcs
		min    consensus.Seq
		chosen []crypto.Digest
	}{
		{"nothing prepared anywhere", vcs{c.viewChange(0, 3, 0), c.viewChange(1, 3, 0), c.viewChange(2, 3, 0)}, 0, nil},
		{"one certificate is enough", vcs{c.viewChange(0, 3, 0), c.viewChange(1, 3, 0, c.prepared(0, 1, a)), c.viewChange(2, 3, 0)}, 0, []crypto.Digest{a}},
		{
			"min-s is over all of V, not over those that agree [B11]",
			vcs{c.viewChange(0, 3, 0, c.prepared(0, 1, a)), c.viewChange(1, 3, 2), c.viewChange(2, 3, 4, c.prepared(0, 5, b))}, 4, []crypto.Digest{b},
		},
		{
			"the highest view wins, not the most or the first",
			vcs{c.viewChange(0, 3, 0, c.prepared(0, 1, a)), c.viewChange(1, 3, 0, c.prepared(0, 1, a)), c.viewChange(2, 3, 0, c.prepared(2, 1, b))}, 0, []crypto.Digest{b},
		},
		{
			"a gap is filled with null",
			vcs{c.viewChange(0, 3, 0, c.prepared(0, 1, a)), c.viewChange(1, 3, 0, c.prepared(0, 4, b)), c.viewChange(2, 3, 0)}, 0, []crypto.Digest{a, null, null, b},
		},
		{
			"null prepared in a later view beats what prepared before",
			vcs{c.viewChange(0, 3, 0, c.prepared(0, 1, a)), c.viewChange(1, 3, 0, c.prepared(1, 1, null)), c.viewChange(2, 3, 0)}, 0, []crypto.Digest{null},
		},
		{
			"entries at or below min-s are settled",
			vcs{c.viewChange(0, 3, 2, c.prepared(1, 3, a)), c.viewChange(1, 3, 4), c.viewChange(2, 3, 0, c.prepared(2, 4, b))}, 4, nil,
		},
		{
			"of two digests in one view, beyond f faults, all take the same",
			vcs{c.viewChange(0, 3, 0, c.prepared(1, 1, a)), c.viewChange(1, 3, 0, c.prepared(1, 1, b)), c.viewChange(2, 3, 0)}, 0, []crypto.Digest{least(a, b)},
		},
	} {
		s := Select(c.Rules, tc.v)
		var got []crypto.Digest
		for i := range s.Chosen {
			got = append(got, s.Chosen[i].Digest)
		}
		if s.View != 3 || s.Min != tc.min || !slices.Equal(got, tc.chosen) || s.Max() != tc.min+consensus.Seq(len(tc.chosen)) {
			t.Errorf("%s: view %d, min-s %d, %d slots %v", tc.name, s.View, s.Min, len(got), got)
		}
		for _, slot := range s.Chosen {
			if slot.Digest == null && slot.Prepared != nil {
				t.Errorf("%s: somebody is said to hold the body of a null batch", tc.name)
			}
		}
	}
}

func least(x, y crypto.Digest) crypto.Digest {
	if bytes.Compare(x[:], y[:]) < 0 {
		return x
	}
	return y
}
