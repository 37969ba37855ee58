package viewchange

import (
	"bytes"
	"cmp"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// Start is the opening position of a view.
type Start struct {
	View       consensus.View
	Min        consensus.Seq        // min-s: the highest h proven by any of the VIEW-CHANGEs
	Checkpoint *message.Certificate // proves Min; nil at 0
	Chosen     []Chosen             // the slots of (min-s, max-s], ascending, without gaps
	Proposals  []message.Vote       // the primary's PRE-PREPAREs for them; from Open and Accept only
}

// Max is max-s: the last chosen slot, or Min if there is none. New proposals
// start above it.
func (s *Start) Max() consensus.Seq { return s.Min + consensus.Seq(len(s.Chosen)) }

// Chosen is what a view must propose for one slot.
type Chosen struct {
	Seq      consensus.Seq
	Digest   crypto.Digest        // consensus.NullDigest if nothing had prepared
	Prepared *message.Certificate // why; its signers hold the body. nil for the null batch
}

// Select computes from the VIEW-CHANGEs of a NEW-VIEW how the view begins.
//
// Rule (§4.4, PROTOCOL.md §6): min-s is the highest stable checkpoint in V, over
// all of V; max-s is the highest slot in any P; each slot between them gets the
// digest that prepared in the highest view, or null.
//
// Why this is safe: a batch that committed anywhere in view u was prepared at q
// replicas, of which every V holds a correct one; its VIEW-CHANGE carries the
// certificate or one of a higher view, unless its h has passed the slot. And in
// views between u and the next, nothing else could prepare, for the same reason.
//
// vcs are valid, for one view, of distinct replicas; their order does not
// matter. If more than f replicas are faulty, two certificates of one view may
// name different digests; then the smaller one is taken, so that at least all
// choose alike.
func Select(rules *message.Rules, vcs []*message.ViewChange) Start {
	vcs = slices.SortedFunc(slices.Values(vcs), func(a, b *message.ViewChange) int { return cmp.Compare(a.Replica, b.Replica) })
	var s Start
	for _, vc := range vcs {
		s.View = vc.View
		if vc.Low > s.Min || vc.Low == s.Min && smaller(vc.Checkpoint, s.Checkpoint) {
			s.Min, s.Checkpoint = vc.Low, vc.Checkpoint
		}
	}
	// An entry proves n <= h+L for its own h, which is at most min-s: the
	// bound only keeps a mistake elsewhere from becoming a large allocation.
	reach := s.Min + rules.Genesis.Window
	for _, vc := range vcs {
		for _, c := range vc.Prepared {
			if c.Seq > s.Min && c.Seq <= reach {
				s.propose(c)
			}
		}
	}
	for i := range s.Chosen {
		if slot := &s.Chosen[i]; slot.Digest == consensus.NullDigest {
			slot.Prepared = nil // null may have prepared itself; it has no body to ask anybody for
		}
	}
	return s
}

// propose extends the chosen slots up to c's, with null batches, and enters c
// if it beats what stands there.
func (s *Start) propose(c *message.Certificate) {
	for s.Max() < c.Seq {
		s.Chosen = append(s.Chosen, Chosen{Seq: s.Max() + 1, Digest: consensus.NullDigest})
	}
	slot := &s.Chosen[c.Seq-s.Min-1]
	if slot.Prepared == nil || c.View > slot.Prepared.View || c.View == slot.Prepared.View && smaller(c, slot.Prepared) {
		slot.Digest, slot.Prepared = c.Digest, c
	}
}

// smaller orders certificates that only more than f faults can bring about.
func smaller(a, b *message.Certificate) bool {
	return a != nil && b != nil && bytes.Compare(a.Digest[:], b.Digest[:]) < 0
}
