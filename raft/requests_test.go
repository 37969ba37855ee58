package raft

import (
	"slices"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/pending"
)

// A follower hands a client's request to its leader, at once and once.
func TestRequestIsForwarded(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	q := l.Request()
	l.Submit(q, 1)
	if len(l.Sent) != 1 || l.Sent[0].To != 0 || !l.Sent[0].Early || !slices.Equal(l.Sent[0].Bytes, q.Raw) {
		t.Fatalf("sends %v, want the request itself to R0, before anything is on disk", l.Sent)
	}
	l.Submit(q, 1)
	if len(l.Sent) != 1 {
		t.Error("the same request is forwarded again at once")
	}
	l.Deliver()
	l.Ticks(3, l.All())
	l.WantExecuted(2, 0, 1, 2)
	if n := l.Replicas[1].Engine.Status().Pending; n != 0 || l.Executions(q) != 1 {
		t.Errorf("pending %d, executed %d times", n, l.Executions(q))
	}
}

// What another replica forwarded is not forwarded again: two that take each
// other for the leader would send it round and round.
func TestForwardedRequestsEndHere(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.Give(1, consensus.ReplicaPeer(2), l.Request().Raw)
	l.Ticks(9, []int{1}, func(m frame) bool {
		t.Errorf("R1 sends what R2 forwarded to R%d", m.To)
		return true
	})
}

// A leader that leaves a request waiting is told again, now and then.
func TestLeaderIsToldAgain(t *testing.T) {
	l := newLab(t, 3, func(c *Config) { c.Election = 20 })
	l.elect(0)
	l.Submit(l.Request(), 1)
	l.Sent = nil // lost
	told := 0
	for range 60 {
		l.say(0, 1, pb.Message{Type: pb.MsgHeartbeat, Term: l.term(0), Commit: 1})
		l.Ticks(1, []int{1}, func(m frame) bool {
			if m.Bytes[0] == consensus.KindRequest {
				told++
			}
			return false
		})
	}
	if told < 4 || told > 6 {
		t.Errorf("told %d times in 60 ticks, want one in 10", told)
	}
}

// However much waits, one tick tells the leader of a bounded number.
func TestTellingIsBounded(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	for range 2 * pending.MaxForwards {
		l.Submit(l.Request(), 1)
	}
	l.Sent = nil
	total := 0
	for range 8 {
		l.Step(1, consensus.Tick{})
		if len(l.Sent) > pending.MaxForwards {
			t.Errorf("%d frames in one tick, at most %d", len(l.Sent), pending.MaxForwards)
		}
		total += len(l.Sent)
		l.Sent = nil
	}
	if total != 2*pending.MaxForwards {
		t.Errorf("told of %d requests, %d wait", total, 2*pending.MaxForwards)
	}
	l.say(2, 1, pb.Message{Type: pb.MsgHeartbeat, Term: l.term(0) + 5})
	if told := len(l.Sent); told < 1 || told > pending.MaxForwards+2 {
		t.Errorf("a new leader is told of %d at once, at most %d", told, pending.MaxForwards)
	}
}

// A leader proposes at the end of a burst, what fits, no more than its pipeline
// holds, stamped with its clock.
func TestPipelineIsBounded(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	var events []consensus.Event
	for range 30 {
		events = append(events, consensus.Submit{Via: consensus.ClientPeer(l.Client.Public()), Request: l.Request()})
	}
	out := l.Step(0, events...)
	proposed := 0
	for _, n := range out.Notes {
		if n.Kind == consensus.Proposed {
			proposed++
		}
	}
	if proposed != 4 {
		t.Errorf("%d entries are proposed, the pipeline is of 4", proposed)
	}
	entries := map[uint64][]pb.Entry{}
	for _, m := range l.heard(pb.MsgApp) {
		entries[m.To] = append(entries[m.To], m.Entries...)
	}
	for i := range entries[2] {
		b, err := ReadEntry(&entries[2][i])
		if err != nil || b == nil || len(b.Requests) != 4 || b.Stamp != l.Now {
			t.Errorf("entry %d: %v, error %v, want 4 requests at %v", i, b, err, l.Now)
		}
	}
	l.Deliver()
	l.Ticks(3, l.All())
	l.WantExecuted(1+8, 0, 1, 2)
	for n := range consensus.Seq(9) {
		if c := l.History[n+1]; c.Batch != nil && len(c.Batch.Requests) > 4 {
			t.Errorf("%d requests in one batch", len(c.Batch.Requests))
		}
	}
}

