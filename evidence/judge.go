package evidence

import (
	"cmp"
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// judge is what it takes to judge frames: the genesis, and an authority over
// signatures, which is asked about one at a time.
type judge struct {
	g      *consensus.Genesis
	quorum int
	check  func(*Statement) bool // whether the named signer has signed it
}

func newJudge(g *consensus.Genesis, v crypto.Verifier) *judge {
	cluster := g.ID()
	return &judge{g: g, quorum: Quorum(g), check: func(s *Statement) bool { return s.SignedBy(v, g, cluster) }}
}

// SignedBy reports whether the replica that s names has signed it, by the word
// of v. The cluster is the genesis' id, which takes time to compute.
func (s *Statement) SignedBy(v crypto.Verifier, g *consensus.Genesis, cluster crypto.Digest) bool {
	ok := v.Verify([]crypto.Claim{{
		Key: g.Replicas[s.Signer], Domain: crypto.Domain{Tag: kinds[s.Kind].tag, Cluster: cluster, Epoch: g.Epoch},
		Body: s.body, Signature: s.sig,
	}})
	return len(ok) == 1 && ok[0]
}

// signed asks for the signatures of all that a proof rests on.
func (j *judge) signed(all ...*Statement) error {
	for _, s := range all {
		if !j.check(s) {
			return fmt.Errorf("a %s of replica %d: %w", kinds[s.Kind].name, s.Signer, ErrSignature)
		}
	}
	return nil
}

// Faults is f, and Quorum q, computed once more (PROTOCOL.md §1), as a
// demonstration of the bounds may have bent them.
func Faults(g *consensus.Genesis) int { return cmp.Or(g.Faults, (len(g.Replicas)-1)/3) }

// Quorum is how many votes make a certificate.
func Quorum(g *consensus.Genesis) int {
	n := len(g.Replicas)
	return cmp.Or(g.Quorum, min((n+Faults(g)+2)/2, n))
}

// primaryOf is who opens view v; 0 if there are no members.
func primaryOf(g *consensus.Genesis, v consensus.View) consensus.ReplicaID {
	if len(g.Replicas) == 0 {
		return 0
	}
	return consensus.ReplicaID(uint64(v) % uint64(len(g.Replicas)))
}
