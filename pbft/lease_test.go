package pbft

import (
	"bytes"
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/pbft/message"
)

// rest lets replica i give its lease back, while it hears nobody.
func (l *lab) rest(i int) {
	l.T.Helper()
	for range l.Replicas[i].Engine.cfg.Patience + 2 {
		l.Step(i, consensus.Tick{})
	}
	l.Sent = nil
	if e := l.Replicas[i].Engine; e.lease.until != 0 {
		l.T.Fatalf("R%d still has a lease up to %d", i, e.lease.until)
	}
}

// begin has one request executed everywhere, after which all have a lease.
func (l *lab) begin() *lab {
	l.T.Helper()
	l.Submit(l.Request(), 0)
	l.Deliver()
	l.WantExecuted(1, l.All()...)
	return l
}

// said lists the votes of replica i under way, by kind.
func (l *lab) said(i int, k message.Kind) (list []frame) {
	for _, m := range l.Sent {
		if p, ok := l.rules.Promised(m.Bytes); ok && p.Kind == k && int(p.Replica) == i && int(m.From) == i {
			list = append(list, m)
		}
	}
	return list
}

func toOne(i int) func(frame) bool { return func(m frame) bool { return int(m.To) == i } }

// §4: the first votes of a view wait for the disk, and those that a lease on disk
// covers do not. A COMMIT always waits, and so do votes beyond the lease.
func TestVotesUnderALease(t *testing.T) {
	l := newLab(t, 4, func(g *consensus.Genesis) { g.CheckpointInterval, g.Window = 32, 64 })
	for _, c := range []struct {
		n     consensus.Seq
		early bool
	}{
		{1, false},
		{2, true},
		{1 + leaseSpan, true}, // the last one of the lease, from which it goes on
		{2 + leaseSpan, true}, // ... for the COMMIT has brought the record to disk
		{40, false},           // a primary that leaps
		{3, true},             // a lease never shrinks
		{60, false},
	} {
		pp := l.propose(0, c.n, l.Now, l.Request())
		l.Sent = nil
		l.Give(1, consensus.ReplicaPeer(0), pp.Frame)
		l.Give(1, consensus.ReplicaPeer(2), l.vote(2, message.PrepareKind, 0, c.n, pp.Digest))
		prepares, commits := l.said(1, message.PrepareKind), l.said(1, message.CommitKind)
		if len(prepares) != 3 || len(commits) != 3 {
			t.Fatalf("slot %d: %d PREPAREs and %d COMMITs, want one for each other", c.n, len(prepares), len(commits))
		}
		if prepares[0].Early != c.early || commits[0].Early {
			t.Errorf("slot %d: PREPARE at once %v, COMMIT at once %v", c.n, prepares[0].Early, commits[0].Early)
		}
	}
	// A record that nothing has brought to disk yet is none.
	d := l.Replicas[2]
	pp := l.propose(0, 1, l.Now, l.Request())
	d.Engine.Step(consensus.Burst{Now: l.Now, Events: []consensus.Event{consensus.Receive{From: consensus.ReplicaPeer(0), Message: pp}}})
	pp = l.propose(0, 2, l.Now, l.Request())
	out := d.Engine.Step(consensus.Burst{Now: l.Now, Events: []consensus.Event{consensus.Receive{From: consensus.ReplicaPeer(0), Message: pp}}})
	if len(out.Early) != 0 || len(out.Sends) != 1 {
		t.Errorf("with the lease under way to the disk %d frames went at once, %d waited", len(out.Early), len(out.Sends))
	}
}

