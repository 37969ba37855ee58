package pbft

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/enginetest"
	"quorate.dev/quorate/pbft/message"
)

// inViewOne brings replicas 1, 2 and 3 of four into view 1, with one batch
// executed and replica 0 silent for ever.
func inViewOne(t *testing.T) *lab {
	l := newLab(t, 4)
	l.Submit(l.Request(), 1, 2, 3)
	l.Ticks(60, []int{1, 2, 3}, only(1, 2, 3))
	l.wantView(1, 1, 2, 3)
	l.WantExecuted(1, 1, 2, 3)
	return l
}

// §4, §8: when the log is cut, the NEW-VIEW is written again behind the votes
// of its view. After a restart from what is left they must still count: else
// the replica would vote for another batch in the same slot.
func TestVotesBeforeARewrittenNewView(t *testing.T) {
	l := inViewOne(t)
	a, b := l.propose(1, 5, l.Now, l.Request()), l.propose(1, 5, l.Now, l.Request())
	if r := l.Give(2, consensus.ReplicaPeer(1), a.Frame); r != "" {
		t.Fatal(r)
	}
	l.Sent = nil
	for range 3 {
		l.Submit(l.Request(), 1)
		l.Deliver(only(1, 2, 3))
	}
	if d := l.Replicas[2]; d.Forget != 4 {
		t.Fatalf("log cut at %d, want 4", d.Forget)
	}
	l.Replicas[2].Cut()
	l.Start(2, false)
	l.Step(2)
	l.wantView(1, 2)
	if got := l.Give(2, consensus.ReplicaPeer(1), b.Frame); got != reasonContradiction {
		t.Errorf("other proposal after the restart: %q", got)
	}
}

// §8: a primary that restarts from a cut log does not propose a second time in
// a slot that it has proposed in. It has been at rest, so that it goes on.
func TestRestartedPrimaryDoesNotProposeTwice(t *testing.T) {
	l := inViewOne(t)
	for range 2 {
		l.Submit(l.Request(), 1)
		l.Deliver(only(1, 2, 3))
	}
	l.Submit(l.Request(), 1)
	l.Deliver(only(1, 2, 3), without(message.CheckpointKind))
	l.Submit(l.Request(), 1) // slot 5, which nobody else hears of
	l.Sent = nil
	l.rest(1)
	for _, i := range []int{2, 3} {
		l.Give(1, consensus.ReplicaPeer(consensus.ReplicaID(i)), l.vote(i, message.CheckpointKind, 0, 4, l.Replicas[1].Roots[4]))
	}
	if d := l.Replicas[1]; d.Forget != 4 {
		t.Fatalf("log cut at %d, want 4", d.Forget)
	}
	l.Replicas[1].Cut()
	l.Start(1, false)
	l.Step(1)
	l.Submit(l.Request(), 1)
	said := map[consensus.Seq]crypto.Digest{}
	for _, r := range l.Replicas[1].Records {
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
			l.Submit(l.Request(), 0)
			l.Deliver()
		}
		l.rest(0)
		l.Replicas[0].Cut()
		l.Start(0, false)
		l.Step(0)
		l.Submit(l.Request(), 0)
		l.Deliver()
		l.WantExecuted(5, l.All()...)
	}
}

// §5, §8: a replica that died between a stable checkpoint and its being on
// disk brings the disk there after the restart: others may depend on that
// state, and there may be nothing new to make a later one.
func TestStabilizeAfterARestart(t *testing.T) {
	l := newLab(t, 4)
	for range 2 {
		l.Submit(l.Request(), 0)
		l.Deliver()
	}
	d := l.Replicas[1]
	if d.Disk.Seq != 2 {
		t.Fatalf("kept %d", d.Disk.Seq)
	}
	d.Disk = enginetest.State{} // the crash came before
	l.Start(1, false)
	l.Step(1)
	l.WantExecuted(2, 1)
	if d.Disk.Seq != 2 {
		t.Errorf("the disk stays at %d, stable is %d", d.Disk.Seq, d.Engine.low())
	}
}

// stable makes a checkpoint certificate.
func (l *lab) stable(n consensus.Seq, root crypto.Digest) *message.Certificate {
	c := &message.Certificate{Kind: message.CheckpointCertificate, Seq: n, Digest: root}
	for i := range l.rules.System.Quorum() {
		v := l.rules.SignVote(l.Keys[i], message.Vote{Kind: message.CheckpointKind, Seq: n, Digest: root, Replica: consensus.ReplicaID(i)})
		c.Signed = append(c.Signed, message.Signed{Replica: v.Replica, Sig: v.Sig})
	}
	return c
}

