package model

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
)

// deep asks for the searches that take minutes instead of seconds:
// QUORATE_MODEL=deep go test -run Deep -v ./internal/model
var deep = os.Getenv("QUORATE_MODEL") == "deep"

func system(t *testing.T, n, q, views int, liars ...consensus.ReplicaID) cluster {
	t.Helper()
	rules, err := rules(n, q)
	if err != nil {
		t.Fatal(err)
	}
	return cluster{Rules: rules, Views: views, Liars: quorum.SetOf(liars...)}
}

// gangs lists the sets of liars that can differ: who leads none of the views is
// like any other such replica.
func gangs(n, liars, views int) (all [][]consensus.ReplicaID) {
	seen := map[string]bool{}
	for set := range quorum.Set(1 << n) {
		kind := fmt.Sprint((set & (1<<(views+1) - 1)).Replicas())
		if set.Len() == liars && !seen[kind] {
			seen[kind] = true
			all = append(all, set.Replicas())
		}
	}
	return all
}

// safe fails unless the system has neither a fork nor a V that forgets.
func safe(t *testing.T, name string, s cluster) {
	t.Helper()
	r := explore(s)
	if r.Fork != nil {
		t.Errorf("%s: forks:\n%s", name, strings.Join(r.Fork, "\n"))
	} else if r.Lost != nil {
		t.Errorf("%s: a NEW-VIEW may forget what was committed:\n%s", name, strings.Join(r.Lost, "\n"))
	}
	if r.States < 3 || r.Plans < 1 {
		t.Errorf("%s: only %d states and %d plans were looked at", name, r.States, r.Plans)
	}
	t.Logf("%s: safe; %d states, %d plans", name, r.States, r.Plans)
}

// forks fails unless the system forks, and the shortest way takes so many steps.
func forks(t *testing.T, name string, s cluster, steps int) {
	t.Helper()
	r := explore(s)
	if r.Fork == nil {
		t.Errorf("%s: does not fork, in %d states", name, r.States)
		return
	}
	if r.Steps != steps {
		t.Errorf("%s: forks in %d steps, want %d", name, r.Steps, steps)
	}
	t.Logf("%s: forks in %d steps\n%s", name, r.Steps, strings.Join(r.Fork, "\n"))
}

// Whatever one liar of four does, in three views, with and without checkpoints:
// nothing forks, and every V of every later view has what was committed.
func TestWhatIsCommittedAnywhereIsInEveryPlan(t *testing.T) {
	for liar := range consensus.ReplicaID(4) {
		s := system(t, 4, 0, maxViews, liar)
		safe(t, fmt.Sprintf("n=4 liar=%d", liar), s)
		s.Checkpoints = true
		safe(t, fmt.Sprintf("n=4 liar=%d, with checkpoints", liar), s)
	}
}

// The bounds are strict: two liars of four fork the cluster, in one view if one
// of them leads it, and across two views that honest replicas lead.
func TestTwoColludersFork(t *testing.T) {
	forks(t, "in one view", system(t, 4, 0, 1, 0, 3), 6)
	forks(t, "with an honest first primary", system(t, 4, 0, 2, 1, 3), 7)
	forks(t, "with honest primaries only", system(t, 4, 0, 2, 2, 3), 7)
	forks(t, "three of seven", system(t, 7, 0, 1, 0, 5, 6), 10)
	if r := explore(system(t, 4, 0, 1, 1, 3)); r.Fork != nil || r.Lost == nil {
		t.Errorf("in one view of an honest primary: fork %v; a NEW-VIEW that forgets: %v", r.Fork, r.Lost)
	}
}

// arithmetic is the theory: two quorums of n share more than the liars.
func arithmetic(n, q, liars int) bool { return 2*q-n >= liars+1 }

// For every n, every quorum, right or wrong, and every number of liars: the
// search forks exactly where the arithmetic says that it can, so that the quorum
// of package quorum is the smallest that is safe with f liars.
func TestQuorumArithmetic(t *testing.T) {
	for n := 3; n <= 6; n++ {
		f := quorum.Byzantine.System(n).Faults()
		smallest := 0
		for q := n; q >= 1; q-- {
			for liars := 0; liars <= f+1; liars++ {
				forked := false
				for _, gang := range gangs(n, liars, 2) {
					forked = forked || explore(system(t, n, q, 2, gang...)).Fork != nil
				}
				if forked == arithmetic(n, q, liars) {
					t.Errorf("n=%d q=%d with %d liars: forks is %v", n, q, liars, forked)
				}
				if liars == f && !forked {
					smallest = q
				}
			}
		}
		if got := quorum.Byzantine.System(n).Quorum(); got != smallest {
			t.Errorf("n=%d: the smallest quorum that %d liars do not fork is %d, package quorum says %d", n, f, smallest, got)
		}
	}
}

// 2f+1 hard-coded forks five and six replicas with one liar [B8]; the right
// quorum does not, in three views.
func TestHardCodedQuorum(t *testing.T) {
	forks(t, "n=5 q=3", system(t, 5, 3, maxViews, 0), 10)
	forks(t, "n=6 q=3", system(t, 6, 3, maxViews, 0), 10)
	for _, n := range []int{5, 6} {
		for _, gang := range gangs(n, 1, maxViews) {
			safe(t, fmt.Sprintf("n=%d liars=%v", n, gang), system(t, n, 0, maxViews, gang...))
		}
	}
}

