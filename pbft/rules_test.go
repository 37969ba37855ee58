package pbft

import (
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/enginetest"
	"quorate.dev/quorate/pbft/message"
)

// §5: a replica whose root differs from the certified one says so, stops
// voting, takes the state of the others, and signs only above it.
func TestDivergedIsRepaired(t *testing.T) {
	l := newLab(t, 4)
	l.Submit(l.Request(), 0)
	l.Deliver()
	d := l.Replicas[3]
	d.Head = crypto.Hash([]byte("a bit has flipped"))
	d.Host = func(job consensus.Job) []consensus.Event {
		switch job.(type) {
		case consensus.RestoreBegin:
			return []consensus.Event{consensus.Staged{}}
		case consensus.RestoreEnd:
			s := enginetest.State{Seq: d.Target.Seq, Root: d.Target.Root, Proof: d.Target.Certificate}
			d.Install(s, slices.Clone(l.Replicas[0].Executed[:s.Seq]))
			return []consensus.Event{consensus.Restored{Seq: s.Seq, Root: s.Root, OK: true}}
		}
		return nil
	}
	for range 2 { // it has executed slot 3 when it hears that 2 is stable
		l.Submit(l.Request(), 0)
		l.Deliver(func(m frame) bool { return m.To != 3 || message.Kind(m.Bytes[0]) != message.CheckpointKind })
	}
	c := l.Replicas[0].Engine.checkpoints.At(2)
	g := message.FetchReply{What: message.WhatCheckpoint, Seq: 2, Digest: c.Digest, Certificate: c}
	l.Give(3, consensus.ReplicaPeer(0), g.Encode())
	e := d.Engine
	if len(d.Noted(consensus.Diverged)) != 1 || len(d.Noted(consensus.Fetched)) != 1 || e.exec.mute != 3 {
		t.Fatalf("diverged %d times, repaired %d times, silent up to %d", len(d.Noted(consensus.Diverged)), len(d.Noted(consensus.Fetched)), e.exec.mute)
	}
	if e.mayVote(0, e.exec.mute) || !e.mayVote(0, e.exec.mute+1) {
		t.Error("wants to sign at or below the slot that it had to repair, or nothing above it")
	}
	for range 3 {
		l.Submit(l.Request(), 0)
		l.Deliver()
	}
	l.Ticks(15, l.All())
	l.WantExecuted(6, l.All()...)
	if d.Roots[6] != l.Replicas[0].Roots[6] {
		t.Error("still another state")
	}
}

// §4.3: a root may come long after the batch was executed, and after the certificate
// for it. Nothing is said of a checkpoint before, no certificate is forgotten
// meanwhile, and agreement goes on.
func TestRootsComeLate(t *testing.T) {
	l := newLab(t, 4)
	d := l.Replicas[3]
	d.Hashing = true
	for range 5 {
		l.Submit(l.Request(), 0)
		l.Deliver()
	}
	l.WantExecuted(5, l.All()...)
	e := d.Engine
	said := func() (list []consensus.Seq) {
		for _, m := range l.recorded(3, message.CheckpointKind) {
			list = append(list, m.(*message.Vote).Seq)
		}
		return list
	}
	if e.low() != 4 || len(said()) > 0 || d.Disk.Seq != 0 || e.exec.last.seq != 0 {
		t.Fatalf("low %d, said %v, %d on disk, root of %d: no root is known yet", e.low(), said(), d.Disk.Seq, e.exec.last.seq)
	}
	l.Step(3, d.Late[0])
	if d.Disk.Seq != 2 {
		t.Errorf("with the root of 2 the disk has %d", d.Disk.Seq)
	}
	l.Submit(l.Request(), 0)
	l.Deliver()
	l.Step(3, d.Late[1:]...)
	if d.Disk.Seq != 6 || len(d.Noted(consensus.Diverged)) > 0 {
		t.Errorf("with all roots the disk has %d", d.Disk.Seq)
	}
	l.Step(3, d.Late...) // old news
	if e.exec.last.seq != 6 {
		t.Errorf("an old root is the newest: %d", e.exec.last.seq)
	}
}

