package pbft

import (
	"testing"

	"quorate/consensus"
	"quorate/crypto"
	"quorate/pbft/message"
)

// inViewOne brings replicas 1, 2 and 3 of four into view 1, with one batch
// executed and replica 0 silent for ever.
func inViewOne(t *testing.T) *lab {
	l := newLab(t, 4)
	l.submit(l.request(), 1, 2, 3)
	l.ticks(60, []int{1, 2, 3}, only(1, 2, 3))
	l.wantView(1, 1, 2, 3)
	l.wantExecuted(1, 1, 2, 3)
	return l
}

// §4, §8: when the log is cut, the NEW-VIEW is written again behind the votes
// of its view. After a restart from what is left they must still count: else
// the replica would vote for another batch in the same slot.
func TestVotesBeforeARewrittenNewView(t *testing.T) {
	l := inViewOne(t)
	a, b := l.propose(1, 5, l.now, l.request()), l.propose(1, 5, l.now, l.request())
	if r := l.give(2, consensus.ReplicaPeer(1), a.Frame); r != "" {
		t.Fatal(r)
	}
	l.mail = nil
	for range 3 {
		l.submit(l.request(), 1)
		l.deliver(only(1, 2, 3))
	}
	if d := l.desks[2]; d.forget != 4 {
		t.Fatalf("log cut at %d, want 4", d.forget)
	}
	l.desks[2].cut()
	l.start(2, false)
	l.step(2)
	l.wantView(1, 2)
	if got := l.give(2, consensus.ReplicaPeer(1), b.Frame); got != reasonContradiction {
		t.Errorf("other proposal after the restart: %q", got)
	}
}

// §8: a primary that restarts from a cut log does not propose a second time in
// a slot that it has proposed in.
func TestRestartedPrimaryDoesNotProposeTwice(t *testing.T) {
	l := inViewOne(t)
	for range 2 {
		l.submit(l.request(), 1)
		l.deliver(only(1, 2, 3))
	}
	l.submit(l.request(), 1)
	l.deliver(only(1, 2, 3), without(message.CheckpointKind))
	l.submit(l.request(), 1) // slot 5, which nobody else hears of
	l.mail = nil
	for _, i := range []int{2, 3} {
		l.give(1, consensus.ReplicaPeer(consensus.ReplicaID(i)), l.vote(i, message.CheckpointKind, 0, 4, l.desks[1].heads[4]))
	}
	if d := l.desks[1]; d.forget != 4 {
		t.Fatalf("log cut at %d, want 4", d.forget)
	}
	l.desks[1].cut()
	l.start(1, false)
	l.step(1)
	l.submit(l.request(), 1)
	said := map[consensus.Seq]crypto.Digest{}
	for _, r := range l.desks[1].records {
		m, err := l.rules.Decode(r.Bytes)
		if err != nil {
			continue
		}
		if pp, ok := m.(*message.PrePrepare); ok && pp.View == 1 {
			if first, twice := said[pp.Seq]; twice && first != pp.Digest {
				t.Errorf("proposed %s and %s in slot %d", first.Short(), pp.Digest.Short(), pp.Seq)
			}
			said[pp.Seq] = pp.Digest
		}
	}
	if len(said) != 2 {
		t.Errorf("%d proposals are known, want slots 5 and 6", len(said))
	}
}

// §8: a primary of whose log nothing is left but the state proposes above it.
func TestPrimaryGoesOnWhereTheLogWasCut(t *testing.T) {
	for _, n := range []int{1, 4} {
		l := newLab(t, n)
		for range 4 {
			l.submit(l.request(), 0)
			l.deliver()
		}
		l.desks[0].cut()
		l.start(0, false)
		l.step(0)
		l.submit(l.request(), 0)
		l.deliver()
		l.wantExecuted(5, l.all()...)
	}
}

