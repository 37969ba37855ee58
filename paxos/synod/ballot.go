package synod

import "quorate.dev/quorate/consensus"

// Ballot numbers the attempts to have something chosen. Each belongs to one
// proposer, which is found by the remainder, so that no two ever use the same.
// 0 is none.
type Ballot uint64

// MaxBallot is the last ballot. Nobody gets there by counting.
const MaxBallot Ballot = 1 << 62

// MaxLeap bounds how far one message raises a promise. Who promised the last
// ballot elects nobody any more, and without a bound one message of a liar would
// be enough for that.
const MaxLeap Ballot = 1 << 32

// Owner is the one proposer of n that may speak under b: b mod n.
func (b Ballot) Owner(n int) consensus.ReplicaID { return consensus.ReplicaID(uint64(b) % uint64(n)) }

// Next is the lowest ballot above b that belongs to owner, one of n proposers, or
// 0 if b is so high that there is none.
//
// Asked of the durable promise after a restart (Acceptor.Next), it never names a
// ballot that this proposer may have used, because a proposer promises its own
// ballot, durably, before it speaks under it.
func (b Ballot) Next(owner consensus.ReplicaID, n int) Ballot {
	if b >= MaxBallot {
		return 0
	}
	next := b + 1
	next += (Ballot(owner) + Ballot(n) - next%Ballot(n)) % Ballot(n)
	if next > MaxBallot {
		return 0
	}
	return next
}

// Valid reports whether anybody may speak under b.
func (b Ballot) Valid() bool { return b > 0 && b <= MaxBallot }

// Toward is how far a message that names the ballot to raises one that stands at
// b: all the way, or MaxLeap where it names more than that. A part of the way is
// better than none, since acceptors which a liar raised by different amounts meet
// again. It never lowers.
func (b Ballot) Toward(to Ballot) Ballot {
	to = min(to, MaxBallot)
	if to > b && to-b > MaxLeap {
		return b + MaxLeap
	}
	return max(b, to)
}
