package raft

import (
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"
)

// What a member may provoke is bounded by time, not by how its messages happen to
// be gathered: a thousand refusals that come one by one, within a tick, are sent
// no more than a thousand in one burst.
func TestProvokedAppendsAreBoundedByTime(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.Submit(l.Numbered(1, string(make([]byte, 900<<10))), 0)
	l.say(1, 0, pb.Message{Type: pb.MsgAppResp, Term: 1, Index: 2, Reject: true}) // what was sent is lost
	l.Sent = nil
	known := l.Replicas[0].Engine.node.Status().Progress[2]
	sent := func() (n int) {
		for range 1000 {
			l.say(1, 0, pb.Message{Type: pb.MsgHeartbeatResp, Term: 1, Index: known.Next - 1})
		}
		for _, m := range l.heard(pb.MsgApp) {
			if m.To == 2 && len(m.Entries) > 0 {
				n++
			}
		}
		l.Sent = nil
		return n
	}
	if n := sent(); n == 0 || n > maxProvoked {
		t.Errorf("entries are sent %d times within a tick", n)
	}
	if n := sent(); n != 0 {
		t.Errorf("entries are sent %d times more within the tick", n)
	}
	l.Ticks(1, []int{0}, func(frame) bool { return false })
	l.Sent = nil
	if n := sent(); n == 0 || n > maxProvoked {
		t.Errorf("entries are sent %d times in the next tick", n)
	}
	l.Ticks(20, l.All())
	l.WantExecuted(2, 0, 1, 2)
}
