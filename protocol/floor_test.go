package protocol

import (
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/paxos"
	"quorate.dev/quorate/raft"
)

// TestFloors: an answer by which its author can be held to a view says so, what only
// counts in one says that, and nothing else says anything. What a transcript keeps is
// enough for a judge to hold it to that.
func TestFloors(t *testing.T) {
	member := func(kind pb.MessageType, no bool) []byte {
		return raft.EncodeMessage(&pb.Message{Type: kind, From: 2, To: 1, Term: 7, Reject: no})
	}
	kept, counts, nothing := &Floor{View: 7, Kept: true}, &Floor{View: 7}, (*Floor)(nil)
	for _, x := range []struct {
		protocol, name string
		frame          []byte
		want           *Floor
	}{
		{Raft, "a vote", member(pb.MsgVoteResp, false), kept},
		{Raft, "no vote", member(pb.MsgVoteResp, true), nothing},
		{Raft, "stored", member(pb.MsgAppResp, false), kept},
		{Raft, "not stored", member(pb.MsgAppResp, true), nothing},
		{Raft, "followed", member(pb.MsgHeartbeatResp, false), counts},
		{Raft, "granted in advance", member(pb.MsgPreVoteResp, false), nothing},
		{Raft, "appended", member(pb.MsgApp, false), nothing},
		{Paxos, "promised", paxos.EncodePromise(&paxos.Promise{Ballot: 7, Base: 3}), kept},
		{Paxos, "voted", (&paxos.Accepted{Ballot: 7, Slot: 1}).Encode(), kept},
		{Paxos, "followed", (&paxos.Alive{Ballot: 7}).Encode(), counts},
		{Paxos, "refused", (&paxos.Reject{Ballot: 7, Promised: 9}).Encode(), nothing},
		{Paxos, "asked", (&paxos.Prepare{Ballot: 7}).Encode(), nothing},
		{Paxos, "proposed", (&paxos.Accept{Ballot: 7, Slot: 1}).Encode(), nothing},
		{Paxos, "chosen", (&paxos.Commit{Ballot: 7, UpTo: 1}).Encode(), nothing},
		{Paxos, "cut off", (&paxos.Accepted{Ballot: 7, Slot: 1}).Encode()[:9], nothing},
		{PBFT, "anything", []byte{consensus.FirstProtocolKind, 1, 2}, nothing},
	} {
		p, err := Lookup(x.protocol)
		if err != nil {
			t.Fatal(err)
		}
		codec := p.Codec(genesis(x.protocol, 4))
		got, ok := codec.Floor(x.frame)
		if ok != (x.want != nil) || ok && got != *x.want {
			t.Errorf("%s of %s: %+v, %t", x.name, x.protocol, got, ok)
		}
		if again, ok := codec.Floor(codec.Keep(x.frame)); x.want != nil && x.want.Kept && (!ok || again != got) {
			t.Errorf("%s of %s: a transcript keeps %x", x.name, x.protocol, codec.Keep(x.frame))
		}
	}
}
