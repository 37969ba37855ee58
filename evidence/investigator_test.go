package evidence

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/viewchange"
)

type ids = []consensus.ReplicaID

// fork is a scripted one: what was sent, in order, who lied, and the slot.
type fork struct {
	name   string
	lied   ids
	at     consensus.Seq
	frames [][]byte
	half   int // that many frames go to the one side, the others to the other
	sides  [2]ids
}

func (f *fork) say(frames ...[]byte) { f.frames = append(f.frames, frames...) }

// order is the normal case of one side: the primary's proposal, everybody's
// PREPAREs and COMMITs.
func (c *cluster) order(f *fork, view consensus.View, seq consensus.Seq, batch *consensus.Batch, side ids) crypto.Digest {
	d := batch.Digest()
	f.say(c.proposal(c.System.Primary(view), view, seq, batch))
	for _, id := range side {
		if id != c.System.Primary(view) {
			f.say(c.vote(message.PrepareKind, id, view, seq, d))
		}
	}
	for _, id := range side {
		f.say(c.vote(message.CommitKind, id, view, seq, d))
	}
	return d
}

var batchA, batchB = &consensus.Batch{Stamp: 1}, &consensus.Batch{Stamp: 2}

// sides splits the honest into two and gives both all liars.
func (c *cluster) sides(lied ids) (left, right ids) {
	honest := 0
	for i := range c.System.Size() {
		id := consensus.ReplicaID(i)
		if slices.Contains(lied, id) {
			left, right = append(left, id), append(right, id)
			continue
		}
		if honest++; honest <= c.System.Faults() {
			left = append(left, id)
		} else {
			right = append(right, id)
		}
	}
	return left, right
}

// sameView is P1 of ADVERSARIES.md §3: f+1 colluders, the primary among them,
// let both halves of the honest commit in view 0.
func (c *cluster) sameView() *fork {
	n := consensus.ReplicaID(c.System.Size())
	f := &fork{name: fmt.Sprintf("P1, n=%d", n), at: 1, lied: ids{0}}
	for i := range c.System.Faults() {
		f.lied = append(f.lied, n-1-consensus.ReplicaID(i))
	}
	slices.Sort(f.lied)
	left, right := c.sides(f.lied)
	c.order(f, 0, 1, batchA, left)
	f.half, f.sides = len(f.frames), [2]ids{left, right}
	c.order(f, 0, 1, batchB, right)
	return f
}

// acrossViews is P2: the honest primary's batch commits, and f+1 colluders, the
// next primary among them, do not show it when they leave.
func (c *cluster) acrossViews() *fork {
	n := consensus.ReplicaID(c.System.Size())
	f := &fork{name: fmt.Sprintf("P2, n=%d", n), at: 1, lied: ids{1}}
	for i := range c.System.Faults() {
		f.lied = append(f.lied, n-1-consensus.ReplicaID(i))
	}
	slices.Sort(f.lied)
	left, right := c.sides(f.lied)
	c.order(f, 0, 1, batchA, left)
	f.half, f.sides = len(f.frames), [2]ids{left, right}
	var vcs []*message.ViewChange
	for _, id := range right {
		vcs = append(vcs, c.leave(id, 1, nil))
	}
	f.say(c.open(vcs, 1))
	c.order(f, 1, 1, batchB, right)
	return f
}

// anotherDigest is P2 with colluders who show a certificate that they made for
// another batch in the very view of their COMMIT.
func (c *cluster) anotherDigest() *fork {
	f := &fork{name: "P2 with another digest, n=4", at: 1, lied: ids{0, 3}}
	c.order(f, 0, 1, batchA, ids{0, 1, 3})
	d := batchB.Digest()
	other := c.prepared(0, 1, d, 0, 2, 3)
	vcs := []*message.ViewChange{c.leave(0, 2, nil, other), c.leave(2, 2, nil, other), c.leave(3, 2, nil, other)}
	f.say(c.open(vcs, 1, d))
	c.order(f, 2, 1, batchB, ids{0, 2, 3})
	return f
}

