package pbft

import (
	"bytes"
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// Rules that no test defended until bugs were seeded against them (package
// internal/mutation).

// recorded lists the messages of kind k that replica i has recorded.
func (l *lab) recorded(i int, k message.Kind) (list []any) {
	for _, r := range l.Replicas[i].Records {
		if m, err := l.rules.Decode(r.Bytes); err == nil && message.Kind(r.Bytes[0]) == k {
			list = append(list, m)
		}
	}
	return list
}

// §4: a primary proposes within (h, h+L] only, although more waits, and goes on
// once a checkpoint is stable.
func TestPrimaryStaysInTheWindow(t *testing.T) {
	l := newLab(t, 4)
	for range 12 {
		l.Submit(l.Request(), 0)
		l.Deliver(without(message.CheckpointKind))
	}
	if got := len(l.recorded(0, message.PrePrepareKind)); got != int(l.Genesis.Window) {
		t.Errorf("%d proposals in a window of %d", got, l.Genesis.Window)
	}
	l.WantExecuted(8, l.All()...)
	l.Ticks(15, l.All())
	l.WantExecuted(9, l.All()...) // all that waited went into one batch
}

// §4: a primary does not propose again what stands in a slot of its view, e.g.
// of its earlier life, whose proposal nobody has heard of yet [B37].
func TestPrimaryDoesNotRepeatARequest(t *testing.T) {
	l := newLab(t, 4)
	r := l.Request()
	l.Submit(r, 0)
	l.Sent = nil
	l.Start(0, false)
	l.Submit(r, 0)
	if got := l.recorded(0, message.PrePrepareKind); len(got) != 1 {
		t.Errorf("%d proposals for one request", len(got))
	}
}

// §7: nothing is handed to the host between a Restore and its end [B22]: here
// slots go on committing at a replica that has to repair its state.
func TestNothingIsExecutedDuringARestore(t *testing.T) {
	l := newLab(t, 4)
	l.Submit(l.Request(), 0)
	l.Deliver()
	d := l.Replicas[3]
	d.Head = crypto.Hash([]byte("a bit has flipped"))
	d.Host = func(job consensus.Job) []consensus.Event {
		if _, begins := job.(consensus.RestoreBegin); begins {
			return []consensus.Event{consensus.Staged{Missing: []consensus.Item{{ID: "root"}}}}
		}
		return nil
	}
	l.Submit(l.Request(), 0)
	l.Deliver()
	if !d.Engine.state.Active() {
		t.Fatal("does not repair its state")
	}
	before := d.Engine.exec.handed
	l.Submit(l.Request(), 0)
	l.Deliver()
	if s := d.Engine.log.slots[before+1]; s == nil || s.committed == nil {
		t.Fatal("nothing committed meanwhile")
	}
	if d.Engine.exec.handed != before {
		t.Errorf("handed %d, was %d when the restore began", d.Engine.exec.handed, before)
	}
}

// §3: a backup hands a request to the primary at once, and tells it again of
// what it leaves waiting.
func TestRequestIsForwarded(t *testing.T) {
	l := newLab(t, 4)
	l.Submit(l.Request(), 1)
	l.Deliver()
	l.WantExecuted(1, l.All()...)
	l.Submit(l.Request(), 2)
	l.Deliver(func(m frame) bool { return m.Bytes[0] != consensus.KindRequest })
	l.Ticks(10, l.All())
	l.WantExecuted(2, l.All()...)
	l.wantView(0, l.All()...)
}

// §3: while a replica fetches a state it tells the primary twice of what it holds,
// and not again: what is refused would be ordered anew each time.
func TestWhoFetchesTellsTwice(t *testing.T) {
	l, d := lagging(t)
	told := 0
	l.Submit(l.Request(), 3)
	count := func(m frame) bool {
		if m.From == 3 && m.To == 0 && m.Bytes[0] == consensus.KindRequest {
			told++
		}
		return false
	}
	l.Deliver(count)
	l.Ticks(20*d.Engine.cfg.Patience, []int{3}, count)
	if !d.Engine.state.Active() || told != 2 {
		t.Errorf("told %d times; still fetching: %v", told, d.Engine.state.Active())
	}
}

// §6: a VIEW-CHANGE is said again until the view is entered [B14]: here all of
// them are lost at first, and nobody has any other reason to go on.
func TestViewChangeIsRepeated(t *testing.T) {
	l := newLab(t, 4)
	for _, i := range []int{1, 2, 3} {
		l.Replicas[i].Engine.timedOut(1, "the test wants it")
		l.Step(i)
	}
	l.Sent = nil
	l.Ticks(30, []int{1, 2, 3}, only(1, 2, 3))
	l.wantView(1, 1, 2, 3)
}

// §6: patience never overflows, however many view changes there were [B15].
func TestPatienceNeverOverflows(t *testing.T) {
	e := newLab(t, 4).Replicas[0].Engine
	for level, last := 0, 0; level < 10_000; level++ {
		e.view.level = level
		if p := e.view.patience(); p < last || p <= 0 || p > e.cfg.PatienceCap {
			t.Fatalf("patience %d after %d view changes, was %d, cap %d", p, level, last, e.cfg.PatienceCap)
		} else {
			last = p
		}
	}
}

// §6: however long the cluster was without a view, patience is back at its base
// after as many checkpoints as it was doubled: a night's outage costs no day of
// slow reactions.
func TestPatienceComesDownFromTheCap(t *testing.T) {
	l := newLab(t, 4)
	l.Submit(l.Request(), 0, 1, 2, 3)
	// VIEW-CHANGEs go round, NEW-VIEWs are lost.
	l.Ticks(20_000, l.All(), without(message.NewViewKind, message.PrePrepareKind))
	e := l.Replicas[0].Engine
	if e.view.number < 100 || e.view.patience() != e.cfg.PatienceCap {
		t.Fatalf("view %d, patience %d: the test has shown nothing", e.view.number, e.view.patience())
	}
	l.Ticks(4*e.cfg.PatienceCap, l.All())
	if e.view.changing {
		t.Fatal("still between views")
	}
	before, checkpoints := e.view.patience(), 0
	for e.view.patience() > e.cfg.Patience {
		for at := e.low(); e.low() == at; {
			l.Submit(l.Request(), int(e.view.primary()))
			l.Deliver()
		}
		if after := e.view.patience(); after > max(e.cfg.Patience, before/2+1) {
			t.Fatalf("patience went from %d to %d at a stable checkpoint", before, after)
		} else {
			before = after
		}
		checkpoints++
	}
	if most := 3; checkpoints > most { // 160, 80, 40, 20
		t.Errorf("%d checkpoints until patience was back at its base, want at most %d", checkpoints, most)
	}
	for range 1000 {
		e.view.timedOut()
		e.view.joins()
	}
	l.Start(0, false) // and no restart brings an earlier life's patience back
	if e := l.Replicas[0].Engine; e.view.patience() != e.cfg.Patience {
		t.Errorf("patience %d after a restart", e.view.patience())
	}
}

// §6: all clocks restart on entering a view: a request that is old already does
// not end it at once.
func TestClocksRestartInANewView(t *testing.T) {
	l := newLab(t, 4)
	l.Submit(l.Request(), 2)
	l.Ticks(15, []int{2}, only(2))
	l.Give(2, consensus.ReplicaPeer(1), l.newView(1, []*message.ViewChange{l.viewChange(0, 1), l.viewChange(1, 1), l.viewChange(3, 1)}))
	l.Ticks(15, []int{2}, only(2))
	l.wantView(1, 2)
	l.Ticks(10, []int{2}, only(2))
	if !l.Replicas[2].Engine.view.changing {
		t.Error("stays in a view in which a request waits beyond patience")
	}
}

// §6: a VIEW-CHANGE names what prepared above h, executed or not [B12, B27]:
// others may not have executed it.
func TestExecutedSlotsAreSaidInAViewChange(t *testing.T) {
	l := newLab(t, 4)
	l.Submit(l.Request(), 0)
	l.Deliver()
	l.WantExecuted(1, 1)
	l.Replicas[1].Engine.timedOut(1, "the test wants it")
	mine := l.Replicas[1].Engine.views.Mine()
	if len(mine.Prepared) != 1 || mine.Prepared[0].Digest != l.Replicas[1].Executed[0].Digest {
		t.Errorf("P of the VIEW-CHANGE: %v", mine.Prepared)
	}
}

// preparedAtTwo is a lab in which slot 1 prepared at R2, and nowhere else.
func preparedAtTwo(t *testing.T) (*lab, *message.PrePrepare) {
	l := newLab(t, 4)
	a := l.propose(0, 1, l.Now, l.Request())
	l.Give(2, consensus.ReplicaPeer(0), a.Frame)
	for _, i := range []int{1, 3} {
		l.Give(2, consensus.ReplicaPeer(consensus.ReplicaID(i)), l.vote(i, message.PrepareKind, 0, 1, a.Digest))
	}
	l.Sent = nil
	return l, a
}

// §6: what prepared here is said in every later VIEW-CHANGE, although a view in
// between did not choose it [B27].
func TestPreparedOutlivesAViewThatDidNotChooseIt(t *testing.T) {
	l, a := preparedAtTwo(t)
	l.Give(2, consensus.ReplicaPeer(1), l.newView(1, []*message.ViewChange{l.viewChange(0, 1), l.viewChange(1, 1), l.viewChange(3, 1)}))
	l.wantView(1, 2)
	l.Replicas[2].Engine.timedOut(2, "the test wants it")
	if mine := l.Replicas[2].Engine.views.Mine(); len(mine.Prepared) != 1 || mine.Prepared[0].Digest != a.Digest {
		t.Errorf("P of the VIEW-CHANGE: %v", mine.Prepared)
	}
}

// §4, §8: ... and although it restarted.
func TestRestartedReplicaSaysWhatPrepared(t *testing.T) {
	l, a := preparedAtTwo(t)
	l.Start(2, false)
	l.Replicas[2].Engine.timedOut(1, "the test wants it")
	if mine := l.Replicas[2].Engine.views.Mine(); len(mine.Prepared) != 1 || mine.Prepared[0].Digest != a.Digest {
		t.Errorf("P of the VIEW-CHANGE: %v", mine.Prepared)
	}
}

// §6: a chosen batch that is not here is asked of those who prepared it, and
// again of others if they do not answer.
func TestMissingBodyIsAskedFor(t *testing.T) {
	l := newLab(t, 4)
	a := l.propose(0, 1, l.Now, l.Request())
	asked := func() map[consensus.ReplicaID]bool {
		to := map[consensus.ReplicaID]bool{}
		for _, m := range l.Sent {
			if message.Kind(m.Bytes[0]) == message.FetchKind {
				to[m.To] = true
			}
		}
		l.Sent = nil
		return to
	}
	l.Give(3, consensus.ReplicaPeer(1), l.newView(1, []*message.ViewChange{l.viewChange(0, 1), l.viewChange(1, 1, l.prepared(a)), l.viewChange(2, 1)}, a.Digest))
	if to := asked(); len(to) != 2 || !to[0] || !to[1] {
		t.Errorf("asked %v at once, want f+1 of those who prepared it", to)
	}
	again := map[consensus.ReplicaID]bool{}
	for range 40 {
		l.Now += labTick
		l.Step(3, consensus.Tick{})
		for id := range asked() {
			again[id] = true
		}
	}
	if len(again) != 3 {
		t.Errorf("asked %v later, want everybody in turn", again)
	}
	g := message.FetchReply{What: message.WhatBatch, Seq: 1, Digest: a.Digest, Batch: a.Batch}
	l.Give(3, consensus.ReplicaPeer(2), g.Encode())
	if s := l.Replicas[3].Engine.log.slots[1]; !s.voted {
		t.Error("no PREPARE for a batch that has come")
	}
}

// §7: a state that nobody serves any more is given up for a newer one.
func TestFetchTurnsToANewerState(t *testing.T) {
	l, d := lagging(t)
	var begun []consensus.Seq
	d.Host = func(job consensus.Job) []consensus.Event {
		if b, ok := job.(consensus.RestoreBegin); ok {
			begun = append(begun, b.Seq)
			return []consensus.Event{consensus.Staged{Missing: []consensus.Item{{ID: "root"}}}}
		}
		return nil
	}
	l.Step(3, consensus.Staged{Missing: []consensus.Item{{ID: "root"}}})
	l.Ticks(20, l.All(), only(0, 1, 2, 3), without(message.StatusKind)) // all answer that they have none
	for range 8 {
		l.Submit(l.Request(), 0)
		l.Deliver(only(0, 1, 2))
	}
	c := l.Replicas[0].Engine.checkpoints.Stable()
	g := message.FetchReply{What: message.WhatCheckpoint, Seq: c.Seq, Digest: c.Digest, Certificate: c}
	l.Give(3, consensus.ReplicaPeer(0), g.Encode())
	if len(begun) == 0 || begun[len(begun)-1] != c.Seq {
		t.Errorf("restores begun for %v, want one for %d", begun, c.Seq)
	}
}

// §4, §8: whatever replicas sign stands on disk, not as a record that may be
// lost, before it is sent [B35]. Or it is a PREPARE or a PRE-PREPARE, recorded all
// the same, and a lease is on disk that speaks for it.
func TestEveryVoteIsOnDisk(t *testing.T) {
	l := newLab(t, 4)
	for range 5 {
		l.Submit(l.Request(), 0)
		l.Deliver()
	}
	r := l.Request()
	l.Submit(r, 1, 2, 3)
	l.Ticks(60, []int{1, 2, 3}, only(1, 2, 3))
	l.wantView(1, 1, 2, 3)
	early := 0
	kinds := map[message.Kind]int{}
	for i, d := range l.Replicas {
		var recorded []consensus.Record
		synced := 0
		has := func(records []consensus.Record, b []byte) bool {
			return slices.ContainsFunc(records, func(r consensus.Record) bool { return bytes.Equal(r.Bytes, b) })
		}
		words := func(sends []consensus.Send, then func(b []byte, p message.Promise)) {
			for _, s := range sends {
				if p, ok := l.rules.Promised(s.Bytes); ok && p.Replica == consensus.ReplicaID(i) { // else a hint, or somebody else's word passed on
					kinds[message.Kind(s.Bytes[0])]++
					then(s.Bytes, p)
				}
			}
		}
		for _, out := range d.Outs {
			var all lease
			for _, r := range recorded[:synced] {
				if r.Bytes[0] == leaseRecord && all.recall(r.Bytes) != nil {
					t.Fatal("a lease that cannot be read")
				}
			}
			recorded = append(recorded, out.Records...)
			if slices.ContainsFunc(out.Records, func(r consensus.Record) bool { return !r.Lazy }) {
				synced = len(recorded)
			}
			words(out.Early, func(b []byte, v message.Promise) {
				early++
				if v.Kind != message.PrepareKind && v.Kind != message.PrePrepareKind || !all.forgets(v.View, v.Seq) || !has(recorded, b) {
					t.Errorf("R%d says too early: %s", i, l.rules.Describe(b))
				}
			})
			words(out.Sends, func(b []byte, _ message.Promise) {
				if !has(recorded[:synced], b) {
					t.Errorf("R%d says what is not on disk: %s", i, l.rules.Describe(b))
				}
			})
		}
	}
	for k := message.PrePrepareKind; k <= message.NewViewKind; k++ {
		if kinds[k] == 0 {
			t.Errorf("no %s was sent", k)
		}
	}
	if early < 4*4 {
		t.Errorf("%d votes did not wait for the disk, want those of all slots but the first", early)
	}
}

// §2: the first vote of a signer stands: a second one neither counts nor takes
// the first away [B10].
func TestFirstVoteStands(t *testing.T) {
	l := newLab(t, 4)
	a, b := l.propose(0, 1, l.Now, l.Request()), l.propose(0, 1, l.Now, l.Request())
	l.Give(2, consensus.ReplicaPeer(0), a.Frame)
	for _, k := range []message.Kind{message.PrepareKind, message.CommitKind} {
		l.Give(2, consensus.ReplicaPeer(3), l.vote(3, k, 0, 1, a.Digest))
		l.Give(2, consensus.ReplicaPeer(3), l.vote(3, k, 0, 1, b.Digest))
		l.Give(2, consensus.ReplicaPeer(3), l.vote(3, k, 0, 1, b.Digest))
	}
	s := l.Replicas[2].Engine.log.slots[1]
	for name, votes := range map[string]*ballot{"PREPAREs": &s.prepares, "COMMITs": &s.commits} {
		if votes.votes[3] == nil || votes.votes[3].Digest != a.Digest || votes.count(b.Digest) != 0 {
			t.Errorf("%s of the second proposal count, or the first is gone", name)
		}
	}
}

// §4: q-1 PREPAREs beside the proposal prepare, q COMMITs commit, and one fewer
// does nothing.
func TestEveryVoteIsNeeded(t *testing.T) {
	l := newLab(t, 7)
	a := l.propose(0, 1, l.Now, l.Request())
	l.Give(1, consensus.ReplicaPeer(0), a.Frame)
	q := l.rules.System.Quorum()
	s := l.Replicas[1].Engine.log.slots[1]
	for voters := 2; voters < q; voters++ { // the proposal and this replica's own are there
		if s.prepared != nil {
			t.Fatalf("prepared with %d of %d", voters, q)
		}
		l.Give(1, consensus.ReplicaPeer(consensus.ReplicaID(voters)), l.vote(voters, message.PrepareKind, 0, 1, a.Digest))
	}
	if s.prepared == nil || len(s.prepared.Signed) != q {
		t.Fatalf("not prepared with %d votes", q)
	}
	for voters := 1; voters < q; voters++ {
		if s.committed != nil {
			t.Fatalf("committed with %d of %d", voters, q)
		}
		l.Give(1, consensus.ReplicaPeer(consensus.ReplicaID(voters+1)), l.vote(voters+1, message.CommitKind, 0, 1, a.Digest))
	}
	l.WantExecuted(1, 1)
}

// §4: a backup votes once in a slot, whatever its primary says later, and
// although it heard of no other vote [B1].
func TestBackupVotesOnce(t *testing.T) {
	l := newLab(t, 4)
	a, b := l.propose(0, 1, l.Now, l.Request()), l.propose(0, 1, l.Now, l.Request())
	for _, pp := range []*message.PrePrepare{a, b, a, b} {
		l.Give(2, consensus.ReplicaPeer(0), pp.Frame)
	}
	votes := l.recorded(2, message.PrepareKind)
	if len(votes) != 1 || votes[0].(*message.Vote).Digest != a.Digest {
		t.Errorf("PREPAREs: %v", votes)
	}
}

// §4: what a replica has executed does not decide what it accepts: not that a
// request was executed here, nor that it is ahead of a window seen from here.
func TestAcceptanceDoesNotLookAtWhatWasExecuted(t *testing.T) {
	l := newLab(t, 4)
	done := l.Request()
	l.Submit(done, 0)
	l.Deliver()
	l.Counter = 1000
	for n, r := range map[consensus.Seq]*consensus.Request{3: done, 4: l.Request()} {
		pp := l.propose(1, n, l.Now, r)
		l.Give(2, consensus.ReplicaPeer(1), l.newView(1, []*message.ViewChange{l.viewChange(0, 1), l.viewChange(1, 1), l.viewChange(3, 1)}))
		if got := l.Give(2, consensus.ReplicaPeer(1), pp.Frame); got != "" {
			t.Errorf("slot %d: %q", n, got)
		}
	}
}

// §4: votes of earlier views do not count, also when they were opened before
// the view changed: a horizon may be a few steps old.
func TestVotesOpenedInTheOldView(t *testing.T) {
	l := newLab(t, 4)
	a := l.propose(0, 1, l.Now, l.Request())
	var opened []consensus.Event
	for _, i := range []int{0, 1, 3} {
		frame := l.vote(i, message.CommitKind, 0, 1, a.Digest)
		opened = append(opened, l.rules.Open(l.Verify, nil, []consensus.Frame{{From: consensus.ReplicaPeer(consensus.ReplicaID(i)), Bytes: frame}})[0].Event)
	}
	l.Give(2, consensus.ReplicaPeer(1), l.newView(1, []*message.ViewChange{l.viewChange(0, 1), l.viewChange(1, 1), l.viewChange(3, 1)}))
	l.wantView(1, 2)
	l.Step(2, opened...)
	ignored := 0
	for _, n := range l.Replicas[2].Notes {
		if n.Kind == consensus.Ignored && n.Reason == reasonOldView {
			ignored++
		}
	}
	if s := l.Replicas[2].Engine.log.slots[1]; ignored != 3 || s != nil && s.committed != nil {
		t.Errorf("%d of 3 votes of the old view ignored", ignored)
	}
}

// §3: a replica that can do nothing for a request, because it is between views
// or is a primary with whom nothing is executed, tells everybody of it.
func TestHelplessReplicaTellsAll(t *testing.T) {
	l := newLab(t, 4)
	l.Replicas[1].Engine.timedOut(1, "a request that nobody else has heard of")
	l.Submit(l.Request(), 1)
	l.Ticks(50, []int{1, 2}, only(1, 2)) // before anybody has a reason to let R1 back in
	if l.Replicas[2].Engine.requests.Len() != 1 {
		t.Error("R2 has not heard of a request that R1 can do nothing for")
	}
	l = newLab(t, 4)
	l.Submit(l.Request(), 0)
	l.Ticks(50, []int{0, 2}, only(0, 2), without(message.PrePrepareKind))
	if l.Replicas[2].Engine.requests.Len() != 1 {
		t.Error("R2 has not heard of a request that the primary gets nowhere with")
	}
}

// §6: executed slots are prepared and committed again in a later view but not
// executed again [B12]; the lab fails whoever does.
func TestExecutedSlotIsNotExecutedAgain(t *testing.T) {
	l := newLab(t, 4)
	l.Submit(l.Request(), 0)
	l.Deliver()
	l.Submit(l.Request(), 1, 2, 3)
	l.Ticks(60, []int{1, 2, 3}, only(1, 2, 3))
	l.wantView(1, 1, 2, 3)
	l.WantExecuted(2, 1, 2, 3)
	if s := l.Replicas[2].Engine.log.slots[1]; s != nil && !s.preparedIn(1) {
		t.Error("slot 1 was not prepared again")
	}
}

// §8: fewer than n-f answers bound nothing: those that are missing may be of
// the only correct replicas that know what was forgotten.
func TestRejoinNeedsManyAnswers(t *testing.T) {
	l := newLab(t, 7)
	l.Start(6, true)
	j := &l.Replicas[6].Engine.rejoin
	for i := range consensus.ReplicaID(5) {
		if j.known {
			t.Fatalf("knows its limits from %d answers", i)
		}
		a := message.RejoinAnswer{Nonce: j.nonce, View: 3}
		l.Give(6, consensus.ReplicaPeer(0), a.Encode()) // one replica answers again and again
		l.Give(6, consensus.ReplicaPeer(i), a.Encode())
	}
	if !j.known || j.view != 5 {
		t.Errorf("limits %+v after n-f answers", j)
	}
}

// §8: a replica that lost its log keeps its limits for good, through restarts
// and cuts of its log: it must never vote where it may have voted before.
func TestRejoinLimitsOutliveTheLog(t *testing.T) {
	l := newLab(t, 4)
	l.Start(3, true)
	l.Ticks(10, l.All(), without(message.PrePrepareKind)) // nobody fills for it, so it sleeps on
	d := l.Replicas[3]
	before := d.Engine.rejoin
	if !before.known || !before.asleep {
		t.Fatalf("limits %+v", before)
	}
	l.Start(3, false)
	if j := d.Engine.rejoin; !j.known || !j.asleep || j.target != before.target || j.view != before.view {
		t.Errorf("asleep: limits %+v after a restart, were %+v", j, before)
	}
	l.Ticks(100, l.All())
	if d.Engine.rejoin.asleep || d.Forget == 0 {
		t.Fatalf("asleep %v, log cut at %d", d.Engine.rejoin.asleep, d.Forget)
	}
	d.Cut()
	l.Start(3, false)
	if j := d.Engine.rejoin; !j.known || j.asleep || j.target != before.target || j.view != before.view {
		t.Errorf("awake: limits %+v after a cut and a restart, were %+v", j, before)
	}
}
