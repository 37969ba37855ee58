package transfer

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"pgregory.net/rapid"

	"quorate/consensus"
	"quorate/crypto"
)

// node is a node of a small hash tree: its bytes are the list of its
// children, or a value.
type node struct {
	item  consensus.Item
	bytes []byte
	kids  []consensus.Item
}

// tree is a state that this test can serve, keyed by id.
type tree struct {
	target Target
	root   consensus.Item
	nodes  map[string]*node
}

// shape says how many children each inner node has, and what the leaves hold.
func newTree(seq consensus.Seq, depth, width int, value func(path string) []byte) *tree {
	t := &tree{nodes: map[string]*node{}}
	var build func(path string, depth int) consensus.Item
	build = func(path string, depth int) consensus.Item {
		n := &node{}
		if depth == 0 {
			n.bytes = value(path)
		} else {
			for i := range width {
				n.kids = append(n.kids, build(fmt.Sprintf("%s/%d", path, i), depth-1))
			}
			n.bytes = AppendItems(nil, n.kids)
		}
		n.item = consensus.Item{ID: path, Hash: crypto.Hash(n.bytes)}
		t.nodes[path] = n
		return n.item
	}
	t.root = build("", depth)
	t.target = Target{Seq: seq, Root: t.root.Hash, Certificate: []byte{byte(seq)}}
	return t
}

// host plays the side of package state: a side space that checks every part.
type host struct {
	t      *rapid.T
	limit  int // length of a list of missing items
	root   crypto.Digest
	seq    consensus.Seq
	staged map[string]*node // by id; a newer root replaces what differs
	puts   int
	done   bool
}

func (h *host) do(j consensus.Job) consensus.Event {
	switch j := j.(type) {
	case consensus.RestoreBegin:
		h.root, h.seq = j.Root, j.Seq
		missing, more := h.missing(consensus.Item{ID: "", Hash: j.Root}, h.limit)
		return consensus.Staged{Missing: missing, More: more}
	case consensus.RestorePut:
		return h.put(j)
	case consensus.RestoreEnd:
		missing, _ := h.missing(consensus.Item{ID: "", Hash: h.root}, 1)
		h.done = len(missing) == 0
		return consensus.Restored{Seq: h.seq, Root: h.root, OK: h.done}
	}
	return nil
}

func (h *host) has(it consensus.Item) *node {
	if n := h.staged[it.ID]; n != nil && n.item.Hash == it.Hash {
		return n
	}
	return nil
}

func (h *host) missing(from consensus.Item, limit int) (out []consensus.Item, more bool) {
	n := h.has(from)
	if n == nil {
		return []consensus.Item{from}, false
	}
	for _, k := range n.kids {
		if len(out) >= limit {
			return out, true
		}
		sub, m := h.missing(k, limit-len(out))
		out, more = append(out, sub...), more || m
	}
	return out, more
}

func (h *host) put(j consensus.RestorePut) consensus.Event {
	s := consensus.Staged{From: j.From, Put: true}
	if len(j.Items) == 0 || len(j.Items) != len(j.Parts) {
		h.t.Fatalf("put of %d items and %d parts", len(j.Items), len(j.Parts))
	}
	for i, it := range j.Items {
		if j.Parts[i].ID != it.ID {
			h.t.Fatalf("part %q under item %q", j.Parts[i].ID, it.ID)
		}
		if crypto.Hash(j.Parts[i].Bytes) != it.Hash {
			s.Bad = append(s.Bad, it)
			continue
		}
		if h.puts++; h.has(it) != nil {
			h.t.Fatalf("item %q was put in place twice", it.ID)
		}
		n := &node{item: it, bytes: j.Parts[i].Bytes}
		in := cryptobyte.String(n.bytes)
		if kids, err := ReadItems(&in); err == nil && in.Empty() {
			n.kids = kids
		}
		h.staged[it.ID] = n
		s.Done = append(s.Done, it)
		for _, k := range n.kids {
			if h.has(k) != nil {
				continue
			}
			if len(s.Missing) >= h.limit {
				s.More = true
				break
			}
			s.Missing = append(s.Missing, k)
		}
	}
	return s
}

