package state

// handDepth is how many digits of a path the hand of the sweep stands on: it goes
// over a 256th of the trie at a time, so that no step of it is long, however much
// is in memory. What lies above, 17 nodes, stays.
const handDepth = 2

// hand is the sweep's memory: where it is, and when it was at each place before.
type hand struct {
	at    int
	pass  uint32
	since [1 << (4 * handDepth)]uint32
}

// sweep drops stored nodes from memory once all nodes exceed the limit. A hand goes
// round over the trie and, at each place, drops those that were not used since it
// was there before; in a second round without an update between that is all of
// them. Nodes that are not stored yet stay. Older tries are swept along: what they
// share would stay in memory for their sake.
func (w *lower) sweep() {
	t := &w.tree
	if !t.full() {
		return
	}
	older := []*ref{&w.height.root}
	for _, l := range w.marked {
		older = append(older, &l.root)
	}
	for steps := 2 * len(t.hand.since); steps > 0 && t.cached > 0 && t.cached+t.unsaved > t.limit-t.limit/16; steps-- {
		since := t.hand.since[t.hand.at]
		t.hand.pass++
		t.cached -= t.dropAt(&t.root, since)
		for _, r := range older {
			t.dropAt(r, since)
		}
		t.hand.since[t.hand.at] = t.clock
		t.hand.at = (t.hand.at + 1) % len(t.hand.since)
	}
}

// full reports whether a sweep is due.
func (t *tree) full() bool { return t.cached > 0 && t.cached+t.unsaved > t.limit }

// dropAt drops what is below the hand in the trie r, and returns its bytes.
func (t *tree) dropAt(r *ref, since uint32) int {
	for shift := 4 * (handDepth - 1); shift >= 0; shift -= 4 {
		if r.node == nil || r.node.kids == nil {
			return 0
		}
		r = &r.node.kids[t.hand.at>>shift&15]
	}
	return t.drop(r, since)
}

// drop forgets the stored nodes below r that were not used after the given clock,
// and returns their bytes.
func (t *tree) drop(r *ref, since uint32) (bytes int) {
	n := r.node
	if n == nil {
		return 0
	}
	if n.stored && n.used <= since {
		bytes, _ = size(n)
		r.node = nil
		return bytes
	}
	if n.kids == nil || n.swept == t.hand.pass {
		return 0
	}
	n.swept = t.hand.pass
	for d := range n.kids {
		bytes += t.drop(&n.kids[d], since)
	}
	return bytes
}

// size counts the bytes of the nodes in memory from n on: those that the store
// has, and the others.
func size(n *node) (cached, unsaved int) {
	if n == nil {
		return 0, 0
	}
	if n.stored {
		cached = n.size()
	} else {
		unsaved = n.size()
	}
	if n.kids == nil {
		return cached, unsaved
	}
	for d := range n.kids {
		c, u := size(n.kids[d].node)
		cached, unsaved = cached+c, unsaved+u
	}
	return cached, unsaved
}
