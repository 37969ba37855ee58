package raft

import (
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"
)

// Leader after leader is deposed before it has committed anything, and each
// leaves the empty entry of its term: whoever leads in the end commits them all,
// although they reach further than batches may.
func TestFruitlessElectionsLeaveRoom(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 3)
	deaf := without(pb.MsgAppResp)
	for range 60 {
		for i := range l.Replicas { // a term above all, so that nobody leads
			l.say((i+1)%3, i, pb.Message{Type: pb.MsgAppResp, Reject: true, Term: l.term(0) + l.term(1) + l.term(2)})
		}
		for range 60 {
			if l.Ticks(1, l.All(), deaf); l.leader() >= 0 {
				break
			}
		}
	}
	l.Ticks(100, l.All())
	l.agree(max(l.leader(), 0), 1)
	l.Ticks(5, l.All())
	for i, d := range l.Replicas {
		if n := l.executionsAt(i); n != 4 {
			t.Errorf("R%d has executed %d requests, want 4: %+v", i, n, d.Engine.Status())
		}
	}
}

// One message of a liar fills the log as far as it may reach, with what is never
// committed: there is room for the next leader's empty entry behind it.
func TestFullLogLeavesRoom(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 3)
	l.Ticks(3, l.All())
	m := pb.Message{Type: pb.MsgApp, Term: 2, Index: 4, LogTerm: 1}
	for n := range uint64(40) {
		m.Entries = append(m.Entries, pb.Entry{Index: 5 + n, Term: 2})
	}
	l.say(2, 1, m)
	l.Crash(2)
	l.Sent = nil
	rest := []int{0, 1}
	l.Ticks(200, rest)
	l.agree(max(l.leader(), 0), 1)
	l.Ticks(5, rest)
	for _, i := range rest {
		if n := l.executionsAt(i); n != 4 {
			t.Errorf("R%d has executed %d requests, want 4: %+v", i, n, l.Replicas[i].Engine.Status())
		}
	}
}