// §4, §9: power loss takes a PREPARE that was said. E.g. R1 said it for A, forgets
// it, and the primary shows it B: were it to say PREPARE again, it would have
// contradicted itself, and A and B could both prepare. It may say COMMIT.
func TestSilentAfterPowerLoss(t *testing.T) {
	l := newLab(t, 4).begin()
	a, b := l.propose(0, 2, l.Now, l.Request()), l.propose(0, 2, l.Now, l.Request())
	l.Give(1, consensus.ReplicaPeer(0), a.Frame)
	old := l.said(1, message.PrepareKind)
	if len(old) != 3 || !old[0].Early {
		t.Fatalf("%d PREPAREs for A", len(old))
	}
	l.PowerLoss(1)
	silent := func() {
		t.Helper()
		l.Start(1, false)
		l.Step(1)
		l.Sent = nil
		if why := l.Give(1, consensus.ReplicaPeer(0), b.Frame); why != "" && why != reasonRepeated {
			t.Fatalf("B: %q", why)
		}
		for range 8 {
			l.Step(1, consensus.Tick{})
		}
		if n := len(l.said(1, message.PrepareKind)); n > 0 {
			t.Errorf("%d PREPAREs where it may have said others", n)
		}
	}
	silent()
	// It knows B now, and says nothing all the same: that was another life's choice.
	l.Crash(1)
	silent()
	// Its own word comes back, and proves nothing against it.
	l.Give(1, consensus.ReplicaPeer(2), old[0].Bytes)
	if l.noticed(1) {
		t.Error("takes itself for set back")
	}
	// Others prepare B: this is no vote of R1's for B, and its COMMIT is.
	for _, i := range []int{2, 3} {
		l.Give(1, consensus.ReplicaPeer(consensus.ReplicaID(i)), l.vote(i, message.PrepareKind, 0, 2, b.Digest))
	}
	if n := len(l.said(1, message.CommitKind)); n != 3 {
		t.Errorf("%d COMMITs for what the others prepared", n)
	}
	var said [][]byte
	for _, m := range append(l.Sent, old...) {
		if m.From == 1 {
			said = append(said, m.Bytes)
		}
	}
	for i, first := range said {
		for _, second := range said[:i] {
			if fault, err := evidence.VerifyWith(l.Verify, &l.Genesis, evidence.Contradiction{First: first, Second: second}.Encode()); err == nil {
				t.Errorf("an honest replica is convicted: %v", fault)
			}
		}
	}
	// Above the lease it votes.
	l.Sent = nil
	for n := consensus.Seq(3); n <= 8; n++ {
		l.Give(1, consensus.ReplicaPeer(0), l.propose(0, n, l.Now, l.Request()).Frame)
	}
	if n := len(l.said(1, message.PrepareKind)); n > 0 {
		t.Errorf("%d PREPAREs within the lease", n)
	}
	g := message.FetchReply{What: message.WhatCheckpoint, Seq: 4, Digest: root("4"), Certificate: l.certificate(message.CheckpointCertificate, 0, 4, root("4"), 0, 2, 3)}
	l.Give(1, consensus.ReplicaPeer(0), g.Encode())
	l.Give(1, consensus.ReplicaPeer(0), l.propose(0, 9, l.Now, l.Request()).Frame)
	if n := len(l.said(1, message.PrepareKind)); n != 3 {
		t.Errorf("%d PREPAREs above the lease, want one for each other", n)
	}
}

// §8: the silence of a life is known to all that follow in that view, whatever
// they record.
func TestSilenceOutlivesTheLivesThatFollow(t *testing.T) {
	l := newLab(t, 4).begin()
	d := l.Replicas[1]
	until := d.Engine.lease.until
	for life := range 3 {
		l.PowerLoss(1)
		l.Start(1, false)
		l.Step(1)
		if e := d.Engine; !e.lease.forgets(0, until) || e.lease.forgets(0, until+1) || (leased{e}).mayPrepare(0, until) || (leased{e}).mayPrepare(1, 1) != true {
			t.Fatalf("life %d: silent up to %d in view %d, want %d", life+2, e.lease.silent, e.lease.view, until)
		}
		d.Engine.lease.until = until // as if it had one, to give back
		l.rest(1)
	}
	l.Sent = nil
	l.Ticks(60, l.All())
	for range 8 {
		l.Submit(l.Request(), 0)
		l.Deliver()
	}
	d.Cut() // beyond the silence there is nothing to be silent about
	if d.Forget < until {
		t.Fatalf("the log is cut at %d", d.Forget)
	}
	for _, r := range d.Records {
		var old lease
		if r.Bytes[0] == leaseRecord && old.recall(r.Bytes) == nil && old.silent <= until {
			t.Errorf("a lease up to %d is kept", old.silent)
		}
	}
}

