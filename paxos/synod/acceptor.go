package synod

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Acceptor is the memory of the protocol: one promise for all slots, and for each
// slot the vote of the highest ballot. Not safe for concurrent use.
//
// Rule: what a call changed is durable before anybody is told. E.g. C promises 4 to
// B, loses power, forgets it and accepts x under 3 from A: {A,C} chose x, while B,
// whose quorum {B,C} named nothing, proposes y under 4; C accepts it too.
type Acceptor struct {
	promised Ballot
	votes    table[Vote]
}

// NewAcceptor returns an acceptor that has promised and accepted nothing. It
// votes in the window slots above its base, which is 0 at first.
func NewAcceptor(window int) *Acceptor { return &Acceptor{votes: newTable[Vote](0, window)} }

// Promised is the ballot below which nothing is accepted any more.
func (a *Acceptor) Promised() Ballot { return a.promised }

// Base is the slot up to which everything is chosen and no vote is kept.
func (a *Acceptor) Base() consensus.Seq { return a.votes.base }

// Next is the ballot under which self, one of n proposers and the owner of this
// acceptor, may prepare next; 0 if there is none.
//
// Rule: a new life is a new ballot. What a proposer said under a ballot is not
// written down, so it must not speak under it again after a restart. E.g. A sent x
// under 3 to C: chosen. A restarts, believes that it still leads under 3, and sends
// y: B accepts it.
func (a *Acceptor) Next(self consensus.ReplicaID, n int) Ballot { return a.promised.Next(self, n) }

// Promise answers PREPARE(b): Promised, Repeated, Rejected, Raised or Beyond. The
// answer to Promised and Repeated carries what Report says. To answer twice is
// safe: since the first time nothing below b was accepted.
func (a *Acceptor) Promise(b Ballot) Effect {
	switch {
	case !b.Valid():
		return Beyond
	case b < a.promised:
		return Rejected
	case b == a.promised:
		return Repeated
	}
	return a.raise(b, Promised)
}

// raise brings the promise to b, or toward it.
func (a *Acceptor) raise(b Ballot, whole Effect) Effect {
	if a.promised = a.promised.Toward(b); a.promised != b {
		return Raised
	}
	return whole
}

// Accept answers ACCEPT(b, slot, d): Accepted, Repeated, Rejected, Raised,
// Settled, Beyond or Conflict.
//
// Rule: b is accepted if it is not below the promise, and the promise is b then.
// E.g. B promised 3 to A and accepts y under 5 of C, by which it is chosen. A's
// ACCEPT(3, x), delayed, comes: were the promise still 3, y would be overwritten.
//
// Rule: one value for a ballot and a slot. The first one stays, the same one is
// acknowledged again, and a second one is a lie.
func (a *Acceptor) Accept(b Ballot, slot consensus.Seq, d crypto.Digest) Effect {
	v := a.votes.at(slot)
	switch {
	case !b.Valid():
		return Beyond
	case b < a.promised:
		return Rejected
	case v == nil:
		return a.votes.place(slot)
	case v.Ballot == b && v.Digest == d:
		return Repeated
	case v.Ballot == b:
		return Conflict
	}
	if effect := a.raise(b, Accepted); effect != Accepted {
		return effect
	}
	*v = Vote{Slot: slot, Ballot: b, Digest: d}
	return Accepted
}

// Vote is the vote for slot, of the highest ballot that was accepted there.
func (a *Acceptor) Vote(slot consensus.Seq) (Vote, bool) {
	if v := a.votes.at(slot); v != nil && v.Ballot != 0 {
		return *v, true
	}
	return Vote{}, false
}

// Report appends to votes what a PROMISE tells: for each slot above the one asked
// for, and above the base, the vote; ascending, at most as many as the window has
// slots. Where known says what is chosen, that is told in its place; known may be
// nil.
func (a *Acceptor) Report(votes []Vote, asked consensus.Seq, known *Learner) []Vote {
	for slot := max(asked, a.Base()) + 1; slot <= a.votes.end(); slot++ {
		v, voted := a.Vote(slot)
		if d, chosen := known.Chosen(slot); chosen {
			if v.Digest != d {
				v.Ballot = 0 // nobody voted for it here
			}
			v, voted = Vote{Slot: slot, Ballot: v.Ballot, Digest: d, Chosen: true}, true
		}
		if voted {
			votes = append(votes, v)
		}
	}
	return votes
}

// Drop raises the base: everything up to it is chosen, and in the state on disk.
// The votes at or below it are forgotten. Those above it stay, and so does the
// promise, whether the state was reached by executing or came from others.
//
// E.g. B accepted y for slot 9 under 5, by which it was chosen, then takes the
// state at 8 from others and begins with an empty log: A prepares 6 with {A,B},
// and slot 9 seems free.
func (a *Acceptor) Drop(base consensus.Seq) { a.votes.drop(base) }

// Restore takes a promise and a vote from the log, in any order: the promise is
// the highest ballot in any record, the vote for a slot the one of the highest
// ballot. A record of a promise alone has the zero Vote.
func (a *Acceptor) Restore(promised Ballot, v Vote) {
	a.promised = max(a.promised, promised, v.Ballot)
	if old := a.votes.at(v.Slot); old != nil && v.Ballot > old.Ballot {
		*old = Vote{Slot: v.Slot, Ballot: v.Ballot, Digest: v.Digest}
	}
}
