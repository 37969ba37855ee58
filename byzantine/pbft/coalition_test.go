package pbft

import (
	"fmt"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// groups are f+1 of 3f+1 that share a plan.
var groups = []struct {
	n       int
	members []int
}{
	{4, []int{0, 3}}, {4, []int{1, 3}}, {4, []int{2, 3}}, {4, []int{0, 1}},
	{7, []int{0, 5, 6}}, {7, []int{1, 2, 3}}, {7, []int{2, 4, 6}},
}

func each(members []int, behaviour string) map[int]string {
	m := map[int]string{}
	for _, i := range members {
		m[i] = behaviour
	}
	return m
}

// f+1 traitors with a plan fork the honest, whoever is the primary at first, in
// one view and across views, and no honest replica is to blame.
func TestCoalitionForks(t *testing.T) {
	for _, behaviour := range []string{"fork", "fork-views", "fork-views 30ms"} {
		for _, g := range groups {
			t.Run(fmt.Sprint(behaviour, g), func(t *testing.T) {
				t.Parallel()
				l := newLab(t, g.n, each(g.members, behaviour))
				for range 40 {
					l.work(1)
					if _, forked := l.disagreement(); forked {
						break
					}
				}
				if _, forked := l.disagreement(); !forked {
					t.Error("no fork")
				}
				l.wantOwnKeys()
			})
		}
	}
}

// One traitor fewer, the same plan, and nothing comes of it.
func TestCoalitionTooSmall(t *testing.T) {
	for _, behaviour := range []string{"fork", "fork-views", "poison-checkpoint"} {
		for _, members := range [][]int{{0, 1}, {0, 6}, {1, 2}, {3, 5}} {
			t.Run(fmt.Sprint(behaviour, members), func(t *testing.T) {
				t.Parallel()
				l := newLab(t, 7, each(members, behaviour))
				l.work(10)
				l.wantAll(2000)
				l.wantSafe()
				if l.lies() == 0 {
					t.Error("no lie was told")
				}
			})
		}
	}
}

// f+1 signatures are no certificate: a coalition that signs checkpoints of a state of
// its own stops the honest, and poisons nobody.
func TestPoisonedCheckpointStops(t *testing.T) {
	l := newLab(t, 4, each([]int{1, 3}, "poison-checkpoint"))
	l.work(10)
	left(2)(l)
	l.wantSafe()
	l.wantReason(message.ReasonNoQuorum, message.ReasonSignature)
	for _, i := range l.honest() {
		if st := l.Replicas[i].Engine.Status(); st.Stable != 0 || st.Executed > consensus.Seq(l.Genesis.Window) {
			t.Errorf("R%d: %+v", i, st)
		}
	}
}
