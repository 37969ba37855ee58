package check

import (
	"math/bits"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/protocol"
)

// TestCulpritsAreWhomQuorumsShare: for every size from 1 to 9, and every quorum and
// number of faults that a genesis may ask for, no fork is expected to convict more
// than it must have taken: those in whom two quorums meet, tried one by one. The
// judges' own arithmetic is that of the replicas.
func TestCulpritsAreWhomQuorumsShare(t *testing.T) {
	for n := 1; n <= 9; n++ {
		for q := 0; q <= n; q++ {
			for f := 0; f < n; f++ {
				g := consensus.Genesis{Protocol: protocol.PBFT, Replicas: make([]crypto.PublicKey, n), UnsafeDemo: true, Quorum: q, Faults: f}
				s, err := quorum.Byzantine.For(&g)
				if err != nil {
					t.Fatal(err)
				}
				if evidence.Quorum(&g) != s.Quorum() || evidence.Faults(&g) != s.Faults() {
					t.Errorf("n=%d quorum=%d faults=%d: judges have q=%d f=%d, replicas %v", n, q, f, evidence.Quorum(&g), evidence.Faults(&g), s)
				}
				j := New(Config{Genesis: g, Honest: func(id consensus.ReplicaID) bool { return id != 0 }})
				want, possible := j.named()
				if shared := fewestShared(n, s.Quorum()); want != min(s.Faults()+1, shared) || !possible {
					t.Errorf("n=%d q=%d f=%d: %d culprits are expected (%t), two quorums share %d", n, s.Quorum(), s.Faults(), want, possible, shared)
				}
			}
		}
	}
}

// fewestShared is in how few of n members two sets of q can meet.
func fewestShared(n, q int) int {
	fewest := n
	first := uint(1)<<q - 1 // which one does not matter
	for other := range uint(1) << n {
		if bits.OnesCount(other) == q {
			fewest = min(fewest, bits.OnesCount(first&other))
		}
	}
	return fewest
}