// §4: a lease stays in the log until the slots that it speaks for are stable.
func TestLeaseOutlivesTheCut(t *testing.T) {
	l := newLab(t, 4).begin()
	d := l.Replicas[1]
	until := d.Engine.lease.until
	l.Submit(l.Request(), 0)
	l.Deliver()
	if d.Forget != 2 || until <= 2 {
		t.Fatalf("the log is cut at %d, the lease goes up to %d", d.Forget, until)
	}
	d.Cut()
	l.PowerLoss(1)
	l.Start(1, false)
	if e := d.Engine; !e.lease.forgets(0, until) {
		t.Errorf("silent up to %d, want %d", e.lease.silent, until)
	}
}

// §4: at rest the lease is given back, so that who restarts then remembers all.
func TestLeaseEndsAtRest(t *testing.T) {
	l := newLab(t, 4).begin()
	l.Ticks(30, l.All())
	for i := range l.Replicas {
		l.PowerLoss(i)
		l.Start(i, false)
		l.Step(i)
		if e := l.Replicas[i].Engine; !(leased{e}).mayPrepare(0, 2) {
			t.Errorf("R%d is silent up to %d", i, e.lease.silent)
		}
	}
	l.Submit(l.Request(), 0)
	l.Deliver()
	l.WantExecuted(2, l.All()...)
	l.wantView(0, l.All()...)
}

// §6, §8: all lose power with votes under way. Nobody may vote in this view any
// more, so they are in the next one at once, and no patience passes.
func TestPowerLossOfAllChangesTheViewAtOnce(t *testing.T) {
	l := newLab(t, 4).begin()
	l.Submit(l.Request(), 0)
	l.Deliver(without(message.CommitKind))
	l.PowerLoss(l.All()...)
	l.Sent = nil
	for i := range l.Replicas {
		l.Start(i, false)
		l.Step(i)
	}
	l.Deliver()
	l.wantView(1, l.All()...)
	l.Submit(l.Request(), 1)
	l.Deliver()
	for i, d := range l.Replicas {
		if d.Engine.view.level != 0 {
			t.Errorf("R%d has lost patience", i)
		}
		if executedRequests(d) < 2 {
			t.Errorf("R%d has executed %d requests", i, executedRequests(d))
		}
	}
}

// §8: a primary that may have forgotten what it proposed proposes nothing in its
// view any more, and leaves it at once. E.g. R0 proposed A to R1 alone, forgets it,
// and would propose B in that slot.
func TestRestartedPrimaryLeaves(t *testing.T) {
	l := newLab(t, 4).begin()
	l.Submit(l.Request(), 0)
	a := l.said(0, message.PrePrepareKind)
	l.Deliver(toOne(1), without(message.PrepareKind))
	l.PowerLoss(0)
	l.Start(0, false)
	l.Step(0)
	if st := l.Replicas[0].Engine.Status(); st.View != 1 || !st.Changing {
		t.Errorf("R0 is in view %d, changing %v", st.View, st.Changing)
	}
	l.Submit(l.Request(), 0)
	l.Deliver()
	for _, d := range l.Replicas[0].Outs {
		for _, s := range append(d.Early, d.Sends...) {
			if p, ok := l.rules.Promised(s.Bytes); ok && p.Kind == message.PrePrepareKind && p.Seq == 2 && p.View == 0 && !bytes.Equal(s.Bytes, a[0].Bytes) {
				t.Errorf("proposed again: %s", l.rules.Describe(s.Bytes))
			}
		}
	}
	l.wantView(1, l.All()...)
	l.Ticks(5, l.All())
	if d := l.Replicas[2]; executedRequests(d) < 2 {
		t.Errorf("executed %d requests", executedRequests(d))
	}
}

