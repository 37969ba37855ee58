package transfer

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
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
		if h.done = len(missing) == 0; !h.done {
			h.t.Fatalf("the restore is ended while %q is missing", missing[0].ID)
		}
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
	switch {
	case n == nil && limit <= 0:
		return nil, true
	case n == nil:
		return []consensus.Item{from}, false
	}
	for _, k := range n.kids {
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
		// A child may be in place from an earlier target while something
		// below it is not.
		for _, k := range n.kids {
			sub, more := h.missing(k, h.limit-len(s.Missing))
			s.Missing, s.More = append(s.Missing, sub...), s.More || more
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
	f       *fetcher
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

// check holds the bounds against what the fetcher has in memory.
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
	w.f = newFetcher(config{
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
