package evidence

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Certified is what q replicas have signed for one slot.
type Certified struct {
	View    consensus.View // 0 for checkpoints
	Digest  crypto.Digest  // of the batch; the root for checkpoints
	Signers []consensus.ReplicaID
}

// Conflict is a fork: two certificates for one slot that name different
// digests, whether or not anybody acted on them.
type Conflict struct {
	What          string // "COMMIT" or "CHECKPOINT"
	Seq           consensus.Seq
	First, Second Certified
}

// String says it in one line, for people.
func (c Conflict) String() string {
	return fmt.Sprintf("%s certificates for n=%d: %s by %v in view %d, %s by %v in view %d", c.What, c.Seq,
		c.First.Digest.Short(), c.First.Signers, c.First.View, c.Second.Digest.Short(), c.Second.Signers, c.Second.View)
}

// maxConflicts bounds the conflicts that are listed. After a fork every later
// slot may be one; the lowest are kept.
const maxConflicts = 256

// maxCertified bounds the slots whose certificates are remembered.
const maxCertified = 1 << 16

// conflicts counts towards certificates and compares them.
type conflicts struct {
	quorum int
	known  map[slot][]Certified // different digests, sides at most
	order  []slot
	found  []Conflict
}

type slot struct {
	kind byte
	seq  consensus.Seq
}

// sides bounds the certificates that are remembered for one slot.
const sides = 8

// Conflicts lists the forks by slot, COMMITs before CHECKPOINTs. The caller may
// keep the list.
func (i *Investigator) Conflicts() []Conflict { return slices.Clone(i.conflicts.found) }

// count hears that s is signed, as by now by all in signers.
func (c *conflicts) count(s *Statement, signers uint64) {
	if s.Kind != FrameCommit && s.Kind != FrameCheckpoint || bits.OnesCount64(signers) != c.quorum {
		return
	}
	if c.known == nil {
		c.known = map[slot][]Certified{}
	}
	at := slot{s.Kind, s.Seq}
	news := Certified{View: s.View, Digest: s.Digest, Signers: members(signers)}
	earlier, seen := c.known[at]
	if len(earlier) >= sides || slices.ContainsFunc(earlier, func(x Certified) bool { return x.Digest == news.Digest }) {
		return
	}
	if seen {
		c.report(Conflict{What: kinds[s.Kind].name, Seq: s.Seq, First: earlier[0], Second: news})
	} else {
		c.order = append(c.order, at)
	}
	c.known[at] = append(earlier, news)
	if len(c.order) > maxCertified {
		c.forget()
	}
}

// report keeps the lowest conflicts, in order.
func (c *conflicts) report(x Conflict) {
	at, _ := slices.BinarySearchFunc(c.found, x, func(a, b Conflict) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), -cmp.Compare(a.What, b.What), -1)
	})
	c.found = slices.Insert(c.found, at, x)
	if len(c.found) > maxConflicts {
		c.found = c.found[:maxConflicts]
	}
}

// forget drops the slots that were certified first.
func (c *conflicts) forget() {
	half := len(c.order) / 2
	for _, at := range c.order[:half] {
		delete(c.known, at)
	}
	c.order = slices.Clone(c.order[half:])
}

func members(set uint64) []consensus.ReplicaID {
	var ids []consensus.ReplicaID
	for ; set != 0; set &= set - 1 {
		ids = append(ids, consensus.ReplicaID(bits.TrailingZeros64(set)))
	}
	return ids
}