// The ways of a source. All but honest are faults.
const (
	honest = iota
	lying
	silent
	gone
	crumbs
	unasked
	vanishing // honest for three answers
	ways
)

type world struct {
	t       *rapid.T
	f       *Fetcher
	h       *host
	trees   []*tree
	ways    map[consensus.ReplicaID]int
	answers map[consensus.ReplicaID]int
	asks    []Ask
	jobs    []consensus.Job
	bad     map[consensus.ReplicaID]bool
	need    int
	over    bool
}

func (w *world) apply(d Decision) {
	w.asks = append(w.asks, d.Asks...)
	w.jobs = append(w.jobs, d.Jobs...)
	for _, b := range d.Bad {
		w.bad[b] = true
	}
	if d.NeedTarget {
		w.need++
	}
	if d.Failed {
		w.t.Fatalf("the fetch failed")
	}
	w.over = w.over || d.Finished
	w.check()
}

// check holds the bounds against what the Fetcher has in memory.
func (w *world) check() {
	c, p := w.f.cfg, w.f.Progress()
	if len(w.f.asks) > c.Asks || p.InFlight > c.Asks*c.ItemsPerAsk {
		w.t.Fatalf("%d asks with %d items in flight", len(w.f.asks), p.InFlight)
	}
	if limit := c.WantedItems + c.Asks*c.ItemsPerAsk; p.Wanted > limit+w.h.limit {
		w.t.Fatalf("%d items wanted, limit %d", p.Wanted, limit)
	}
	if limit := c.HandedBytes + c.Asks*consensus.MaxFrame; p.Handed > limit || p.Handed < 0 {
		w.t.Fatalf("%d bytes handed in, limit %d", p.Handed, limit)
	}
	for _, s := range w.f.pool.all {
		if s.asks > c.AsksPerSource || s.asks < 0 {
			w.t.Fatalf("%d asks at %d", s.asks, s.id)
		}
	}
}

func (w *world) treeOf(seq consensus.Seq) *tree {
	for _, t := range w.trees {
		if t.target.Seq == seq {
			return t
		}
	}
	return nil
}

// serve answers one ask the way its source does.
func (w *world) serve(a Ask) {
	t := w.treeOf(a.Seq)
	if t == nil || a.Root != t.target.Root || len(a.Items) == 0 || len(a.Items) > w.f.cfg.ItemsPerAsk {
		w.t.Fatalf("ask for %d items of %d", len(a.Items), a.Seq)
	}
	way := w.ways[a.To]
	w.answers[a.To]++
	if way == vanishing && w.answers[a.To] > 3 {
		way = silent
	}
	var parts []consensus.Part
	for _, it := range a.Items {
		n := t.nodes[it.ID]
		if n == nil || n.item != it {
			w.t.Fatalf("asked for %q, which the state does not have", it.ID)
		}
		parts = append(parts, consensus.Part{ID: it.ID, Bytes: n.bytes})
	}
	switch way {
	case silent:
		return
	case gone:
		parts = nil
	case lying:
		parts[len(parts)-1].Bytes = append([]byte("lie"), parts[len(parts)-1].Bytes...)
	case crumbs:
		parts = parts[:1]
	case unasked:
		parts = append([]consensus.Part{{ID: "nobody wants this"}, parts[0], parts[0]}, parts...)
	default:
		parts = parts[:rapid.IntRange(1, len(parts)).Draw(w.t, "given")]
	}
	w.apply(w.f.OnParts(a.To, a.Seq, a.Root, parts, way == gone))
}

func (w *world) hostStep() {
	j := w.jobs[0]
	w.jobs = w.jobs[1:]
	switch e := w.h.do(j).(type) {
	case consensus.Staged:
		w.apply(w.f.OnStaged(e))
	case consensus.Restored:
		w.apply(w.f.OnRestored(e))
	}
}

