package protocol

import (
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/raft"
)

// TestReadsRaft: what members say is read for the place that it is about, and
// what nobody says is none of the protocol.
func TestReadsRaft(t *testing.T) {
	p, err := Lookup(Raft)
	if err != nil {
		t.Fatal(err)
	}
	read := p.Codec(genesis(Raft, 3)).Summary
	frame := raft.EncodeMessage(&pb.Message{
		Type: pb.MsgApp, From: 1, To: 2, Term: 3, Index: 6, LogTerm: 3, Commit: 5, Entries: []pb.Entry{{Term: 3, Index: 7}, {Term: 3, Index: 8}},
	})
	s, ok := read(frame)
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
		s, ok := read(raft.EncodeMessage(&m))
		if !ok || (s.Stored == 8) != (name == "stored") || s.Signer != 1 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	for _, bad := range [][]byte{nil, {raft.MessageKind}, {raft.MessageKind, 0xff}, {raft.FetchReplyKind, 1}, {255}, raft.EncodeMessage(&pb.Message{Type: pb.MsgHup, From: 1})} {
		if s, ok := read(bad); ok {
			t.Errorf("%x is read as %+v", bad, s)
		}
	}
}