// §5: that a state is another one may be found out long after it was certified.
func TestDivergedIsFoundLate(t *testing.T) {
	l := newLab(t, 4)
	d := l.Replicas[3]
	d.Hashing = true
	d.Head = crypto.Hash([]byte("a bit has flipped"))
	for range 5 {
		l.Submit(l.Request(), 0)
		l.Deliver()
	}
	if len(d.Noted(consensus.Diverged)) > 0 {
		t.Fatal("diverged before there is a root")
	}
	l.Manual = true
	l.Step(3, d.Late[0])
	if e := d.Engine; len(d.Noted(consensus.Diverged)) != 1 || !e.state.Active() || e.exec.mute != 5 {
		t.Errorf("diverged %d times, silent up to %d", len(d.Noted(consensus.Diverged)), e.exec.mute)
	}
}

// §7: a primary that leaves one replica in the dark costs no view change:
// others give it the PRE-PREPAREs that they have.
func TestOneInTheDark(t *testing.T) {
	l := newLab(t, 4)
	dark := func(m frame) bool { return m.From != 0 || m.To != 3 }
	for range 3 {
		r := l.Request()
		l.Submit(r, 0, 1, 3) // R2 is down: R3 is needed
		l.Ticks(15, []int{0, 1, 3}, only(0, 1, 3), dark)
	}
	l.WantExecuted(3, 0, 1, 3)
	l.wantView(0, 0, 1, 3)
}

// §5: a host that executes slowly is handed no more than a window.
func TestSlowHostIsHandedAWindow(t *testing.T) {
	l := newLab(t, 4)
	d := l.Replicas[3]
	d.Stopped = true // and does not come to an end
	for range 14 {
		l.Submit(l.Request(), 0)
		l.Deliver()
	}
	l.WantExecuted(14, 0, 1, 2)
	if e := &d.Engine.exec; e.handed != l.Genesis.Window {
		t.Errorf("handed %d, applied %d, with a window of %d", e.handed, e.applied, l.Genesis.Window)
	}
}

// §5: the NEW-VIEW of the view that a replica was in last survives the log's
// being cut while it is on its way to the next.
func TestLeftViewIsStillKnown(t *testing.T) {
	l := inViewOne(t)
	for range 2 {
		l.Submit(l.Request(), 1)
		l.Deliver(only(1, 2, 3))
	}
	l.Submit(l.Request(), 1)
	l.Deliver(only(1, 2, 3), func(m frame) bool { return m.To != 2 || message.Kind(m.Bytes[0]) != message.CheckpointKind })
	l.Replicas[2].Engine.timedOut(2, "the test wants it")
	l.Step(2)
	c := l.Replicas[1].Engine.checkpoints.Stable()
	g := message.FetchReply{What: message.WhatCheckpoint, Seq: c.Seq, Digest: c.Digest, Certificate: c}
	l.Give(2, consensus.ReplicaPeer(1), g.Encode())
	d := l.Replicas[2]
	if d.Forget != 4 {
		t.Fatalf("log cut at %d, want 4", d.Forget)
	}
	d.Records = d.Records[len(d.Records)-3:] // NEW-VIEW 1, VIEW-CHANGE 2 and what came after
	l.Start(2, false)
	if st := d.Engine.Status(); st.View != 2 || !st.Changing {
		t.Errorf("view %d, changing %v", st.View, st.Changing)
	}
	if nv := d.Engine.view.newView; nv == nil || nv.View != 1 {
		t.Error("the NEW-VIEW of view 1 is gone")
	}
}

