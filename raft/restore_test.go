package raft

import (
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
	"quorate.dev/quorate/crypto"
)

// behind makes a cluster of three whose last replica is so far behind that it
// needs the state; R0 leads.
func behind(t *testing.T, change ...func(*Config)) *lab {
	t.Helper()
	l := newLab(t, 3, change...)
	l.elect(0)
	l.agree(0, 29, only(0, 1))
	l.Ticks(3, []int{0, 1}, only(0, 1))
	l.Sent = nil
	return l
}

// kinds counts frames by their first byte.
func kinds(letters []frame) map[byte]int {
	m := map[byte]int{}
	for _, a := range letters {
		m[a.Bytes[0]]++
	}
	return m
}

// A follower beyond the leader's log takes the state, in parts that it verifies
// against the root that the leader named, and goes on from there.
func TestStateIsFetched(t *testing.T) {
	l := behind(t)
	l.Ticks(30, l.All())
	l.WantExecuted(30, 0, 1, 2)
	d := l.Replicas[2]
	if len(d.Noted(consensus.Fetching)) != 1 || len(d.Noted(consensus.Fetched)) != 1 {
		t.Errorf("notes %v", d.Notes)
	}
	if st := d.Engine.Status(); st.Kept != 30 || st.Stable != 30 || st.Executed != 30 || st.Fetching != 0 || st.RootSeq != 30 || st.Root != d.Disk.Root {
		t.Errorf("status %+v", st)
	}
	l.agree(2, 3)
	l.Ticks(3, l.All())
	l.WantExecuted(33, 0, 1, 2)
	l.Crash(2) // and the log says the same after a restart
	l.Start(2, false)
	l.Ticks(5, l.All())
	l.WantExecuted(33, 2)
}

// While a state is fetched nothing is handed to execution, and the status says
// what is lacking.
func TestNothingIsExecutedDuringARestore(t *testing.T) {
	l := behind(t)
	noParts := func(m frame) bool { return m.Bytes[0] != FetchReplyKind }
	l.Ticks(20, l.All(), noParts)
	d := l.Replicas[2]
	if st := d.Engine.Status(); st.Fetching != 30 || len(st.Waiting) == 0 || st.Waiting[0].What != "parts of the state" || st.Waiting[0].Seq != 30 {
		t.Errorf("status %+v", st)
	}
	l.agree(0, 3, noParts)
	if n := len(asked[consensus.Commit](d)); n != 1 {
		t.Errorf("%d commits are handed out during a fetch, want the first entry's alone", n)
	}
	l.Ticks(400, l.All())
	l.WantExecuted(33, 2)
}

// ... nor when the log has what is committed, as long as the host has not said
// what it had executed when the fetch began.
func TestNothingIsExecutedBeforeARestoreBegins(t *testing.T) {
	l := behind(t)
	d := l.Replicas[2]
	d.Stopped = true
	l.sayHandle(0, 2, 30, 1, l.Replicas[0].Disk.Root)
	l.say(0, 2, l.append(2, 12))
	if n := len(asked[consensus.Commit](d)); n != 1 {
		t.Errorf("%d commits are handed out behind a RestoreBegin, want the first entry's alone", n)
	}
	d.Stopped = false
	l.Step(2)
	l.WantExecuted(12, 2)
}

// append is a leader's MsgApp with the entries of the history up to a place.
func (l *lab) append(to int, upTo uint64) pb.Message {
	last, _ := l.Replicas[to].Engine.store.LastIndex()
	m := pb.Message{Type: pb.MsgApp, Term: l.term(to), Index: last, LogTerm: min(last, 1), Commit: upTo}
	for n := last + 1; n <= upTo; n++ {
		e := pb.Entry{Index: n, Term: 1}
		if b := l.History[consensus.Seq(n)].Batch; b != nil {
			e.Data = b.Append(nil)
		}
		m.Entries = append(m.Entries, e)
	}
	return m
}

