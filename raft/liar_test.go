package raft

import (
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
)

// receive is one of the library's messages, from a member, as Open hands it over.
func receive(from, to int, m pb.Message) consensus.Event {
	m.From, m.To = uint64(from+1), uint64(to+1)
	return consensus.Receive{From: consensus.ReplicaPeer(consensus.ReplicaID(from)), Message: &m}
}

// ... nor if it comes in the very burst in which the replica is elected.
func TestAcknowledgementOfNothingInTheBurstOfAnElection(t *testing.T) {
	l := newLab(t, 3)
	for l.Replicas[0].Engine.clock.tick == 0 || len(l.heard(pb.MsgPreVote)) == 0 {
		l.Step(0, consensus.Tick{})
	}
	l.Sent = nil
	l.Step(0,
		receive(1, 0, pb.Message{Type: pb.MsgPreVoteResp, Term: 1}),
		receive(1, 0, pb.Message{Type: pb.MsgVoteResp, Term: 1}),
		receive(1, 0, pb.Message{Type: pb.MsgApp, Term: 1, Index: 7, LogTerm: 1}),
		receive(1, 0, pb.Message{Type: pb.MsgAppResp, Term: 1, Index: 1 << 40}),
	)
	if !l.Replicas[0].Engine.leading() {
		t.Fatal("R0 is not elected in this burst")
	}
	l.Sent = nil
	l.agree(0, 3)
	l.Ticks(30, l.All())
	l.WantExecuted(4, 0, 1, 2)
}
