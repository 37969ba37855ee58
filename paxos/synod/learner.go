package synod

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
)

// Learner knows what is chosen. Slots are learnt in any order and executed
// without gaps: 8 before 7 would give two replicas that learn in different orders
// different states. Not safe for concurrent use.
type Learner struct {
	prefix consensus.Seq
	chosen table[known]
}

type known struct {
	digest crypto.Digest
	chosen bool
}

// NewLearner returns a learner of a window of slots above its base, which is 0 at
// first.
func NewLearner(window int) *Learner { return &Learner{chosen: newTable[known](0, window)} }

// Base is the slot up to which everything is chosen and no digest is kept.
func (l *Learner) Base() consensus.Seq { return l.chosen.base }

// Prefix is the last slot such that it and all before it are known to be chosen:
// they may be executed.
func (l *Learner) Prefix() consensus.Seq { return l.prefix }

// Chosen is the value of slot, if it is above the base and known. A nil Learner
// knows nothing.
func (l *Learner) Chosen(slot consensus.Seq) (crypto.Digest, bool) {
	if l == nil {
		return crypto.Digest{}, false
	}
	if k := l.chosen.at(slot); k != nil && k.chosen {
		return k.digest, true
	}
	return crypto.Digest{}, false
}

// Learn takes it from whoever knows that d is chosen for slot: Learned, Repeated,
// Settled, Beyond or Conflict. Of two values the first stays.
func (l *Learner) Learn(slot consensus.Seq, d crypto.Digest) Effect {
	k := l.chosen.at(slot)
	switch {
	case k == nil:
		return l.chosen.place(slot)
	case k.chosen && k.digest == d:
		return Repeated
	case k.chosen:
		return Conflict
	}
	*k = known{digest: d, chosen: true}
	l.advance()
	return Learned
}

func (l *Learner) advance() {
	for k := l.chosen.at(l.prefix + 1); k != nil && k.chosen; k = l.chosen.at(l.prefix + 1) {
		l.prefix++
	}
}

// Commit takes COMMIT(b, upTo), by which the owner of b says that every slot up to
// upTo is chosen, and learns of those what a accepted under b. It returns the
// slots that it learnt, appended to learned. What is still unknown up to upTo has
// to be asked for.
//
// Rule: of what an acceptor holds, only what it accepted under that very ballot is
// chosen by this. E.g. A sent x for slot 1 under 3 to B alone and lost its own vote;
// C, with A, has y chosen under 5. COMMIT(5, 1) reaches B, which holds x.
func (l *Learner) Commit(b Ballot, upTo consensus.Seq, a *Acceptor, learned []consensus.Seq) []consensus.Seq {
	for slot := l.prefix + 1; slot <= min(upTo, l.chosen.end()); slot++ {
		if v, ok := a.Vote(slot); ok && v.Ballot == b && l.Learn(slot, v.Digest) == Learned {
			learned = append(learned, slot)
		}
	}
	return learned
}

// Drop raises the base: the state that contains everything up to it is on disk.
// What is known above it stays known.
func (l *Learner) Drop(base consensus.Seq) {
	l.chosen.drop(base)
	l.prefix = max(l.prefix, base)
	l.advance()
}

// Tally counts the votes for one slot as acceptors tell them to a learner
// directly. Of each acceptor the vote of the highest ballot counts, so that memory
// is one vote for each.
type Tally struct {
	quorum int
	votes  []Vote
}

// NewTally returns the count of n acceptors, q of which choose.
func NewTally(n, q int) *Tally { return &Tally{quorum: q, votes: make([]Vote, n)} }

// Add counts a vote and reports whether its value is known to be chosen now.
//
// Rule: chosen is what a quorum accepted under one ballot. Votes of different
// ballots are never added up. E.g. of five acceptors, two accepted x under 5, one
// accepted y under 9, and under 10 x is accepted by one that had done so and by a
// third. Three hold x; but who asks {B,D,E} under 14 hears y of 9, and y is chosen.
func (t *Tally) Add(from consensus.ReplicaID, v Vote) bool {
	if int(from) >= len(t.votes) || v.Ballot < t.votes[from].Ballot {
		return false
	}
	t.votes[from] = v
	var same quorum.Set
	for id, other := range t.votes {
		if other.Ballot == v.Ballot {
			same.Add(consensus.ReplicaID(id))
		}
	}
	return same.Len() >= t.quorum
}