// Who serves a part that does not match is named, and another one asked.
func TestBadPartsAreRefused(t *testing.T) {
	l := behind(t)
	l.Replicas[0].Spoil = 1
	l.Ticks(30, l.All())
	l.WantExecuted(30, 2)
	d := l.Replicas[2]
	if bad := d.Noted(consensus.BadPart); len(bad) != 1 || bad[0].Replica != 0 {
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
	g := FetchReply{Seq: 30, Root: l.Replicas[0].Disk.Root, Parts: []consensus.Part{{ID: "all", Bytes: []byte{1}}}}
	l.Give(2, consensus.ReplicaPeer(1), g.Encode(FetchReplyKind))
	if n := len(asked[consensus.RestorePut](l.Replicas[2])); n > 0 {
		t.Error("takes parts of a state that it does not fetch")
	}
}

// A handle of what is committed here already fetches nothing: the library answers.
func TestSnapshotOfThePast(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 29)
	l.Ticks(3, l.All())
	if at, err := l.Replicas[1].Engine.store.FirstIndex(); err != nil || at <= 3 {
		t.Fatalf("the log begins at %d, %v: nothing was cut", at, err)
	}
	// Below what was cut the log can no longer say that it had the entry.
	for _, n := range []consensus.Seq{2, 28, 30} {
		l.Sent = nil
		if why := l.sayHandle(0, 1, n, 1, crypto.Hash(nil)); why != "" || l.Replicas[1].Engine.state.Active() {
			t.Fatalf("state %d: reason %q, fetching %v", n, why, l.Replicas[1].Engine.state.Active())
		}
		if resp := l.heard(pb.MsgAppResp); len(resp) != 1 || resp[0].Index != 30 {
			t.Errorf("state %d: answers %v, want that it is at 30", n, resp)
		}
	}
	l.Sent = nil
	l.Replicas[1].Engine.node.Campaign()
	l.sayHandle(0, 1, 90, l.term(1)-1, crypto.Hash(nil))
	if l.Replicas[1].Engine.state.Active() {
		t.Error("fetches what the leader of an earlier term names")
	}
}

// sayHandle lets a member name a state, as a leader of a term.
func (l *lab) sayHandle(from, to int, n consensus.Seq, term uint64, root crypto.Digest) consensus.Reason {
	return l.say(from, to, pb.Message{Type: pb.MsgSnap, Term: term, Snapshot: &pb.Snapshot{
		Data: transfer.AppendHandle(nil, n, root), Metadata: pb.SnapshotMetadata{Index: uint64(n), Term: 1, ConfState: l.Replicas[to].Engine.store.members},
	}})
}

// A leader takes no snapshot.
func TestLeaderTakesNoSnapshot(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	if why := l.sayHandle(1, 0, 90, 1, crypto.Hash(nil)); why != reasonLeading || l.Replicas[0].Engine.state.Active() {
		t.Errorf("reason %q, want %q", why, reasonLeading)
	}
}

// A leader's handle is its word: whoever fetches does not campaign meanwhile.
func TestHandleRests(t *testing.T) {
	l := behind(t)
	r := l.Replicas[2].Engine
	r.clock.countdown = 1
	l.sayHandle(0, 2, 30, 1, l.Replicas[0].Disk.Root)
	if r.clock.countdown < 10 {
		t.Errorf("countdown %d after a leader's handle", r.clock.countdown)
	}
}

// When nobody serves the old state any more, the fetch turns to the newer one
// that the leader names; before that it sticks to what it has begun.
func TestFetchTurnsToANewerState(t *testing.T) {
	l := behind(t)
	l.Replicas[0].Blind, l.Replicas[1].Blind = true, true
	l.Ticks(20, l.All())
	d := l.Replicas[2]
	if n := d.Engine.Status().Fetching; n != 30 {
		t.Fatalf("fetches %d", n)
	}
	l.agree(0, 10)
	l.Ticks(400, l.All())
	if n := d.Engine.Status().Fetching; n != 40 {
		t.Errorf("fetches %d, the leader has named 40", n)
	}
	l.Replicas[0].Blind, l.Replicas[1].Blind = false, false
	l.Ticks(400, l.All())
	l.WantExecuted(40, 2)
}

// A second handle during a healthy fetch changes nothing.
func TestFetchSticksToItsTarget(t *testing.T) {
	l := behind(t)
	l.sayHandle(0, 2, 30, 1, l.Replicas[0].Disk.Root)
	l.sayHandle(0, 2, 32, 1, crypto.Hash(nil))
	if st := l.Replicas[2].Engine.Status(); st.Fetching != 30 {
		t.Errorf("fetches %d, has begun with 30", st.Fetching)
	}
}