// step does one of the things that can happen, in an order that the test draws.
func (w *world) step() {
	switch k := rapid.IntRange(0, 9).Draw(w.t, "step"); {
	case k < 5 && len(w.asks) > 0:
		i := rapid.IntRange(0, len(w.asks)-1).Draw(w.t, "ask")
		a := w.asks[i]
		w.asks = append(w.asks[:i:i], w.asks[i+1:]...)
		w.serve(a)
	case k < 8 && len(w.jobs) > 0:
		w.hostStep()
	default:
		w.apply(w.f.Tick())
	}
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, ways: map[consensus.ReplicaID]int{}, answers: map[consensus.ReplicaID]int{}, bad: map[consensus.ReplicaID]bool{}}
	w.h = &host{t: t, limit: rapid.IntRange(1, 20).Draw(t, "limit"), staged: map[string]*node{}}
	w.f = NewFetcher(Config{
		Asks: rapid.IntRange(1, 4).Draw(t, "asks"), AsksPerSource: rapid.IntRange(1, 3).Draw(t, "per source"),
		ItemsPerAsk: rapid.IntRange(1, 6).Draw(t, "items"), WantedItems: rapid.IntRange(1, 30).Draw(t, "wanted"),
		StallTicks: 5, PauseTicks: 2,
	})
	depth, width := rapid.IntRange(0, 3).Draw(t, "depth"), rapid.IntRange(1, 5).Draw(t, "width")
	for seq := range consensus.Seq(3) {
		changed := rapid.IntRange(0, 4).Draw(t, "changed")
		w.trees = append(w.trees, newTree(seq+1, depth, width, func(path string) []byte {
			if len(path) > 0 && int(path[len(path)-1]-'0') == changed {
				return fmt.Appendf(nil, "%s at %d", path, seq)
			}
			return []byte(path)
		}))
	}
	return w
}

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
			f, h := NewFetcher(Config{ItemsPerAsk: 3, StallTicks: 4, PauseTicks: 2}), &host{t: t, limit: 7, staged: map[string]*node{}}
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
	f := NewFetcher(Config{Asks: 2, AsksPerSource: 1})
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

// Answers of the host to jobs of an older target change nothing but the bytes
// that are accounted for.
func TestFetchIgnoresOldAnswers(t *testing.T) {
	old := newTree(1, 1, 3, func(p string) []byte { return []byte(p) })
	newer := newTree(2, 1, 3, func(p string) []byte { return []byte(p + "!") })
	f := NewFetcher(Config{})
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
			f := NewFetcher(Config{EndFailures: 3})
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

func FuzzItems(f *testing.F) {
	f.Add(AppendItems(nil, []consensus.Item{{ID: "a", Hash: crypto.Hash(nil)}, {ID: ""}}))
	f.Add([]byte{0, 0})
	f.Add([]byte{0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		s := cryptobyte.String(in)
		items, err := ReadItems(&s)
		if err != nil {
			if !errors.Is(err, consensus.ErrMalformed) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if got := AppendItems(nil, items); string(got) != string(in[:len(in)-len(s)]) {
			t.Fatalf("%x was read and written as %x", in, got)
		}
	})
}

func FuzzParts(f *testing.F) {
	f.Add(AppendParts(nil, []consensus.Part{{ID: "a", Bytes: []byte("b")}, {ID: ""}}))
	f.Add([]byte{0, 0})
	f.Add([]byte{1, 0, 1, 2, 3})
	f.Fuzz(func(t *testing.T, in []byte) {
		s := cryptobyte.String(in)
		parts, err := ReadParts(&s)
		if err != nil {
			if !errors.Is(err, consensus.ErrMalformed) {
				t.Fatalf("error %v", err)
			}
			return
		}
		got := AppendParts(nil, parts)
		if string(got) != string(in[:len(in)-len(s)]) || len(got) != PartsSize(parts) {
			t.Fatalf("%x was read and written as %x", in, got)
		}
	})
}
