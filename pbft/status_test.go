package pbft

import (
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// What is waited for belongs to a view only if another view would not do: a
// checkpoint, a state and the answers to one that rejoins belong to none.
func TestLacksKnowTheirView(t *testing.T) {
	for _, test := range []struct {
		what   string
		inView bool
		at     int
		stop   func(l *lab)
	}{
		{"prepared certificate", true, 1, func(l *lab) { l.Submit(l.Request(), 0); l.Deliver(without(message.PrepareKind)) }},
		{"committed certificate", true, 1, func(l *lab) { l.Submit(l.Request(), 0); l.Deliver(without(message.CommitKind)) }},
		{"checkpoint certificate", false, 1, func(l *lab) {
			for range 4 {
				l.Submit(l.Request(), 0)
				l.Deliver(without(message.CheckpointKind))
			}
		}},
		{"PRE-PREPARE", true, 1, func(l *lab) { l.Submit(l.Request(), 1) }},
		{"VIEW-CHANGEs", true, 1, func(l *lab) {
			l.Submit(l.Request(), 1)
			l.Ticks(60, []int{1}, without(message.PrePrepareKind, message.ViewChangeKind))
		}},
		{"answers of replicas that did not lose their log", false, 3, func(l *lab) { l.Crash(0, 1, 2); l.Start(3, true); l.Ticks(9, []int{3}) }},
		{"stable checkpoint", false, 3, func(l *lab) { l.Start(3, true); l.Ticks(6, l.All()) }},
	} {
		l := newLab(t, 4)
		test.stop(l)
		st := l.Replicas[test.at].Engine.Status()
		i := slices.IndexFunc(st.Waiting, func(w consensus.Lack) bool { return w.What == test.what })
		if i < 0 {
			t.Errorf("%s: waits for %+v", test.what, st.Waiting)
			continue
		}
		if w := st.Waiting[i]; w.InView != test.inView || w.InView && w.View != st.View || !w.InView && w.View != 0 || w.Need == 0 && w.Seq == 0 {
			t.Errorf("in view %d it waits for %+v", st.View, w)
		}
	}
}

// One that lost its log counts who answered, until enough have.
func TestSleeperCountsAnswers(t *testing.T) {
	j := rejoiner(t)
	j.takes(5, 5)
	w := j.lack()
	if w.Need != 3 || !slices.Equal(w.Have, []consensus.ReplicaID{0, 1}) || !slices.Equal(w.Missing, []consensus.ReplicaID{2}) {
		t.Errorf("after two answers it waits for %+v", w)
	}
	j.takes(5, 5, 5)
	if w := j.lack(); w.Seq != j.target || w.Seq == 0 || w.Need != 0 {
		t.Errorf("after three it waits for %+v", w)
	}
}
