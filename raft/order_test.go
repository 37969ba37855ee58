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
		l.submit(l.request(), 0)
	}
	slices.Reverse(l.mail) // what R0 has sent to both
	sent := len(l.heard(pb.MsgApp))
	if sent < 4 {
		t.Fatalf("%d appends are under way", sent)
	}
	refused := 0
	l.ticks(4, l.all(), func(m letter) bool {
		if a, err := DecodeMessage(m.bytes); err == nil && a.Type == pb.MsgAppResp && a.Reject {
			refused++
		}
		return true
	})
	l.wantExecuted(4, 0, 1, 2)
	if refused != 0 {
		t.Errorf("%d appends are refused", refused)
	}
}

// An append whose forerunner is lost is refused with the next tick, so that the
// leader sends it again; and no more of them wait than a leader has under way.
func TestLostAppendIsNoticed(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.submit(l.request(), 0)
	l.mail = nil // lost
	l.submit(l.request(), 0)
	l.ticks(4, l.all())
	l.wantExecuted(3, 0, 1, 2)

	d := l.desks[1]
	for i := range uint64(2 * maxEarly) {
		l.say(0, 1, pb.Message{Type: pb.MsgApp, Term: l.term(1), Index: 1000 + i, LogTerm: l.term(1)})
		if n := len(d.engine.early); n > maxEarly {
			t.Fatalf("%d appends wait, at most %d should", n, maxEarly)
		}
	}
	l.ticks(1, []int{1})
	if n := len(d.engine.early); n != 0 {
		t.Errorf("%d appends wait after a tick", n)
	}
}

// What waits is bounded in bytes, too: a frame may hold megabytes.
func TestEarlyAppendsAreBoundedInBytes(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	d := l.desks[1]
	b := consensus.Batch{Requests: []*consensus.Request{l.numbered(1, string(make([]byte, 3<<20)))}}
	e := pb.Entry{Index: 6, Term: 1, Data: b.Append(nil)}
	for range 8 {
		l.step(1, receive(0, 1, pb.Message{Type: pb.MsgApp, Term: 1, Index: 5, LogTerm: 1, Entries: []pb.Entry{e}}))
	}
	if n := len(d.engine.early); n != maxEarlyBytes/(3<<20) {
		t.Errorf("%d appends of 3 MiB wait", n)
	}
}
