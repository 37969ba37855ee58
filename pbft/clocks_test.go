package pbft

import (
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
)

const (
	second = consensus.Time(1e9)
	hour   = 3600 * second
)

// compareClocks lets replicas tell each other what their clocks show.
func (l *lab) compareClocks() { l.Ticks(2*4*l.Replicas[0].Engine.cfg.StatusEvery, l.All()) }

// All clocks are set forward by an hour and back again: proposals are made and
// accepted all the time, in one view. A primary that stamped on from where its
// clock had been would be held for an hour by all backups.
func TestAllClocksJump(t *testing.T) {
	l := newLab(t, 4)
	done := 0
	agree := func(when string) {
		t.Helper()
		for range 2 {
			q := l.Request()
			l.Submit(q, 0)
			l.Deliver()
			l.Ticks(3, l.All())
			if done++; l.Executions(q) != 1 {
				t.Fatalf("%s: %+v", when, l.Replicas[1].Engine.Status())
			}
		}
	}
	agree("at first")
	for _, by := range []consensus.Time{hour, -hour, -60 * second, 60 * second, -2 * hour, 2 * hour} {
		l.Now += by
		agree("after a jump")
		l.compareClocks()
		agree("some time after a jump")
	}
	l.wantView(0, 0, 1, 2, 3)
}

// A backup whose own clock is wrong goes by the others', votes, and is named; so
// is a primary whose clock is.
func TestWrongClockCostsNoVote(t *testing.T) {
	for _, wrong := range []int{0, 2} {
		for _, by := range []consensus.Time{hour, -hour} {
			l := newLab(t, 4)
			r := l.Replicas[wrong].Engine
			l.compareClocks()
			right := l.Now
			l.Now += by
			l.Step(wrong)
			l.Now = right
			for _, i := range l.All() {
				if i != wrong {
					l.Now += by // what this replica sees of its own
					l.Give(wrong, consensus.ReplicaPeer(consensus.ReplicaID(i)), consensus.Clock{Time: right}.Encode())
					l.Now = right
					l.Give(i, consensus.ReplicaPeer(consensus.ReplicaID(wrong)), consensus.Clock{Time: right + by}.Encode())
				}
			}
			if off := r.clocks.Time() - right; off > l.Genesis.Skew || off < -l.Genesis.Skew {
				t.Errorf("R%d goes by a time that is %v off", wrong, off)
			}
			for _, i := range l.All() {
				want := "clock of replica"
				if i == wrong {
					want = "clock of this replica, which is 1h0m0s"
				}
				st := l.Replicas[i].Engine.Status()
				if n := len(st.Waiting); n == 0 || !strings.Contains(st.Waiting[n-1].What, want) || !st.Clocks[wrong].Wrong {
					t.Errorf("R%d: waiting %+v, clocks %+v", i, st.Waiting, st.Clocks)
				}
			}
		}
	}
}