// When another leader has the entries, the fetch is given up: the log goes on
// from the state on disk.
func TestLogOvertakesAFetch(t *testing.T) {
	l := behind(t)
	l.Replicas[0].Blind, l.Replicas[1].Blind = true, true
	l.sayHandle(0, 2, 30, 1, l.Replicas[0].Disk.Root)
	l.Deliver()
	d := l.Replicas[2]
	m := l.append(2, 12)
	m.Term = 2
	l.say(1, 2, m)
	if d.Engine.state.Active() || len(asked[consensus.RestoreAbort](d)) != 1 {
		t.Errorf("still fetches, the log reaches to 12: %+v", d.Engine.Status())
	}
	l.WantExecuted(12, 2)
}

// A state that cannot be put together ends the fetch at the disk's height; the
// leader names it again.
func TestFailedRestoreFallsBack(t *testing.T) {
	l := behind(t)
	d := l.Replicas[2]
	d.Stopped = true // the test is the host
	l.Ticks(20, l.All())
	host := func(e consensus.Event) { l.Step(2, e); l.Deliver() }
	host(consensus.Staged{})
	for range 3 {
		host(consensus.Restored{Seq: 30, Root: l.Replicas[0].Disk.Root})
		host(consensus.Staged{})
	}
	if d.Engine.state.Active() || d.Engine.state.wanted != nil {
		t.Error("still fetches after the host failed three times")
	}
	if alarms := d.Noted(consensus.Alarm); len(alarms) != 1 {
		t.Errorf("alarms %v", alarms)
	}
	// The disk is at 0, and of what the log has entry 1 is executed again.
	tail := d.Jobs[len(d.Jobs)-2:]
	_, aborts := tail[0].(consensus.RestoreAbort)
	if c, ok := tail[1].(consensus.Commit); !ok || c.Seq != 1 || !aborts || d.Engine.Status().Applied != 0 {
		t.Errorf("ends with the jobs %v", tail)
	}
	d.Jobs, d.Stopped = tail, false
	d.Back()
	l.Step(2)
	l.Ticks(60, l.All())
	l.WantExecuted(30, 2)
}

// A state that was named by a leader who is deposed when it arrives is
// installed all the same: what it named was committed. Its sender is not
// believed to lead.
func TestDeposedLeadersStateIsInstalled(t *testing.T) {
	l := behind(t)
	l.sayHandle(0, 2, 30, 1, l.Replicas[0].Disk.Root)
	parts := l.Sent
	l.Sent = nil
	l.say(1, 2, pb.Message{Type: pb.MsgVote, Term: 7, Index: 30, LogTerm: 1}) // a later term, with no leader yet
	l.Replicas[2].Engine.node.ForgetLeader()
	l.say(1, 2, pb.Message{Type: pb.MsgVote, Term: 7, Index: 30, LogTerm: 1})
	if l.term(2) != 7 {
		t.Fatalf("in term %d", l.term(2))
	}
	l.Sent = parts
	l.Deliver(func(m frame) bool { return m.Bytes[0] != MessageKind })
	st := l.Replicas[2].Engine.Status()
	if st.Executed != 30 || st.View != 7 || !st.Changing {
		t.Errorf("status %+v, want 30 in term 7 without a leader", st)
	}
	if last, _ := l.Replicas[2].Engine.store.LastIndex(); last != 30 {
		t.Errorf("the log ends at %d", last)
	}
}

// The library waits for ever for an answer to a snapshot, which may be lost: it
// is told now and then to try again.
func TestSnapshotIsSentAgain(t *testing.T) {
	l := behind(t)
	lost := 0
	l.Ticks(60, l.All(), func(m frame) bool {
		if p, err := DecodeMessage(m.Bytes); err == nil && p.Type == pb.MsgSnap {
			lost++
			return false
		}
		return true
	})
	if lost < 2 {
		t.Errorf("a lost handle is sent %d times in 60 ticks", lost)
	}
	l.Ticks(60, l.All())
	l.WantExecuted(30, 2)
}

// What waited here and was executed before the state that was taken is settled
// by the session table, not proposed by anybody again.
func TestRequestsBehindAState(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	q := l.Request()
	l.Submit(q, 2) // waits at R2; the leader hears of it from R1
	l.Sent = nil
	l.Submit(q, 0)
	l.Deliver(only(0, 1))
	l.agree(0, 29, only(0, 1))
	l.Ticks(3, []int{0, 1}, only(0, 1))
	l.Ticks(80, l.All())
	if n := l.Replicas[2].Engine.Status().Pending; n != 0 || l.Executions(q) != 1 {
		t.Errorf("%d wait after the state came, executed %d times", n, l.Executions(q))
	}
}

