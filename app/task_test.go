package app_test

import (
	"errors"
	"fmt"
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
)

// What a checkpoint costs may be done while later batches are executed: the roots
// are those of a machine that does one after the other, and what is answered
// meanwhile is, too.
func TestCheckpointsBesideExecution(t *testing.T) {
	g := newGenesis()
	plain := newCluster(t, kv.Store{}, g)
	history(plain, 40, func(int) {})
	store := state.NewMemory()
	m, err := app.Open(store, kv.Store{}, g, app.Options{Replica: 7})
	if err != nil {
		t.Fatal(err)
	}
	var under []*app.Task
	rooted, kept := 0, consensus.Seq(0)
	begin := func(job consensus.Job) app.Outcome {
		out, task, err := m.Begin(job)
		if err != nil {
			t.Fatal(err)
		}
		if task != nil {
			under = append(under, task)
		}
		return out
	}
	step := func() {
		if len(under) == 0 || under[0].Step() {
			return
		}
		out, err := m.Finish(under[0])
		if err != nil {
			t.Fatal(err)
		}
		under = under[1:]
		for _, e := range out.Events {
			switch e := e.(type) {
			case consensus.Rooted:
				rooted++
				if e.Root != plain.roots[e.Seq] {
					t.Fatalf("another root at %d", e.Seq)
				}
				if out := begin(consensus.Stabilize{Seq: e.Seq, Root: e.Root, Certificate: []byte("proof")}); len(out.Events) > 0 {
					t.Fatalf("%v before anything is on disk", out.Events)
				}
			case consensus.Kept:
				kept = e.Seq
				if again, err := app.Open(store.Copy(), kv.Store{}, g, app.Options{}); err != nil || again.Applied() != kept {
					t.Fatalf("%d is said to be kept, and the disk has %d, error %v", kept, again.Applied(), err)
				}
			}
		}
	}
	for _, c := range plain.log {
		out := begin(c)
		if len(out.Events) != 1 {
			t.Fatalf("batch %d: %+v", c.Seq, out.Events)
		}
		step()
		step()
	}
	for len(under) > 0 {
		step()
	}
	if want := len(plain.log) / 4; rooted != want || kept != consensus.Seq(4*want) {
		t.Errorf("%d roots, kept up to %d", rooted, kept)
	}
}

// A restore drops what tasks work on: it does not begin before they have ended.
func TestNoRestoreBesideATask(t *testing.T) {
	for _, job := range []consensus.Job{consensus.RestoreBegin{Seq: 8}, consensus.RestoreEnd{}, consensus.RestoreAbort{}} {
		c := newCluster(t, script{}, newGenesis())
		var task *app.Task
		for n := consensus.Seq(1); n <= 4; n++ {
			var err error
			if _, task, err = c.m.Begin(consensus.Commit{Seq: n, Digest: consensus.NullDigest}); err != nil {
				t.Fatal(err)
			}
		}
		if want := "the root of the state at 4"; fmt.Sprint(task) != want {
			t.Errorf("%v, want %s", task, want)
		}
		if _, _, err := c.m.Begin(job); !errors.Is(err, app.ErrJob) {
			t.Errorf("%T: %v", job, err)
		}
	}
}
