package pbft

import (
	"bytes"
	"encoding/binary"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// §4: the normal case needs q replicas and no more.
func TestQuorumExecutesWithOneSilent(t *testing.T) {
	l := newLab(t, 4)
	for range 6 {
		l.Submit(l.Request(), 0)
		l.Deliver(only(0, 1, 2))
	}
	l.WantExecuted(6, 0, 1, 2)
	l.WantExecuted(0, 3)
	for _, i := range []int{0, 1, 2} {
		if st := l.Replicas[i].Engine.Status(); st.Stable != 6 || st.Kept != 6 {
			t.Errorf("R%d: stable %d, kept %d, want 6", i, st.Stable, st.Kept)
		}
	}
}

// §4: f+1 silent replicas stop the cluster, safely.
func TestTwoSilentStop(t *testing.T) {
	l := newLab(t, 4)
	l.Submit(l.Request(), 0, 1)
	l.Ticks(200, []int{0, 1}, only(0, 1))
	l.WantExecuted(0, 0, 1)
}

// §2: a PREPARE from the view's primary is refused; its PRE-PREPARE is its
// vote [B2].
func TestPrimaryDoesNotPrepare(t *testing.T) {
	l := newLab(t, 4)
	pp := l.propose(0, 1, l.Now, l.Request())
	if r := l.Give(1, consensus.ReplicaPeer(0), l.vote(0, message.PrepareKind, 0, 1, pp.Digest)); r != message.ReasonWrongRole {
		t.Errorf("PREPARE of the primary: %q", r)
	}
}

// §2: the first valid vote of a signer wins; a different second one is not
// counted and is evidence [B9, B10].
func TestSecondVoteIsEvidence(t *testing.T) {
	l := newLab(t, 4)
	a, b := crypto.Hash([]byte("a")), crypto.Hash([]byte("b"))
	for _, k := range []message.Kind{message.PrepareKind, message.CommitKind} {
		l.Give(1, consensus.ReplicaPeer(3), l.vote(3, k, 0, 1, a))
		if r := l.Give(1, consensus.ReplicaPeer(3), l.vote(3, k, 0, 1, b)); r != reasonContradiction {
			t.Errorf("second %s: %q", k, r)
		}
	}
	if n := len(l.Replicas[1].Noted(consensus.EvidenceNote)); n != 2 {
		t.Errorf("%d pieces of evidence, want 2", n)
	}
}

// §4: an equivocating primary: neither side prepares, the view changes, one
// value is executed, and the evidence names the primary.
func TestEquivocatingPrimary(t *testing.T) {
	l := newLab(t, 4)
	a, b := l.Request(), l.Request()
	ppA, ppB := l.propose(0, 1, l.Now, a), l.propose(0, 1, l.Now, b)
	l.Give(1, consensus.ReplicaPeer(0), ppA.Frame)
	l.Give(2, consensus.ReplicaPeer(0), ppB.Frame)
	l.Give(3, consensus.ReplicaPeer(0), ppB.Frame)
	l.Submit(a, 1, 2, 3)
	l.Submit(b, 1, 2, 3)
	l.Ticks(60, []int{1, 2, 3}, only(1, 2, 3))
	l.wantView(1, 1, 2, 3)
	for _, i := range []int{1, 2, 3} {
		if got := executedRequests(l.Replicas[i]); got != 2 {
			t.Errorf("R%d executed %d requests, want both", i, got)
		}
	}
	l.Give(1, consensus.ReplicaPeer(0), ppB.Frame)
	if !sameOrder(l.Replicas[1], l.Replicas[2]) || !sameOrder(l.Replicas[2], l.Replicas[3]) {
		t.Error("replicas executed different batches")
	}
}

// executedRequests counts the different requests in what was executed: one may
// stand in two slots, and the session table skips it the second time.
func executedRequests(d *desk) int {
	seen := map[crypto.Digest]bool{}
	for _, c := range d.Executed {
		if c.Batch != nil {
			for _, r := range c.Batch.Requests {
				seen[r.Digest] = true
			}
		}
	}
	return len(seen)
}

func sameOrder(a, b *desk) bool {
	for i := range min(len(a.Executed), len(b.Executed)) {
		if a.Executed[i].Digest != b.Executed[i].Digest {
			return false
		}
	}
	return true
}

// §4: nothing in the acceptance of a proposal depends on executed state. (E.g.
// a backup one slot behind sees a full client window and deposes an honest
// primary.)
func TestAcceptanceDoesNotDependOnExecution(t *testing.T) {
	l := newLab(t, 4)
	l.Counter = 1000 // far beyond the window of a client that nothing was executed of
	pp := l.propose(0, 3, l.Now, l.Request())
	if r := l.Give(1, consensus.ReplicaPeer(0), pp.Frame); r != "" {
		t.Errorf("ignored: %s", r)
	}
	if !l.Replicas[1].Engine.log.slots[3].voted {
		t.Error("no PREPARE")
	}
}

// §4: acceptance, condition by condition.
func TestPrePrepareConditions(t *testing.T) {
	second := consensus.Time(1e9)
	for name, c := range map[string]struct {
		n     consensus.Seq
		v     consensus.View
		stamp consensus.Time
		want  consensus.Reason
	}{
		"good":                     {n: 1, want: ""},
		"at the high mark":         {n: 8, want: ""},
		"just above the high mark": {n: 9, want: reasonEarly},
		"far above it":             {n: 1 << 62, want: message.ReasonWindow},
		"next view, too early":     {n: 1, v: 1, want: reasonFutureView},
		"a view far ahead":         {n: 1, v: 4, want: message.ReasonFarView},
		"stamp within the skew":    {n: 1, stamp: 2 * second, want: ""},
		"stamp ahead":              {n: 1, stamp: 3 * second, want: reasonStampAhead},
		"stamp a little behind":    {n: 1, stamp: -2 * second, want: ""},
		"stamp far behind":         {n: 1, stamp: -3 * second, want: reasonStampBehind},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, 4)
			pp := l.propose(c.v, c.n, l.Now+c.stamp, l.Request())
			if got := l.Give(2, consensus.ReplicaPeer(pp.Replica), pp.Frame); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// §4: a proposal ahead of the clock is held until the clock gets there.
func TestStampAheadIsHeld(t *testing.T) {
	l := newLab(t, 4)
	pp := l.propose(0, 1, l.Now+l.Genesis.Skew+3*labTick, l.Request())
	l.Give(2, consensus.ReplicaPeer(0), pp.Frame)
	l.Ticks(2, []int{2})
	if s := l.Replicas[2].Engine.log.slots[1]; s != nil && s.voted {
		t.Fatal("voted before the clock got there")
	}
	l.Ticks(2, []int{2})
	if s := l.Replicas[2].Engine.log.slots[1]; s == nil || !s.voted {
		t.Error("did not vote when the clock got there")
	}
}

// §4: no request stands twice among a view's new proposals [B37].
func TestRequestTwiceInView(t *testing.T) {
	l := newLab(t, 4)
	r := l.Request()
	l.Give(1, consensus.ReplicaPeer(0), l.propose(0, 1, l.Now, r).Frame)
	if got := l.Give(1, consensus.ReplicaPeer(0), l.propose(0, 2, l.Now, r).Frame); got != reasonTwice {
		t.Errorf("%q", got)
	}
}

// §4: what is executed is the certified batch, never a remembered proposal
// [B23]: R3 was shown B, the others committed A.
func TestCertifiedBatchIsExecuted(t *testing.T) {
	l := newLab(t, 4)
	a, b := l.propose(0, 1, l.Now, l.Request()), l.propose(0, 1, l.Now, l.Request())
	l.Give(3, consensus.ReplicaPeer(0), b.Frame)
	for _, i := range []int{1, 2} {
		l.Give(i, consensus.ReplicaPeer(0), a.Frame)
	}
	l.Sent = append(l.Sent, frame{To: 3, Bytes: l.vote(0, message.CommitKind, 0, 1, a.Digest)}, frame{To: 1, Bytes: l.vote(0, message.CommitKind, 0, 1, a.Digest)}, frame{To: 2, Bytes: l.vote(0, message.CommitKind, 0, 1, a.Digest)})
	l.Deliver()
	l.WantExecuted(0, 3)
	l.Ticks(20, []int{1, 2, 3}, only(1, 2, 3))
	l.WantExecuted(1, 1, 2, 3)
	if l.Replicas[3].Executed[0].Digest != a.Digest {
		t.Error("R3 executed the proposal that it was shown")
	}
}

// §6: a primary that skips a sequence number is left, although certificates
// exist above the gap: they prove nothing that others have executed.
func TestSkippedSequenceNumber(t *testing.T) {
	l := newLab(t, 4)
	r := l.Request()
	pp := l.propose(0, 2, l.Now, r)
	for _, i := range []int{1, 2, 3} {
		l.Give(i, consensus.ReplicaPeer(0), pp.Frame)
		l.Sent = append(l.Sent, frame{To: consensus.ReplicaID(i), Bytes: l.vote(0, message.CommitKind, 0, 2, pp.Digest)})
	}
	l.Deliver(only(0, 1, 2, 3))
	l.Submit(r, 1, 2, 3)
	if c := l.Replicas[1].Engine.log.slots[2].committed; c == nil {
		t.Fatal("slot 2 is not committed")
	}
	l.Ticks(60, []int{1, 2, 3}, only(1, 2, 3))
	l.wantView(1, 1, 2, 3)
	l.WantExecuted(2, 1, 2, 3)
	if l.Replicas[1].Executed[0].Batch != nil || l.Replicas[1].Executed[1].Digest != pp.Digest {
		t.Error("want the null batch at 1 and the committed batch at 2")
	}
}

// §6: a view may not begin before q replicas ask; f+1 move a third one, to the
// smallest of their views; one alone moves nobody [B20].
func TestJoin(t *testing.T) {
	l := newLab(t, 7) // f = 2
	say := func(i int, v consensus.View) {
		vc := l.rules.NewViewChange(l.Keys[i], message.ViewChange{View: v, Replica: consensus.ReplicaID(i)})
		l.Give(0, consensus.ReplicaPeer(consensus.ReplicaID(i)), vc.Frame)
	}
	say(1, 1<<62)
	say(2, 9)
	l.wantView(0, 0)
	say(3, 5)
	if st := l.Replicas[0].Engine.Status(); st.View != 5 || !st.Changing {
		t.Errorf("view %d, want to go for 5", st.View)
	}
}

// §6: patience for NEW-VIEW starts with q VIEW-CHANGEs for v' or later, and
// doubles from view to view up to the cap.
func TestPatienceDoublesToTheCap(t *testing.T) {
	l := newLab(t, 4)
	l.Submit(l.Request(), 0, 1, 2)
	var left []int
	tick, last := 0, consensus.View(0)
	for tick < 2000 {
		tick++
		// VIEW-CHANGEs go round, NEW-VIEWs are lost.
		l.Ticks(1, []int{0, 1, 2}, only(0, 1, 2), without(message.NewViewKind, message.PrePrepareKind))
		if st := l.Replicas[0].Engine.Status(); st.View > last {
			left, last = append(left, tick), st.View
		}
	}
	for i := 1; i < len(left); i++ {
		gap := left[i] - left[i-1]
		if want := min(20<<i, 160); gap < want || gap > want+25 {
			t.Errorf("view change %d came after %d ticks, want about %d", i+1, gap, want)
		}
	}
	if len(left) < 6 {
		t.Errorf("only %d view changes in %d ticks", len(left), tick)
	}
}

// §6: a VIEW-CHANGE is fixed once sent, and re-sent word for word, also after
// a restart [B14].
func TestViewChangeWordForWord(t *testing.T) {
	l := newLab(t, 4)
	l.Submit(l.Request(), 1)
	l.Ticks(30, []int{1}, only(1))
	first := append([]byte(nil), l.Replicas[1].Engine.views.Mine().Frame...)
	pp := l.propose(0, 1, l.Now, l.Request())
	l.Give(1, consensus.ReplicaPeer(0), pp.Frame)
	l.Start(1, false)
	if vc := l.Replicas[1].Engine.views.Mine(); vc == nil || !bytes.Equal(vc.Frame, first) {
		t.Error("another VIEW-CHANGE after the restart")
	}
	if st := l.Replicas[1].Engine.Status(); st.View != 1 || !st.Changing {
		t.Errorf("after the restart in view %d", st.View)
	}
}

// §6: slots that nobody prepared are filled with null batches; their requests
// are pending again and are ordered in the new view.
func TestNullBatchAndPendingAgain(t *testing.T) {
	l := newLab(t, 4)
	a, b := l.Request(), l.Request()
	l.Give(1, consensus.ReplicaPeer(0), l.propose(0, 1, l.Now, a).Frame) // R1 alone sees slot 1
	ppB := l.propose(0, 2, l.Now, b)
	for _, i := range []int{1, 2, 3} {
		l.Give(i, consensus.ReplicaPeer(0), ppB.Frame)
	}
	// Nobody passes on what R1 was shown, else slot 1 would need no view change.
	old := func(m frame) bool {
		return message.Kind(m.Bytes[0]) != message.PrePrepareKind || binary.BigEndian.Uint64(m.Bytes[1:]) > 0
	}
	l.Deliver(only(1, 2, 3), old)
	l.Submit(b, 1, 2, 3)
	l.Ticks(60, []int{1, 2, 3}, only(1, 2, 3), old)
	l.wantView(1, 1, 2, 3)
	for _, i := range []int{1, 2, 3} {
		d := l.Replicas[i]
		if len(d.Executed) < 3 || d.Executed[0].Batch != nil || d.Executed[1].Digest != ppB.Digest || executedRequests(d) != 2 {
			t.Errorf("R%d executed %d batches with %d requests; want null, B, and A again", i, len(d.Executed), executedRequests(d))
		}
	}
}

// §8: after a restart a replica never contradicts a vote it sent, and says it
// again.
func TestRestartDoesNotContradict(t *testing.T) {
	l := newLab(t, 4)
	a, b := l.propose(0, 1, l.Now, l.Request()), l.propose(0, 1, l.Now, l.Request())
	l.Give(1, consensus.ReplicaPeer(0), a.Frame)
	l.Sent = nil
	l.Start(1, false)
	l.Step(1)
	if got := l.Give(1, consensus.ReplicaPeer(0), b.Frame); got != reasonContradiction {
		t.Errorf("other proposal after the restart: %q", got)
	}
	said := false
	for _, m := range l.Sent {
		said = said || bytes.Equal(m.Bytes, l.vote(1, message.PrepareKind, 0, 1, a.Digest))
	}
	if !said {
		t.Error("the vote was not said again")
	}
}

// §8: kill -9 of all replicas loses nothing that was answered: they execute
// again from their logs, alone.
func TestAllRestart(t *testing.T) {
	l := newLab(t, 4)
	for range 5 {
		l.Submit(l.Request(), 0)
		l.Deliver()
	}
	order := l.Replicas[2].Executed
	for i := range l.Replicas {
		l.Start(i, false)
		l.Step(i)
	}
	l.WantExecuted(5, 0, 1, 2, 3)
	for i, c := range order {
		if l.Replicas[2].Executed[i].Digest != c.Digest {
			t.Errorf("slot %d differs after the restart", i+1)
		}
	}
	l.Submit(l.Request(), 0)
	l.Ticks(10, l.All())
	l.WantExecuted(6, 0, 1, 2, 3)
}

// §8: an amnesiac signs nothing until N is stable; the cluster fills for it.
func TestAmnesiacIsSilentThenVotes(t *testing.T) {
	l := newLab(t, 4)
	for range 3 {
		l.Submit(l.Request(), 0)
		l.Deliver()
	}
	// The log and the birth record are gone; the state, for once, is not: the
	// lab has no parts to transfer.
	old := l.Replicas[3]
	l.Replicas[3] = &desk{Roots: old.Roots, Disk: old.Disk, Executed: old.Executed}
	l.Start(3, true)
	spoke := func() bool {
		for _, r := range l.Replicas[3].Records {
			if k := message.Kind(r.Bytes[0]); k == message.PrepareKind || k == message.CommitKind || k == message.ViewChangeKind || k == message.CheckpointKind {
				if !r.Lazy {
					return true
				}
			}
		}
		return false
	}
	l.Ticks(6, l.All())
	e := l.Replicas[3].Engine
	if !e.rejoin.known || e.rejoin.view != 2 || e.rejoin.target != 2+2*l.Genesis.Window {
		t.Fatalf("limits %+v", e.rejoin)
	}
	if spoke() || !e.rejoin.asleep {
		t.Error("spoke before its target was stable")
	}
	l.Ticks(120, l.All())
	if st := l.Replicas[0].Engine.Status(); st.Stable < e.rejoin.target {
		t.Errorf("the idle cluster was not filled: stable %d, target %d", st.Stable, e.rejoin.target)
	}
	l.wantView(2, 0, 1, 2, 3) // the others joined it
	for _, r := range l.Replicas[3].Records {
		m, err := l.rules.Decode(r.Bytes)
		if v, ok := m.(*message.Vote); ok && err == nil && v.Kind != message.CheckpointKind && (v.Seq <= e.rejoin.target || v.View < 2) {
			t.Errorf("signed %s", v)
		}
	}
}

// §8: with f = 0 nobody could spare the vote of a wiped member.
func TestAmnesiacWithoutFaultsRefused(t *testing.T) {
	l := newLab(t, 3)
	c := DefaultConfig(l.Genesis, 0, l.Keys[0], l.Verify)
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.New(consensus.Recovered{Amnesiac: true}); err == nil {
		t.Error("a wiped member of three started")
	}
}

// §5: two certificates for one height are a fork: keep everything and stop.
func TestForkHalts(t *testing.T) {
	l := newLab(t, 4)
	l.Submit(l.Request(), 0)
	l.Deliver()
	other := l.propose(0, 1, l.Now+5, l.Request())
	c := &message.Certificate{Kind: message.CommittedCertificate, Seq: 1, Digest: other.Digest}
	for _, i := range []int{0, 1, 3} {
		v := l.rules.SignVote(l.Keys[i], message.Vote{Kind: message.CommitKind, Seq: 1, Digest: other.Digest, Replica: consensus.ReplicaID(i)})
		c.Signed = append(c.Signed, message.Signed{Replica: v.Replica, Sig: v.Sig})
	}
	g := message.FetchReply{What: message.WhatCommitted, Seq: 1, Digest: other.Digest, Batch: other.Batch, Certificate: c}
	l.Give(2, consensus.ReplicaPeer(3), g.Encode())
	if l.Replicas[2].Halt == "" {
		t.Fatal("did not halt")
	}
	l.Submit(l.Request(), 2)
	if out := l.Step(2, consensus.Tick{}); len(out.Sends)+len(out.Early)+len(out.Jobs) > 0 {
		t.Error("went on after a fork")
	}
}

// §6: a request that was executed before a restart, or below a state that was
// transferred, is not pending, although nothing in memory says so: its
// retransmission makes nobody leave.
func TestRetransmissionAfterRestart(t *testing.T) {
	l := newLab(t, 4)
	first := l.Request()
	l.Submit(first, 0)
	l.Deliver()
	for range 5 {
		l.Submit(l.Request(), 0)
		l.Deliver()
	}
	if l.Replicas[3].Disk.Seq < 2 {
		t.Fatalf("kept %d: the log would execute the request again", l.Replicas[3].Disk.Seq)
	}
	l.Replicas[3].Records = nil // as far as the first request goes, it is cut
	l.Start(3, false)
	l.Submit(first, 3)
	l.Ticks(60, l.All())
	l.wantView(0, 0, 1, 2, 3)
	if st := l.Replicas[3].Engine.Status(); st.Pending != 0 {
		t.Errorf("%d requests pending", st.Pending)
	}
}

// §6: a replica that left alone is let back in after a while, by the very next
// view; and no more often than rejoining replicas are helped.
func TestLoneLeaverIsLetBackIn(t *testing.T) {
	l := newLab(t, 4)
	l.Submit(l.Request(), 3)
	l.Ticks(25, []int{3}, only(3)) // nobody hears R3, and it loses patience
	if st := l.Replicas[3].Engine.Status(); st.View != 1 || !st.Changing {
		t.Fatalf("R3 is in view %d", st.View)
	}
	l.Ticks(courtesyPatience*20, l.All())
	l.wantView(0, 0, 1, 2)
	l.Ticks(60, l.All())
	l.wantView(1, 0, 1, 2, 3)

	// One that asks again and again moves the others once in a while.
	views := map[consensus.View]bool{}
	for range 200 {
		v := l.Replicas[0].Engine.Status().View
		views[v] = true
		vc := l.rules.NewViewChange(l.Keys[3], message.ViewChange{View: v + 1, Replica: 3})
		for i := range 3 {
			l.Give(i, consensus.ReplicaPeer(3), vc.Frame)
			l.Give(i, consensus.ReplicaPeer(3), (&message.Status{View: v + 1, Changing: true}).Encode())
		}
		l.Ticks(1, []int{0, 1, 2}, only(0, 1, 2))
	}
	if len(views) > 4 {
		t.Errorf("%d views in 200 ticks for the sake of one replica", len(views))
	}
}
