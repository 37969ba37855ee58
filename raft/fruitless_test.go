package raft

import (
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// A state that nobody serves, named by a leader that is gone: those who fetch it
// give it up and elect one of their own.
func TestFetchOfNothingEndsWithItsLeader(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 3)
	l.Ticks(3, l.All())
	for _, i := range []int{1, 2} {
		l.sayHandle(0, i, 1000, l.term(0), crypto.Hash([]byte("made up")))
	}
	l.Crash(0)
	rest := []int{1, 2}
	l.Ticks(3000, rest, only(rest...))
	if l.leader() < 0 {
		t.Fatalf("nobody leads: %+v", l.Replicas[1].Engine.Status())
	}
	l.agree(l.leader(), 2, only(rest...))
	l.Ticks(30, rest, only(rest...))
	for _, i := range rest {
		if n := l.executionsAt(i); n != 5 {
			t.Errorf("R%d has executed %d requests, want 5: %+v", i, n, l.Replicas[i].Engine.Status())
		}
	}
}

// executionsAt counts the requests that replica i has executed.
func (l *lab) executionsAt(i int) (n int) {
	for _, c := range l.Replicas[i].Executed {
		if c.Batch != nil {
			n += len(c.Batch.Requests)
		}
	}
	return n
}

// A state that nobody serves gives way to any that a leader names, an older one
// too: a made up height would else be waited for for ever.
func TestFetchOfNothingTurnsToTheLeadersState(t *testing.T) {
	l := behind(t)
	l.sayHandle(1, 2, 1000, 1, crypto.Hash([]byte("made up")))
	l.Sent = nil
	l.Ticks(3000, l.All())
	l.WantExecuted(30, 2)
}

// A handle that comes late, of a state that the log has gone past: the library
// hears of it at once, and nothing is fetched.
func TestHandleOfWhatTheLogHolds(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	m := pb.Message{Type: pb.MsgApp, Term: 1}
	for n := range uint64(12) {
		m.Entries = append(m.Entries, pb.Entry{Index: n + 2, Term: 1})
	}
	m.Index, m.LogTerm = 1, 1
	l.say(0, 2, m) // all that is agreed, and the commit index was lost in a crash
	l.sayHandle(0, 2, 10, 1, crypto.Hash([]byte("of long ago")))
	if st := l.Replicas[2].Engine.Status(); st.Fetching != 0 || st.Executed != 10 {
		t.Errorf("fetches %d, has executed %d, want 10", st.Fetching, st.Executed)
	}
}

// An answer that is late, to an earlier fetch, says nothing of where the host
// stands: what it executed in between is still to be heard of, and a fetch given
// up before would take it for the disk's.
func TestAnswersToAnEarlierFetchSayNothing(t *testing.T) {
	l := behind(t)
	d := l.Replicas[2]
	d.Stopped = true // the test is the host
	root := l.Replicas[0].Disk.Root
	l.sayHandle(0, 2, 30, 1, root)
	l.Step(2, consensus.Staged{Missing: []consensus.Item{{ID: "all", Hash: root}}})
	l.Deliver()
	puts := asked[consensus.RestorePut](d)
	if len(puts) != 1 {
		t.Fatalf("%d parts have come", len(puts))
	}
	append := func(upTo uint64) {
		m := l.append(2, upTo)
		m.Term = 2
		l.say(1, 2, m)
	}
	append(12) // the log overtakes the fetch
	l.sayHandle(1, 2, 30, 2, root)
	if n := len(asked[consensus.RestoreAbort](d)); n != 1 || !d.Engine.state.Active() {
		t.Fatalf("%d aborts, fetches %v", n, d.Engine.state.Active())
	}
	l.Step(2, consensus.Staged{Put: true, Done: puts[0].Items})
	append(14)
	if n := len(asked[consensus.RestoreAbort](d)); n != 1 {
		t.Error("the second fetch is given up before the host has begun it")
	}
	d.Stopped = false // and does all of it now
	l.Step(2)
	l.Ticks(60, l.All())
	if st := d.Engine.Status(); st.Applied < 30 {
		t.Errorf("stands still: %+v", st)
	}
}
