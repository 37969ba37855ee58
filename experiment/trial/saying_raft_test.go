package trial

import (
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/raft"
)

// TestReadsRaft: what members say is read for the place that it is about, and
// what nobody says is none of the protocol.
func TestReadsRaft(t *testing.T) {
	frame := raft.EncodeMessage(&pb.Message{
		Type: pb.MsgApp, From: 1, To: 2, Term: 3, Index: 6, LogTerm: 3, Commit: 5, Entries: []pb.Entry{{Term: 3, Index: 7}, {Term: 3, Index: 8}},
	})
	s, ok := readRaft(frame)
	if !ok || s.Seq != 0 || s.Decided != 5 || s.View != 3 || s.Signer != 0 || s.Signed {
		t.Errorf("got %+v", s)
	}
	if at := s.At(8); at.Seq != 8 || !at.Valued || at.Value != consensus.NullDigest {
		t.Errorf("at 8: %+v", at)
	}
	if at := s.At(9); at.Seq != 0 || at.Valued {
		t.Errorf("at 9: %+v", at)
	}
	for name, m := range map[string]pb.Message{
		"stored":   {Type: pb.MsgAppResp, From: 2, To: 1, Term: 3, Index: 8},
		"rejected": {Type: pb.MsgAppResp, From: 2, To: 1, Term: 3, Index: 8, Reject: true},
	} {
		s, ok := readRaft(raft.EncodeMessage(&m))
		if !ok || (s.Stored == 8) != (name == "stored") || s.Signer != 1 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	for _, bad := range [][]byte{nil, {raft.MessageKind}, {raft.MessageKind, 0xff}, {raft.GivenKind, 1}, {255}, raft.EncodeMessage(&pb.Message{Type: pb.MsgHup, From: 1})} {
		if s, ok := readRaft(bad); ok {
			t.Errorf("%x is read as %+v", bad, s)
		}
	}
}

// TestDecisiveStepsOfRaft: the place that a run is about, with who stored it and
// what was executed there.
func TestDecisiveStepsOfRaft(t *testing.T) {
	o, err := Simulate(Spec{Protocol: "raft", Replicas: 3, Invoked: 8, Seed: 1, Forward: []consensus.ReplicaID{2}, Deadline: 1e9})
	if err != nil {
		t.Fatal(err)
	}
	stored, executed, led := false, 0, ""
	for _, s := range o.Steps {
		said, _ := readRaft(s.Frame)
		stored = stored || said.Stored >= o.Slot
		if s.Kind == "execute" && s.Seq == o.Slot {
			executed++
		}
		if s.Note != nil && s.Note.Kind == consensus.EnteredView {
			led = s.From
		}
	}
	if o.Word() != Live || o.Slot == 0 || !stored || executed != 3 {
		t.Errorf("%s, slot %d, stored %v, executed %d times", o.Word(), o.Slot, stored, executed)
	}
	if led != "" && led != "R2" {
		t.Errorf("%s was elected before R2, who was put forward", led)
	}
	if o.Statuses[0].Primary != 2 {
		t.Errorf("R%d leads", o.Statuses[0].Primary)
	}
	if len(o.Calls) != o.Asked || o.Calls[0].Ended == 0 || o.Calls[0].Seq == 0 || o.Calls[0].Operation == "" {
		t.Errorf("%d calls of %d: %+v", len(o.Calls), o.Asked, o.Calls[:1])
	}
}
