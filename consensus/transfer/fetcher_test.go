package transfer

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
)

// With one honest source, and whatever the others do, a fetch ends with every
// item put in place exactly once, within the bounds.
func TestFetchEndsWithOneHonestSource(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		n := rapid.IntRange(1, 5).Draw(t, "sources")
		var ids []consensus.ReplicaID
		for i := range n {
			id := consensus.ReplicaID(i + 1)
			ids = append(ids, id)
			w.ways[id] = rapid.IntRange(0, ways-1).Draw(t, "way")
		}
		w.ways[ids[rapid.IntRange(0, n-1).Draw(t, "honest")]] = honest
		turns := rapid.IntRange(0, len(w.trees)-1).Draw(t, "turns")
		at := 0
		w.apply(w.f.Start(w.trees[0].target, ids))
		for steps := 0; !w.over; steps++ {
			if steps > 100_000 {
				t.Fatalf("no end: %+v", w.f.Progress())
			}
			if at < turns && rapid.IntRange(0, 20).Draw(t, "turn") == 0 {
				at++
				w.apply(w.f.Retarget(w.trees[at].target, ids))
			}
			w.step()
		}
		final := w.treeOf(w.f.Target().Seq)
		for path, n := range final.nodes {
			if got := w.h.staged[path]; got == nil || got.item != n.item {
				t.Fatalf("%q is not in place", path)
			}
		}
		for id := range w.bad {
			if way := w.ways[id]; way != lying {
				t.Fatalf("source %d with way %d was called bad", id, way)
			}
		}
		if w.f.Active() {
			t.Fatalf("finished and still active")
		}
	})
}

// The same calls give the same decisions: no order of a map shows.
func TestFetchIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tr := newTree(1, 2, 5, func(p string) []byte { return []byte(p) })
		seeds := rapid.SliceOfN(rapid.IntRange(0, 2), 60, 60).Draw(t, "steps")
		run := func() (log []string) {
			f, h := newFetcher(config{ItemsPerAsk: 3, StallTicks: 4, PauseTicks: 2}), &host{t: t, limit: 7, staged: map[string]*node{}}
			var asks []Ask
			var jobs []consensus.Job
			note := func(d Decision) {
				log = append(log, fmt.Sprintf("%v", d))
				asks, jobs = append(asks, d.Asks...), append(jobs, d.Jobs...)
			}
			note(f.Start(tr.target, []consensus.ReplicaID{3, 1, 2}))
			for _, s := range seeds {
				switch {
				case s == 0 && len(asks) > 0:
					a := asks[0]
					asks = asks[1:]
					note(f.OnParts(a.To, a.Seq, a.Root, []consensus.Part{{ID: a.Items[0].ID, Bytes: tr.nodes[a.Items[0].ID].bytes}}, false))
				case s == 1 && len(jobs) > 0:
					if e, ok := h.do(jobs[0]).(consensus.Staged); ok {
						note(f.OnStaged(e))
					}
					jobs = jobs[1:]
				default:
					note(f.Tick())
				}
			}
			return log
		}
		a, b := run(), run()
		for i := range a {
			if a[i] != b[i] {
				t.Fatalf("decision %d: %s and %s", i, a[i], b[i])
			}
		}
	})
}

// A fetch that nobody can serve asks for a newer target, again and again, and
// goes on as soon as somebody can.
func TestFetchNeedsTargetWhenAllAreGone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.ways[1], w.ways[2] = gone, gone
		w.apply(w.f.Start(w.trees[0].target, []consensus.ReplicaID{1, 2}))
		for w.need < 3 {
			w.step()
		}
		w.ways[2] = honest
		w.apply(w.f.Retarget(w.trees[1].target, []consensus.ReplicaID{1, 2}))
		for steps := 0; !w.over; steps++ {
			if steps > 100_000 {
				t.Fatalf("no end: %+v", w.f.Progress())
			}
			w.step()
		}
	})
}

