package raft

import (
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
)

const hour = consensus.Time(3600e9)

// compareClocks lets members tell each other what their clocks show.
func (l *lab) compareClocks(leader int) {
	l.Ticks(2*10*l.Replicas[leader].Engine.cfg.Heartbeat, l.All())
}

// A leader whose clock jumps by an hour waits for what the others say, and
// stamps no further from them than clocks may differ: executed time cannot be
// taken back.
func TestLeadersClockIsBounded(t *testing.T) {
	for _, by := range []consensus.Time{hour, -hour, 24 * hour} {
		l := newLab(t, 3)
		l.elect(0)
		l.compareClocks(0)
		right := l.Now
		l.Now += by
		q := l.Request()
		l.Submit(q, 0)
		for _, m := range l.Sent {
			if p, err := DecodeMessage(m.Bytes); err == nil && len(p.Entries) > 0 {
				t.Fatalf("%v: proposes before it has heard what time it is", by)
			}
		}
		// The others' clocks are right: they are moved by hand.
		for _, i := range []int{1, 2} {
			l.Give(0, consensus.ReplicaPeer(consensus.ReplicaID(i)), consensus.Clock{Time: right}.Encode())
		}
		l.Step(0)
		b, _, ok := l.Replicas[0].Engine.store.batch(2)
		if !ok || b == nil {
			t.Fatalf("%v: nothing is proposed: %+v", by, l.Replicas[0].Engine.Status())
		}
		if off := b.Stamp - right; off > l.Genesis.Skew { // one behind lets time stand still, and no more
			t.Errorf("%v: the stamp is %v ahead", by, off)
		}
	}
}

// Without an answer a leader goes by its own clock after a while: the others may
// be of a version that says nothing of clocks.
func TestJumpedLeaderWaitsForAWhile(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	silent := func(m frame) bool { return m.Bytes[0] != consensus.KindClock }
	l.Now += hour
	q := l.Request()
	l.Submit(q, 0)
	l.Deliver(silent)
	if l.Executions(q) > 0 {
		t.Fatal("does not wait")
	}
	l.Ticks(2*10*l.Replicas[0].Engine.cfg.Heartbeat+5, l.All(), silent)
	if l.Executions(q) != 1 {
		t.Error("waits without end")
	}
}

// Whose clock is off, and by how much, is named by all who hear it; a follower
// says nothing unless a leader asks.
func TestWrongClockIsNamed(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.compareClocks(0)
	for i := range 2 {
		l.Give(i, consensus.ReplicaPeer(2), consensus.Clock{Time: l.Now + hour}.Encode())
	}
	for i := range 2 {
		st := l.Replicas[i].Engine.Status()
		if len(st.Clocks) != 3 || !st.Clocks[2].Wrong || st.Clocks[2].Offset != hour || st.Clocks[1-i].Wrong {
			t.Errorf("R%d: clocks %+v", i, st.Clocks)
		}
		if n := len(st.Waiting); n == 0 || !strings.Contains(st.Waiting[n-1].What, "clock of replica 2, which says that it is 1h0m0s ahead") {
			t.Errorf("R%d waits for %+v", i, st.Waiting)
		}
	}
	l.Replicas[1].Engine.clock.told = -1 // not in this tick yet
	l.Give(1, consensus.ReplicaPeer(2), consensus.Clock{Time: l.Now}.Encode())
	if len(l.Sent) > 0 {
		t.Errorf("a follower answers one that does not lead: %v", l.Sent)
	}
	for range 3 {
		l.Give(1, consensus.ReplicaPeer(0), consensus.Clock{Time: l.Now}.Encode())
	}
	if answers := len(l.Sent); answers > 2 {
		t.Errorf("a leader that asks three times in a tick makes %d frames", answers)
	}
}