// §8: a replica that sleeps on after a restart goes on asking, and takes the
// §4: no PREPARE without the body on disk, also if the body came between two
// views, both of which chose it.
func TestBodyBetweenViewsIsRecorded(t *testing.T) {
	l := newLab(t, 4)
	pp := l.propose(0, 1, l.Now, l.Request())
	open := func(v consensus.View) []byte {
		var vcs []*message.ViewChange
		for i := range 3 {
			vcs = append(vcs, l.viewChange(i, v, l.prepared(pp)))
		}
		return l.newView(v, vcs, pp.Digest)
	}
	l.Give(3, consensus.ReplicaPeer(1), open(1))
	for i := range 2 {
		vc := l.rules.NewViewChange(l.Keys[i], message.ViewChange{View: 2, Replica: consensus.ReplicaID(i)})
		l.Give(3, consensus.ReplicaPeer(consensus.ReplicaID(i)), vc.Frame)
	}
	if st := l.Replicas[3].Engine.Status(); st.View != 2 || !st.Changing {
		t.Fatalf("view %d", st.View)
	}
	g := message.FetchReply{What: message.WhatBatch, Seq: 1, Digest: pp.Digest, Batch: pp.Batch}
	l.Give(3, consensus.ReplicaPeer(1), g.Encode())
	l.Give(3, consensus.ReplicaPeer(2), open(2))
	if s := l.Replicas[3].Engine.log.slots[1]; !s.voted {
		t.Fatal("no PREPARE")
	}
	l.Start(3, false)
	if _, here := l.Replicas[3].Engine.log.slots[1].body(pp.Digest); !here {
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
		l.Submit(l.Request(), 0)
		l.Deliver()
	}
	for i, d := range l.Replicas {
		d.Disk, d.Notes = enginetest.State{}, nil
		l.Start(i, false)
	}
	l.Ticks(100, l.All())
	l.WantExecuted(13, l.All()...)
	for i, d := range l.Replicas {
		if len(d.Noted(consensus.Fetching)) > 0 || d.Disk.Seq != 12 {
			t.Errorf("R%d: %d fetches, disk at %d", i, len(d.Noted(consensus.Fetching)), d.Disk.Seq)
		}
	}
}

// lagging is replica 3 with three slots executed, two on disk, and word of a
// stable checkpoint at 6, whose slots nobody gives it.
func lagging(t *testing.T) (*lab, *desk) {
	l := newLab(t, 4)
	for range 3 {
		l.Submit(l.Request(), 0)
		l.Deliver()
	}
	for range 3 {
		l.Submit(l.Request(), 0)
		l.Deliver(only(0, 1, 2))
	}
	g := message.FetchReply{What: message.WhatCheckpoint, Seq: 6, Certificate: l.Replicas[0].Engine.checkpoints.Stable()}
	g.Digest = g.Certificate.Digest
	l.Give(3, consensus.ReplicaPeer(0), g.Encode())
	l.Ticks(50, []int{3}, only(3))
	if !l.Replicas[3].Engine.state.Active() {
		t.Fatal("no restore")
	}
	return l, l.Replicas[3]
}

// §7: when a restore is given up the host stands at the disk's height, and
// executes on from there, not from where it once was.
func TestFailedRestoreGoesBackToTheDisk(t *testing.T) {
	l, d := lagging(t)
	l.Step(3, consensus.Staged{})
	for range 3 {
		if !d.Engine.state.Active() {
			t.Fatal("given up too early")
		}
		l.Step(3, consensus.Restored{Seq: 6})
		l.Step(3, consensus.Staged{})
	}
	if d.Engine.state.Active() {
		t.Fatal("not given up")
	}
	l.Ticks(15, l.All(), only(0, 1, 2, 3))
	l.WantExecuted(6, 3)
}

// §7: nobody has a snapshot of the stable checkpoint, but somebody has the
// slots up to it: the log it is, after a while.
func TestRestoreWithoutASourceFallsBackToTheLog(t *testing.T) {
	l, d := lagging(t)
	l.Step(3, consensus.Staged{Missing: []consensus.Item{{ID: "root"}}})
	l.Ticks(2000, l.All(), only(0, 1, 2, 3))
	l.WantExecuted(6, 3)
	if d.Engine.state.Active() {
		t.Error("still fetching")
	}
}

// §3: a client that reaches nobody but the primary still reaches all: with one
// replica gone and one between views, nobody else would lose patience.
func TestRequestThatOnlyThePrimaryHolds(t *testing.T) {
	l := newLab(t, 4)
	l.Replicas[1].Engine.timedOut(1, "a request that nobody else has heard of")
	l.Submit(l.Request(), 0)
	l.Ticks(300, []int{0, 1, 2}, only(0, 1, 2))
	l.WantExecuted(1, 0, 1, 2)
}

// §3: ... or nobody but a replica that is alone between views.
func TestRequestThatOnlyALeaverHolds(t *testing.T) {
	l := newLab(t, 4)
	l.Replicas[1].Engine.timedOut(1, "a request that nobody else has heard of")
	l.Submit(l.Request(), 1)
	l.Ticks(300, l.All())
	l.WantExecuted(1, l.All()...)
}

// §8: others join a replica that has rejoined although they know nothing of it,
// viewChange is replica i's VIEW-CHANGE for v with h = 0 and these certificates.
func (l *lab) viewChange(i int, v consensus.View, prepared ...*message.Certificate) *message.ViewChange {
	return l.rules.NewViewChange(l.Keys[i], message.ViewChange{View: v, Replica: consensus.ReplicaID(i), Prepared: prepared})
}

