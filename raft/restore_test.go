package raft

import (
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// behind makes a cluster of three whose last replica is so far behind that it
// needs the state; R0 leads.
func behind(t *testing.T, change ...func(*Config)) *lab {
	t.Helper()
	l := newLab(t, 3, change...)
	l.elect(0)
	l.agree(0, 29, only(0, 1))
	l.ticks(3, []int{0, 1}, only(0, 1))
	l.mail = nil
	return l
}

// kinds counts frames by their first byte.
func kinds(letters []letter) map[byte]int {
	m := map[byte]int{}
	for _, a := range letters {
		m[a.bytes[0]]++
	}
	return m
}

// A follower beyond the leader's log takes the state, in parts that it verifies
// against the root that the leader named, and goes on from there.
func TestStateIsFetched(t *testing.T) {
	l := behind(t)
	l.ticks(30, l.all())
	l.wantExecuted(30, 0, 1, 2)
	d := l.desks[2]
	if len(d.noted(consensus.Fetching)) != 1 || len(d.noted(consensus.Fetched)) != 1 {
		t.Errorf("notes %v", d.notes)
	}
	if st := d.engine.Status(); st.Kept != 30 || st.Stable != 30 || st.Executed != 30 || st.Fetching != 0 || st.RootSeq != 30 || st.Root != d.disk.root() {
		t.Errorf("status %+v", st)
	}
	l.agree(2, 3)
	l.ticks(3, l.all())
	l.wantExecuted(33, 0, 1, 2)
	l.crash(2) // and the log says the same after a restart
	l.start(2)
	l.ticks(5, l.all())
	l.wantExecuted(33, 2)
}

// While a state is fetched nothing is handed to execution, and the status says
// what is lacking.
func TestNothingIsExecutedDuringARestore(t *testing.T) {
	l := behind(t)
	noParts := func(m letter) bool { return m.bytes[0] != FetchReplyKind }
	l.ticks(20, l.all(), noParts)
	d := l.desks[2]
	if st := d.engine.Status(); st.Fetching != 30 || len(st.Waiting) == 0 || st.Waiting[0].What != "parts of the state" || st.Waiting[0].Seq != 30 {
		t.Errorf("status %+v", st)
	}
	l.agree(0, 3, noParts)
	if n := len(asked[consensus.Commit](d)); n != 1 {
		t.Errorf("%d commits are handed out during a fetch, want the first entry's alone", n)
	}
	l.ticks(400, l.all())
	l.wantExecuted(33, 2)
}

// ... nor when the log has what is committed, as long as the host has not said
// what it had executed when the fetch began.
func TestNothingIsExecutedBeforeARestoreBegins(t *testing.T) {
	l := behind(t)
	d := l.desks[2]
	d.stands = true
	l.sayHandle(0, 2, 30, 1, l.desks[0].disk.root())
	l.say(0, 2, l.append(2, 12))
	if n := len(asked[consensus.Commit](d)); n != 1 {
		t.Errorf("%d commits are handed out behind a RestoreBegin, want the first entry's alone", n)
	}
	d.stands = false
	l.step(2)
	l.wantExecuted(12, 2)
}

// append is a leader's MsgApp with the entries of the history up to a place.
func (l *lab) append(to int, upTo uint64) pb.Message {
	last, _ := l.desks[to].engine.store.LastIndex()
	m := pb.Message{Type: pb.MsgApp, Term: l.term(to), Index: last, LogTerm: min(last, 1), Commit: upTo}
	for n := last + 1; n <= upTo; n++ {
		e := pb.Entry{Index: n, Term: 1}
		if b := l.history[consensus.Seq(n)].Batch; b != nil {
			e.Data = b.Append(nil)
		}
		m.Entries = append(m.Entries, e)
	}
	return m
}

// Who serves a part that does not match is named, and another one asked.
func TestBadPartsAreRefused(t *testing.T) {
	l := behind(t)
	l.desks[0].bad = 1
	l.ticks(30, l.all())
	l.wantExecuted(30, 2)
	d := l.desks[2]
	if bad := d.noted(consensus.BadPart); len(bad) != 1 || bad[0].Replica != 0 {
		t.Errorf("names %v", bad)
	}
	from := map[consensus.ReplicaID]int{}
	for _, p := range asked[consensus.RestorePut](d) {
		from[p.From]++
	}
	if from[0] != 1 || from[1] != 1 {
		t.Errorf("parts come from %v", from)
	}
}

// Parts that nobody asked for are not taken.
func TestPartsUnasked(t *testing.T) {
	l := behind(t)
	g := FetchReply{Seq: 30, Root: l.desks[0].disk.root(), Parts: []consensus.Part{{ID: "all", Bytes: []byte{1}}}}
	l.give(2, consensus.ReplicaPeer(1), g.Encode())
	if n := len(asked[consensus.RestorePut](l.desks[2])); n > 0 {
		t.Error("takes parts of a state that it does not fetch")
	}
}

// A handle of what is committed here already fetches nothing: the library answers.
func TestSnapshotOfThePast(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 9)
	l.ticks(3, l.all())
	if why := l.sayHandle(0, 1, 4, 1, crypto.Hash(nil)); why != "" || l.desks[1].engine.state.Active() {
		t.Errorf("reason %q, fetching %v", why, l.desks[1].engine.state.Active())
	}
	if resp := l.heard(pb.MsgAppResp); len(resp) != 1 || resp[0].Index != 10 {
		t.Errorf("answers %v, want that it is at 10", resp)
	}
	l.mail = nil
	l.desks[1].engine.node.Campaign()
	l.sayHandle(0, 1, 90, l.term(1)-1, crypto.Hash(nil))
	if l.desks[1].engine.state.Active() {
		t.Error("fetches what the leader of an earlier term names")
	}
}

