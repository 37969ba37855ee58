package pbft

import (
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

func root(name string) crypto.Digest { return crypto.Hash([]byte(name)) }

// The disk is told of the highest stable checkpoint that was executed here, once,
// and of nothing when a certified root is another than this replica's own.
func TestWhatIsDueOnDisk(t *testing.T) {
	g := &consensus.Genesis{CheckpointInterval: 2, Window: 8}
	for _, c := range []struct {
		name     string
		applied  consensus.Seq
		certs    []consensus.Seq
		wrong    consensus.Seq // certified with another root
		due      consensus.Seq
		diverged consensus.Seq
		left     int
	}{
		{"nothing certified", 6, nil, 0, 0, 0, 0},
		{"the highest of several", 6, []consensus.Seq{2, 4, 6}, 0, 6, 0, 0},
		{"not before it is executed", 4, []consensus.Seq{2, 4, 6}, 0, 4, 0, 1},
		{"not before its root is known", 8, []consensus.Seq{4, 6, 8}, 0, 6, 0, 1},
		{"what is kept is not due", 2, []consensus.Seq{2}, 0, 0, 0, 0},
		{"another root", 6, []consensus.Seq{4, 6}, 4, 0, 4, 1},
	} {
		x := newExecution(g)
		x.settle(2, root("2"))
		x.handed, x.applied = 8, c.applied
		for _, n := range []consensus.Seq{4, 6} {
			if n <= c.applied {
				x.rooted(n, root(string(rune('0'+n))))
			}
		}
		for _, n := range c.certs {
			x.certify(&message.Certificate{Seq: n, Digest: root(string(rune('0' + n)))})
			if n == c.wrong {
				x.certified[len(x.certified)-1].Digest = root("wrong")
			}
		}
		due, diverged := x.due()
		at := func(c *message.Certificate) consensus.Seq {
			if c == nil {
				return 0
			}
			return c.Seq
		}
		if at(due) != c.due || at(diverged) != c.diverged || len(x.certified) != c.left {
			t.Errorf("%s: due %d, diverged at %d, %d left", c.name, at(due), at(diverged), len(x.certified))
		}
	}
}

// After a restore was given up the host is at the disk's state, and the disk is
// to be told of the stable checkpoint again.
func TestFallBack(t *testing.T) {
	x := newExecution(&consensus.Genesis{CheckpointInterval: 2, Window: 8})
	x.settle(2, root("2"))
	x.handed, x.applied = 7, 6
	x.rooted(4, root("4"))
	x.fallBack(&message.Certificate{Seq: 6})
	if x.handed != 2 || x.applied != 2 || len(x.roots) != 1 || len(x.certified) != 1 || !x.room() {
		t.Errorf("%+v", x)
	}
	for n := consensus.Seq(8); n < 40; n += 2 {
		x.certify(&message.Certificate{Seq: n})
	}
	if len(x.certified) != 8 {
		t.Errorf("%d certificates are remembered for the disk, want 2L/K", len(x.certified))
	}
}

// Slots that are out of reach go to the history if they were executed, which is
// a chain, bounded by the window.
func TestSlotsSettle(t *testing.T) {
	l := newSlotLog(&consensus.Genesis{Replicas: make([]crypto.PublicKey, 4), Window: 4})
	commit := func(n consensus.Seq) {
		b := &consensus.Batch{Stamp: consensus.Time(n)}
		s := l.slot(n)
		s.keep(b.Digest(), b)
		s.committed = &message.Certificate{Seq: n, Digest: b.Digest()}
	}
	for n := consensus.Seq(1); n <= 8; n++ {
		commit(n)
	}
	if n := l.executable(3); n != 8 {
		t.Errorf("executable up to %d", n)
	}
	above := func(floor consensus.Seq) func(consensus.Seq) bool {
		return func(n consensus.Seq) bool { return n > floor }
	}
	if !l.forget(6, 6, 8, above(6)) || l.forget(6, 6, 8, above(6)) {
		t.Error("forgets when nothing has moved, or does not when it has")
	}
	if got := l.numbers(); !slices.Equal(got, []consensus.Seq{7, 8}) || len(l.history) != 4 {
		t.Errorf("slots %v, %d in the history", got, len(l.history))
	}
	for n, want := range map[consensus.Seq]bool{2: false, 3: true, 6: true, 8: true, 9: false} {
		if c, b, ok := l.decided(n); ok != want || ok && (c.Seq != n || l.body(n, c.Digest) != b) {
			t.Errorf("slot %d is decided here: %v", n, ok)
		}
	}
	commit(20) // never executed: a state came past it
	if l.forget(20, 20, 8, above(20)); len(l.slots) != 0 || len(l.history) != 4 {
		t.Errorf("%d slots, %d in the history", len(l.slots), len(l.history))
	}
	if l.restored(20); len(l.history) != 0 || l.bytes != 0 {
		t.Errorf("%d in the history, %d bytes", len(l.history), l.bytes)
	}
}

// A primary's stamps never go back, also over a restart, and a request stands in
// one new proposal of a view.
func TestPosition(t *testing.T) {
	l := newLab(t, 4)
	c := l.Replicas[0].Engine.cfg
	p := newPosition(c, l.rules.System)
	for _, step := range []struct {
		now, stamp consensus.Time
		n          consensus.Seq
	}{{10, 10, 1}, {10, 11, 2}, {5, 12, 3}, {20, 20, 4}} {
		if n, stamp := p.assign(step.now); n != step.n || stamp != step.stamp {
			t.Errorf("at %d: slot %d, stamp %d", step.now, n, stamp)
		}
	}
	p.assigned(9, 30)
	if n, stamp := p.assign(5); n != 10 || stamp != 31 {
		t.Errorf("after a restart: slot %d, stamp %d", n, stamp)
	}
	set := 40 + c.Genesis.Skew
	p.assigned(10, set)
	if n, stamp := p.assign(39); n != 11 || stamp != 39 {
		t.Errorf("after the clock was set back: slot %d, stamp %d", n, stamp)
	}
	one, two := l.Request(), l.Request()
	b := &consensus.Batch{Requests: []*consensus.Request{one}}
	p.mark(b, 10)
	if p.elsewhere(b, 10) || !p.elsewhere(b, 11) || len(p.unmarked([]*consensus.Request{one, two})) != 1 {
		t.Error("the marks of proposals are not kept")
	}
	if p.forget(10); p.elsewhere(b, 11) {
		t.Error("a mark outlives its slot")
	}
	for range 3 {
		p.joins()
	}
	if p.level != 1 {
		t.Errorf("a chain of joins counts %d times", p.level)
	}
	p.leave(1)
	if p.progressed(); p.level != 1 || p.leads() {
		t.Errorf("level %d between views, leads %v", p.level, p.leads())
	}
}

// The VIEW-CHANGE of a peer that rejoins is followed for a while, so far as the
// first one that was seen says, and no further than farRejoin.
func TestFollow(t *testing.T) {
	vc := func(v consensus.View) *message.ViewChange { return &message.ViewChange{View: v} }
	for _, c := range []struct {
		name   string
		rejoin int
		joinTo consensus.View
		vc     *message.ViewChange
		want   bool
	}{
		{"never rejoined", -1, 0, vc(5), false},
		{"long ago", 9, 0, vc(5), false},
		{"nothing said", 10, 0, nil, false},
		{"the next view", 10, 0, vc(5), true},
		{"a little further", 10, 0, vc(5 + farRejoin - 1), true},
		{"too far", 10, 0, vc(5 + farRejoin), false},
		{"further than it said first", 10, 4, vc(6), false},
		{"as far as it said first", 10, 5, vc(9), true},
		{"behind", 10, 0, vc(4), false},
	} {
		p := peer{rejoin: c.rejoin, joinTo: c.joinTo}
		if got := p.follow(c.vc, 5, 10); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// What came too early waits by channel, within bounds.
func TestHoldback(t *testing.T) {
	h := holdback{queues: make([]queue, 2)}
	from := func(r consensus.ReplicaID) consensus.Receive {
		return consensus.Receive{From: consensus.ReplicaPeer(r), Message: &message.Vote{}}
	}
	if why := h.hold(consensus.Receive{From: consensus.Peer{Kind: consensus.PeerObserver}}, reasonEarly); why != reasonNotPeer {
		t.Errorf("an observer's: %q", why)
	}
	for i := range maxHeld + 1 {
		if why := h.hold(from(0), reasonEarly); (why == reasonHeldFull) != (i == maxHeld) {
			t.Fatalf("message %d: %q", i, why)
		}
	}
	if why := h.hold(from(1), reasonEarly); why != reasonEarly {
		t.Errorf("another's: %q", why)
	}
	if n := len(h.take(0)); n != maxHeld || len(h.take(0)) != 0 || h.queues[0].bytes != 0 || len(h.take(1)) != 1 {
		t.Errorf("took %d", n)
	}
	big := consensus.Receive{From: consensus.ReplicaPeer(1), Message: &message.PrePrepare{Frame: make([]byte, maxHeldBytes+1)}}
	if why := h.hold(big, reasonEarly); why != reasonHeldFull {
		t.Errorf("8 MiB at once: %q", why)
	}
}

// §6: between views a VIEW-CHANGE is said again to all, at once and then ever more
// seldom; with the next view that begins anew.
func TestViewChangeIsRepeatedEverMoreSeldom(t *testing.T) {
	l := newLab(t, 4)
	r := l.Replicas[1].Engine
	for _, v := range []consensus.View{1, 2} {
		r.timedOut(v, "the test wants it")
		l.Step(1)
		l.Deliver(func(frame) bool { return false })
		var said []int
		for occasion := range 20 {
			again := false
			l.Ticks(2*r.cfg.StatusEvery, []int{1}, func(m frame) bool {
				again = again || message.Kind(m.Bytes[0]) == message.ViewChangeKind
				return false
			})
			if again {
				said = append(said, occasion)
			}
		}
		if want := []int{0, 1, 2, 4, 8, 16}; !slices.Equal(said, want) {
			t.Errorf("going for view %d: repeated at %v, want %v", v, said, want)
		}
	}
}
