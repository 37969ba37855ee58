package pbft

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// course lets a pace see primaries whose requests wait for so long, window after
// window, and follows its verdicts in turn. It answers after which windows it
// left one.
func course(p *pace, n, windows int, wait func(window int, primary consensus.ReplicaID) int) (left []int) {
	view := 0
	for w := range windows {
		primary := consensus.ReplicaID(view % n)
		for range p.span {
			if at := wait(w, primary); at >= 0 {
				p.saw(at)
			}
			p.tick(primary, n)
		}
		if p.slow {
			left = append(left, w)
			p.leave(primary, true)
			view++
		}
	}
	return left
}

// §6: who keeps requests waiting much longer than an earlier primary is left, and
// where all are alike each is left once at most, then one after ever longer rests.
func TestPace(t *testing.T) {
	const patience = 200
	for name, tc := range map[string]struct {
		wait  func(int, consensus.ReplicaID) int
		left  int // primaries in 300 windows, at most
		first int // ... and after which window the first of them, -1 never
	}{
		"quick":                           {func(int, consensus.ReplicaID) int { return 3 }, 0, -1},
		"idle":                            {func(int, consensus.ReplicaID) int { return -1 }, 0, -1},
		"a little slow, for the machine":  {func(int, consensus.ReplicaID) int { return 2 * (patience / paceFloor) }, 0, -1},
		"slow, and the others are not":    {func(_ int, id consensus.ReplicaID) int { return map[consensus.ReplicaID]int{0: 180}[id] }, 1, 2},
		"two slow, in a row":              {func(_ int, id consensus.ReplicaID) int { return map[consensus.ReplicaID]int{0: 180, 1: 60}[id] }, 2, 2},
		"all alike: one round, and rests": {func(int, consensus.ReplicaID) int { return 150 }, 3 + 2, 2},
		"all nearly alike": {func(w int, id consensus.ReplicaID) int {
			return 100 + 37*(w%3) + 9*int(id)
		}, 3 + 2, 2},
		"a stall now and then": {func(w int, _ consensus.ReplicaID) int {
			if w%3 == 0 {
				return 190
			}
			return 2
		}, 0, -1},
		"load comes and goes": {func(w int, _ consensus.ReplicaID) int {
			if w/50%2 == 1 {
				return 150
			}
			return 2
		}, 4, 52},
	} {
		p := newPace(patience)
		left := course(&p, 4, 300, tc.wait)
		first := -1
		if len(left) > 0 {
			first = left[0]
		}
		if len(left) > tc.left || first != tc.first {
			t.Errorf("%s: left after windows %v, want at most %d, the first after %d", name, left, tc.left, tc.first)
		}
	}
}

// What the others did may be long ago: the best of all slow primaries, which was a
// liar among the overloaded, does not stay for ever after the load has gone.
func TestPaceTriesOthersInTheEnd(t *testing.T) {
	p := newPace(200)
	wait := func(w int, id consensus.ReplicaID) int {
		if id == 3 || w < 20 {
			return 150
		}
		return 2
	}
	left := course(&p, 4, 2000, wait)
	if n := len(left); n != 4 || left[3] < 20+restWindows/2 || left[3] > 20+2*restWindows {
		t.Errorf("left after windows %v", left)
	}
	// And it rests for longer each time that nothing was better.
	q := newPace(200)
	left = course(&q, 4, 4000, func(int, consensus.ReplicaID) int { return 150 })
	for i := 5; i < len(left); i++ {
		if left[i]-left[i-1] < 2*(left[i-1]-left[i-2])-10 && left[i]-left[i-1] < restMost {
			t.Errorf("left after windows %v: rests should double", left)
		}
	}
	if len(left) < 6 || len(left) > 10 {
		t.Errorf("left %d times in 4000 windows", len(left))
	}
}