// tie is a fork in which everybody leaves honestly, but two batches had
// prepared in view 0: the votes inside of the certificates tell.
func (c *cluster) tie() *fork {
	f := &fork{name: "two certificates of one view, n=4", at: 1, lied: ids{0, 3}}
	less, more := batchA, batchB
	if d, e := batchA.Digest(), batchB.Digest(); bytes.Compare(d[:], e[:]) > 0 {
		less, more = batchB, batchA
	}
	c.order(f, 0, 1, more, ids{0, 1, 3})
	x, y := c.prepared(0, 1, more.Digest(), 0, 1, 3), c.prepared(0, 1, less.Digest(), 0, 2, 3)
	vcs := []*message.ViewChange{c.leave(1, 2, nil, x), c.leave(2, 2, nil, y), c.leave(3, 2, nil, x)}
	f.say(c.open(vcs, 1, less.Digest()))
	c.order(f, 2, 1, less, ids{0, 2, 3})
	return f
}

// farAhead is P2 long after: the laggard and the colluders leave with h=0.
func (c *cluster) farAhead() *fork {
	f := &fork{name: "P2 above everybody's window, n=4", at: 6, lied: ids{1, 3}}
	f.say(c.stable(2, a, 0, 1, 3).Encode())
	c.order(f, 0, 6, batchA, ids{0, 1, 3})
	f.say(c.open([]*message.ViewChange{c.leave(1, 1, nil), c.leave(2, 1, nil), c.leave(3, 1, nil)}, 1))
	c.order(f, 1, 6, batchB, ids{1, 2, 3})
	return f
}

// checkpoints is two states with a certificate each, and nothing else left.
func (c *cluster) checkpoints() *fork {
	f := &fork{name: "two states, n=4", at: 4, lied: ids{0, 3}}
	for _, x := range []*message.Certificate{c.stable(4, a, 0, 1, 3), c.stable(4, b, 0, 2, 3)} {
		g := message.FetchReply{What: message.WhatCheckpoint, Seq: 4, Digest: x.Digest, Certificate: x}
		f.say(g.Encode())
	}
	return f
}

func forks(t testing.TB) map[*cluster][]*fork {
	four, seven := newCluster(t), newClusterOf(t, 7)
	return map[*cluster][]*fork{
		four:  {four.sameView(), four.acrossViews(), four.anotherDigest(), four.tie(), four.farAhead(), four.checkpoints()},
		seven: {seven.sameView(), seven.acrossViews()},
	}
}

// investigate reads frames; certificates that stand alone are told by their
// first byte.
func (c *cluster) investigate(frames [][]byte) *Investigator {
	i := NewInvestigator(&c.Genesis, nil)
	for _, f := range frames {
		if f[0] <= certCheckpoint {
			i.Certificates(f)
		} else {
			i.Frame(f)
		}
	}
	return i
}

// PROTOCOL.md §9: after a fork f+1 culprits are named, in whatever order the
// transcripts are read, and nobody honest; every entry convicts by itself.
func TestForksNameTheirCulprits(t *testing.T) {
	for c, all := range forks(t) {
		for _, f := range all {
			t.Run(f.name, func(t *testing.T) {
				for _, frame := range f.frames { // replicas take all of it for good
					if o := c.Open(crypto.NewVerifier(nil), nil, []consensus.Frame{{From: consensus.ReplicaPeer(0), Bytes: frame}})[0]; frame[0] > certCheckpoint && o.Event == nil {
						t.Fatalf("%s: %s", c.Describe(frame), o.Reason)
					}
				}
				for range 2 {
					i := c.investigate(f.frames)
					if got := i.Culprits(); !slices.Equal(got, f.lied) {
						t.Errorf("culprits %v, want %v", got, f.lied)
					}
					if got := i.Conflicts(); len(got) != 1 || got[0].Seq != f.at || got[0].First.Digest == got[0].Second.Digest ||
						len(got[0].First.Signers) != c.System.Quorum() || len(got[0].Second.Signers) != c.System.Quorum() {
						t.Errorf("conflicts %v", got)
					}
					if i.ignored != 0 {
						t.Errorf("%d ignored", i.ignored)
					}
					for _, e := range i.Entries() {
						if got, err := Verify(&c.Genesis, e.Encoded); err != nil || got != e.Fault {
							t.Errorf("%s: %s, %v", e.Fault, got, err)
						}
					}
					slices.Reverse(f.frames)
				}
			})
		}
	}
}