// §6: who missed the NEW-VIEW learns the view from anyone [B21], and what came
// too early meanwhile was held and counts [B29].
func TestLostNewView(t *testing.T) {
	l := newLab(t, 4)
	l.Submit(l.Request(), 1, 2, 3)
	lost := func(m frame) bool { return m.To != 3 || message.Kind(m.Bytes[0]) != message.NewViewKind }
	l.Ticks(30, []int{1, 2, 3}, only(1, 2, 3), lost)
	if st := l.Replicas[3].Engine.Status(); st.View != 1 || !st.Changing {
		t.Fatalf("R3 is in view %d, changing %v", st.View, st.Changing)
	}
	early := 0
	for i := range l.Replicas[3].Engine.peers {
		early += len(l.Replicas[3].Engine.held.queues[i].events)
	}
	if early == 0 {
		t.Error("nothing was held")
	}
	fromTwo := func(m frame) bool { return m.From != 1 || m.To != 3 } // not from the primary
	l.Ticks(15, []int{1, 2, 3}, only(1, 2, 3), fromTwo)
	l.wantView(1, 1, 2, 3)
	l.WantExecuted(1, 1, 2, 3)
}

// §6: a NEW-VIEW that does not follow from its VIEW-CHANGEs makes its receiver
// go for the next view, and entitles nobody else to [B18].
func TestInvalidNewView(t *testing.T) {
	l := newLab(t, 4)
	nv := l.newView(1, []*message.ViewChange{l.viewChange(0, 1), l.viewChange(1, 1), l.viewChange(2, 1)}, crypto.Hash([]byte("out of nowhere")))
	if got := l.Give(3, consensus.ReplicaPeer(1), nv); got != reasonInvalidView {
		t.Errorf("%q", got)
	}
	if st := l.Replicas[3].Engine.Status(); st.View != 2 || !st.Changing {
		t.Errorf("view %d", st.View)
	}
	l.Deliver()
	l.wantView(0, 0, 1, 2)
}

// §6: patience halves at each stable checkpoint reached in a view, and not at
// one executed slot [B15].
func TestPatienceHalvesAtCheckpoints(t *testing.T) {
	l := newLab(t, 4)
	e := l.Replicas[0].Engine
	e.view.level = 3
	for slot := 1; slot <= 8; slot++ {
		l.Submit(l.Request(), 0)
		l.Deliver()
		if want := max(0, 3-slot/2); e.view.level != want {
			t.Errorf("level %d after %d slots, want %d", e.view.level, slot, want)
		}
	}
}

// §7: claiming to be behind is no amplifier [B50].
func TestClaimingToBeBehindIsBounded(t *testing.T) {
	l := newLab(t, 4)
	big := func() *consensus.Request {
		l.Counter++
		return consensus.SignRequest(l.Client, l.rules.Cluster, consensus.Sequence{Epoch: 1, Counter: l.Counter}, [][]byte{make([]byte, 1<<20)})
	}
	for range 7 {
		l.Submit(big(), 0)
		l.Deliver()
	}
	bytes := 0
	st := message.Status{}
	for range 100 {
		l.Give(1, consensus.ReplicaPeer(3), st.Encode())
		for _, m := range l.Sent {
			bytes += len(m.Bytes)
		}
		l.Sent = nil
	}
	if most := helpBurst + 2<<20; bytes > most || bytes < 1<<20 {
		t.Errorf("%d bytes for 100 claims, want some, at most %d", bytes, most)
	}
}

// §8: one rejoin fills at most 4L slots, and one who claims to rejoin again is
// helped at most once in a while.
func TestFillingIsBounded(t *testing.T) {
	l := newLab(t, 4)
	st := message.Status{Rejoining: true, Target: 1 << 50}
	for nonce := range uint64(20) {
		m := message.Rejoin{Nonce: nonce}
		for i := range 3 {
			l.Give(i, consensus.ReplicaPeer(3), m.Encode())
			l.Give(i, consensus.ReplicaPeer(3), st.Encode())
		}
		l.Ticks(2, []int{0, 1, 2}, only(0, 1, 2))
	}
	if n := len(l.Replicas[0].Executed); n != int(4*l.Genesis.Window) {
		t.Errorf("filled %d slots, want %d", n, 4*l.Genesis.Window)
	}
}

