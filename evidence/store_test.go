package evidence

import (
	"bytes"
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
)

func TestStoreIsBoundedPerReplica(t *testing.T) {
	var s Store
	fault := func(id consensus.ReplicaID, n int) Fault {
		return Fault{Replica: id, What: "COMMIT", Seq: consensus.Seq(n)}
	}
	for n := 1; n <= 2*maxPerReplica; n++ {
		if added := s.Add(fault(1, n), []byte{byte(n)}); added != (n <= maxPerReplica) {
			t.Errorf("entry %d: added %v", n, added)
		}
	}
	if !s.Add(fault(0, 1), []byte{1}) {
		t.Error("a liar's share leaves no room for another's")
	}
	if s.Add(fault(0, 1), []byte{2}) {
		t.Error("the same fault twice")
	}
	if got := s.culprits(); !slices.Equal(got, []consensus.ReplicaID{0, 1}) {
		t.Errorf("culprits %v", got)
	}
	all := s.All()
	if len(all) != maxPerReplica+1 || all[0].Fault != fault(0, 1) || all[1].Fault != fault(1, 1) || all[maxPerReplica].Fault != fault(1, maxPerReplica) {
		t.Errorf("%d entries: %v", len(all), all)
	}
}

// Large contradictions do not multiply: after the first, a signer's share is
// as large as one.
func TestStoreIsBoundedInBytes(t *testing.T) {
	var s Store
	large := make([]byte, MaxSize*3/4)
	for n, want := range []bool{true, true, false} {
		if got := s.Add(Fault{Replica: 1, What: "NEW-VIEW", View: consensus.View(n)}, large); got != want {
			t.Errorf("large entry %d: added %v", n, got)
		}
	}
	if !s.Add(Fault{Replica: 1, What: "COMMIT"}, []byte{1}) {
		t.Error("a small one no longer fits")
	}
	if s.Add(Fault{Replica: 2}, make([]byte, MaxSize+1)) {
		t.Error("kept what no contradiction can be as large as")
	}
}

// What is kept does not change with the caller's buffer.
func TestStoreKeepsACopy(t *testing.T) {
	var s Store
	buffer := []byte{1, 2, 3}
	s.Add(Fault{}, buffer)
	clear(buffer)
	if got := s.All()[0].Encoded; !bytes.Equal(got, []byte{1, 2, 3}) {
		t.Errorf("kept %v", got)
	}
}