// Both sides of a fork, from certificates alone: what hosts keep of their slots
// and of the views that they entered.
func TestCertificatesAlone(t *testing.T) {
	c := newCluster(t)
	i := NewInvestigator(&c.Genesis, nil)
	i.Certificates(c.committed(0, 1, a, 0, 1, 3).Encode())
	if len(i.Conflicts()) != 0 || len(i.Culprits()) != 0 {
		t.Fatal("one certificate is a fork")
	}
	given := message.FetchReply{What: message.WhatCommitted, Seq: 1, Digest: b, Batch: &consensus.Batch{}, Certificate: c.committed(1, 1, b, 1, 2, 3)}
	i.Frame(given.Encode())
	if got := i.Conflicts(); len(got) != 1 || got[0].What != "COMMIT" || got[0].First.View != 0 || got[0].Second.View != 1 {
		t.Fatalf("conflicts %v", got)
	}
	if got := i.Culprits(); len(got) != 0 {
		t.Fatalf("two views, and nobody is known to have left: %v", got)
	}
	answer := message.RejoinAnswer{View: 1, Checkpoint: c.stable(2, a, 0, 1, 2), NewView: &message.NewView{
		Frame: c.open([]*message.ViewChange{c.leave(1, 1, nil), c.leave(2, 1, nil), c.leave(3, 1, nil)}, 1),
	}, Yours: c.leave(0, 1, nil, c.prepared(0, 1, a, 0, 1, 3))}
	i.Frame(answer.Encode())
	if got := i.Culprits(); !slices.Equal(got, ids{1, 3}) || i.ignored != 0 {
		t.Errorf("culprits %v, ignored %d", got, i.ignored)
	}
	both := append(c.stable(2, a, 0, 1, 2).Encode(), c.stable(2, b, 0, 1, 3).Encode()...)
	i.Certificates(both)
	if got := i.Conflicts(); len(got) != 2 || got[1].What != "CHECKPOINT" || !slices.Equal(i.Culprits(), ids{0, 1, 3}) {
		t.Errorf("conflicts %v, culprits %v", got, i.Culprits())
	}
}

// What nobody has signed is counted, convicts nobody, and hides nothing.
func TestForgeriesAreIgnored(t *testing.T) {
	for c, all := range forks(t) {
		for _, f := range all {
			var bad [][]byte
			for _, frame := range f.frames {
				x := bytes.Clone(frame)
				x[len(essence(x))-1] ^= 1
				bad = append(bad, x)
			}
			i := c.investigate(slices.Concat(bad, f.frames))
			if got := i.Culprits(); !slices.Equal(got, f.lied) {
				t.Errorf("%s: culprits %v, want %v", f.name, got, f.lied)
			}
			if i.ignored == 0 {
				t.Errorf("%s: forgeries are not counted", f.name)
			}
		}
	}
	c := newCluster(t)
	i := c.investigate([][]byte{{FrameCommit}, {kindViewChange}, {kindNewView}, {kindRejoinAnswer}, {certCommitted, 1}, make([]byte, consensus.MaxFrame+1)})
	i.Proof([]byte{formatOmission})
	if i.ignored != 7 || len(i.Culprits()) != 0 {
		t.Errorf("ignored %d, culprits %v", i.ignored, i.Culprits())
	}
}

// A single lie each: the frame itself, or two, and who is named.
func TestInvestigatorFindsEveryKind(t *testing.T) {
	c := newCluster(t)
	for want, p := range c.proofs() {
		i := NewInvestigator(&c.Genesis, nil)
		switch p := p.(type) {
		case Contradiction:
			i.Frame(p.First)
			i.Frame(p.Second)
		case Omission:
			i.Frame(p.ViewChange)
			i.Frame(p.Commit)
		case Unfounded:
			i.Frame(p.Frame)
		}
		if !slices.ContainsFunc(i.Entries(), func(e Entry) bool { return e.Fault == want }) {
			t.Errorf("%s: found %v", want, i.Entries())
		}
		again := NewInvestigator(&c.Genesis, nil)
		again.Proof(p.Encode())
		if e := again.Entries(); len(e) != 1 || e[0].Fault != want {
			t.Errorf("%s: taken as %v", want, e)
		}
	}
}

