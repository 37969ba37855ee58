package raft

import (
	"math"
	"strings"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
	"quorate.dev/quorate/crypto"
)

// One message with the last term there is deposes a leader, and no more: a new
// one is elected, and somebody says what has happened.
func TestLastTermIsNotReached(t *testing.T) {
	for _, m := range []pb.Message{
		{Type: pb.MsgAppResp, Reject: true}, {Type: pb.MsgHeartbeat}, {Type: pb.MsgVote, Index: 99, LogTerm: 99}, {Type: pb.MsgApp}, {Type: pb.MsgSnap},
	} {
		l := newLab(t, 3)
		l.elect(0)
		l.agree(0, 3)
		m.Term = math.MaxUint64
		if m.Type == pb.MsgSnap {
			l.sayHandle(2, 1, 90, m.Term, crypto.Hash(nil))
		} else {
			l.say(2, 1, m)
		}
		if l.Replicas[1].Engine.state.Active() || l.term(1) > 1+maxLeap {
			t.Errorf("%s: believed, in term %d", m.Type, l.term(1))
		}
		if m.Type != pb.MsgVote || l.term(1) > 1 {
			l.wantAlarm(1, "which no elections reach")
		}
		l.Ticks(300, l.All())
		if l.leader() < 0 {
			t.Fatalf("%s: nobody leads", m.Type)
		}
		l.agree(l.leader(), 1)
		l.Ticks(5, l.All())
		if n := l.executionsAt(0); n != 4 {
			t.Errorf("%s: R0 has executed %d requests, want 4", m.Type, n)
		}
	}
}

func (l *lab) wantAlarm(i int, text string) {
	l.T.Helper()
	for _, n := range l.Replicas[i].Noted(consensus.Alarm) {
		if strings.Contains(n.Text, text) {
			return
		}
	}
	l.T.Errorf("R%d raises no alarm of %q", i, text)
}

// Members whom a liar has raised by different amounts meet again without it.
func TestTermsFarApartMeet(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 3)
	for range 5 {
		l.say(2, 1, pb.Message{Type: pb.MsgAppResp, Reject: true, Term: math.MaxUint64})
	}
	if at := l.term(1); at != 1+5*maxLeap {
		t.Fatalf("R1 is in term %d", at)
	}
	if n := len(l.Replicas[1].Noted(consensus.Alarm)); n != 1 {
		t.Errorf("%d alarms at once", n)
	}
	l.Crash(2)
	l.Sent = nil
	rest := []int{0, 1}
	l.Ticks(600, rest)
	if l.leader() < 0 || l.term(0) != l.term(1) {
		t.Fatalf("R%d leads, the terms are %d and %d", l.leader(), l.term(0), l.term(1))
	}
	l.agree(l.leader(), 1)
	l.Ticks(5, rest)
	if n := l.executionsAt(0); n != 4 {
		t.Errorf("R0 has executed %d requests, want 4", n)
	}
}

// Whoever stands in the last term says that it elects nobody any more.
func TestLastTermAlarms(t *testing.T) {
	l := newLab(t, 3)
	hard := pb.HardState{Term: math.MaxUint64}
	body, err := hard.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	l.Replicas[0].Records = []consensus.Record{{Slot: 1, Bytes: tagged(recordHard, body)}}
	l.Start(0, false)
	l.Ticks(30, []int{0})
	l.wantAlarm(0, "cannot campaign")
}

// What stands nowhere near a checkpoint is no state of anybody.
func TestHandlesStandAtCheckpoints(t *testing.T) {
	l := newLab(t, 3)
	for at, want := range map[consensus.Seq]consensus.Reason{
		4: "", 5: ReasonSnapshot, consensus.MaxSeq: "", consensus.MaxSeq + 2: ReasonSnapshot, math.MaxUint64 - 1: ReasonSnapshot,
	} {
		l.Start(1, false)
		if why := l.sayHandle(0, 1, at, 1, crypto.Hash(nil)); why != want {
			t.Errorf("at %d: reason %q, want %q", at, why, want)
		}
	}
	future := pb.Message{Type: pb.MsgSnap, Term: 1, Snapshot: &pb.Snapshot{
		Data: transfer.AppendHandle(nil, 4, crypto.Hash(nil)), Metadata: pb.SnapshotMetadata{Index: 4, Term: 2, ConfState: l.Replicas[1].Engine.store.members},
	}}
	if why := l.say(0, 1, future); why != ReasonSnapshot {
		t.Errorf("of a later term: reason %q, want %q", why, ReasonSnapshot)
	}
}