// sayHandle lets a member name a state, as a leader of a term.
func (l *lab) sayHandle(from, to int, n consensus.Seq, term uint64, root crypto.Digest) consensus.Reason {
	return l.say(from, to, pb.Message{Type: pb.MsgSnap, Term: term, Snapshot: &pb.Snapshot{
		Data: appendHandle(nil, n, root), Metadata: pb.SnapshotMetadata{Index: uint64(n), Term: 1, ConfState: l.desks[to].engine.store.members},
	}})
}

// A leader takes no snapshot.
func TestLeaderTakesNoSnapshot(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	if why := l.sayHandle(1, 0, 90, 1, crypto.Hash(nil)); why != reasonLeading || l.desks[0].engine.state.Active() {
		t.Errorf("reason %q, want %q", why, reasonLeading)
	}
}

// A leader's handle is its word: whoever fetches does not campaign meanwhile.
func TestHandleRests(t *testing.T) {
	l := behind(t)
	r := l.desks[2].engine
	r.clock.countdown = 1
	l.sayHandle(0, 2, 30, 1, l.desks[0].disk.root())
	if r.clock.countdown < 10 {
		t.Errorf("countdown %d after a leader's handle", r.clock.countdown)
	}
}

// When nobody serves the old state any more, the fetch turns to the newer one
// that the leader names; before that it sticks to what it has begun.
func TestFetchTurnsToANewerState(t *testing.T) {
	l := behind(t)
	l.desks[0].blind, l.desks[1].blind = true, true
	l.ticks(20, l.all())
	d := l.desks[2]
	if n := d.engine.Status().Fetching; n != 30 {
		t.Fatalf("fetches %d", n)
	}
	l.agree(0, 10)
	l.ticks(400, l.all())
	if n := d.engine.Status().Fetching; n != 40 {
		t.Errorf("fetches %d, the leader has named 40", n)
	}
	l.desks[0].blind, l.desks[1].blind = false, false
	l.ticks(400, l.all())
	l.wantExecuted(40, 2)
}

// A second handle during a healthy fetch changes nothing.
func TestFetchSticksToItsTarget(t *testing.T) {
	l := behind(t)
	l.sayHandle(0, 2, 30, 1, l.desks[0].disk.root())
	l.sayHandle(0, 2, 32, 1, crypto.Hash(nil))
	if st := l.desks[2].engine.Status(); st.Fetching != 30 {
		t.Errorf("fetches %d, has begun with 30", st.Fetching)
	}
}