// §5, §8: a replica that died between a stable checkpoint and its being on
// disk brings the disk there after the restart: others may depend on that
// state, and there may be nothing new to make a later one.
func TestStabilizeAfterARestart(t *testing.T) {
	l := newLab(t, 4)
	for range 2 {
		l.submit(l.request(), 0)
		l.deliver()
	}
	d := l.desks[1]
	if d.kept != 2 {
		t.Fatalf("kept %d", d.kept)
	}
	d.kept, d.proof = 0, nil // the crash came before
	l.start(1, false)
	l.step(1)
	l.wantExecuted(2, 1)
	if d.kept != 2 {
		t.Errorf("the disk stays at %d, stable is %d", d.kept, d.engine.low())
	}
}

// sleeper is a rejoining replica 3 that knows its limits, restarted.
func sleeper(t *testing.T, low consensus.Seq) *lab {
	l := newLab(t, 4)
	limits := (&rejoining{known: true, asleep: true, target: 2, view: 2}).record()
	d := l.desks[3]
	d.records = append(d.records, consensus.Record{Slot: 4, Bytes: limits})
	if low > 0 {
		d.kept, d.heads[low] = low, crypto.Hash([]byte("root"))
		d.proof = l.stable(low, d.heads[low]).Encode()
	}
	l.start(3, false)
	return l
}

// stable makes a checkpoint certificate.
func (l *lab) stable(n consensus.Seq, root crypto.Digest) *message.Certificate {
	c := &message.Certificate{Kind: message.CheckpointCertificate, Seq: n, Digest: root}
	for i := range l.rules.System.Quorum() {
		v := l.rules.SignVote(l.keys[i], message.Vote{Kind: message.CheckpointKind, Seq: n, Digest: root, Replica: consensus.ReplicaID(i)})
		c.Signed = append(c.Signed, message.Signed{Replica: v.Replica, Sig: v.Sig})
	}
	return c
}

// §8: a replica that sleeps on after a restart goes on asking, and takes the
// answers.
func TestSleeperRestartedTakesAnswers(t *testing.T) {
	l := sleeper(t, 0)
	l.ticks(100, l.all(), without(message.PrePrepareKind)) // nobody fills for it, so it sleeps on
	if n := l.desks[3].engine.answered(); n != 3 {
		t.Errorf("%d answers, want 3", n)
	}
}

// §8: a replica that restarts asleep when its target is stable wakes up.
func TestSleeperWakesAfterARestart(t *testing.T) {
	l := sleeper(t, 2)
	l.ticks(1, []int{3})
	if j := &l.desks[3].engine.rejoin; j.asleep {
		t.Errorf("asleep at h=%d with target %d", l.desks[3].engine.low(), j.target)
	}
}

// §4: no PREPARE without the body on disk, also if the body came between two
// views, both of which chose it.
func TestBodyBetweenViewsIsRecorded(t *testing.T) {
	l := newLab(t, 4)
	pp := l.propose(0, 1, l.now, l.request())
	prepared := &message.Certificate{Kind: message.PreparedCertificate, Seq: 1, Digest: pp.Digest, Signed: []message.Signed{{Replica: 0, Sig: pp.Sig}}}
	for i := 1; i <= 2; i++ {
		v := l.rules.SignVote(l.keys[i], message.Vote{Kind: message.PrepareKind, Seq: 1, Digest: pp.Digest, Replica: consensus.ReplicaID(i)})
		prepared.Signed = append(prepared.Signed, message.Signed{Replica: v.Replica, Sig: v.Sig})
	}
	open := func(v consensus.View) *message.NewView {
		nv := message.NewView{View: v}
		for i := range 3 {
			vc := message.ViewChange{View: v, Replica: consensus.ReplicaID(i), Prepared: []*message.Certificate{prepared}}
			nv.ViewChanges = append(nv.ViewChanges, l.rules.NewViewChange(l.keys[i], vc))
		}
		p := l.rules.System.Primary(v)
		nv.Proposals = []message.Vote{l.rules.SignVote(l.keys[p], message.Vote{Kind: message.PrePrepareKind, View: v, Seq: 1, Digest: pp.Digest, Replica: p})}
		return l.rules.NewNewView(l.keys[p], nv)
	}
	l.give(3, consensus.ReplicaPeer(1), open(1).Frame)
	for i := range 2 {
		vc := l.rules.NewViewChange(l.keys[i], message.ViewChange{View: 2, Replica: consensus.ReplicaID(i)})
		l.give(3, consensus.ReplicaPeer(consensus.ReplicaID(i)), vc.Frame)
	}
	if st := l.desks[3].engine.Status(); st.View != 2 || !st.Changing {
		t.Fatalf("view %d", st.View)
	}
	g := message.Given{What: message.WhatBatch, Seq: 1, Digest: pp.Digest, Batch: pp.Batch}
	l.give(3, consensus.ReplicaPeer(1), g.Encode())
	l.give(3, consensus.ReplicaPeer(2), open(2).Frame)
	if s := l.desks[3].engine.log.slots[1]; !s.voted {
		t.Fatal("no PREPARE")
	}
	l.start(3, false)
	if _, here := l.desks[3].engine.log.slots[1].body(pp.Digest); !here {
		t.Error("voted for a batch that is not on disk")
	}
}

