package evidence

import (
	"cmp"
	"slices"

	"quorate.dev/quorate/consensus"
)

// maxPerReplica bounds what is kept about one signer. One contradiction is
// enough to convict; more only show how it went on.
const maxPerReplica = 16

// Entry is a proven fault with its proof.
type Entry struct {
	Fault   Fault
	Encoded []byte // a Contradiction's encoding; read-only
}

// Store keeps proven faults, in the order of the first proof of each. Not safe
// for concurrent use. The zero Store is empty and ready.
//
// Bounds: maxPerReplica entries of a signer, of which those after the first
// take no more than MaxSize bytes together; so a traitor that contradicts itself
// in NEW-VIEWs of megabytes fills two of them, not sixteen.
type Store struct{ entries []Entry }

// Add keeps a copy of a contradiction that Verify has accepted. It answers
// false if the fault is known already or its signer's share is full.
func (s *Store) Add(f Fault, encoded []byte) bool {
	count, size := 0, 0
	for i := range s.entries {
		switch e := &s.entries[i]; {
		case e.Fault == f:
			return false
		case e.Fault.Replica == f.Replica:
			if count++; count > 1 {
				size += len(e.Encoded)
			}
		}
	}
	if count >= maxPerReplica || len(encoded) > MaxSize || count > 0 && size+len(encoded) > MaxSize {
		return false
	}
	s.entries = append(s.entries, Entry{Fault: f, Encoded: slices.Clone(encoded)})
	return true
}

// All lists what is kept by replica, then by when it was added. The caller may
// keep the list.
func (s *Store) All() []Entry {
	return slices.SortedStableFunc(slices.Values(s.entries), func(a, b Entry) int { return cmp.Compare(a.Fault.Replica, b.Fault.Replica) })
}

// culprits lists, ascending, the replicas that are proven faulty.
func (s *Store) culprits() []consensus.ReplicaID {
	var ids []consensus.ReplicaID
	for _, e := range s.All() {
		ids = append(ids, e.Fault.Replica)
	}
	return slices.Compact(ids)
}
