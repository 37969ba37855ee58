package pbft

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
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
// §4: no PREPARE without the body on disk, also if the body came between two
// views, both of which chose it.
func TestBodyBetweenViewsIsRecorded(t *testing.T) {
	l := newLab(t, 4)
	pp := l.propose(0, 1, l.now, l.request())
	open := func(v consensus.View) []byte {
		var vcs []*message.ViewChange
		for i := range 3 {
			vcs = append(vcs, l.viewChange(i, v, l.prepared(pp)))
		}
		return l.newView(v, vcs, pp.Digest)
	}
	l.give(3, consensus.ReplicaPeer(1), open(1))
	for i := range 2 {
		vc := l.rules.NewViewChange(l.keys[i], message.ViewChange{View: 2, Replica: consensus.ReplicaID(i)})
		l.give(3, consensus.ReplicaPeer(consensus.ReplicaID(i)), vc.Frame)
	}
	if st := l.desks[3].engine.Status(); st.View != 2 || !st.Changing {
		t.Fatalf("view %d", st.View)
	}
	g := message.FetchReply{What: message.WhatBatch, Seq: 1, Digest: pp.Digest, Batch: pp.Batch}
	l.give(3, consensus.ReplicaPeer(1), g.Encode())
	l.give(3, consensus.ReplicaPeer(2), open(2))
	if s := l.desks[3].engine.log.slots[1]; !s.voted {
		t.Fatal("no PREPARE")
	}
	l.start(3, false)
	if _, here := l.desks[3].engine.log.slots[1].body(pp.Digest); !here {
		t.Error("voted for a batch that is not on disk")
	}
}

