package synod

import (
	"bytes"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Vote is what an acceptor tells of one slot: what it accepted, of the highest
// ballot, or what it knows to be chosen.
type Vote struct {
	Slot   consensus.Seq
	Ballot Ballot // 0 only for what is known to be chosen and was not voted for
	Digest crypto.Digest
	Chosen bool
}

// Choose finds, among the votes that a quorum named for one slot, the one whose
// value must be proposed there again. None means that nothing was chosen below the
// ballot which the quorum promised, nor ever will be, so that any value may be.
//
// Rule (PMS §2.2, P2c): the vote of the highest ballot; not the first that was
// heard, nor the most frequent. Why this is safe: if x was chosen under c, then
// every proposer of a later ballot heard of a vote of c or later in its quorum,
// and by induction on the ballots each of those votes is for x.
//
// What is known to be chosen is that value already. The order of the votes does
// not matter. Two votes of one ballot with different digests are a lie of its
// proposer; the smaller digest is taken, so that at least all choose alike.
func Choose(votes []Vote) (Vote, bool) {
	var best Vote
	for i, v := range votes {
		if i == 0 || above(v, best) {
			best = v
		}
	}
	return best, len(votes) > 0
}

// above reports whether a weighs more than b.
func above(a, b Vote) bool {
	switch {
	case a.Chosen != b.Chosen:
		return a.Chosen
	case a.Ballot != b.Ballot:
		return a.Ballot > b.Ballot
	}
	return bytes.Compare(a.Digest[:], b.Digest[:]) < 0
}

// Effect is what a call did.
type Effect uint8

// The effects. The first four change what the caller must make durable before
// it tells anybody; the others change nothing.
const (
	Promised Effect = iota + 1 // the promise is that ballot now: answer PROMISE
	Raised                     // the promise went only a part of the way (MaxLeap): answer nothing
	Accepted                   // a new vote, and the promise is at least its ballot: answer ACCEPTED
	Learned                    // the slot's chosen value was not known

	Repeated // done before: answer again
	Rejected // the promise is higher: answer REJECT, naming it
	Settled  // the slot is at or below the base: it is chosen, and what was known of it is gone
	Beyond   // the slot is past the window, or nobody may speak under that ballot: ignore it
	Conflict // another value stands there already: somebody lies, or lost a disk
)

// String names the effect.
func (e Effect) String() string {
	return [...]string{"nothing", "promised", "raised", "accepted", "learned", "repeated", "rejected", "settled", "beyond", "conflict"}[min(e, Conflict)]
}
