package quorum

import (
	"math/bits"

	"quorate.dev/quorate/consensus"
)

// Set is a set of replicas as one bit each. It is a value: assigning copies
// it, == compares it, and the zero Set is empty.
type Set uint64

// A Set must hold every possible replica: this does not compile otherwise.
const _ = uint(64 - consensus.MaxReplicas)

// SetOf returns the set of the given replicas. Ids of MaxReplicas and above
// belong to nobody and are left out.
func SetOf(replicas ...consensus.ReplicaID) Set {
	var s Set
	for _, r := range replicas {
		s.Add(r)
	}
	return s
}

// Add puts r in and reports whether it is new. An id that no replica can have
// is never new and never put in.
func (s *Set) Add(r consensus.ReplicaID) bool {
	before := *s
	if r < consensus.MaxReplicas {
		*s |= 1 << r
	}
	return *s != before
}

// Has reports whether r is in the set.
func (s Set) Has(r consensus.ReplicaID) bool { return r < consensus.MaxReplicas && s&(1<<r) != 0 }

// Len is the number of replicas in the set.
func (s Set) Len() int { return bits.OnesCount64(uint64(s)) }

// Replicas lists the set in ascending order.
func (s Set) Replicas() []consensus.ReplicaID {
	list := make([]consensus.ReplicaID, 0, s.Len())
	for rest := uint64(s); rest != 0; rest &= rest - 1 {
		list = append(list, consensus.ReplicaID(bits.TrailingZeros64(rest)))
	}
	return list
}