// §8: a liar's view of the far future does not overflow V*+2, which would let
// §8: a replica that rejoins says with which roots it stands when it wakes up:
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
	g := message.FetchReply{What: message.WhatCheckpoint, Seq: 6, Certificate: l.desks[0].engine.checkpoints.Stable()}
	g.Digest = g.Certificate.Digest
	l.give(3, consensus.ReplicaPeer(0), g.Encode())
	l.ticks(50, []int{3}, only(3))
	if !l.desks[3].engine.state.Active() {
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
		if !d.engine.state.Active() {
			t.Fatal("given up too early")
		}
		l.step(3, consensus.Restored{Seq: 6})
		l.step(3, consensus.Staged{})
	}
	if d.engine.state.Active() {
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
	if d.engine.state.Active() {
		t.Error("still fetching")
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
// viewChange is replica i's VIEW-CHANGE for v with h = 0 and these certificates.
func (l *lab) viewChange(i int, v consensus.View, prepared ...*message.Certificate) *message.ViewChange {
	return l.rules.NewViewChange(l.keys[i], message.ViewChange{View: v, Replica: consensus.ReplicaID(i), Prepared: prepared})
}

// newView opens v on these VIEW-CHANGEs; the digests are those of the slots from 1 on.
func (l *lab) newView(v consensus.View, vcs []*message.ViewChange, digests ...crypto.Digest) []byte {
	nv := message.NewView{View: v, ViewChanges: vcs}
	p := l.rules.System.Primary(v)
	for i, d := range digests {
		nv.Proposals = append(nv.Proposals, l.rules.SignVote(l.keys[p], message.Vote{
			Kind: message.PrePrepareKind, View: v, Seq: consensus.Seq(i + 1), Digest: d, Replica: p,
		}))
	}
	return l.rules.NewNewView(l.keys[p], nv).Frame
}

// prepared is the certificate of a proposal of view 0, with the PREPAREs of 1 and 2.
func (l *lab) prepared(pp *message.PrePrepare) *message.Certificate {
	c := &message.Certificate{Kind: message.PreparedCertificate, Seq: pp.Seq, Digest: pp.Digest, Signed: []message.Signed{{Replica: 0, Sig: pp.Sig}}}
	for i := consensus.ReplicaID(1); i <= 2; i++ {
		v := l.rules.SignVote(l.keys[i], message.Vote{Kind: message.PrepareKind, Seq: pp.Seq, Digest: pp.Digest, Replica: i})
		c.Signed = append(c.Signed, message.Signed{Replica: i, Sig: v.Sig})
	}
	return c
}

// §4: a body that I voted for stays on disk although a later view chose
// otherwise. E.g. view 1 chooses null for slot 1, and view 2 must choose A again.
func TestBodyOutlivesAViewThatChoseNull(t *testing.T) {
	l := newLab(t, 4)
	a, b := l.propose(0, 1, l.now, l.request()), l.propose(0, 2, l.now, l.request())
	l.give(3, consensus.ReplicaPeer(0), a.Frame)
	for i := 1; i <= 2; i++ {
		l.give(3, consensus.ReplicaPeer(consensus.ReplicaID(i)), l.vote(i, message.PrepareKind, 0, 1, a.Digest))
	}
	l.give(3, consensus.ReplicaPeer(1), l.newView(1, []*message.ViewChange{
		l.viewChange(0, 1), l.viewChange(1, 1, l.prepared(b)), l.viewChange(2, 1),
	}, consensus.NullDigest, b.Digest))
	l.wantView(1, 3)
	l.start(3, false)
	l.desks[3].engine.timedOut(2, "the test wants it")
	mine := l.desks[3].engine.views.Mine()
	if len(mine.Prepared) != 1 || mine.Prepared[0].Digest != a.Digest {
		t.Fatalf("P of the VIEW-CHANGE: %v", mine.Prepared)
	}
	l.give(3, consensus.ReplicaPeer(2), l.newView(2, []*message.ViewChange{
		l.viewChange(0, 2), l.viewChange(2, 2), mine,
	}, a.Digest))
	l.wantView(2, 3)
	if s := l.desks[3].engine.log.slots[1]; !s.voted || s.proposal.Digest != a.Digest {
		t.Error("no PREPARE for the batch that view 2 chose again")
	}
}

// §6: patience for NEW-VIEW counts VIEW-CHANGEs for v' or later. E.g. R0 timed
// out to 4 and its VC(3) was lost, R3 fell silent, R1 and R2 hold two VC(3) each.
func TestPatienceCountsWhoWentFurther(t *testing.T) {
	l := newLab(t, 4)
	l.desks[0].engine.timedOut(3, "lost")
	l.mail = nil
	l.step(0)
	l.mail = nil
	for i, v := range []consensus.View{4, 3, 3} {
		l.desks[i].engine.timedOut(v, "the test wants it")
		l.step(i)
	}
	l.ticks(200, []int{0, 1, 2}, only(0, 1, 2))
	l.wantView(4, 0, 1, 2)
}

// §8: V* counts which view others go for, proven or not. E.g. R2 entered view 1,
// went for 2 and lost its disk; the others, going for 2, can prove view 0 only,
// §8: of more than n-f answers the lowest count, so that one liar's view of the

// §4, §8: what lies at or below the low mark may have been forgotten, and is
// never voted for again, also when a restore fails and the replica stands below
// it again.
func TestForgottenSlotIsNotVotedForAgain(t *testing.T) {
	l := newLab(t, 4)
	a, b := l.propose(0, 1, l.now, l.request()), l.propose(0, 1, l.now, l.request())
	l.give(3, consensus.ReplicaPeer(0), a.Frame)
	l.desks[3].engine.exec.replayed = 1 // as after a restart
	c := l.stable(14, crypto.Hash([]byte("root")))
	g := message.FetchReply{What: message.WhatCheckpoint, Seq: 14, Digest: c.Digest, Certificate: c}
	l.give(3, consensus.ReplicaPeer(0), g.Encode())
	l.ticks(50, []int{3}, only(3))
	l.step(3, consensus.Staged{})
	for range 3 {
		l.step(3, consensus.Restored{Seq: 14})
		l.step(3, consensus.Staged{})
	}
	l.give(3, consensus.ReplicaPeer(0), b.Frame)
	for _, r := range l.desks[3].records {
		if m, err := l.rules.Decode(r.Bytes); err == nil {
			if v, ok := m.(*message.Vote); ok && v.Kind == message.PrepareKind && v.Digest == b.Digest {
				t.Errorf("voted for another batch: %s", v)
			}
		}
	}
}
