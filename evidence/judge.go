package evidence

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// judge is what it takes to judge frames: the genesis, and an authority over
// signatures, which is asked about one at a time.
type judge struct {
	g       *consensus.Genesis
	cluster crypto.Digest
	quorum  int
	check   func(*statement) bool // whether the named signer has signed it
}

func newJudge(g *consensus.Genesis, v crypto.Verifier) *judge {
	j := &judge{g: g, cluster: g.ID(), quorum: quorumOf(g)}
	j.check = func(s *statement) bool {
		ok := v.Verify([]crypto.Claim{j.claim(s)})
		return len(ok) == 1 && ok[0]
	}
	return j
}

// claim is what has to be verified of s.
func (j *judge) claim(s *statement) crypto.Claim {
	return crypto.Claim{
		Key:       j.g.Replicas[s.signer],
		Domain:    crypto.Domain{Tag: kinds[s.kind].tag, Cluster: j.cluster, Epoch: j.g.Epoch},
		Body:      s.body,
		Signature: s.sig,
	}
}

// signed asks for the signatures of all that a proof rests on.
func (j *judge) signed(all ...*statement) error {
	for _, s := range all {
		if !j.check(s) {
			return fmt.Errorf("a %s of replica %d: %w", kinds[s.kind].name, s.signer, ErrSignature)
		}
	}
	return nil
}

// quorumOf is q, computed once more (PROTOCOL.md §1), as a demonstration of
// the bounds may have bent it.
func quorumOf(g *consensus.Genesis) int {
	n := len(g.Replicas)
	f := (n - 1) / 3
	if g.UnsafeDemo && g.Faults > 0 {
		f = g.Faults
	}
	if g.UnsafeDemo && g.Quorum > 0 {
		return g.Quorum
	}
	return min((n+f+2)/2, n)
}

// primaryOf is who opens view v; 0 if there are no members.
func primaryOf(g *consensus.Genesis, v consensus.View) consensus.ReplicaID {
	if len(g.Replicas) == 0 {
		return 0
	}
	return consensus.ReplicaID(uint64(v) % uint64(len(g.Replicas)))
}