// Requests that a deposed leader left in the log are not proposed again by its
// successor, and those that it lost are: each is executed once.
func TestExactlyOnceOverALeaderChange(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	var stood, lost []*consensus.Request
	for range 3 { // everybody's, but acknowledged by nobody
		q := l.Request()
		stood = append(stood, q)
		l.Submit(q, 0, 1)
		l.Deliver(without(pb.MsgAppResp))
	}
	for range 3 { // known to R1, in the log of R0 only
		q := l.Request()
		lost = append(lost, q)
		l.Submit(q, 0, 1)
		l.Deliver(without(pb.MsgApp, pb.MsgAppResp))
	}
	l.Crash(0)
	l.Ticks(80, []int{1, 2})
	for _, q := range append(stood, lost...) {
		if n := l.Executions(q); n != 1 {
			t.Errorf("request %d is executed %d times", q.Sequence.Counter, n)
		}
	}
	proposals := 0
	for _, c := range l.History {
		if c.Batch != nil {
			proposals += len(c.Batch.Requests)
		}
	}
	if proposals != 6 {
		t.Errorf("%d requests stand in the history, 6 were asked for", proposals)
	}
	l.Start(0, false)
	l.Ticks(20, l.All())
	if n := len(l.History); len(l.Replicas[0].Executed) != n {
		t.Errorf("the old leader has executed %d of %d", len(l.Replicas[0].Executed), n)
	}
}

// A request that was executed here is answered from its session, not ordered
// again; one ahead of the window, and another under a used sequence, are refused.
func TestStandingOfRequests(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	q := l.Request()
	l.Submit(q, 0)
	l.Deliver()
	done := len(l.History)
	l.Submit(q, 0)
	l.Deliver()
	if answers := asked[consensus.Answer](l.Replicas[0]); len(answers) != 1 || answers[0].Request.Digest != q.Digest || len(l.History) != done {
		t.Errorf("answers %v, %d entries, want one answer and no entry", answers, len(l.History)-done)
	}
	for name, tc := range map[string]struct {
		q    *consensus.Request
		code consensus.RefusalCode
	}{
		"ahead": {l.Numbered(q.Sequence.Counter+consensus.SessionWindow+1, "far"), consensus.RefusedAhead},
	} {
		l.Replicas[0].Refusals = nil
		l.Submit(tc.q, 0)
		if got := l.Replicas[0].Refusals; len(got) != 1 || got[0].Code != tc.code || got[0].Request != tc.q.Digest || got[0].View != 1 {
			t.Errorf("%s: refusals %v, want %s", name, got, tc.code)
		}
	}
	l.Replicas[0].Refusals = nil
	l.Submit(l.Numbered(5, "one"), 1)
	l.Submit(l.Numbered(5, "two"), 1)
	if got := l.Replicas[1].Refusals; len(got) != 1 || got[0].Code != consensus.RefusedStale {
		t.Errorf("another request under a waiting sequence: refusals %v", got)
	}
	l.Give(0, consensus.ReplicaPeer(1), l.Numbered(q.Sequence.Counter+1000, "far").Raw)
	if got := l.Replicas[0].Refusals; len(got) > 0 {
		t.Errorf("a client is refused what a replica forwarded: %v", got)
	}
}

