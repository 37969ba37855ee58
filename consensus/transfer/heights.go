package transfer

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Heights is how far the host of a replica is, where each keeps checkpoints for
// itself: what went to the host, and what came back. The zero value is a replica
// that has executed nothing.
type Heights struct {
	Handed  consensus.Seq // last batch handed to the host, in order
	Applied consensus.Seq // last batch that the host has executed
	Kept    consensus.Seq // height of the state on disk
	Stable  consensus.Seq // newest checkpoint that the disk was told of
	Last    Handle        // newest checkpoint whose root is known
	Roots   map[consensus.Seq]crypto.Digest
}

// Handle names a state: where it stands, and its root.
type Handle struct {
	Seq  consensus.Seq
	Root crypto.Digest
}

// Settle: the state of the host, and of the disk, is this one.
func (h *Heights) Settle(at Handle) {
	h.at(at.Seq)
	h.Last = at
}

// FallBack: the host is at the disk's state again, with nothing above it.
func (h *Heights) FallBack() { h.at(h.Kept) }

func (h *Heights) at(n consensus.Seq) {
	h.Handed, h.Applied, h.Kept, h.Stable = n, n, n, n
	clear(h.Roots)
}

// Executed reports whether the host has executed something new.
func (h *Heights) Executed(n consensus.Seq) bool {
	if n <= h.Applied {
		return false // executed before a restore went past it
	}
	h.Applied = n
	return true
}

// Due reports whether the state at a checkpoint is to be kept.
func (h *Heights) Due(n consensus.Seq) bool { return n > h.Kept && n <= h.Applied }

// Keep: the disk is told to keep this state.
func (h *Heights) Keep(at Handle) {
	if h.Roots == nil {
		h.Roots = map[consensus.Seq]crypto.Digest{}
	}
	h.Last, h.Stable, h.Roots[at.Seq] = at, at.Seq, at.Root
}

// OnKept takes the host's word that the state at n is on disk. It answers the root,
// if that is known, and whether this is news.
func (h *Heights) OnKept(n consensus.Seq) (root crypto.Digest, known, news bool) {
	if n <= h.Kept {
		return root, false, false
	}
	root, known = h.Roots[n]
	h.Kept = n
	for at := range h.Roots {
		if at <= n {
			delete(h.Roots, at)
		}
	}
	return root, known, true
}
