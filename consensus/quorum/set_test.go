package quorum

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
)

// A set agrees with a map, whatever is added.
func TestSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		oracle := map[consensus.ReplicaID]bool{}
		var s Set
		for _, r := range rapid.SliceOf(rapid.Uint16Range(0, consensus.MaxReplicas+1)).Draw(t, "ids") {
			id := consensus.ReplicaID(r)
			isNew := id < consensus.MaxReplicas && !oracle[id]
			if s.Add(id) != isNew {
				t.Fatalf("adding %d: new is not %v", id, isNew)
			}
			if isNew {
				oracle[id] = true
			}
		}
		list := s.Replicas()
		if len(list) != len(oracle) || s.Len() != len(oracle) || !slices.IsSorted(list) || SetOf(list...) != s {
			t.Fatalf("set %v, want %d replicas in order", list, len(oracle))
		}
		for id := range consensus.ReplicaID(consensus.MaxReplicas + 2) {
			if s.Has(id) != oracle[id] {
				t.Fatalf("has %d: %v", id, s.Has(id))
			}
		}
	})
}
