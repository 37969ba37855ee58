package raft

import (
	"slices"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
)

// Appends that overtake each other are taken in their order: nothing is refused,
// and so nothing is sent twice.
func TestOvertakenAppendsAreNotRefused(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	for range 3 {
		l.Submit(l.Request(), 0)
	}
	slices.Reverse(l.Sent) // what R0 has sent to both
	sent := len(l.heard(pb.MsgApp))
	if sent < 4 {
		t.Fatalf("%d appends are under way", sent)
	}
	refused := 0
	l.Ticks(4, l.All(), func(m frame) bool {
		if a, err := DecodeMessage(m.Bytes); err == nil && a.Type == pb.MsgAppResp && a.Reject {
			refused++
		}
		return true
	})
	l.WantExecuted(4, 0, 1, 2)
	if refused != 0 {
		t.Errorf("%d appends are refused", refused)
	}
}

// An append whose forerunner is lost is refused with the next tick, so that the
// leader sends it again; and no more of them wait than a leader has under way.
func TestLostAppendIsNoticed(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.Submit(l.Request(), 0)
	l.Sent = nil // lost
	l.Submit(l.Request(), 0)
	l.Ticks(4, l.All())
	l.WantExecuted(3, 0, 1, 2)

	d := l.Replicas[1]
	for i := range uint64(2 * maxEarly) {
		l.say(0, 1, pb.Message{Type: pb.MsgApp, Term: l.term(1), Index: 1000 + i, LogTerm: l.term(1)})
		if n := len(d.Engine.early); n > maxEarly {
			t.Fatalf("%d appends wait, at most %d should", n, maxEarly)
		}
	}
	l.Ticks(1, []int{1})
	if n := len(d.Engine.early); n != 0 {
		t.Errorf("%d appends wait after a tick", n)
	}
}

// What waits is bounded in bytes, too: a frame may hold megabytes.
func TestEarlyAppendsAreBoundedInBytes(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	d := l.Replicas[1]
	b := consensus.Batch{Requests: []*consensus.Request{l.Numbered(1, string(make([]byte, 3<<20)))}}
	e := pb.Entry{Index: 6, Term: 1, Data: b.Append(nil)}
	for range 8 {
		l.Step(1, receive(0, 1, pb.Message{Type: pb.MsgApp, Term: 1, Index: 5, LogTerm: 1, Entries: []pb.Entry{e}}))
	}
	if n := len(d.Engine.early); n != maxEarlyBytes/(3<<20) {
		t.Errorf("%d appends of 3 MiB wait", n)
	}
}