// When another leader has the entries, the fetch is given up: the log goes on
// from the state on disk.
func TestLogOvertakesAFetch(t *testing.T) {
	l := behind(t)
	l.desks[0].blind, l.desks[1].blind = true, true
	l.sayHandle(0, 2, 30, 1, l.desks[0].disk.root())
	l.deliver()
	d := l.desks[2]
	m := l.append(2, 12)
	m.Term = 2
	l.say(1, 2, m)
	if d.engine.state.Active() || len(asked[consensus.RestoreAbort](d)) != 1 {
		t.Errorf("still fetches, the log reaches to 12: %+v", d.engine.Status())
	}
	l.wantExecuted(12, 2)
}

// A state that cannot be put together ends the fetch at the disk's height; the
// leader names it again.
func TestFailedRestoreFallsBack(t *testing.T) {
	l := behind(t)
	d := l.desks[2]
	d.stands = true // the test is the host
	l.ticks(20, l.all())
	host := func(e consensus.Event) { l.step(2, e); l.deliver() }
	host(consensus.Staged{})
	for range 3 {
		host(consensus.Restored{Seq: 30, Root: l.desks[0].disk.root()})
		host(consensus.Staged{})
	}
	if d.engine.state.Active() || d.engine.state.wanted != nil {
		t.Error("still fetches after the host failed three times")
	}
	if alarms := d.noted(consensus.Alarm); len(alarms) != 1 {
		t.Errorf("alarms %v", alarms)
	}
	// The disk is at 0, and of what the log has entry 1 is executed again.
	tail := d.jobs[len(d.jobs)-2:]
	_, aborts := tail[0].(consensus.RestoreAbort)
	if c, ok := tail[1].(consensus.Commit); !ok || c.Seq != 1 || !aborts || d.engine.Status().Applied != 0 {
		t.Errorf("ends with the jobs %v", tail)
	}
	d.jobs, d.stands = tail, false
	d.back()
	l.step(2)
	l.ticks(60, l.all())
	l.wantExecuted(30, 2)
}

// A state that was named by a leader who is deposed when it arrives is
// installed all the same: what it named was committed. Its sender is not
// believed to lead.
func TestDeposedLeadersStateIsInstalled(t *testing.T) {
	l := behind(t)
	l.sayHandle(0, 2, 30, 1, l.desks[0].disk.root())
	parts := l.mail
	l.mail = nil
	l.say(1, 2, pb.Message{Type: pb.MsgVote, Term: 7, Index: 30, LogTerm: 1}) // a later term, with no leader yet
	l.desks[2].engine.node.ForgetLeader()
	l.say(1, 2, pb.Message{Type: pb.MsgVote, Term: 7, Index: 30, LogTerm: 1})
	if l.term(2) != 7 {
		t.Fatalf("in term %d", l.term(2))
	}
	l.mail = parts
	l.deliver(func(m letter) bool { return m.bytes[0] != MessageKind })
	st := l.desks[2].engine.Status()
	if st.Executed != 30 || st.View != 7 || !st.Changing {
		t.Errorf("status %+v, want 30 in term 7 without a leader", st)
	}
	if last, _ := l.desks[2].engine.store.LastIndex(); last != 30 {
		t.Errorf("the log ends at %d", last)
	}
}

// The library waits for ever for an answer to a snapshot, which may be lost: it
// is told now and then to try again.
func TestSnapshotIsSentAgain(t *testing.T) {
	l := behind(t)
	lost := 0
	l.ticks(60, l.all(), func(m letter) bool {
		if p, err := DecodeMessage(m.bytes); err == nil && p.Type == pb.MsgSnap {
			lost++
			return false
		}
		return true
	})
	if lost < 2 {
		t.Errorf("a lost handle is sent %d times in 60 ticks", lost)
	}
	l.ticks(60, l.all())
	l.wantExecuted(30, 2)
}