// A source that serves bad parts is named, and left while another one works.
func TestFetchLeavesLiar(t *testing.T) {
	tr := newTree(1, 1, 10, func(p string) []byte { return []byte(p) })
	f := newFetcher(config{Asks: 2, AsksPerSource: 1})
	f.Start(tr.target, []consensus.ReplicaID{0, 1})
	d := f.OnStaged(consensus.Staged{Missing: tr.nodes[""].kids})
	if len(d.Asks) != 2 || d.Asks[0].To == d.Asks[1].To {
		t.Fatalf("asks: %v", d.Asks)
	}
	liar, items := d.Asks[0].To, d.Asks[0].Items
	d = f.OnParts(liar, 1, tr.target.Root, []consensus.Part{{ID: items[0].ID, Bytes: []byte("lie")}}, false)
	if len(d.Jobs) != 1 {
		t.Fatalf("jobs: %v", d.Jobs)
	}
	d = f.OnStaged(consensus.Staged{From: liar, Put: true, Bad: items[:1]})
	if len(d.Bad) != 1 || d.Bad[0] != liar || len(d.Asks) != 0 {
		t.Fatalf("decision: %+v", d)
	}
	if p := f.Progress(); p.Sources != 1 || p.Wanted+p.InFlight != 10 || p.InFlight == 0 {
		t.Fatalf("progress: %+v", p)
	}
}

// leaves returns n items that a test's host may list.
func leaves(n int) (items []consensus.Item) {
	for i := range n {
		items = append(items, consensus.Item{ID: fmt.Sprint(i)})
	}
	return items
}

// A host that is slower than the network holds the network back: what is
// handed in and not yet staged is bounded.
func TestFetchWaitsForHost(t *testing.T) {
	f := newFetcher(config{Asks: 2, AsksPerSource: 2, ItemsPerAsk: 1, HandedBytes: 4 * consensus.ChunkBytes})
	f.Start(Target{Seq: 1}, []consensus.ReplicaID{1})
	d := f.OnStaged(consensus.Staged{Missing: leaves(100)})
	given := 0
	for asks := d.Asks; len(asks) > 0; asks = asks[1:] {
		a := asks[0]
		d := f.OnParts(1, 1, a.Root, []consensus.Part{{ID: a.Items[0].ID, Bytes: make([]byte, consensus.ChunkBytes)}}, false)
		asks = append(asks, d.Asks...)
		given++
	}
	if given != 4 {
		t.Fatalf("%d chunks were handed in, the limit is 4", given)
	}
	if d := f.OnStaged(consensus.Staged{From: 1, Put: true, Done: leaves(100)[99:]}); len(d.Asks) != 1 {
		t.Fatalf("asks after one was staged: %v", d.Asks)
	}
}

// A source that keeps the fetch going with a crumb at a time is left.
func TestFetchLeavesCrumbs(t *testing.T) {
	f := newFetcher(config{ShortAnswers: 3, Asks: 1})
	f.Start(Target{Seq: 1}, []consensus.ReplicaID{1, 2})
	d := f.OnStaged(consensus.Staged{Missing: leaves(100)})
	var from []consensus.ReplicaID
	for range 4 {
		a := d.Asks[0]
		from = append(from, a.To)
		d = f.OnParts(a.To, 1, a.Root, []consensus.Part{{ID: a.Items[0].ID}}, false)
	}
	if p := f.Progress(); p.Sources != 2 {
		t.Fatalf("a source was left after two crumbs: %v", from)
	}
	for len(from) < 6 {
		a := d.Asks[0]
		from = append(from, a.To)
		d = f.OnParts(a.To, 1, a.Root, []consensus.Part{{ID: a.Items[0].ID}}, false)
	}
	if p := f.Progress(); p.Sources != 0 || !d.NeedTarget {
		t.Fatalf("crumbs from %v, sources in use: %d", from, p.Sources)
	}
}

// Items that the host neither takes nor calls bad are listed again, if they
// are still needed, before the restore is ended.
func TestFetchListsAgain(t *testing.T) {
	f := newFetcher(config{})
	f.Start(Target{Seq: 1}, []consensus.ReplicaID{1})
	d := f.OnStaged(consensus.Staged{Missing: leaves(1)})
	f.OnParts(1, 1, d.Asks[0].Root, []consensus.Part{{ID: "0"}}, false)
	d = f.OnStaged(consensus.Staged{From: 1, Put: true})
	if _, ok := d.Jobs[0].(consensus.RestoreBegin); !ok || len(d.Jobs) != 1 {
		t.Fatalf("jobs: %v", d.Jobs)
	}
}