// Whoever asks for parts is served within bounds, observers too.
func TestPartsAreServed(t *testing.T) {
	l := behind(t)
	f := Fetch{Seq: 30, Root: l.Replicas[1].Disk.Root, Items: []consensus.Item{{ID: "all"}}}
	l.Give(1, consensus.ReplicaPeer(2), f.Encode(FetchKind))
	if got := kinds(l.Sent); got[FetchReplyKind] != 1 {
		t.Errorf("frames %v, want one with parts", got)
	}
	l.Sent = nil
	f.Seq = 28
	l.Give(1, consensus.ReplicaPeer(2), f.Encode(FetchKind))
	g, err := transfer.DecodeFetchReply(l.Sent[len(l.Sent)-1].Bytes)
	if err != nil || !g.Gone || len(g.Parts) > 0 {
		t.Errorf("answers %+v, error %v, want that it is gone", g, err)
	}
}

// What the host had executed when a fetch began it drops: it is not told to
// keep a checkpoint that it has no more.
func TestNoCheckpointDuringARestore(t *testing.T) {
	l := newLab(t, 3)
	d := l.Replicas[2]
	d.Stopped = true
	l.elect(0)
	l.agree(0, 3)
	l.sayHandle(0, 2, 30, 1, crypto.Hash(nil))
	l.Step(2, consensus.Executed{Seq: 2}, consensus.Rooted{Seq: 2, Root: crypto.Hash(nil)})
	if n := len(asked[consensus.Stabilize](d)); n > 0 {
		t.Error("is told to keep a checkpoint that the fetch has dropped")
	}
}

// Whoever fetches a state does not campaign, nor goes on with a campaign: it
// lacks what was agreed, and as a leader would take no state any more.
func TestNoCampaignDuringARestore(t *testing.T) {
	l := behind(t)
	d := l.Replicas[2]
	d.Stopped = true
	l.Ticks(25, []int{2}, only(2)) // asks for votes in advance
	l.Sent = nil
	l.sayHandle(0, 2, 30, l.term(2), l.Replicas[0].Disk.Root)
	l.say(1, 2, pb.Message{Type: pb.MsgPreVoteResp, Term: l.term(2) + 1})
	l.say(1, 2, pb.Message{Type: pb.MsgVoteResp, Term: l.term(2)})
	if d.Engine.leading() {
		t.Error("goes on with its campaign, and leads")
	}
	l.Sent = nil
	l.Ticks(100, []int{2}, func(m frame) bool {
		if p, err := DecodeMessage(m.Bytes); err == nil && (p.Type == pb.MsgPreVote || p.Type == pb.MsgVote) {
			t.Errorf("says %s while it fetches", Describe(m.Bytes))
		}
		return false
	})
	if d.Engine.leading() || !d.Engine.state.Active() {
		t.Errorf("leads %v, fetches %v", d.Engine.leading(), d.Engine.state.Active())
	}
}

// A fetch whose state the host is putting together is not given up for the log:
// the state would come, and nobody expect it.
func TestEndOfARestoreIsAwaited(t *testing.T) {
	l := behind(t)
	d := l.Replicas[2]
	var end bool
	d.Host = func(j consensus.Job) []consensus.Event {
		if _, end = j.(consensus.RestoreEnd); end {
			return nil // later
		}
		return l.Restore(d, j)
	}
	l.Ticks(30, []int{0, 2}, only(0, 2))
	if !end {
		t.Fatal("the state has not come")
	}
	l.say(0, 2, l.append(2, 12))
	if n := len(asked[consensus.RestoreAbort](d)); n > 0 || !d.Engine.state.Active() {
		t.Errorf("%d aborts, fetches %v", n, d.Engine.state.Active())
	}
	d.Host = nil
	l.Step(2, l.Perform(2, consensus.RestoreEnd{})...)
	l.WantExecuted(30, 2)
	if st := d.Engine.Status(); st.Executed != 30 || st.Fetching != 0 {
		t.Errorf("status %+v", st)
	}
}
