package raft

import (
	"errors"
	"testing"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/enginetest"
)

// loseState starts a replica again whose state is gone, and whose log is not.
func (l *lab) loseState(i int) *desk {
	l.T.Helper()
	return l.comeBack(i, enginetest.State{})
}

// comeBack starts a replica with a state of the test's choice, above a log that
// was cut as far as it may be.
func (l *lab) comeBack(i int, disk enginetest.State) *desk {
	l.T.Helper()
	d := l.Replicas[i]
	d.Cut()
	d.Disk = disk
	l.Start(i, false)
	return d
}

// A state that was lost under an intact log is fetched; term, vote and entries
// are as they were, and what is behind the state comes out of the log.
func TestLostStateIsFetchedUnderTheLog(t *testing.T) {
	for name, agreed := range map[string]int{"entries behind the state": 30, "none": 29} {
		l := newLab(t, 3)
		l.elect(0)
		l.agree(0, agreed)
		l.Ticks(3, l.All())
		before, ended := l.Replicas[2].Engine.node.BasicStatus(), l.Replicas[2].Engine.last()
		l.Crash(2)
		l.Sent = nil
		d := l.loseState(2)
		after := d.Engine.node.BasicStatus()
		if last := d.Engine.last(); after.Term != before.Term || after.Vote != before.Vote || last != ended {
			t.Errorf("%s: begins in term %d with vote %d and %d entries, was in %d with %d and %d", name, after.Term, after.Vote, last, before.Term, before.Vote, ended)
		}
		if st := d.Engine.Status(); st.Fetching == 0 || st.Executed != 0 {
			t.Errorf("%s: begins with %+v", name, st)
		}
		if e, base := d.Engine, d.Engine.store.base(); e.suits(&snapshot{seq: base - 1}) || !e.suits(&snapshot{seq: base}) {
			t.Errorf("%s: with a log that begins behind %d, takes a state before it, or not the one there", name, base)
		}
		l.Ticks(30, l.All())
		l.WantExecuted(agreed+1, 0, 1, 2)
		l.agree(1, 5)
		l.Ticks(3, l.All())
		l.WantExecuted(agreed+6, 0, 1, 2)
		if fetched, alarms := d.Noted(consensus.Fetched), d.Noted(consensus.Alarm); len(fetched) != 1 || len(alarms) != 1 {
			t.Errorf("%s: fetched %d times, alarms %v", name, len(fetched), alarms)
		}
		l.Crash(0) // and it can lead, and give its state to others
		if err := l.Replicas[1].Engine.node.ForgetLeader(); err != nil {
			t.Fatal(err)
		}
		l.elect(2, only(1, 2))
		l.agree(2, 20, only(1, 2))
		l.loseState(0)
		l.Ticks(60, l.All())
		l.WantExecuted(len(l.History), 0, 1, 2)
	}
}

// A replica that lacks its state never leads; its votes go by its whole log, so
// that nobody is elected who lacks what it acknowledged.
func TestLackingReplicaVotesByItsLog(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 29)
	l.agree(0, 3, only(0, 2)) // R1 lacks them
	l.Ticks(1, []int{0}, only(0, 2))
	l.Crash(0, 2)
	l.Sent = nil
	d := l.loseState(2)
	l.Ticks(60, []int{1, 2})
	if d.Engine.leading() || l.leader() >= 0 {
		t.Fatalf("R%d leads: R1 lacks committed entries, and R2 its state", l.leader())
	}
	l.Start(0, false)
	l.Ticks(200, l.All())
	l.WantExecuted(len(l.History), 0, 1, 2)
	if len(l.History) < 33 {
		t.Errorf("%d entries are left", len(l.History))
	}
}

// If a replica that lacks its state has the only log with all that was agreed, it
// leads until another one has it too, proposes nothing meanwhile, and then fetches.
// If its log does not reach that far back, nobody can but the one who is away.
func TestOnlyLogIsHandedOver(t *testing.T) {
	for name, reaches := range map[string]bool{"log reaches back": true, "log was cut": false} {
		l := newLab(t, 3)
		l.elect(0)
		l.agree(0, 29)
		l.agree(0, 3, only(0, 2)) // R1 lacks them
		l.Ticks(1, []int{0}, only(0, 2))
		l.Crash(0, 2)
		l.Sent = nil
		if reaches {
			l.Replicas[2].Forget = 25
		}
		d := l.loseState(2)
		q := l.Request()
		l.Submit(q, 2)
		l.Ticks(2000, []int{1, 2})
		if d.Engine.lacking() == reaches {
			t.Errorf("%s: R2 lacks its state: %v", name, d.Engine.lacking())
		}
		if !reaches {
			if l.leader() == 1 || l.Executions(q) > 0 {
				t.Fatalf("%s: R%d leads, though committed entries are lost", name, l.leader())
			}
			l.Start(0, false)
			l.Ticks(2000, l.All())
		}
		l.Submit(q, 1, 2)
		l.Ticks(100, l.All())
		l.WantExecuted(len(l.History), 1, 2)
		if len(l.History) < 33 || l.Executions(q) != 1 {
			t.Errorf("%s: %d entries are left; a new request is executed %d times", name, len(l.History), l.Executions(q))
		}
	}
}