// newView opens v on these VIEW-CHANGEs; the digests are those of the slots from 1 on.
func (l *lab) newView(v consensus.View, vcs []*message.ViewChange, digests ...crypto.Digest) []byte {
	nv := message.NewView{View: v, ViewChanges: vcs}
	p := l.rules.System.Primary(v)
	for i, d := range digests {
		nv.Proposals = append(nv.Proposals, l.rules.SignVote(l.Keys[p], message.Vote{
			Kind: message.PrePrepareKind, View: v, Seq: consensus.Seq(i + 1), Digest: d, Replica: p,
		}))
	}
	return l.rules.NewNewView(l.Keys[p], nv).Frame
}

// prepared is the certificate of a proposal of view 0, with the PREPAREs of 1 and 2.
func (l *lab) prepared(pp *message.PrePrepare) *message.Certificate {
	c := &message.Certificate{Kind: message.PreparedCertificate, Seq: pp.Seq, Digest: pp.Digest, Signed: []message.Signed{{Replica: 0, Sig: pp.Sig}}}
	for i := consensus.ReplicaID(1); i <= 2; i++ {
		v := l.rules.SignVote(l.Keys[i], message.Vote{Kind: message.PrepareKind, Seq: pp.Seq, Digest: pp.Digest, Replica: i})
		c.Signed = append(c.Signed, message.Signed{Replica: i, Sig: v.Sig})
	}
	return c
}

// §4: a body that I voted for stays on disk although a later view chose
// otherwise. E.g. view 1 chooses null for slot 1, and view 2 must choose A again.
func TestBodyOutlivesAViewThatChoseNull(t *testing.T) {
	l := newLab(t, 4)
	a, b := l.propose(0, 1, l.Now, l.Request()), l.propose(0, 2, l.Now, l.Request())
	l.Give(3, consensus.ReplicaPeer(0), a.Frame)
	for i := 1; i <= 2; i++ {
		l.Give(3, consensus.ReplicaPeer(consensus.ReplicaID(i)), l.vote(i, message.PrepareKind, 0, 1, a.Digest))
	}
	l.Give(3, consensus.ReplicaPeer(1), l.newView(1, []*message.ViewChange{
		l.viewChange(0, 1), l.viewChange(1, 1, l.prepared(b)), l.viewChange(2, 1),
	}, consensus.NullDigest, b.Digest))
	l.wantView(1, 3)
	l.Start(3, false)
	l.Replicas[3].Engine.timedOut(2, "the test wants it")
	mine := l.Replicas[3].Engine.views.Mine()
	if len(mine.Prepared) != 1 || mine.Prepared[0].Digest != a.Digest {
		t.Fatalf("P of the VIEW-CHANGE: %v", mine.Prepared)
	}
	l.Give(3, consensus.ReplicaPeer(2), l.newView(2, []*message.ViewChange{
		l.viewChange(0, 2), l.viewChange(2, 2), mine,
	}, a.Digest))
	l.wantView(2, 3)
	if s := l.Replicas[3].Engine.log.slots[1]; !s.voted || s.proposal.Digest != a.Digest {
		t.Error("no PREPARE for the batch that view 2 chose again")
	}
}

// §6: patience for NEW-VIEW counts VIEW-CHANGEs for v' or later. E.g. R0 timed
// out to 4 and its VC(3) was lost, R3 fell silent, R1 and R2 hold two VC(3) each.
func TestPatienceCountsWhoWentFurther(t *testing.T) {
	l := newLab(t, 4)
	l.Replicas[0].Engine.timedOut(3, "lost")
	l.Sent = nil
	l.Step(0)
	l.Sent = nil
	for i, v := range []consensus.View{4, 3, 3} {
		l.Replicas[i].Engine.timedOut(v, "the test wants it")
		l.Step(i)
	}
	l.Ticks(200, []int{0, 1, 2}, only(0, 1, 2))
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
	a, b := l.propose(0, 1, l.Now, l.Request()), l.propose(0, 1, l.Now, l.Request())
	l.Give(3, consensus.ReplicaPeer(0), a.Frame)
	l.Replicas[3].Engine.exec.replayed = 1 // as after a restart
	c := l.stable(14, crypto.Hash([]byte("root")))
	g := message.FetchReply{What: message.WhatCheckpoint, Seq: 14, Digest: c.Digest, Certificate: c}
	l.Give(3, consensus.ReplicaPeer(0), g.Encode())
	l.Ticks(50, []int{3}, only(3))
	l.Step(3, consensus.Staged{})
	for range 3 {
		l.Step(3, consensus.Restored{Seq: 14})
		l.Step(3, consensus.Staged{})
	}
	l.Give(3, consensus.ReplicaPeer(0), b.Frame)
	for _, r := range l.Replicas[3].Records {
		if m, err := l.rules.Decode(r.Bytes); err == nil {
			if v, ok := m.(*message.Vote); ok && v.Kind == message.PrepareKind && v.Digest == b.Digest {
				t.Errorf("voted for another batch: %s", v)
			}
		}
	}
}