// §4: two lives of one primary do not leave a hole: what it proposed before it
// died is said again, and what follows stands above it. It has been at rest, so
// that it goes on.
func TestRestartedPrimaryLeavesNoHole(t *testing.T) {
	l := newLab(t, 4)
	l.Submit(l.Request(), 0)
	l.Submit(l.Request(), 0)
	l.rest(0)
	l.Sent = nil // nobody hears of slots 1 and 2
	l.Start(0, false)
	l.Step(0)
	l.Submit(l.Request(), 0)
	l.Deliver()
	l.WantExecuted(3, l.All()...)
	l.wantView(0, l.All()...)
}

// §4: beside slots under way a primary waits until it has half of what they carry, so
// that many clients share a slot, and no longer than they take. A request that finds
// none under way does not wait.
func TestPrimaryGathers(t *testing.T) {
	l := newLab(t, 4)
	submit := func(requests int) (proposed []string) {
		var events []consensus.Event
		for range requests {
			events = append(events, consensus.Submit{Via: consensus.ClientPeer(l.Client.Public()), Request: l.Request()})
		}
		for _, n := range l.Step(0, events...).Notes {
			if n.Kind == consensus.Proposed {
				proposed = append(proposed, n.Text)
			}
		}
		return proposed
	}
	for i, c := range []struct {
		requests int
		want     []string
	}{{1, []string{"1 requests"}}, {7, []string{"7 requests"}}, {3, nil}, {1, []string{"4 requests"}}, {1, nil}} {
		if got := submit(c.requests); !slices.Equal(got, c.want) {
			t.Errorf("step %d: %d requests come, proposed are %v, want %v", i, c.requests, got, c.want)
		}
	}
	l.Deliver() // the last one is proposed when the slots before it are decided
	l.WantExecuted(4, l.All()...)
	if got := submit(1); len(got) != 1 {
		t.Errorf("with nothing under way, proposed are %v", got)
	}
}

// §3: an executed request that everybody hands in again costs one answer in a
// while, not one for each: answers stand in the queue in which batches wait.
func TestOldRequestIsAnsweredOnceInAWhile(t *testing.T) {
	l := newLab(t, 4)
	old := l.Request()
	l.Submit(old, 0)
	l.Deliver()
	jobs := func() (answers int) {
		out := l.Replicas[1].Engine.Step(consensus.Burst{Now: l.Now, Events: []consensus.Event{
			consensus.Submit{Via: consensus.ClientPeer(old.Client), Request: old},
			consensus.Submit{Via: consensus.ReplicaPeer(2), Request: old},
			consensus.Submit{Via: consensus.ReplicaPeer(3), Request: old},
		}})
		for _, j := range out.Jobs {
			if _, ok := j.(consensus.Answer); ok {
				answers++
			}
		}
		return answers
	}
	if n := jobs(); n != 1 {
		t.Errorf("%d answers to one request that three hand in", n)
	}
	if n := jobs(); n != 0 {
		t.Errorf("%d answers to the same at once after", n)
	}
	l.Ticks(30, l.All())
	if n := jobs(); n != 1 {
		t.Errorf("%d answers to the same after a while", n)
	}
}

// §3: what clients of before sign is ordered beside what others do, and executed
// again from the log.
func TestRequestsOfBefore(t *testing.T) {
	l := newLab(t, 4)
	old := consensus.SignOldRequest(l.Client, l.Genesis.ID(), consensus.Sequence{Epoch: 1, Counter: 1}, [][]byte{[]byte("old")})
	l.Counter++
	for _, q := range []*consensus.Request{old, l.Request()} {
		l.Submit(q, 0)
		l.Deliver()
	}
	l.WantExecuted(2, l.All()...)
	l.Crash(l.All()...)
	for _, i := range l.All() {
		l.Start(i, false)
		l.Step(i)
	}
	l.Deliver()
	l.WantExecuted(2, l.All()...)
	if got := l.Replicas[1].Executed[0].Batch.Requests[0]; got.Digest != old.Digest || !l.Verify.Verify([]crypto.Claim{got.Claim(l.Genesis.ID())})[0] {
		t.Error("executed from the log it is another request")
	}
}
