package sim

import (
	"fmt"

	"quorate/consensus"
	"quorate/crypto"
)

// agreement judges that all replicas, in all their lives, execute the same
// batch at the same height, get the same state from it, and reply the same.
// Roots are compared beside digests: replicas that agree on a digest and
// execute something else differ in nothing else (ADVERSARIES.md, B23).
type agreement struct {
	batches map[consensus.Seq]witness
	roots   map[consensus.Seq]witness
	replies map[crypto.Digest]witness
}

// witness is what somebody showed first.
type witness struct {
	who    consensus.ReplicaID
	digest crypto.Digest
}

func newAgreement() agreement {
	return agreement{
		batches: map[consensus.Seq]witness{}, roots: map[consensus.Seq]witness{}, replies: map[crypto.Digest]witness{},
	}
}

// compare enters what who shows under key, and complains if it is not what was
// shown before.
func compare[K comparable](seen map[K]witness, key K, who consensus.ReplicaID, d crypto.Digest) string {
	first, known := seen[key]
	if !known {
		seen[key] = witness{who: who, digest: d}
		return ""
	}
	if first.digest != d {
		return fmt.Sprintf("R%d has %s and R%d has %s", first.who, first.digest.Short(), who, d.Short())
	}
	return ""
}

func (a *agreement) batch(r *replica, n consensus.Seq, d crypto.Digest) string {
	if clash := compare(a.batches, n, r.id, d); clash != "" {
		return fmt.Sprintf("FORK: different batches at %d: %s", n, clash)
	}
	return ""
}

func (a *agreement) root(r *replica, n consensus.Seq, root crypto.Digest) string {
	if clash := compare(a.roots, n, r.id, root); clash != "" {
		return fmt.Sprintf("different states at %d: %s", n, clash)
	}
	return ""
}

// reply judges that every answer to one request is the same, whoever gives it
// and however often.
func (a *agreement) reply(from consensus.ReplicaID, r *consensus.Reply) string {
	content := consensus.AppendResults(fmt.Appendf(nil, "%d %v ", r.Seq, r.Sequence), r.Results)
	if clash := compare(a.replies, r.Request, from, crypto.Hash(content)); clash != "" {
		return fmt.Sprintf("different replies to one request, counter %d, at %d: %s", r.Sequence.Counter, r.Seq, clash)
	}
	return ""
}
