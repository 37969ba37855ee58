package app_test

import (
	"testing"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
)

// §3, §5: views differ between replicas that execute the same, so nothing of
// them may be in the state: two replicas that learned the same batches in
// different views have the same roots.
func TestRootsDoNotDependOnTheView(t *testing.T) {
	one, other := newCluster(t, kv.Store{}, newGenesis()), newCluster(t, kv.Store{}, newGenesis())
	history(one, 8, func(int) {})
	for i, c := range one.log {
		c.View += consensus.View(i + 1)
		out := other.do(c)
		rooted, ok := out.Events[len(out.Events)-1].(consensus.Rooted)
		if ok && rooted.Root != one.roots[c.Seq] || ok != (c.Seq%4 == 0) {
			t.Errorf("batch %d in view %d: root %s, want %s", c.Seq, c.View, rooted.Root.Short(), one.roots[c.Seq].Short())
		}
	}
}