// A full pool refuses, and says so.
func TestBusy(t *testing.T) {
	l := newLab(t, 3, func(c *Config) { c.PendingCount = 8 })
	l.elect(0)
	for range 9 {
		l.Submit(l.Request(), 1)
	}
	got := l.Replicas[1].Refusals
	if len(got) == 0 || got[0].Code != consensus.RefusedBusy {
		t.Errorf("refusals %v, want busy", got)
	}
	if n := l.Replicas[1].Engine.Status().Pending; n+len(got) != 9 {
		t.Errorf("%d wait, %d are refused, of 9", n, len(got))
	}
}

// What waits long may have been executed where this replica did not look: the
// session table is asked, seldom, and settles it.
func TestSessionsAreAsked(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	q := l.Request()
	l.Submit(q, 1)
	l.Sent = nil
	beat := func(n int) {
		for range n {
			l.say(0, 1, pb.Message{Type: pb.MsgHeartbeat, Term: l.term(0), Commit: 1})
			l.Ticks(1, []int{1}, func(frame) bool { return false })
		}
	}
	beat(9)
	if n := len(asked[consensus.Answer](l.Replicas[1])); n > 0 {
		t.Errorf("asked %d times before the request is as old as an election", n)
	}
	beat(60)
	if n := len(asked[consensus.Answer](l.Replicas[1])); n < 2 || n > 4 {
		t.Errorf("asked %d times in 70 ticks, want one in 20", n)
	}
	l.Step(1, consensus.Settled{Request: q})
	if n := l.Replicas[1].Engine.Status().Pending; n != 0 {
		t.Errorf("%d wait after the session table settled it", n)
	}
}

// The stamps of one leader follow its clock, so that executed time is monotone
// within a term; the state sees to it over terms.
func TestStampsFollowTheLeadersClock(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	for range 6 {
		l.agree(0, 1)
		l.Ticks(1, l.All())
	}
	before := consensus.Time(0)
	for n := consensus.Seq(2); n <= consensus.Seq(len(l.History)); n++ {
		if b := l.History[n].Batch; b == nil || b.Stamp <= before {
			t.Errorf("entry %d is stamped %v after %v", n, b, before)
		} else {
			before = b.Stamp
		}
	}
}

// Who has been without a leader for long refuses what clients ask, and says so
// to those who wait already; what replicas forward it takes. Whoever has just
// been elected, or has heard who was, refuses nobody.
func TestNoLeader(t *testing.T) {
	l := newLab(t, 3)
	early := l.Request()
	l.Submit(early, 2)
	l.Ticks(9, []int{2}, only(2))
	if got := l.Replicas[2].Refusals; len(got) > 0 {
		t.Errorf("refuses before it has waited for an election: %v", got)
	}
	l.Ticks(20, []int{2}, only(2))
	l.Submit(l.Request(), 2)
	undecided := 0
	var last consensus.RefusalCode
	for _, r := range l.Replicas[2].Refusals {
		if last = r.Code; r.Code == consensus.RefusedUndecided && r.Request == early.Digest {
			undecided++
		}
	}
	if undecided == 0 || last != consensus.RefusedNoLeader {
		t.Errorf("refusals %v, want one of no leader, and word that the other is undecided", l.Replicas[2].Refusals)
	}
	l.Give(2, consensus.ReplicaPeer(1), l.Request().Raw)
	if n := l.Replicas[2].Engine.Status().Pending; n != 2 {
		t.Errorf("%d wait, want the first and the forwarded one", n)
	}
	l.elect(2)
	for i, d := range l.Replicas {
		d.Refusals = nil
		if l.agree(i, 1); len(d.Refusals) > 0 {
			t.Errorf("R%d refuses when R2 is elected: %v", i, d.Refusals)
		}
	}
	l.Ticks(3, l.All())
	l.WantExecuted(len(l.History), 0, 1, 2)
	if l.Executions(early) != 1 || len(l.History) < 5 {
		t.Errorf("executed %d times, %d entries", l.Executions(early), len(l.History))
	}
}