// Answers of the host to jobs of an older target change nothing but the bytes
// that are accounted for.
func TestFetchIgnoresOldAnswers(t *testing.T) {
	old := newTree(1, 1, 3, func(p string) []byte { return []byte(p) })
	newer := newTree(2, 1, 3, func(p string) []byte { return []byte(p + "!") })
	f := newFetcher(config{})
	f.Start(old.target, []consensus.ReplicaID{1})
	f.OnStaged(consensus.Staged{Missing: []consensus.Item{old.root}})
	f.OnParts(1, 1, old.target.Root, []consensus.Part{{ID: "", Bytes: old.nodes[""].bytes}}, false)
	f.Retarget(newer.target, []consensus.ReplicaID{1})
	if d := f.OnStaged(consensus.Staged{From: 1, Put: true, Done: []consensus.Item{old.root}, Missing: old.nodes[""].kids}); len(d.Asks)+len(d.Jobs) != 0 {
		t.Fatalf("an old answer caused %+v", d)
	}
	if p := f.Progress(); p.Handed != 0 || p.Wanted != 0 {
		t.Fatalf("progress: %+v", p)
	}
	d := f.OnStaged(consensus.Staged{Missing: []consensus.Item{newer.root}})
	if len(d.Asks) != 1 || d.Asks[0].Root != newer.target.Root {
		t.Fatalf("asks: %v", d.Asks)
	}
	if d := f.OnParts(1, 1, old.target.Root, []consensus.Part{{ID: ""}}, false); len(d.Jobs) != 0 {
		t.Fatalf("a part of the old target was handed in")
	}
}

// A host that cannot complete a target is not asked for ever.
func TestFetchFails(t *testing.T) {
	for name, answer := range map[string]consensus.Staged{"nothing missing": {}, "more, but nothing listed": {More: true}} {
		t.Run(name, func(t *testing.T) {
			f := newFetcher(config{EndFailures: 3})
			jobs := f.Start(Target{Seq: 1}, []consensus.ReplicaID{1}).Jobs
			for steps := 0; f.Active(); steps++ {
				if steps > 50 || len(jobs) == 0 {
					t.Fatalf("step %d, jobs %v", steps, jobs)
				}
				var d Decision
				switch jobs[0].(type) {
				case consensus.RestoreBegin:
					d = f.OnStaged(answer)
				case consensus.RestoreEnd:
					d = f.OnRestored(consensus.Restored{Seq: 1})
				}
				jobs = d.Jobs
				if d.Failed {
					if _, ok := jobs[len(jobs)-1].(consensus.RestoreAbort); !ok {
						t.Fatalf("jobs after a failure: %v", jobs)
					}
				}
			}
		})
	}
}

// §7: a source that says nothing costs a long wait, in which the others let go
// of the target. Of the next one they are asked first; else a traitor among
// three sources, which is first in turn each time, keeps a replica out for ever.
func TestSilentSourceIsAskedLastOfTheNextTarget(t *testing.T) {
	f := newFetcher(defaultConfig())
	from := []consensus.ReplicaID{0, 1, 2}
	d := f.Start(Target{Seq: 1}, from)
	for seq := consensus.Seq(1); seq <= 3; seq++ {
		d = f.OnStaged(consensus.Staged{Missing: []consensus.Item{{ID: ""}}})
		if len(d.Asks) != 1 || seq > 1 && d.Asks[0].To == 0 {
			t.Fatalf("of target %d it asks %v first", seq, d.Asks)
		}
		for ticks := 0; !d.NeedTarget; ticks++ {
			if ticks > 2*defaultConfig().StallTicks {
				t.Fatal("it waits for a silent source for ever")
			}
			if len(d.Asks) == 1 && d.Asks[0].To != 0 {
				d = f.OnParts(d.Asks[0].To, seq, f.Target().Root, nil, true)
			} else {
				d = f.Tick()
			}
		}
		d = f.Retarget(Target{Seq: seq + 1}, from)
	}
}
