package raft

import (
	"fmt"
	"strings"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
)

// A member that lost its disk gets its log again from the leader that it had
// acknowledged it to, within the term, whether there is anything to do or not,
// and from a snapshot if the log was cut.
func TestWipedMemberCatchesUpWithinTheTerm(t *testing.T) {
	for _, n := range []int{3, 4} {
		for _, entries := range []int{1, 40} {
			for _, busy := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d members, %d entries, busy %t", n, entries, busy), func(t *testing.T) {
					l := newLab(t, n)
					l.elect(0)
					l.agree(0, entries)
					l.ticks(3, l.all())
					term := l.term(0)
					*l.desks[2] = desk{}
					if err := l.try(2, true); err != nil {
						t.Fatal(err)
					}
					want := entries + 1
					if busy {
						l.agree(0, 2)
						want += 2
					}
					l.ticks(60, l.all())
					l.wantApplied(want)
					if l.leader() != 0 || l.term(0) != term {
						t.Errorf("R%d leads in term %d, want R0 in term %d", l.leader(), l.term(0), term)
					}
					if alarms := l.desks[0].noted(consensus.Alarm); len(alarms) != 1 || !strings.Contains(alarms[0].Text, "has it lost its disk?") {
						t.Errorf("the leader says %v", alarms)
					}
				})
			}
		}
	}
}

func (l *lab) wantApplied(n int) {
	l.t.Helper()
	for i, d := range l.desks {
		if st := d.engine.Status(); st.Applied != consensus.Seq(n) {
			l.t.Errorf("R%d has applied %d entries, want %d: %+v", i, st.Applied, n, st)
		}
	}
}

// A refusal that was only late changes nothing; the library's answer to it is
// for it alone. One of a log that is shorter than what was acknowledged makes
// the leader begin anew, and commit nothing that a majority does not hold.
func TestRelearningCommitsNothing(t *testing.T) {
	for _, n := range []int{3, 4, 5} {
		l := newLab(t, n)
		l.elect(0)
		l.agree(0, 3)
		l.ticks(3, l.all())
		// An entry that the leader and (n-1)/2 - 1 others hold: one less than a majority.
		few := n/2 - 1
		l.agree(0, 1, func(m letter) bool { return m.from == 0 && int(m.to) <= few || m.to == 0 && int(m.from) <= few })
		before := l.desks[0].engine.node.BasicStatus().Commit
		wiped := n - 1
		l.say(wiped, 0, pb.Message{Type: pb.MsgAppResp, Term: l.term(0), Index: 4, Reject: true, Context: []byte(lostDisk)})
		if after := l.desks[0].engine.node.BasicStatus().Commit; after != before || after != 4 {
			t.Errorf("n=%d: commit index %d, then %d", n, before, after)
		}
		l.say(wiped, 0, pb.Message{Type: pb.MsgAppResp, Term: l.term(0), Index: 9, Reject: true, RejectHint: 8, Context: []byte(lostDisk)})
		if alarms := l.desks[0].noted(consensus.Alarm); len(alarms) != n%2 {
			t.Errorf("n=%d: %v", n, alarms)
		}
		l.ticks(60, l.all())
		l.wantApplied(5)
	}
}

// A refusal that a network delivers late is no confession: nobody is alarmed,
// and what the leader knows of the follower stays.
func TestLateRefusalIsNoConfession(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 5)
	l.ticks(3, l.all())
	l.say(2, 0, pb.Message{Type: pb.MsgAppResp, Term: l.term(0), Index: 3, Reject: true, RejectHint: 2, LogTerm: 1})
	if alarms := l.desks[0].noted(consensus.Alarm); len(alarms) > 0 {
		t.Errorf("a late refusal alarms: %v", alarms)
	}
	if n := len(l.heard(pb.MsgApp)); n > 0 {
		t.Errorf("a late refusal costs %d messages", n)
	}
}

// A member that lost its disk and dies again before it has its log back is
// still given it.
func TestWipedMemberThatDiesAgainCatchesUp(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 5)
	l.ticks(3, l.all())
	*l.desks[2] = desk{}
	if err := l.try(2, true); err != nil {
		t.Fatal(err)
	}
	l.step(2, consensus.Tick{})
	l.mail = nil
	l.crash(2)
	l.start(2)
	l.ticks(60, l.all())
	l.wantApplied(6)
}

// With an even number of members, and one of them away, entries may wait for the
// very member that lost its disk: then the leader steps down, and the next one
// gives it what it lacks.
func TestStalemateWithAWipedMemberEnds(t *testing.T) {
	l := newLab(t, 4)
	l.elect(0)
	l.agree(0, 5)
	l.ticks(3, l.all())
	l.crash(3)
	*l.desks[2] = desk{}
	l.submit(l.request(), 0)
	l.deliver() // R0 and R1 hold it, three of four would be a majority
	term := l.term(0)
	if err := l.try(2, true); err != nil {
		t.Fatal(err)
	}
	up := []int{0, 1, 2}
	l.ticks(200, up)
	for _, i := range up {
		if n := l.executionsAt(i); n != 6 {
			t.Errorf("R%d has executed %d requests, want 6: %+v", i, n, l.desks[i].engine.Status())
		}
	}
	if after := l.term(0); after == term || after > term+5 {
		t.Errorf("term %d, then %d: want an election, and few", term, after)
	}
	l.wantAlarm(0, "this leader steps down")
}
