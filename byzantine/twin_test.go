package byzantine

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// pairOf makes twins of two fakes: replica 3 hears the second.
func pairOf(t *testing.T, one, two func(consensus.Burst) consensus.Output) (*twins, *fake, *fake) {
	env := fakeEnv(t, 4, "pbft")
	a, b := &fake{say: one}, &fake{say: two}
	return &twins{env: &env, one: a, two: b, seconds: func(id consensus.ReplicaID) bool { return id == 3 }}, a, b
}

func nothing(consensus.Burst) consensus.Output { return consensus.Output{} }

// A second engine that breaks or halts leaves the first alone, and unharmed.
func TestTwinBreaks(t *testing.T) {
	for how, two := range map[string]func(consensus.Burst) consensus.Output{
		"panics": func(consensus.Burst) consensus.Output { panic("an invariant") },
		"halts":  func(consensus.Burst) consensus.Output { return consensus.Output{Halt: "a fork"} },
	} {
		tw, a, b := pairOf(t, func(consensus.Burst) consensus.Output { return toAll("x") }, two)
		for range 3 {
			if out := tw.Step(consensus.Burst{Now: 1}); out.Halt != "" || len(out.Sends) != 2 {
				t.Errorf("%s: %+v", how, out)
			}
		}
		if len(a.heard) != 3 || len(b.heard) != 1 || !tw.broken {
			t.Errorf("%s: the first has stepped %d times, the second %d", how, len(a.heard), len(b.heard))
		}
	}
}

// The second is told what the first has done, when it has, and that it has
// every state that it asks for; its jobs, reads and refusals go nowhere.
func TestTwinIsToldOfTheFirst(t *testing.T) {
	root := crypto.Hash([]byte("root"))
	var jobs []consensus.Job
	tw, _, b := pairOf(t, nothing, func(consensus.Burst) consensus.Output {
		return consensus.Output{Jobs: jobs, Reads: make([]consensus.ChunkRead, 1), Refusals: make([]consensus.Refusal, 1)}
	})
	step := func(want int, events ...consensus.Event) []consensus.Event {
		t.Helper()
		out := tw.Step(consensus.Burst{Now: 1, Events: events})
		jobs = nil
		got := b.heard[len(b.heard)-1].Events
		if len(out.Jobs)+len(out.Reads)+len(out.Refusals) != 0 || len(got) != want {
			t.Fatalf("the second hears %+v, want %d events; out comes %+v", got, want, out)
		}
		return got
	}
	jobs = []consensus.Job{consensus.Commit{Seq: 1}, consensus.Commit{Seq: 2}, consensus.Stabilize{Seq: 2}}
	step(0)
	if e := step(1, consensus.Executed{Seq: 1})[0]; e != (consensus.Executed{Seq: 1}) {
		t.Errorf("told %+v", e)
	}
	step(1, consensus.Executed{Seq: 2})
	if e := step(1, consensus.Rooted{Seq: 2, Root: root})[0]; e != (consensus.Rooted{Seq: 2, Root: root}) {
		t.Errorf("told %+v", e)
	}
	step(1, consensus.Kept{Seq: 2})
	jobs = []consensus.Job{consensus.RestoreBegin{Seq: 8, Root: root}}
	step(0)
	jobs = []consensus.Job{consensus.RestoreEnd{}}
	step(1)
	if e := step(1)[0]; e != (consensus.Restored{Seq: 8, Root: root, OK: true}) {
		t.Errorf("told %+v", e)
	}
	jobs = []consensus.Job{consensus.Commit{Seq: 9}}
	step(0)
	step(1, consensus.Restored{Seq: 12, Root: root, OK: true})
	if tw.Horizon() != nil || tw.Status().View != 0 {
		t.Error("a twin has settled something")
	}
}

// What is remembered for the second is bounded.
func TestTwinIsBounded(t *testing.T) {
	tw, _, _ := pairOf(t, func(b consensus.Burst) consensus.Output {
		return consensus.Output{Jobs: []consensus.Job{consensus.Commit{Seq: consensus.Seq(b.Now)}}}
	}, func(b consensus.Burst) consensus.Output {
		return consensus.Output{Jobs: []consensus.Job{consensus.Commit{Seq: 1 << 40}, consensus.Stabilize{Seq: 1 << 40}}}
	})
	for i := range 2 * maxTwin {
		tw.Step(consensus.Burst{Now: consensus.Time(i), Events: []consensus.Event{consensus.Executed{Seq: consensus.Seq(i)}, consensus.Rooted{Seq: consensus.Seq(i)}}})
	}
	if n := max(len(tw.done), len(tw.wants), len(tw.stable), len(tw.roots)); n != maxTwin {
		t.Errorf("remembers %d pieces, the bound is %d", n, maxTwin)
	}
}