// While the state is lacking the log takes entries and acknowledges them: with
// another member down, nothing is agreed without it.
func TestLackingReplicaAcknowledges(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 29)
	l.Crash(1, 2)
	l.loseState(2)
	noParts := func(m frame) bool { return m.Bytes[0] != FetchReplyKind }
	l.Ticks(20, []int{0, 2}, noParts)
	l.agree(0, 5, noParts)
	l.Ticks(5, []int{0, 2}, noParts)
	l.WantExecuted(35, 0)
	l.Ticks(2000, []int{0, 2})
	l.WantExecuted(len(l.History), 0, 2)
}

// A log that begins with the record of a snapshot says where that stands; a
// state older than the log is no different from none.
func TestLogBehindASnapshotNeedsItsState(t *testing.T) {
	l := behind(t)
	l.Ticks(30, l.All())
	old := l.Replicas[2].Disk
	l.agree(0, 40)
	l.Ticks(3, l.All())
	for _, disk := range []enginetest.State{{}, old} {
		l.Crash(2)
		l.Sent = nil
		d := l.comeBack(2, disk)
		if !d.Engine.lacking() {
			t.Fatalf("state at %d, log from %d on: nothing is lacking", disk.Seq, d.Engine.store.base())
		}
		l.Ticks(60, l.All())
		l.WantExecuted(len(l.History), 2)
	}
}

// What a snapshot's record says is the place of an entry that nobody has: it is
// never handed out.
func TestPlaceOfASnapshotIsNoEntry(t *testing.T) {
	l := newLab(t, 1)
	d := l.Replicas[0]
	l.Crash(0)
	base := make([]byte, 16)
	base[7], base[15] = 1, 1
	*d = desk{Protocol: d.Protocol, Records: []consensus.Record{{Slot: 2, Bytes: tagged(recordBase, base)}}}
	l.Start(0, false)
	l.Ticks(500, l.All()) // alone it waits for ever
	if !d.Engine.lacking() || d.Engine.store.base() != 1 || d.Engine.leading() {
		t.Errorf("begins behind %d, lacking %v", d.Engine.store.base(), d.Engine.lacking())
	}
}

// A gap is one missing entry, and what is only a place is none.
func TestGap(t *testing.T) {
	for _, c := range []struct {
		height, first, base uint64
		want                bool
	}{{10, 11, 0, false}, {10, 12, 0, true}, {10, 10, 0, false}, {10, 11, 11, true}, {11, 11, 11, false}} {
		l := replayed{entries: []pb.Entry{{Index: c.first}}, base: c.base}
		if got := l.gap(c.height); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// A log that does not say what was forgotten before it is refused: to begin it
// anywhere would be a guess.
func TestGapWithoutAPlaceIsRefused(t *testing.T) {
	l := newLab(t, 3)
	hard := pb.HardState{Term: 3, Vote: 1, Commit: 9}
	b, err := hard.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	l.Crash(0)
	*l.Replicas[0] = desk{Protocol: l.Replicas[0].Protocol, Records: []consensus.Record{{Slot: 10, Bytes: tagged(recordHard, b)}}}
	if err := l.TryStart(0, false); !errors.Is(err, errGap) {
		t.Errorf("a log of which all entries are gone: %v", err)
	}
}

// Only a leader answers who asks for a snapshot, and only if it has one.
func TestSnapshotIsNamedByTheLeader(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	ask := pb.Message{Type: pb.MsgAppResp, Term: 1, Reject: true, Context: []byte(lostState)}
	named := func(who int) int {
		l.Sent = nil
		l.say(2, who, ask)
		return len(l.heard(pb.MsgSnap))
	}
	if n := named(0); n != 0 {
		t.Errorf("a leader without a snapshot names %d", n)
	}
	l.agree(0, 9)
	l.Ticks(3, l.All())
	if a, b := named(0), named(1); a != 1 || b != 0 {
		t.Errorf("the leader names %d, a follower %d", a, b)
	}
	if st := l.Replicas[0].Engine.node.BasicStatus(); st.RaftState != raft.StateLeader {
		t.Errorf("after asking: %v", st.RaftState)
	}
}
