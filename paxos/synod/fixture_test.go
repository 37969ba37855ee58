package synod

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Replicas of the executions, by the letters of the papers; of three, A owns the
// ballots 3, 6, 9, B 1, 4, 7 and C 2, 5, 8.
const (
	A consensus.ReplicaID = iota
	B
	C
	D
	E
)

const window = 16

var x, y = crypto.Hash([]byte("x")), crypto.Hash([]byte("y"))

func vote(slot consensus.Seq, b Ballot, d crypto.Digest) Vote {
	return Vote{Slot: slot, Ballot: b, Digest: d}
}
