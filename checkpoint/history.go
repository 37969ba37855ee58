package checkpoint

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// Stable is the certificate of the stable checkpoint; nil at the genesis.
func (t *Tracker) Stable() *message.Certificate {
	if len(t.history) == 0 {
		return nil
	}
	return t.history[len(t.history)-1]
}

// Low is the low water mark h: the stable checkpoint's sequence number.
func (t *Tracker) Low() consensus.Seq {
	if c := t.Stable(); c != nil {
		return c.Seq
	}
	return 0
}

// High is the high water mark h+L.
func (t *Tracker) High() consensus.Seq { return t.Low() + t.rules.Genesis.Window }

// Own is this replica's vote for seq, to be re-sent word for word; it is kept
// until the stable checkpoint reaches seq.
func (t *Tracker) Own(seq consensus.Seq) (message.Vote, bool) { return t.Said(t.self, seq) }

// Said is the vote of a replica for seq, while it is kept.
func (t *Tracker) Said(id consensus.ReplicaID, seq consensus.Seq) (message.Vote, bool) {
	if v := t.find(id, seq); v != nil {
		return *v, true
	}
	return message.Vote{}, false
}

// Known is the highest kept certificate if it stands at or above n, otherwise nil.
func (t *Tracker) Known(n consensus.Seq) *message.Certificate {
	if c := t.Stable(); c != nil && c.Seq >= n {
		return c
	}
	return nil
}

// At is the kept certificate of exactly seq, or nil.
func (t *Tracker) At(seq consensus.Seq) *message.Certificate {
	i, found := slices.BinarySearchFunc(t.history, seq, func(c *message.Certificate, seq consensus.Seq) int { return cmp.Compare(c.Seq, seq) })
	if !found {
		return nil
	}
	return t.history[i]
}

// thin drops certificates, ascending by seq, until the number that stays is
// logarithmic: the one of checkpoint number i, counted in intervals, stays
// until the newest is more than 3*2^z checkpoints ahead, where z is the number
// of times that 2 divides i. That makes two for each power of two. The rule
// looks at i and the newest alone, so replicas that went apart keep the same
// numbers: while one is at most twice as far as the other, they have one in
// common, namely the greatest power of two that the one behind has passed.
func thin(history []*message.Certificate, interval consensus.Seq) []*message.Certificate {
	newest := history[len(history)-1].Seq / interval
	return slices.DeleteFunc(history, func(c *message.Certificate) bool {
		i := c.Seq / interval
		return newest-i > 3<<bits.TrailingZeros64(uint64(i))
	})
}

// Root is a state root at some sequence number and who vouches for it.
type Root struct {
	Digest   crypto.Digest
	Replicas []consensus.ReplicaID // ascending
}

// Lack says what the checkpoint at seq is waiting for: which replicas stand behind
// the root with most votes, which have said nothing, and every root that was named,
// most votes first, equal ones by digest. Callers: Status.Waiting and the alarm
// about a checkpoint that does not become stable.
func (t *Tracker) Lack(seq consensus.Seq) (have, missing []consensus.ReplicaID, roots []Root) {
	i, found := t.round(seq)
	var votes []message.Vote
	if found {
		votes = t.rounds[i].votes
	}
	for _, v := range votes {
		at := slices.IndexFunc(roots, func(r Root) bool { return r.Digest == v.Digest })
		if at < 0 {
			at = len(roots)
			roots = append(roots, Root{Digest: v.Digest})
		}
		roots[at].Replicas = append(roots[at].Replicas, v.Replica)
	}
	slices.SortFunc(roots, func(a, b Root) int {
		return cmp.Or(cmp.Compare(len(b.Replicas), len(a.Replicas)), bytes.Compare(a.Digest[:], b.Digest[:]))
	})
	if len(roots) > 0 {
		have = slices.Clone(roots[0].Replicas)
	}
	for id := range consensus.ReplicaID(len(t.rules.Genesis.Replicas)) {
		if t.find(id, seq) == nil {
			missing = append(missing, id)
		}
	}
	return have, missing, roots
}
