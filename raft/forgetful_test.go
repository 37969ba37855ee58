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
					l.Ticks(3, l.All())
					term := l.term(0)
					*l.Replicas[2] = desk{}
					if err := l.TryStart(2, true); err != nil {
						t.Fatal(err)
					}
					want := entries + 1
					if busy {
						l.agree(0, 2)
						want += 2
					}
					l.Ticks(60, l.All())
					l.wantApplied(want)
					if l.leader() != 0 || l.term(0) != term {
						t.Errorf("R%d leads in term %d, want R0 in term %d", l.leader(), l.term(0), term)
					}
					if alarms := l.Replicas[0].Noted(consensus.Alarm); len(alarms) != 1 || !strings.Contains(alarms[0].Text, "was its disk lost") {
						t.Errorf("the leader says %v", alarms)
					}
				})
			}
		}
	}
}

func (l *lab) wantApplied(n int) {
	l.T.Helper()
	for i, d := range l.Replicas {
		if st := d.Engine.Status(); st.Applied != consensus.Seq(n) {
			l.T.Errorf("R%d has applied %d entries, want %d: %+v", i, st.Applied, n, st)
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
		l.Ticks(3, l.All())
		// An entry that the leader and (n-1)/2 - 1 others hold: one less than a majority.
		few := n/2 - 1
		l.agree(0, 1, func(m frame) bool { return m.From == 0 && int(m.To) <= few || m.To == 0 && int(m.From) <= few })
		before := l.Replicas[0].Engine.node.BasicStatus().Commit
		wiped := n - 1
		l.say(wiped, 0, pb.Message{Type: pb.MsgAppResp, Term: l.term(0), Index: 4, Reject: true, Context: []byte(lostDisk)})
		if after := l.Replicas[0].Engine.node.BasicStatus().Commit; after != before || after != 4 {
			t.Errorf("n=%d: commit index %d, then %d", n, before, after)
		}
		l.say(wiped, 0, pb.Message{Type: pb.MsgAppResp, Term: l.term(0), Index: 9, Reject: true, RejectHint: 8, Context: []byte(lostDisk)})
		if alarms := l.Replicas[0].Noted(consensus.Alarm); len(alarms) != n%2 {
			t.Errorf("n=%d: %v", n, alarms)
		}
		l.Ticks(60, l.All())
		l.wantApplied(5)
	}
}

// A refusal that a network delivers late is no confession: nobody is alarmed,
// and what the leader knows of the follower stays.
func TestLateRefusalIsNoConfession(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 5)
	l.Ticks(3, l.All())
	l.say(2, 0, pb.Message{Type: pb.MsgAppResp, Term: l.term(0), Index: 3, Reject: true, RejectHint: 2, LogTerm: 1})
	if alarms := l.Replicas[0].Noted(consensus.Alarm); len(alarms) > 0 {
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
	l.Ticks(3, l.All())
	*l.Replicas[2] = desk{}
	if err := l.TryStart(2, true); err != nil {
		t.Fatal(err)
	}
	l.Step(2, consensus.Tick{})
	l.Sent = nil
	l.Crash(2)
	l.Start(2, false)
	l.Ticks(60, l.All())
	l.wantApplied(6)
}

// With an even number of members, and one of them away, entries may wait for the
// very member that lost its disk: then the leader steps down, and the next one
// gives it what it lacks.
func TestStalemateWithAWipedMemberEnds(t *testing.T) {
	l := newLab(t, 4)
	l.elect(0)
	l.agree(0, 5)
	l.Ticks(3, l.All())
	l.Crash(3)
	*l.Replicas[2] = desk{}
	l.Submit(l.Request(), 0)
	l.Deliver() // R0 and R1 hold it, three of four would be a majority
	term := l.term(0)
	if err := l.TryStart(2, true); err != nil {
		t.Fatal(err)
	}
	up := []int{0, 1, 2}
	l.Ticks(200, up)
	for _, i := range up {
		if n := l.executionsAt(i); n != 6 {
			t.Errorf("R%d has executed %d requests, want 6: %+v", i, n, l.Replicas[i].Engine.Status())
		}
	}
	if after := l.term(0); after == term || after > term+5 {
		t.Errorf("term %d, then %d: want an election, and few", term, after)
	}
	l.wantAlarm(0, "this leader steps down")
}

// A vote is given once: whoever hears two leaders of one term says so, once, also
// as one of them, or when it has forgotten the first.
func TestTwoLeadersOfATermAreNoticed(t *testing.T) {
	l := newLab(t, 5)
	l.elect(0)
	l.Ticks(3, l.All())
	term := l.term(0)
	l.Ticks(10, []int{2}) // its lease ends
	for _, to := range []int{0, 1, 2} {
		for range 3 {
			l.say(3, to, pb.Message{Type: pb.MsgHeartbeat, Term: term})
		}
		if alarms := l.Replicas[to].Noted(consensus.Alarm); len(alarms) != 1 || !strings.Contains(alarms[0].Text, fmt.Sprintf("replicas 0 and 3 both lead in term %d", term)) {
			t.Errorf("R%d says %v", to, alarms)
		}
	}
	l.say(3, 4, pb.Message{Type: pb.MsgHeartbeat, Term: term + 1})
	l.say(0, 4, pb.Message{Type: pb.MsgHeartbeat, Term: term}) // late
	l.say(0, 4, pb.Message{Type: pb.MsgHeartbeat, Term: term + 2})
	if alarms := l.Replicas[4].Noted(consensus.Alarm); len(alarms) > 0 {
		t.Errorf("one leader after the other: %v", alarms)
	}
}

// What a leader promises was acknowledged to it and committed, so that a log holds
// it for ever: a heartbeat of a term that is over proves a loss as well. Nobody
// waits for an answer to it.
func TestLatePromiseProvesALoss(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 3)
	l.Ticks(3, l.All())
	d := l.Replicas[2]
	last, term := uint64(d.Engine.exec.Handed), l.term(2)
	l.say(1, 2, pb.Message{Type: pb.MsgHeartbeat, Term: term + 1})
	for _, c := range []struct {
		promise uint64
		noted   int
	}{{last, 0}, {last + 1, 1}, {last + 2, 1}} {
		l.Sent = nil
		l.say(0, 2, pb.Message{Type: pb.MsgHeartbeat, Term: term, Commit: c.promise})
		if n := len(d.Noted(consensus.SetBack)); n != c.noted {
			t.Errorf("promised %d of %d: noted %d times, want %d", c.promise, last, n, c.noted)
		}
		for _, m := range l.heard(pb.MsgAppResp) {
			if m.Reject {
				t.Errorf("promised %d of %d: answers %v", c.promise, last, m)
			}
		}
	}
}
