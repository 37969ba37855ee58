package paxos

import (
	"testing"

	"quorate.dev/quorate/consensus"
)

// Rule: COMMIT makes chosen what was accepted under its ballot, and nothing else. E.g. A
// sends (3, 1, x) to B alone and loses its own vote; C has y chosen with A, under 5.
// COMMIT(5, 1) reaches B, which holds x: it must ask.
func TestCommitCountsVotesOfItsBallotOnly(t *testing.T) {
	l := newLab(t, 3, loose)
	x, y := l.batch(), l.batch()
	l.accept(3, 1, x, 1)
	l.accept(5, 1, y, 0)
	l.Sent = nil
	l.commit(5, 1, 1, 0)
	l.WantExecuted(0, 1)
	l.WantExecuted(1, 0)
	l.Ticks(12, []int{1})
	if c := l.executed(1, 1); c.Digest != y.Digest() {
		t.Error("B executes x")
	}
}

// What a COMMIT speaks of may still be under way: it is not asked for at once.
func TestCommitOvertakesAProposal(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	x := l.batch()
	l.commit(3, 1, 1)
	l.Ticks(1, []int{1}, only())
	l.accept(3, 1, x, 1)
	l.WantExecuted(1, 1)
	for _, out := range l.Replicas[1].Outs {
		if len(sends(out.Early, learnKind)) > 0 {
			t.Error("it asks for what comes")
		}
	}
}

// What is missing is asked of the leader first, then of each in turn, a bounded
// number at once, and no member is answered without end.
func TestMissingSlotsAreAskedFor(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 6, only(0, 1))
	l.commit(3, 6, 2)
	asked := map[consensus.ReplicaID]int{}
	for range 12 {
		l.Now += labTick
		l.Step(2, consensus.Tick{})
		for _, f := range l.Sent {
			if f.Bytes[0] == learnKind {
				asked[f.To]++
			}
		}
		l.Sent = nil
	}
	if asked[0] == 0 || asked[1] == 0 || asked[0]+asked[1] > 6 {
		t.Errorf("asked %v in 12 ticks", asked)
	}
	l.Ticks(8, l.All())
	l.WantExecuted(6, 0, 1, 2)

	m := Learn{From: 1, To: 6}
	l.Sent = nil
	var why consensus.Reason
	for range 2 * maxLearns {
		why = l.say(2, 1, m.Encode())
	}
	if n := len(said[*Value](l, 2)); n > 6*maxLearns || why != reasonOften {
		t.Errorf("%d values for %d questions: %q", n, 2*maxLearns, why)
	}
	l.Step(1, consensus.Tick{})
	if why := l.say(2, 1, m.Encode()); why != "" {
		t.Errorf("after a tick: %q", why)
	}
}

// Two values that are chosen for a slot are a lie, or a lost disk: an alarm, and the
// first stays.
func TestTwoChosenValues(t *testing.T) {
	l := newLab(t, 3)
	x := l.batch()
	v := Value{Slot: 2, Ballot: 3, Chosen: true, Batch: x}
	l.say(0, 1, v.Encode())
	if why := l.say(0, 1, v.Encode()); why != "" {
		t.Errorf("the same again: %q", why)
	}
	v.Batch = l.batch()
	if why := l.say(2, 1, v.Encode()); why != ReasonTwo || len(l.Replicas[1].Noted(consensus.Alarm)) != 1 {
		t.Errorf("another one: %q", why)
	}
	if got := l.engine(1).values.chosen[2]; got.digest != x.Digest() {
		t.Error("the first one did not stay")
	}
}

// Rule: below the state on disk a tail stays, of a window; what is older is answered
// with the name of the state.
func TestTailIsKept(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 30)
	r := l.engine(0)
	if n := consensus.Seq(len(r.values.chosen)); n < 6 || n > 2*l.Genesis.Window {
		t.Fatalf("%d values are kept", n)
	}
	ask := func(n consensus.Seq) {
		l.Sent = nil
		m := Learn{From: n, To: n}
		l.say(2, 0, m.Encode())
	}
	ask(r.exec.Kept - 2)
	if got := said[*Value](l, 2); len(got) != 1 {
		t.Errorf("just below the state: %+v", l.Sent)
	}
	ask(3)
	if got := said[State](l, 2); len(got) != 1 || got[0] != (State{Seq: l.Replicas[0].Disk.Seq, Root: l.Replicas[0].Disk.Root}) {
		t.Errorf("far below: %+v", l.Sent)
	}
	ask(31)
	if len(l.Sent) != 0 {
		t.Errorf("what there is not yet: %+v", l.Sent)
	}
}

// A host that executes slowly is handed a window at most.
func TestSlowHostIsHandedAWindow(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.Replicas[2].Stopped = true
	l.agree(0, 18)
	if n := len(l.Replicas[2].Jobs); n != int(l.Genesis.Window) {
		t.Errorf("%d jobs wait, want a window", n)
	}
}

// What has come is not asked for again, else what is lost of many answers is lost each
// time: a replica whose queue is short loses the first of them.
func TestOnlyWhatIsMissingIsAskedFor(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 7, only(0, 1))
	l.commit(3, 7, 2)
	first := func(f frame) bool { // the first two values of each answer are lost
		m, err := Decode(f.Bytes)
		v, is := m.(*Value)
		return err != nil || !is || v.Slot > 2
	}
	l.Ticks(4, l.All(), first)
	l.WantExecuted(0, 2)
	asked := 0
	for range 12 {
		l.Ticks(1, l.All(), func(f frame) bool {
			if m, _ := Decode(f.Bytes); f.From == 2 && f.Bytes[0] == learnKind {
				asked++
				if ask := m.(*Learn); ask.From != 1 || ask.To != 2 {
					t.Errorf("asks for %+v", ask)
				}
			}
			return first(f)
		})
	}
	if asked == 0 {
		t.Error("asks for nothing")
	}
}