// §8: a liar's view of the far future does not overflow V*+2, which would let
// the rejoining replica vote in views that it has forgotten.
func TestRejoinAnswerAtTheEndOfViews(t *testing.T) {
	for _, v := range []consensus.View{1<<64 - 1, 1<<64 - 2, 1 << 63} {
		l := newLab(t, 7)
		l.start(6, true)
		for i := range 5 {
			a := message.RejoinAnswer{Nonce: l.desks[6].engine.rejoin.nonce, View: 3}
			if i == 0 {
				a.View = v
			}
			l.give(6, consensus.ReplicaPeer(consensus.ReplicaID(i)), a.Encode())
		}
		if j := &l.desks[6].engine.rejoin; j.known && j.view < 5 {
			t.Errorf("may vote from view %d on, the others are in 3", j.view)
		}
	}
}

// §8: a replica that rejoins says with which roots it stands when it wakes up:
// there may never be another occasion.
func TestWakingSaysCheckpoints(t *testing.T) {
	l := newLab(t, 4)
	d := l.desks[3]
	*d = desk{heads: map[consensus.Seq]crypto.Digest{}}
	l.start(3, true)
	l.deliver()
	d.engine.rejoin.known, d.engine.rejoin.target, d.engine.rejoin.view = true, 2, 2
	for range 5 {
		l.submit(l.request(), 0)
		l.deliver(func(m letter) bool { return m.to != 3 || message.Kind(m.bytes[0]) != message.CheckpointKind })
	}
	l.wantExecuted(5, 3)
	c := l.desks[0].engine.checkpoints.At(2)
	g := message.Given{What: message.WhatCheckpoint, Seq: 2, Digest: c.Digest, Certificate: c}
	l.give(3, consensus.ReplicaPeer(0), g.Encode())
	if d.engine.rejoin.asleep {
		t.Fatal("asleep")
	}
	said := 0
	for _, r := range d.records {
		if m, err := l.rules.Decode(r.Bytes); err == nil {
			if v, ok := m.(*message.Vote); ok && v.Kind == message.CheckpointKind && v.Replica == 3 {
				said++
			}
		}
	}
	if v, ok := d.engine.checkpoints.Own(4); !ok || v.Digest != d.heads[4] || said != 1 {
		t.Errorf("%d CHECKPOINTs, want one for slot 4, which it executed asleep", said)
	}
}

// §6: a replica that may not leave does not lose patience over it.
func TestSleeperKeepsItsPatience(t *testing.T) {
	l := newLab(t, 4)
	l.start(3, true)
	l.submit(l.request(), 3)
	l.ticks(200, []int{3}, only(3))
	if n := l.desks[3].engine.view.level; n != 0 {
		t.Errorf("patience doubled %d times", n)
	}
}