// A vote is a vote wherever it stands: one of a pair comes by itself, the other
// in each place that can hold it.
func TestVotesInsideOfFrames(t *testing.T) {
	c := newCluster(t)
	stable := c.stable(2, a, 0, 1, 2)
	checkpoint := c.vote(message.CheckpointKind, 2, 0, 2, b)
	commit, prepare := c.vote(message.CommitKind, 2, 0, 1, b), c.vote(message.PrepareKind, 2, 0, 1, b)
	opens := c.open([]*message.ViewChange{c.leave(0, 2, nil), c.leave(1, 2, nil, c.prepared(0, 1, a, 0, 1, 2)), c.leave(2, 2, nil)}, 1, a)
	given := message.FetchReply{What: message.WhatCommitted, Seq: 1, Digest: a, Batch: &consensus.Batch{}, Certificate: c.committed(0, 1, a, 0, 1, 2)}
	proven := message.FetchReply{What: message.WhatCheckpoint, Seq: 2, Digest: a, Certificate: stable}
	answer := message.RejoinAnswer{Checkpoint: stable}
	viewed := message.RejoinAnswer{NewView: &message.NewView{Frame: opens}}
	yours := message.RejoinAnswer{Yours: c.leave(1, 2, stable)}
	for _, tc := range []struct {
		name         string
		alone, frame []byte
	}{
		{"the checkpoint of a VIEW-CHANGE", checkpoint, c.leave(1, 2, stable).Frame},
		{"P of a VIEW-CHANGE", prepare, c.leave(1, 2, nil, c.prepared(0, 1, a, 0, 1, 2)).Frame},
		{"V of a NEW-VIEW", prepare, opens},
		{"O of a NEW-VIEW", c.vote(message.PrePrepareKind, 2, 2, 1, b), opens},
		{"a slot given", commit, given.Encode()},
		{"a checkpoint given", checkpoint, proven.Encode()},
		{"the checkpoint of a REJOIN-ANSWER", checkpoint, answer.Encode()},
		{"the NEW-VIEW of a REJOIN-ANSWER", prepare, viewed.Encode()},
		{"the VIEW-CHANGE of a REJOIN-ANSWER", checkpoint, yours.Encode()},
	} {
		i := c.investigate([][]byte{tc.alone, tc.frame})
		if e := i.Entries(); len(e) != 1 || e[0].Fault.Replica != 2 || e[0].Fault.Kind != KindContradiction || i.ignored != 0 {
			t.Errorf("%s: found %v, ignored %d", tc.name, e, i.ignored)
		}
	}
}

// The investigator keeps nothing of its caller's buffers.
func TestInvestigatorCopies(t *testing.T) {
	c := newCluster(t)
	f := c.acrossViews()
	i := NewInvestigator(&c.Genesis, nil)
	for _, frame := range f.frames {
		buffer := bytes.Clone(frame)
		i.Frame(buffer)
		clear(buffer)
	}
	if got := i.Culprits(); !slices.Equal(got, f.lied) {
		t.Errorf("culprits %v", got)
	}
	for _, e := range i.Entries() {
		if _, err := Verify(&c.Genesis, e.Encoded); err != nil {
			t.Error(err)
		}
	}
}

// Beyond its bounds the record forgets the older half and goes on.
func TestRecordIsBounded(t *testing.T) {
	c := newCluster(t)
	i := NewInvestigator(&c.Genesis, nil)
	i.votes.limit = 8
	for n := consensus.Seq(1); n <= 40; n++ {
		i.Frame(c.vote(message.CommitKind, 1, 0, n, a))
		if len(i.votes.all) > 8 || len(i.votes.firsts) > 8 || len(i.votes.signers) > 9 || len(i.votes.commits[1]) > 8 {
			t.Fatalf("%d votes, %d places, %d matters", len(i.votes.all), len(i.votes.firsts), len(i.votes.signers))
		}
	}
	i.Frame(c.vote(message.CommitKind, 1, 0, 1, b))
	if len(i.Entries()) != 0 {
		t.Error("convicts by what it has forgotten")
	}
	i.Frame(c.vote(message.CommitKind, 1, 0, 40, b))
	if got := i.Culprits(); !slices.Equal(got, ids{1}) {
		t.Errorf("culprits %v", got)
	}
}