// §6: who leads a view and has left it is followed, by all: a liar that shows its
// VIEW-CHANGE to one replica does not part it from the others.
func TestPrimaryThatLeavesIsFollowed(t *testing.T) {
	l := newLab(t, 4)
	l.Give(2, consensus.ReplicaPeer(0), l.viewChange(0, 3).Frame)
	if st := l.Replicas[2].Engine.Status(); st.View != 1 || !st.Changing {
		t.Fatalf("R2 is in view %d, changing %v", st.View, st.Changing)
	}
	l.Ticks(2*l.Replicas[2].Engine.cfg.StatusEvery, []int{1, 2, 3}, only(1, 2, 3))
	l.wantView(1, 1, 2, 3)
	if e := l.Replicas[2].Engine; e.view.level != 0 {
		t.Error("it has cost patience")
	}
	l = newLab(t, 4) // not out of a view that it does not lead
	l.Give(2, consensus.ReplicaPeer(3), l.viewChange(3, 1).Frame)
	l.wantView(0, 2)
}

// §6: a prepared certificate may name a batch that nobody has any more. E.g. n=4,
// the liar R0 collects three PREPAREs for A, and the power fails everywhere. R1 to
// R3 have forgotten A; R0 proves it. A NEW-VIEW with that proof would choose A in
// this view and in all that follow, and nothing would ever be executed again. R1
// waits for VIEW-CHANGEs whose bodies it has, or gets.
func TestBodyThatNobodyHas(t *testing.T) {
	for _, gives := range []bool{false, true} {
		l := newLab(t, 4).begin()
		a := l.propose(0, 2, l.Now, l.Request())
		for _, i := range []int{1, 2, 3} {
			l.Give(i, consensus.ReplicaPeer(0), a.Frame)
			if n := len(l.said(i, message.PrepareKind)); n != 3 {
				t.Fatalf("R%d said %d PREPAREs", i, n)
			}
		}
		l.PowerLoss(l.All()...)
		l.Sent = nil
		honest := []int{1, 2, 3}
		for _, i := range honest {
			l.Start(i, false)
			l.Step(i)
		}
		l.Deliver(only(honest...))
		proof := l.viewChange(0, 1, l.prepared(a))
		l.Submit(l.Request(), honest...)
		l.Ticks(25, honest, only(honest...), func(m frame) bool {
			return message.Kind(m.Bytes[0]) != message.ViewChangeKind || m.To != 1 || m.From == 2
		})
		asks := 0
		l.Replicas[1].Heard = func(b []byte) {
			if message.Kind(b[0]) == message.FetchKind {
				asks++
			}
		}
		l.Give(1, consensus.ReplicaPeer(0), proof.Frame) // with it R1 has three
		if st := l.Replicas[1].Engine.Status(); st.View != 1 || !st.Changing || asks == 0 {
			t.Fatalf("R1 is in view %d, changing %v, has asked %d times", st.View, st.Changing, asks)
		}
		if gives {
			g := message.FetchReply{What: message.WhatBatch, Seq: 2, Digest: a.Digest, Batch: a.Batch}
			l.Give(1, consensus.ReplicaPeer(0), g.Encode())
			l.wantView(1, 1)
		}
		l.Ticks(60, honest, only(honest...))
		l.wantView(1, honest...)
		for _, i := range honest {
			d := l.Replicas[i]
			if executedRequests(d) < 2 {
				t.Errorf("the liar gives its body (%v): R%d has executed %d requests", gives, i, executedRequests(d))
			}
			has := slices.ContainsFunc(d.Executed, func(c consensus.Commit) bool { return c.Digest == a.Digest })
			if has != gives {
				t.Errorf("the liar gives its body (%v): R%d has executed it: %v", gives, i, has)
			}
		}
	}
}