// §8: all power was lost while the disks were more than a window behind: the
// logs bring everybody back, for nobody has a snapshot of what is stable.
func TestLogsReachFurtherThanAWindow(t *testing.T) {
	l := newLab(t, 4)
	for range 13 {
		l.submit(l.request(), 0)
		l.deliver()
	}
	for i, d := range l.desks {
		d.kept, d.proof, d.notes = 0, nil, nil
		l.start(i, false)
	}
	l.ticks(100, l.all())
	l.wantExecuted(13, l.all()...)
	for i, d := range l.desks {
		if d.noted(consensus.Fetching) > 0 || d.kept != 12 {
			t.Errorf("R%d: %d fetches, disk at %d", i, d.noted(consensus.Fetching), d.kept)
		}
	}
}

// lagging is replica 3 with three slots executed, two on disk, and word of a
// stable checkpoint at 6, whose slots nobody gives it.
func lagging(t *testing.T) (*lab, *desk) {
	l := newLab(t, 4)
	for range 3 {
		l.submit(l.request(), 0)
		l.deliver()
	}
	for range 3 {
		l.submit(l.request(), 0)
		l.deliver(only(0, 1, 2))
	}
	g := message.Given{What: message.WhatCheckpoint, Seq: 6, Certificate: l.desks[0].engine.checkpoints.Stable()}
	g.Digest = g.Certificate.Digest
	l.give(3, consensus.ReplicaPeer(0), g.Encode())
	l.ticks(50, []int{3}, only(3))
	if !l.desks[3].engine.state.active() {
		t.Fatal("no restore")
	}
	return l, l.desks[3]
}

// §7: when a restore is given up the host stands at the disk's height, and
// executes on from there, not from where it once was.
func TestFailedRestoreGoesBackToTheDisk(t *testing.T) {
	l, d := lagging(t)
	l.step(3, consensus.Staged{})
	for range 3 {
		if !d.engine.state.active() {
			t.Fatal("given up too early")
		}
		l.step(3, consensus.Restored{Seq: 6})
		l.step(3, consensus.Staged{})
	}
	if d.engine.state.active() {
		t.Fatal("not given up")
	}
	l.ticks(15, l.all(), only(0, 1, 2, 3))
	l.wantExecuted(6, 3)
}

// §7: nobody has a snapshot of the stable checkpoint, but somebody has the
// slots up to it: the log it is, after a while.
func TestRestoreWithoutASourceFallsBackToTheLog(t *testing.T) {
	l, d := lagging(t)
	l.step(3, consensus.Staged{Missing: []consensus.Item{{ID: "root"}}})
	l.ticks(2000, l.all(), only(0, 1, 2, 3))
	l.wantExecuted(6, 3)
	if d.engine.state.active() {
		t.Error("still fetching")
	}
}

// §2: a REJOIN-ANSWER that nobody asked for is not worth a verification.
func TestRejoinAnswerUnasked(t *testing.T) {
	l := newLab(t, 4)
	a := message.RejoinAnswer{View: 1}
	if r := l.give(1, consensus.ReplicaPeer(0), a.Encode()); r != message.ReasonSettled {
		t.Errorf("%q", r)
	}
}

// §3: a client that reaches nobody but the primary still reaches all: with one
// replica gone and one between views, nobody else would lose patience.
func TestRequestThatOnlyThePrimaryHolds(t *testing.T) {
	l := newLab(t, 4)
	l.desks[1].engine.timedOut(1, "a request that nobody else has heard of")
	l.submit(l.request(), 0)
	l.ticks(300, []int{0, 1, 2}, only(0, 1, 2))
	l.wantExecuted(1, 0, 1, 2)
}

// §3: ... or nobody but a replica that is alone between views.
func TestRequestThatOnlyALeaverHolds(t *testing.T) {
	l := newLab(t, 4)
	l.desks[1].engine.timedOut(1, "a request that nobody else has heard of")
	l.submit(l.request(), 1)
	l.ticks(300, l.all())
	l.wantExecuted(1, l.all()...)
}

// §8: others join a replica that has rejoined although they know nothing of it,
// having restarted since.
func TestRejoinerIsJoinedByTheRestarted(t *testing.T) {
	l := newLab(t, 4)
	l.desks[3].records = []consensus.Record{{Slot: 4, Bytes: (&rejoining{known: true, view: 2}).record()}}
	l.start(3, false)
	l.ticks(200, l.all())
	l.wantView(2, l.all()...)
}
