package pbft

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// slot is what is known of one sequence number. Votes are of the current view
// and go with it; certificates and bodies stay until a stable checkpoint
// covers the slot.
type slot struct {
	seq       consensus.Seq
	proposal  *message.Vote // the PRE-PREPARE accepted in this view
	chosen    bool          // it came with the NEW-VIEW, not as a new proposal
	prepares  ballot
	commits   ballot
	voted     bool                 // my PREPARE of this view is cast (or my PRE-PREPARE, if I am primary)
	prepared  *message.Certificate // the one of the highest view in which this slot prepared here
	committed *message.Certificate
	bodies    []body // every batch that I voted for or that is certified here
	asked     int    // tick at which the missing body was last asked for
}

type body struct {
	digest crypto.Digest
	batch  *consensus.Batch
}

func newSlot(seq consensus.Seq, n int) *slot {
	return &slot{seq: seq, prepares: newBallot(n), commits: newBallot(n)}
}

// reset forgets what belonged to the view that is over.
func (s *slot) reset() {
	s.proposal, s.chosen, s.voted, s.asked = nil, false, false, 0
	s.prepares.clear()
	s.commits.clear()
}

// body returns the batch with digest d; ok is false if it is not here. The
// null batch is always here.
func (s *slot) body(d crypto.Digest) (b *consensus.Batch, ok bool) {
	if d == consensus.NullDigest {
		return nil, true
	}
	for i := range s.bodies {
		if s.bodies[i].digest == d {
			return s.bodies[i].batch, true
		}
	}
	return nil, false
}

// keep remembers a batch that hashes to d.
func (s *slot) keep(d crypto.Digest, b *consensus.Batch) {
	if _, ok := s.body(d); !ok {
		s.bodies = append(s.bodies, body{d, b})
	}
}

// needs returns the digest of the batch that this slot cannot go on without.
func (s *slot) needs() (crypto.Digest, bool) {
	var d crypto.Digest
	switch {
	case s.committed != nil:
		d = s.committed.Digest
	case s.proposal != nil:
		d = s.proposal.Digest
	default:
		return d, false
	}
	_, here := s.body(d)
	return d, !here
}

// preparedIn reports whether the slot prepared here in view v.
func (s *slot) preparedIn(v consensus.View) bool { return s.prepared != nil && s.prepared.View == v }

// progress says how far the slot has come here in view v.
func (s *slot) progress(v consensus.View) (p message.Progress) {
	if s == nil {
		return 0
	}
	if s.proposal != nil {
		if _, here := s.body(s.proposal.Digest); here {
			p |= message.HasBody
		}
	}
	if s.preparedIn(v) {
		p |= message.HasPrepared
	}
	if s.committed != nil {
		p |= message.HasCommitted
	}
	return p
}

// ballot holds the votes of one kind for one slot in one view: the first of
// each replica counts.
type ballot struct {
	votes []*message.Vote // by replica
	said  []bool          // ... whether its signature is still to be verified
}

func newBallot(n int) ballot { return ballot{votes: make([]*message.Vote, n), said: make([]bool, n)} }

func (b *ballot) clear() {
	clear(b.votes)
	clear(b.said)
}

// add counts v unless its signer voted before; it returns that earlier vote.
func (b *ballot) add(v *message.Vote) (earlier *message.Vote) {
	if earlier = b.votes[v.Replica]; earlier == nil {
		b.votes[v.Replica] = v
	}
	return earlier
}

// count is the number of votes for d.
func (b *ballot) count(d crypto.Digest) int {
	n := 0
	for _, v := range b.votes {
		if v != nil && v.Digest == d {
			n++
		}
	}
	return n
}

// majority returns the digest with at least q votes, if there is one.
func (b *ballot) majority(q int) (crypto.Digest, bool) {
	for _, v := range b.votes {
		if v != nil && b.count(v.Digest) >= q {
			return v.Digest, true
		}
	}
	return crypto.Digest{}, false
}

// signed lists the first q signatures for d that are verified, ascending by
// replica. With must, that vote is among them.
func (b *ballot) signed(d crypto.Digest, q int, must *message.Vote) []message.Signed {
	out := make([]message.Signed, 0, q)
	left := q
	if must != nil {
		left--
	}
	for id, v := range b.votes {
		if must != nil && int(must.Replica) == id {
			out = append(out, message.Signed{Replica: must.Replica, Sig: must.Sig})
			continue
		}
		if v != nil && v.Digest == d && !b.said[id] && left > 0 {
			out = append(out, message.Signed{Replica: v.Replica, Sig: v.Sig})
			left--
		}
	}
	return out
}

// voters lists who voted for d, ascending.
func (b *ballot) voters(d crypto.Digest) []consensus.ReplicaID {
	var ids []consensus.ReplicaID
	for _, v := range b.votes {
		if v != nil && v.Digest == d {
			ids = append(ids, v.Replica)
		}
	}
	return ids
}
