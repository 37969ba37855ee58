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
	for l.desks[0].engine.clock.tick == 0 || len(l.heard(pb.MsgPreVote)) == 0 {
		l.step(0, consensus.Tick{})
	}
	l.mail = nil
	l.step(0,
		receive(1, 0, pb.Message{Type: pb.MsgPreVoteResp, Term: 1}),
		receive(1, 0, pb.Message{Type: pb.MsgVoteResp, Term: 1}),
		receive(1, 0, pb.Message{Type: pb.MsgApp, Term: 1, Index: 7, LogTerm: 1}),
		receive(1, 0, pb.Message{Type: pb.MsgAppResp, Term: 1, Index: 1 << 40}),
	)
	if !l.desks[0].engine.leading() {
		t.Fatal("R0 is not elected in this burst")
	}
	l.mail = nil
	l.agree(0, 3)
	l.ticks(30, l.all())
	l.wantExecuted(4, 0, 1, 2)
}
