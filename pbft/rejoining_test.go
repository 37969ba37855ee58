package pbft

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// rejoiner decides for replica 3 of 4, wiped, with a window of 8.
func rejoiner(t *testing.T) *rejoining {
	j := newRejoining(newLab(t, 4).rules, 3, 77)
	j.asleep = true
	return &j
}

// answers at views, the first of which proves a checkpoint at 4.
func (j *rejoining) takes(views ...consensus.View) (changed int) {
	for i, v := range views {
		a := &message.RejoinAnswer{Nonce: 77, View: v}
		if i == 0 {
			a.Checkpoint = &message.Certificate{Seq: 4}
		}
		if j.learn(consensus.ReplicaID(i), a) {
			changed++
		}
	}
	return changed
}

// §8: N and V*+2 come from n-f answers of those who remember; more of them may
// lower the view, and nothing raises it.
func TestRejoinLimits(t *testing.T) {
	for _, c := range []struct {
		name    string
		views   []consensus.View
		changed int
		view    consensus.View // 0: not known
	}{
		{"too few", []consensus.View{5, 5}, 0, 0},
		{"just enough", []consensus.View{5, 0, 6}, 1, 8},
		{"one more, lower", []consensus.View{5, 9, 6, 1}, 2, 8},
		{"one more, higher", []consensus.View{5, 5, 6, 40}, 1, 8},
	} {
		j := rejoiner(t)
		if got := j.takes(c.views...); got != c.changed || j.known != (c.view > 0) || j.view != c.view {
			t.Errorf("%s: changed %d times, known %v, view %d", c.name, got, j.known, j.view)
		}
		if j.known && j.target != 4+2*8 {
			t.Errorf("%s: target %d", c.name, j.target)
		}
	}
	j := rejoiner(t)
	if j.takes(5, 5); j.learn(2, &message.RejoinAnswer{Nonce: 77, View: 5, Amnesiac: true}) || len(j.given()) != 2 {
		t.Error("one that has forgotten, too, is believed")
	}
}

// §8: asleep nothing is signed; awake only above the target, in later views.
func TestRejoinMay(t *testing.T) {
	j := rejoiner(t)
	j.takes(5, 5, 6)
	if j.allows(8, 21) || j.mayCheckpoint(21) || j.mayChange(8) {
		t.Error("signs asleep")
	}
	for _, c := range []struct {
		low, handed consensus.Seq
		wakes       bool
	}{{19, 20, false}, {20, 19, false}, {20, 20, true}, {20, 20, false}} {
		if got := j.wakes(c.low, c.handed); got != c.wakes {
			t.Errorf("%+v: wakes %v", c, got)
		}
	}
	for _, c := range []struct {
		v      consensus.View
		n      consensus.Seq
		allows bool
	}{{8, 21, true}, {8, 20, false}, {7, 21, false}} {
		if j.allows(c.v, c.n) != c.allows || j.mayCheckpoint(c.n) != (c.n > 20) || j.mayChange(c.v) != (c.v >= 8) {
			t.Errorf("%+v: allows %v, checkpoint %v, change %v", c, j.allows(c.v, c.n), j.mayCheckpoint(c.n), j.mayChange(c.v))
		}
	}
	forgotten := rejoining{}
	if err := forgotten.recall(j.record()); err != nil || !forgotten.known || forgotten.asleep || forgotten.target != 20 || forgotten.view != 8 {
		t.Errorf("the limits are %+v on disk (%v)", forgotten, err)
	}
}

// §8: it asks until it is in the first view in which it may vote, and goes there
// only if a correct replica is near.
func TestRejoinGoes(t *testing.T) {
	for _, c := range []struct {
		name  string
		views []consensus.View
		v     consensus.View
		goes  bool
	}{
		{"others are there", []consensus.View{0, 0, 0}, 0, true},
		{"one is far ahead", []consensus.View{0, 0, 40}, 0, false},
		{"two are far ahead", []consensus.View{0, 40, 41}, 0, true},
		{"it is there", []consensus.View{0, 0, 0}, 2, false},
	} {
		j := rejoiner(t)
		if j.takes(c.views...); j.goes(c.v) || !j.asks(c.v, false) {
			t.Errorf("%s: goes asleep, or does not ask", c.name)
		}
		j.asleep = false
		if asks := j.asks(c.v, false); asks != (c.v < j.view) || !j.asks(j.view, true) {
			t.Errorf("%s: awake it asks: %v", c.name, asks)
		}
		if got := j.goes(c.v); got != c.goes || got != (len(j.given()) == 0) {
			t.Errorf("%s: goes %v with %d answers left", c.name, got, len(j.given()))
		}
	}
	restarted := newRejoining(newLab(t, 4).rules, 3, 78)
	for _, c := range []struct {
		view consensus.View
		goes bool
	}{{2 + farRejoin, true}, {3 + farRejoin, false}} {
		if restarted.known, restarted.view = true, c.view; restarted.goes(0) != c.goes {
			t.Errorf("restarted, with view %d: goes %v", c.view, !c.goes)
		}
	}
}