// A primary that nobody could get to know is not waited for again and again.
func TestPaceOfOneThatIsDead(t *testing.T) {
	p := newPace(200)
	view, left := 0, 0
	for range 100 {
		primary := consensus.ReplicaID(view % 4)
		if primary == 2 { // times out
			p.leave(primary, true)
			view++
			continue
		}
		for range p.span {
			p.saw(150)
			p.tick(primary, 4)
		}
		if p.slow {
			p.leave(primary, true)
			view, left = view+1, left+1
		}
	}
	if left > 4 {
		t.Errorf("left %d primaries for slowness, of three that are alike and one that is dead", left)
	}
}

// slowly runs a cluster of which R0, the primary, proposes what it has only every
// so many ticks, and answers the ticks until a quorum has left it; 0 = never.
func slowly(l *lab, every, ticks int, backups []int, keep ...func(frame) bool) int {
	all := append([]int{0}, backups...)
	for tick := 1; tick <= ticks; tick++ {
		if tick%every == 1 {
			l.Submit(l.Request(), backups...)
		}
		slow := func(m frame) bool { return m.From != 0 || message.Kind(m.Bytes[0]) != message.PrePrepareKind }
		if tick%every == 0 {
			slow = func(frame) bool { return true }
		}
		l.Ticks(1, all, append(keep, only(all...), slow)...)
		if tick%every == 0 { // what was lost meanwhile is said again
			for i := range l.Replicas {
				if i != 0 {
					l.Replicas[0].Engine.peers[i].helped = repetition{} // as if it had not asked before
					l.Give(0, consensus.ReplicaPeer(consensus.ReplicaID(i)), (&message.Status{Executed: l.Replicas[i].Engine.exec.handed}).Encode())
				}
			}
			l.Deliver(append(keep, only(all...))...)
		}
		if st := l.Replicas[backups[0]].Engine.Status(); st.View > 0 && !st.Changing {
			return tick
		}
	}
	return 0
}

// §6: a primary at nine tenths of the patience is left by all together.
func TestSlowPrimaryIsLeft(t *testing.T) {
	l := newLab(t, 4)
	if at := slowly(l, 18, 400, []int{1, 2, 3}); at == 0 {
		t.Fatal("the slow primary stays")
	}
	for i := range 3 {
		if level := l.Replicas[i+1].Engine.view.level; level != 0 {
			t.Errorf("R%d has more patience now: nothing has failed", i+1)
		}
	}
	if n := len(l.Replicas[1].Executed); n == 0 {
		t.Error("nothing was executed: the test has shown patience")
	}
}

// §6: one replica's finding, and that of f liars, moves nobody: it may be slow
// itself, and would not be followed.
func TestOneSlowReplicaLeavesNobody(t *testing.T) {
	l := newLab(t, 4)
	for range 300 {
		l.Replicas[1].Engine.pace.slow = true
		l.Give(1, consensus.ReplicaPeer(2), (&message.Status{Slow: true}).Encode())
		l.Ticks(1, []int{1, 3})
	}
	l.wantView(0, 1, 3)
	l.Give(1, consensus.ReplicaPeer(3), (&message.Status{Slow: true}).Encode())
	l.Replicas[1].Engine.pace.slow = true
	l.Step(1, consensus.Tick{})
	if !l.Replicas[1].Engine.view.changing {
		t.Error("a quorum finds the primary slow, and nobody leaves")
	}
}

// A primary that is quick until it is known, and then silent, sets no measure that
// the others would be left for, one after another, without end.
func TestSilenceIsNotQuick(t *testing.T) {
	const patience, wait = 200, 80
	p := newPace(patience)
	changes := 0
	for primary, window := consensus.ReplicaID(0), 0; window < 1000; window++ {
		waits, silent := wait, primary == 0 && p.count >= paceKnown
		switch {
		case silent:
			waits = patience
		case primary == 0:
			waits = 1
		}
		p.saw(waits)
		if !silent {
			for range patience {
				p.tick(primary, 4)
			}
		}
		if silent || p.slow {
			p.leave(primary, true)
			primary = (primary + 1) % 4
			changes++
		}
	}
	if changes > 20 {
		t.Errorf("%d view changes in 1000 windows", changes)
	}
}
