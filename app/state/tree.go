package state

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"quorate.dev/quorate/crypto"
)

// change is one dirty key: what the trie is to know of it from now on.
type change struct {
	entry
	gone bool
}

// tree is the trie as of the newest layer. Nodes are immutable, so that older
// layers' tries share them; those the store also has may be dropped from memory
// and are loaded again at their path.
//
// That works though the store's nodes are behind the newest layer: a node that was
// made since they were written is not marked as stored, and stays in memory; any
// other one is what the store has at that path. Every load checks the hash all
// the same.
type tree struct {
	store   Reader
	root    ref
	limit   int      // bytes of nodes that may be in memory, but that all stay that the store lacks
	cached  int      // estimate of the bytes of stored nodes in memory
	unsaved int      // estimate of the bytes of nodes that are in memory only
	clock   uint32   // counts marks
	removed []string // paths where the current layer left no node
	hand    hand     // where sweeping stopped
	scratch []byte
	merging gathering
}

// begin begins to count what the changes of another layer remove.
func (t *tree) begin() {
	t.clock++
	t.removed = nil
}

// update applies changes, sorted by hash and without duplicates. On an error
// the tree is as before.
func (t *tree) update(ch []change) error {
	root, err := t.change(&t.root, make([]byte, 0, maxDepth), ch)
	if err != nil {
		return err
	}
	t.root = root
	return nil
}

// change returns what the subtree r at path becomes. Each dirty node is built
// and hashed once, after everything below it.
func (t *tree) change(r *ref, path []byte, ch []change) (ref, error) {
	if len(ch) == 0 {
		return *r, nil
	}
	var n *node
	if r.count > 0 {
		var err error
		if n, err = t.load(r, path); err != nil {
			return ref{}, err
		}
	}
	if r.count > leafEntries {
		return t.changeInner(*r, n, path, ch)
	}
	t.merging.reset()
	if t.merging.merge(n, ch) {
		return *r, nil
	}
	if n != nil {
		t.replace(n)
	}
	return t.settle(path), nil
}

// settle makes the subtree at path out of what was gathered. That it may be empty,
// a leaf, or a tree of nodes is the whole of splitting and merging.
func (t *tree) settle(path []byte) ref {
	if len(t.merging.ends) == 0 {
		t.removed = append(t.removed, string(path))
	}
	return t.build(0, len(t.merging.ends), len(path))
}

// changeInner changes the children that have something dirty below them. A node
// whose children come out as they were stays as it is, so writing a value that was
// there before costs nothing further up.
func (t *tree) changeInner(r ref, n *node, path []byte, ch []change) (ref, error) {
	next := newInner()
	kids := next.kids
	*kids = *n.kids
	dirty := false
	for len(ch) > 0 {
		d := nibble(&ch[0].hash, len(path))
		end := 1
		for end < len(ch) && nibble(&ch[end].hash, len(path)) == d {
			end++
		}
		kid, err := t.change(&n.kids[d], append(path, digits[d]), ch[:end])
		if err != nil {
			return ref{}, err
		}
		dirty = dirty || kid.count != kids[d].count || kid.hash != kids[d].hash
		// Loading may have given the old child its node: keep it in both.
		kids[d], ch = kid, ch[end:]
	}
	if !dirty {
		return r, nil
	}
	t.replace(n)
	if next.count() > leafEntries {
		return t.seal(next), nil
	}
	if err := t.gather(kids, path); err != nil {
		return ref{}, err
	}
	return t.settle(path), nil
}

// gather takes the entries out of children that have shrunk into one leaf, and
// notes that their own nodes are gone. All of them are leaves: together they have
// no more entries than one leaf holds.
func (t *tree) gather(kids *[16]ref, path []byte) error {
	t.merging.reset()
	for d := range kids {
		if kids[d].count == 0 {
			continue
		}
		at := append(path, digits[d])
		n, err := t.load(&kids[d], at)
		if err != nil {
			return err
		}
		t.merging.addLeaf(n)
		t.replace(n)
		t.removed = append(t.removed, string(at))
	}
	return nil
}

// build makes the subtree at the given depth from gathered entries.
func (t *tree) build(from, to, depth int) ref {
	if from == to {
		return ref{}
	}
	if to-from <= leafEntries {
		return t.seal(t.merging.leaf(from, to))
	}
	n := newInner()
	for from < to {
		d := t.merging.nibble(from, depth)
		end := from + 1
		for end < to && t.merging.nibble(end, depth) == d {
			end++
		}
		n.kids[d] = t.build(from, end, depth+1)
		from = end
	}
	return t.seal(n)
}

// seal hashes a new node. A leaf is hashed where it lies; an inner node is encoded
// for it, and again if it is still there when it is kept.
func (t *tree) seal(n *node) ref {
	n.used = t.clock
	t.unsaved += n.size()
	if n.kids == nil {
		return ref{hash: crypto.Hash(n.hashed()), count: n.count(), node: n}
	}
	t.scratch = appendInner(append(t.scratch[:0], nodeTag...), n.kids)
	return ref{hash: crypto.Hash(t.scratch), count: n.count(), node: n}
}

// sortChanges orders changes by hash. It sorts small handles, then moves each
// change, which is five times as large, only once.
func sortChanges(ch []change) []change {
	type handle struct {
		prefix uint64
		index  int
	}
	order := make([]handle, len(ch))
	for i := range ch {
		order[i] = handle{binary.BigEndian.Uint64(ch[i].hash[:8]), i}
	}
	slices.SortFunc(order, func(a, b handle) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return bytes.Compare(ch[a.index].hash[:], ch[b.index].hash[:])
	})
	sorted := make([]change, len(ch))
	for i, h := range order {
		sorted[i] = ch[h.index]
	}
	return sorted
}

// load returns the node of r, which is not empty, from memory or the store.
// What the store returns is checked: a damaged node must not be built upon.
func (t *tree) load(r *ref, path []byte) (*node, error) {
	if r.node == nil {
		n, err := readNode(t.store, string(path), r.hash)
		if err != nil {
			return nil, err
		}
		if n == nil || n.count() != r.count {
			return nil, fmt.Errorf("%w: node %q is missing", ErrDamaged, path)
		}
		n.stored = true
		t.cached += n.size()
		r.node = n
	}
	r.node.used = t.clock
	return r.node, nil
}

// readNode reads the node at path and checks that it has the hash. Without a
// node there it returns nil.
func readNode(r Reader, path string, want crypto.Digest) (*node, error) {
	enc, ok, err := r.Get(nodePrefix + path)
	if err != nil {
		return nil, storeError("read node", err)
	}
	if !ok {
		return nil, nil
	}
	if h, _ := hashNode(nil, enc); h != want {
		return nil, fmt.Errorf("%w: node %q has hash %s, want %s", ErrDamaged, path, h.Short(), want.Short())
	}
	n, err := decodeNode(enc, path)
	if err != nil {
		return nil, fmt.Errorf("%w: node %q: %w", ErrDamaged, path, err)
	}
	return n, nil
}

// replace takes n, which the trie no longer has, out of the counts.
func (t *tree) replace(n *node) {
	if n.stored {
		t.cached -= n.size()
	} else {
		t.unsaved -= n.size()
	}
}
