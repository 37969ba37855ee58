package pbft

import (
	"iter"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// opening is what the primary of the view to come does before it opens it: it sees
// to it that it has the body of whatever the NEW-VIEW may choose (§6).
type opening struct{ *replica }

// whole reports whether the bodies of all that prepared at the sender of a
// VIEW-CHANGE are here, as far as anything is to be decided there any more. What
// a liar proves may be a batch that nobody has: all who prepared it lost it with the
// power. A correct sender has on disk what it names (§6).
func (r opening) whole(vc *message.ViewChange) bool {
	for _, c := range vc.Prepared {
		if r.lacks(c) {
			return false
		}
	}
	return true
}

// lacks reports whether the body of what prepared above the low mark is not here.
func (r opening) lacks(c *message.Certificate) bool {
	if c.Seq <= r.low() || c.Digest == consensus.NullDigest {
		return false
	}
	s := r.log.slots[c.Seq]
	if s == nil {
		return true
	}
	_, here := s.body(c.Digest)
	return !here
}

// wanted lists what prepared elsewhere and whose body lacks to open the view that
// this replica leads, with who says so.
func (r opening) wanted() iter.Seq2[*message.Certificate, consensus.ReplicaID] {
	return func(yield func(*message.Certificate, consensus.ReplicaID) bool) {
		if !r.view.changing || r.view.primary() != r.id {
			return
		}
		for _, vc := range r.views.Asking(r.view.number) {
			for _, c := range vc.Prepared {
				if r.lacks(c) && r.inReach(c.Seq) && !yield(c, vc.Replica) {
					return
				}
			}
		}
	}
}

// ask asks for those bodies: who said that it prepared has it if it is
// correct, and others may.
func (r opening) ask() {
	left := maxHelpSlots
	for c, from := range r.wanted() {
		s := r.log.slot(c.Seq)
		s.asked++
		if s.asked%2 == 0 {
			from = r.peers.other(r.id, s.asked)
		}
		r.askBody(s, c.Digest, from)
		if left--; left == 0 {
			return
		}
	}
}

// take takes a body that lacks to open the view; false if it does not. It
// goes to disk before the NEW-VIEW does, for others will ask for it.
func (r opening) take(g *message.FetchReply) bool {
	for c := range r.wanted() {
		if c.Seq != g.Seq || c.Digest != g.Digest {
			continue
		}
		s := r.log.slot(c.Seq)
		s.keep(g.Digest, g.Batch)
		for _, sg := range c.Signed {
			if v := r.rules.VoteOf(c, sg); v.Kind == message.PrePrepareKind {
				r.out.RecordLazy(s.seq, message.Reframe(v, g.Batch).Frame)
			}
		}
		r.collect()
		return true
	}
	return false
}