func TestShelfIsBounded(t *testing.T) {
	var s heldFrames
	for n := range 2 * maxViewFrames {
		s.add(heldFrame{view: consensus.View(n), frame: make([]byte, 10)})
	}
	if len(s.frames) != maxViewFrames || s.bytes != 10*maxViewFrames || s.frames[0].view != maxViewFrames {
		t.Errorf("%d frames, %d bytes, from %d", len(s.frames), s.bytes, s.frames[0].view)
	}
	s.add(heldFrame{view: 9, frame: make([]byte, maxViewBytes+1)})
	if len(s.frames) != 1 || s.bytes != maxViewBytes+1 || s.frames[0].view != 9 {
		t.Errorf("%d frames, %d bytes", len(s.frames), s.bytes)
	}
}

// Many conflicts: the lowest stay.
func TestConflictsAreBounded(t *testing.T) {
	var x conflicts
	x.quorum = 1
	for n := consensus.Seq(2 * maxConflicts); n > 0; n-- {
		for _, d := range []crypto.Digest{a, b} {
			x.count(&Statement{Place: Place{Kind: FrameCommit, Seq: n}, Digest: d}, 1)
		}
	}
	if len(x.found) != maxConflicts || x.found[0].Seq != 1 || x.found[maxConflicts-1].Seq != maxConflicts {
		t.Errorf("%d conflicts from %d to %d", len(x.found), x.found[0].Seq, x.found[len(x.found)-1].Seq)
	}
	for n := consensus.Seq(1); n <= 2*maxCertified; n++ {
		x.count(&Statement{Place: Place{Kind: FrameCheckpoint, Seq: n}, Digest: a}, 1)
	}
	if len(x.known) > maxCertified || len(x.order) > maxCertified {
		t.Errorf("%d slots are known", len(x.known))
	}
}

// Both implementations of the rule for NEW-VIEWs agree, whatever prepared, and
// whatever is proposed.
func TestNewViewsAreJudgedAlike(t *testing.T) {
	c := newCluster(t)
	trio := ids{0, 1, 2}
	rapid.Check(t, func(t *rapid.T) {
		const view = 7 // of replica 3
		var vcs []*message.ViewChange
		for _, id := range trio {
			var stable *message.Certificate
			low := 2 * consensus.Seq(rapid.IntRange(0, 2).Draw(t, "h"))
			if low > 0 {
				stable = c.stable(low, a, trio...)
			}
			var prepared []*message.Certificate
			for n := low + 1; n <= low+4; n++ {
				if v := consensus.View(rapid.IntRange(0, 5).Draw(t, "v")); v < 3 {
					prepared = append(prepared, c.prepared(v, n, rapid.SampledFrom([]crypto.Digest{a, b, consensus.NullDigest}).Draw(t, "d"), trio...))
				}
			}
			vcs = append(vcs, c.leave(id, view, stable, prepared...))
		}
		start := viewchange.Select(c.Rules, vcs)
		first := start.Min + 1
		var digests []crypto.Digest
		for _, x := range start.Chosen {
			digests = append(digests, x.Digest)
		}
		switch rapid.IntRange(0, 4).Draw(t, "lie") {
		case 0:
			first++
		case 1:
			digests = append(digests, rapid.SampledFrom([]crypto.Digest{a, consensus.NullDigest}).Draw(t, "more"))
		case 2:
			if len(digests) > 0 {
				digests[rapid.IntRange(0, len(digests)-1).Draw(t, "at")] = b
			}
		}
		frame := c.open(vcs, first, digests...)
		o := c.Open(crypto.NewVerifier(nil), nil, []consensus.Frame{{From: consensus.ReplicaPeer(0), Bytes: frame}})[0]
		if o.Event == nil {
			t.Fatalf("not opened: %s", o.Reason)
		}
		_, err := viewchange.New(c.Rules, 0, c.signers[0]).Accept(o.Event.(consensus.Receive).Message.(*message.NewView))
		fault, verdict := Verify(&c.Genesis, Unfounded{frame}.Encode())
		if (err == nil) == (verdict == nil) {
			t.Fatalf("a receiver says %v, the verifier %v, %v", err, fault, verdict)
		}
	})
}