// §6: ... and the bodies that it has got are on its disk before the NEW-VIEW is
// said, for everybody else will ask for them there.
func TestBodiesAreOnDiskBeforeTheViewOpens(t *testing.T) {
	l := newLab(t, 4)
	a := l.propose(0, 1, l.Now, l.Request())
	r1 := l.Replicas[1]
	r1.Engine.timedOut(1, "the test wants it")
	l.Step(1)
	l.Give(1, consensus.ReplicaPeer(2), l.viewChange(2, 1, l.prepared(a)).Frame)
	l.Give(1, consensus.ReplicaPeer(3), l.viewChange(3, 1).Frame)
	l.Sent = nil
	g := message.FetchReply{What: message.WhatBatch, Seq: 1, Digest: crypto.Hash([]byte("another")), Batch: a.Batch}
	if why := l.Give(1, consensus.ReplicaPeer(2), g.Encode()); why == "" && !r1.Engine.view.changing {
		t.Error("opens with another body")
	}
	g.Digest = a.Digest
	l.Give(1, consensus.ReplicaPeer(2), g.Encode())
	l.wantView(1, 1)
	l.PowerLoss(1)
	l.Start(1, false)
	if r1.Engine.log.body(1, a.Digest) == nil {
		t.Error("the body is lost")
	}
	if slices.ContainsFunc(l.Sent, func(m frame) bool { return m.Early && message.Kind(m.Bytes[0]) == message.NewViewKind }) {
		t.Error("the NEW-VIEW does not wait for the disk")
	}
}

// §8: after a restart its own votes within the lease may lack. Others may not.
func TestWordsThatALeaseExplains(t *testing.T) {
	d := root("a batch")
	for _, c := range []struct {
		name    string
		words   func(l *lab, until consensus.Seq) []byte
		setBack bool
	}{
		{"PREPARE", func(l *lab, until consensus.Seq) []byte { return l.vote(3, message.PrepareKind, 0, until, d) }, false},
		{"PREPARE in a slot of which the log knows more", func(l *lab, _ consensus.Seq) []byte { return l.vote(3, message.PrepareKind, 0, 4, d) }, false},
		{"PREPARE beyond", func(l *lab, until consensus.Seq) []byte { return l.vote(3, message.PrepareKind, 0, until+1, d) }, true},
		{"another PREPARE than the log has", func(l *lab, _ consensus.Seq) []byte { return l.vote(3, message.PrepareKind, 0, 2, d) }, true},
		{"PREPARE of the next view", func(l *lab, _ consensus.Seq) []byte { return l.vote(3, message.PrepareKind, 1, 2, d) }, true},
		{"COMMIT", func(l *lab, until consensus.Seq) []byte { return l.vote(3, message.CommitKind, 0, until, d) }, true},
		{"CHECKPOINT", func(l *lab, _ consensus.Seq) []byte { return l.vote(3, message.CheckpointKind, 0, 32, d) }, true},
	} {
		l := newLab(t, 4, func(g *consensus.Genesis) { g.CheckpointInterval, g.Window = 32, 64 }).begin()
		until := l.Replicas[3].Engine.lease.until
		l.Give(3, consensus.ReplicaPeer(0), l.propose(0, 2, l.Now, l.Request()).Frame)
		pp := l.propose(0, 3, l.Now, l.Request()) // its COMMIT brings all to disk
		l.Give(3, consensus.ReplicaPeer(0), pp.Frame)
		l.Give(3, consensus.ReplicaPeer(1), l.vote(1, message.PrepareKind, 0, 3, pp.Digest))
		l.Give(3, consensus.ReplicaPeer(1), l.vote(2, message.PrepareKind, 0, 4, d)) // another's
		l.PowerLoss(3)
		l.Start(3, false)
		l.Step(3)
		l.Give(3, consensus.ReplicaPeer(1), c.words(l, until))
		if l.noticed(3) != c.setBack {
			t.Errorf("%s: noticed %v, want %v", c.name, l.noticed(3), c.setBack)
		}
	}
}

// A lease that cannot be read is no log of this replica's.
func TestLeaseRecord(t *testing.T) {
	var l lease
	for _, b := range [][]byte{{leaseRecord}, append(l.record(1), 0)} {
		if l.recall(b) == nil {
			t.Errorf("%x is taken for a lease", b)
		}
	}
	high := lease{view: 3}
	if l.recall(high.record(9)) != nil || l.recall((&lease{view: 2}).record(20)) != nil || !l.forgets(3, 9) || l.forgets(3, 10) || l.forgets(2, 1) {
		t.Errorf("%+v", l)
	}
	if l.recall(high.record(4)) != nil || !l.forgets(3, 4) || l.forgets(3, 5) {
		t.Errorf("the last record of a view does not count: %+v", l)
	}
}