// What waited here and was executed before the state that was taken is settled
// by the session table, not proposed by anybody again.
func TestRequestsBehindAState(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	q := l.request()
	l.submit(q, 2) // waits at R2; the leader hears of it from R1
	l.mail = nil
	l.submit(q, 0)
	l.deliver(only(0, 1))
	l.agree(0, 29, only(0, 1))
	l.ticks(3, []int{0, 1}, only(0, 1))
	l.ticks(80, l.all())
	if n := l.desks[2].engine.Status().Pending; n != 0 || l.executions(q) != 1 {
		t.Errorf("%d wait after the state came, executed %d times", n, l.executions(q))
	}
}

// Whoever asks for parts is served within bounds, observers too.
func TestPartsAreServed(t *testing.T) {
	l := behind(t)
	f := Fetch{Seq: 30, Root: l.desks[1].disk.root(), Items: []consensus.Item{{ID: "all"}}}
	l.give(1, consensus.ReplicaPeer(2), f.Encode())
	if got := kinds(l.mail); got[FetchReplyKind] != 1 {
		t.Errorf("frames %v, want one with parts", got)
	}
	l.mail = nil
	f.Seq = 28
	l.give(1, consensus.ReplicaPeer(2), f.Encode())
	g, err := decodeFetchReply(l.mail[len(l.mail)-1].bytes)
	if err != nil || !g.Gone || len(g.Parts) > 0 {
		t.Errorf("answers %+v, error %v, want that it is gone", g, err)
	}
}

// What the host had executed when a fetch began it drops: it is not told to
// keep a checkpoint that it has no more.
func TestNoCheckpointDuringARestore(t *testing.T) {
	l := newLab(t, 3)
	d := l.desks[2]
	d.stands = true
	l.elect(0)
	l.agree(0, 3)
	l.sayHandle(0, 2, 30, 1, crypto.Hash(nil))
	l.step(2, consensus.Executed{Seq: 2, Root: crypto.Hash(nil)})
	if n := len(asked[consensus.Stabilize](d)); n > 0 {
		t.Error("is told to keep a checkpoint that the fetch has dropped")
	}
}

// Whoever fetches a state does not campaign, nor goes on with a campaign: it
// lacks what was agreed, and as a leader would take no state any more.
func TestNoCampaignDuringARestore(t *testing.T) {
	l := behind(t)
	d := l.desks[2]
	d.stands = true
	l.ticks(25, []int{2}, only(2)) // asks for votes in advance
	l.mail = nil
	l.sayHandle(0, 2, 30, l.term(2), l.desks[0].disk.root())
	l.say(1, 2, pb.Message{Type: pb.MsgPreVoteResp, Term: l.term(2) + 1})
	l.say(1, 2, pb.Message{Type: pb.MsgVoteResp, Term: l.term(2)})
	if d.engine.leading() {
		t.Error("goes on with its campaign, and leads")
	}
	l.mail = nil
	l.ticks(100, []int{2}, func(m letter) bool {
		if p, err := DecodeMessage(m.bytes); err == nil && (p.Type == pb.MsgPreVote || p.Type == pb.MsgVote) {
			t.Errorf("says %s while it fetches", Describe(m.bytes))
		}
		return false
	})
	if d.engine.leading() || !d.engine.state.Active() {
		t.Errorf("leads %v, fetches %v", d.engine.leading(), d.engine.state.Active())
	}
}

// A fetch whose state the host is putting together is not given up for the log:
// the state would come, and nobody expect it.
func TestEndOfARestoreIsAwaited(t *testing.T) {
	l := behind(t)
	d := l.desks[2]
	var end bool
	d.host = func(j consensus.Job) []consensus.Event {
		if put, ok := j.(consensus.RestorePut); ok {
			return []consensus.Event{d.put(put)}
		}
		end = true
		return nil // later
	}
	l.ticks(30, []int{0, 2}, only(0, 2))
	if !end {
		t.Fatal("the state has not come")
	}
	l.say(0, 2, l.append(2, 12))
	if n := len(asked[consensus.RestoreAbort](d)); n > 0 || !d.engine.state.Active() {
		t.Errorf("%d aborts, fetches %v", n, d.engine.state.Active())
	}
	d.host = nil
	l.step(2, l.perform(2, consensus.RestoreEnd{})...)
	l.wantExecuted(30, 2)
	if st := d.engine.Status(); st.Executed != 30 || st.Fetching != 0 {
		t.Errorf("status %+v", st)
	}
}