// n = 3f: with q = n-f one liar forks it; with q = 2f+1 it is safe, and one
// silent replica stops it. Of four, one silent replica stops nothing, two do.
func TestThreeReplicas(t *testing.T) {
	forks(t, "n=3 q=2", system(t, 3, 2, 1, 0), 6)
	for liar := range consensus.ReplicaID(3) {
		safe(t, fmt.Sprintf("n=3 q=3 liar=%d", liar), system(t, 3, 3, maxViews, liar))
	}
	for _, tc := range []struct {
		n, q   int
		silent quorum.Set
		goes   bool
	}{
		{3, 3, 0, true},
		{3, 3, quorum.SetOf(2), false},
		{3, 2, quorum.SetOf(2), true},
		{4, 0, quorum.SetOf(0), true},
		{4, 0, quorum.SetOf(0, 2), false},
		{6, 0, quorum.SetOf(0, 1), true},
		{6, 0, quorum.SetOf(0, 1, 2), false},
	} {
		s := system(t, tc.n, tc.q, maxViews)
		s.Silent = tc.silent
		if r := explore(s); r.Executes != tc.goes || r.Fork != nil {
			t.Errorf("n=%d q=%d without %v: executes is %v, want %v; fork %v", tc.n, tc.q, tc.silent.Replicas(), r.Executes, tc.goes, r.Fork)
		}
	}
}

// A majority is enough for replicas that only stop, and for none that lies.
func TestMajorityTrustsItsMembers(t *testing.T) {
	for n, steps := range map[int]int{3: 6, 5: 10} {
		q := quorum.Crash.System(n).Quorum()
		safe(t, fmt.Sprintf("n=%d q=%d, nobody lies", n, q), system(t, n, q, maxViews))
		forks(t, fmt.Sprintf("n=%d q=%d, one liar", n, q), system(t, n, q, maxViews, 0), steps)
	}
}

// A lost disk counts as a lie (PROTOCOL.md §8): with one liar beside it four
// replicas fork, unless it votes only above what it may have forgotten. Alone
// it does no harm. R2 and R3 lead none of the views.
func TestLostDisk(t *testing.T) {
	wiped := func(views int, rash bool, liars ...consensus.ReplicaID) cluster {
		s := system(t, 4, 0, views, liars...)
		s.Wiped, s.Weakness.Rash = quorum.SetOf(2), rash
		return s
	}
	forks(t, "one lost disk and one liar", wiped(2, true, 3), 13)
	safe(t, "one lost disk", wiped(maxViews, true))
	for _, liar := range []consensus.ReplicaID{0, 1, 3} {
		safe(t, fmt.Sprintf("one lost disk and liar %d, with the rule", liar), wiped(maxViews, false, liar))
	}
	s := wiped(maxViews, true)
	s.Rules = system(t, 3, 2, 1).Rules
	forks(t, "one lost disk of a majority", s, 13)
}

// Power loss takes votes that were said before they were on disk (PROTOCOL.md §4).
// Nobody gives another one in that view, and then it does no harm, although anybody
// says COMMIT for what the others have prepared, whatever it had voted for. To
// vote again forks, also if nobody lies: two batches prepare in one place of one view.
func TestPowerLoss(t *testing.T) {
	lossy := func(n, views int, again bool, liars ...consensus.ReplicaID) cluster {
		s := system(t, n, 0, views, liars...)
		s.PowerLoss, s.Weakness.Again = true, again
		return s
	}
	for liar := range consensus.ReplicaID(4) {
		s := lossy(4, maxViews, false, liar)
		safe(t, fmt.Sprintf("n=4 liar=%d", liar), s)
		s.Checkpoints = true
		safe(t, fmt.Sprintf("n=4 liar=%d, with checkpoints", liar), s)
	}
	for _, n := range []int{3, 5} {
		for _, gang := range gangs(n, quorum.Byzantine.System(n).Faults(), 2) {
			safe(t, fmt.Sprintf("n=%d liars=%v", n, gang), lossy(n, 2, false, gang...))
		}
	}
	forks(t, "the primary lies, and somebody votes again", lossy(4, 2, true, 0), 14)
	forks(t, "nobody lies, and three vote again, the primary too", lossy(4, 2, true), 21)
}

// Deeper: seven replicas with two liars, and checkpoints in five and six.
func TestDeep(t *testing.T) {
	if !deep {
		t.Skip("takes most of a minute: QUORATE_MODEL=deep")
	}
	for _, gang := range gangs(7, 2, maxViews) {
		safe(t, fmt.Sprintf("n=7 liars=%v", gang), system(t, 7, 0, maxViews, gang...))
	}
	for _, n := range []int{5, 6} {
		for _, gang := range gangs(n, 1, maxViews) {
			s := system(t, n, 0, maxViews, gang...)
			s.Checkpoints = true
			safe(t, fmt.Sprintf("n=%d liars=%v, with checkpoints", n, gang), s)
		}
	}
}
