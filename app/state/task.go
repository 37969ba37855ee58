package state

import (
	"fmt"
	"slices"

	"github.com/tidwall/btree"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Task is what a checkpoint costs: the hashing of what was written since the last
// one and the new nodes of the trie (BeginMark), or the write that brings the
// store to a certified height (BeginKeep). None of it holds up who executes.
//
// Step may be called on another goroutine than the state's owner's. It touches
// only closed layers, the store, and what is lower: those the owner reads at most,
// or leaves alone while a task is under way. Tasks are done one after the other, in
// the order of their beginning, each to its end, and are handed to Finish in that
// order.
type Task struct {
	next   phase // nil: done
	err    error // what ended it early
	finish func()
	root   crypto.Digest
	bytes  int
}

// phase does a part of a task, small enough that it may be waited for, and returns
// what is next.
type phase func() (phase, error)

// What one step does at most; one large value is done as a whole. The search, the
// sort, and the write of a batch are steps of their own.
const (
	stepItems = 512
	stepBytes = 256 << 10
)

// lower is what lies below the layers. It belongs to the task that is under way,
// and to the owner when there is none.
type lower struct {
	tree   tree   // as of the newest mark that is done
	height height // of the store
	batch  Batch  // of the last Keep: its memory is reused
}

// Step does a part of the task and reports whether there is more.
func (t *Task) Step() (more bool) {
	if t.next == nil {
		return false
	}
	if t.next, t.err = t.next(); t.err != nil {
		t.next = nil
	}
	return t.next != nil
}

// Bytes estimates the memory of the layer that a task marks; 0 for other tasks.
func (t *Task) Bytes() int { return t.bytes }

// Root is the root that a finished mark has come to.
func (t *Task) Root() crypto.Digest { return t.root }

// Finish takes in what a task has brought about, once it has no more steps. The
// error is the task's.
func (s *State) Finish(t *Task) error {
	if t.next != nil {
		panic("state: finish of a task that has steps left")
	}
	s.tasks--
	if t.err == nil && t.finish != nil {
		t.finish()
	}
	return t.err
}

// run does all of a task at once.
func (s *State) run(t *Task) error {
	for t.Step() {
	}
	return s.Finish(t)
}

// Mark is BeginMark with the whole of its task.
func (s *State) Mark(seq consensus.Seq) (crypto.Digest, error) {
	t, err := s.BeginMark(seq)
	if err != nil {
		return crypto.Digest{}, err
	}
	err = s.run(t)
	return t.root, err
}

// Keep is BeginKeep with the whole of its task.
func (s *State) Keep(seq consensus.Seq, root crypto.Digest, certificate []byte) error {
	t, err := s.BeginKeep(seq, root, certificate)
	if err != nil {
		return err
	}
	return s.run(t)
}

// BeginMark closes the layer at seq, at no cost. Its task finds the root of the state
// there, in proportion to the keys written since the last mark. seq is above the
// last mark's and the store's height, but for a first mark at height 0.
func (s *State) BeginMark(seq consensus.Seq) (*Task, error) {
	if s.tx != nil {
		panic("state: mark within a transaction")
	}
	if s.restore != nil {
		return nil, ErrRestoring
	}
	last, first := s.kept.seq, s.kept.seq == 0
	if n := len(s.layers); n > 0 {
		last, first = s.layers[n-1].seq, false
	}
	if seq < last || seq == last && !first {
		panic(fmt.Sprintf("state: mark at %d, not above %d", seq, last))
	}
	l := s.open
	l.seq = seq
	s.layers, s.open = append(s.layers, l), &layer{}
	s.tasks++
	m := &marking{tree: &s.lower.tree, layer: l, it: l.data.Iter()}
	t := &Task{next: m.begin, bytes: l.bytes}
	m.task = t
	t.finish = func() { s.entries = l.root.count }
	return t, nil
}

// marking is the task of a mark.
type marking struct {
	task    *Task
	tree    *tree
	layer   *layer
	it      btree.MapIter[string, []byte]
	changes []change
}

func (m *marking) begin() (phase, error) {
	m.tree.begin()
	m.changes = make([]change, 0, m.layer.data.Len())
	return m.hash, nil
}

// hash lists dirty keys for the trie. Only here are keys and values hashed: once
// for each key, however often it was written.
func (m *marking) hash() (phase, error) {
	for items, bytes := 0, 0; items < stepItems && bytes < stepBytes; items++ {
		if !m.it.Next() {
			return m.sort, nil
		}
		key, value := m.it.Key(), m.it.Value()
		c := change{entry: entry{hash: hashKey(key), key: key}, gone: value == nil}
		if !c.gone {
			c.length, c.value = uint32(len(value)), crypto.Hash(value)
		}
		m.changes = append(m.changes, c)
		bytes += len(key) + len(value)
	}
	return m.hash, nil
}

func (m *marking) sort() (phase, error) {
	m.changes = sortChanges(m.changes)
	return m.feed, nil
}

// feed changes the trie by some of the keys. Those are neighbours in it, so that
// few nodes are built twice.
func (m *marking) feed() (phase, error) {
	some := min(stepItems, len(m.changes))
	if err := m.tree.update(m.changes[:some]); err != nil {
		return nil, err
	}
	if m.changes = m.changes[some:]; len(m.changes) > 0 {
		return m.feed, nil
	}
	m.layer.root, m.layer.removed = m.tree.root, m.tree.removed
	m.task.root = m.tree.root.rootHash()
	m.tree.sweep()
	return nil, nil
}

// BeginKeep begins to bring the store to exactly the state marked at seq, in one
// synced batch, with the certificate that proves root beside it. A height that the
// store has already passed is no error. If there is no mark at seq, the task
// ends with ErrNotMarked, and if the own root there is another one with a
// *DivergedError; both leave everything as it is.
func (s *State) BeginKeep(seq consensus.Seq, root crypto.Digest, certificate []byte) (*Task, error) {
	if s.restore != nil {
		return nil, ErrRestoring
	}
	count := 0
	for count < len(s.layers) && s.layers[count].seq <= seq {
		count++
	}
	s.tasks++
	k := &keeping{s: s, layers: slices.Clone(s.layers[:count]), next: height{seq: seq, certificate: certificate}, certified: root}
	t := &Task{next: k.judge}
	k.task = t
	return t, nil
}

// keeping is the task of a Keep. It looks at what the store holds when its turn
// comes: another Keep may have been under way when it began.
type keeping struct {
	s         *State
	task      *Task
	layers    []*layer // up to the height, oldest first
	next      height
	certified crypto.Digest
	nodes     []place // of the trie, yet to be looked at
	fresh     []*node // that the store lacks
	values    *merged
}

// place is a subtree at its path.
type place struct {
	ref  *ref
	path string
}

// judge compares roots, and finds what there is to write.
func (k *keeping) judge() (phase, error) {
	at, seq := k.s.lower.height, k.next.seq
	for len(k.layers) > 0 && k.layers[0].stored {
		k.layers = k.layers[1:]
	}
	count := len(k.layers)
	if count == 0 && seq < at.seq {
		return nil, nil
	}
	k.next.root = at.root
	if count > 0 {
		k.next.root = k.layers[count-1].root
	}
	if count > 0 && k.layers[count-1].seq != seq || count == 0 && seq != at.seq {
		return nil, fmt.Errorf("%w: %d", ErrNotMarked, seq)
	}
	if own := k.next.root.rootHash(); own != k.certified {
		return nil, &DivergedError{Seq: seq, Own: own, Certified: k.certified}
	}
	if count == 0 {
		return nil, nil
	}
	return k.remove, nil
}

// remove begins the batch with all removals of nodes: a path that was empty for a
// while is written again behind them.
func (k *keeping) remove() (phase, error) {
	b := &k.s.lower.batch
	b.release()
	newest := make([]*layer, 0, len(k.layers))
	for _, l := range k.layers {
		for _, path := range l.removed {
			b.Delete(nodePrefix + path)
		}
		newest = append(newest, l)
	}
	slices.Reverse(newest)
	k.values = newMerged(newest, nil, "", "")
	k.nodes = append(k.nodes, place{&k.next.root, ""})
	return k.collect, nil
}

// collect adds nodes that the store lacks, children after their parents. It stops
// at a stored node: what is below it is stored, too, since a change below it would
// have made it a new one. Nodes that a later layer replaced are not reached, and
// so never written.
func (k *keeping) collect() (phase, error) {
	b := &k.s.lower.batch
	for range stepItems {
		if len(k.nodes) == 0 {
			return k.write, nil
		}
		at := k.nodes[len(k.nodes)-1]
		k.nodes = k.nodes[:len(k.nodes)-1]
		n := at.ref.node
		if n == nil || n.stored {
			continue
		}
		b.Put(nodePrefix+at.path, n.encode())
		k.fresh = append(k.fresh, n)
		if n.kids == nil {
			continue
		}
		for d := len(n.kids) - 1; d >= 0; d-- {
			if kid := n.kids[d].node; kid != nil && !kid.stored {
				k.nodes = append(k.nodes, place{&n.kids[d], at.path + digits[d:d+1]})
			}
		}
	}
	return k.collect, nil
}

// write adds what was written, the newest of each key.
func (k *keeping) write() (phase, error) {
	b := &k.s.lower.batch
	for items, bytes := 0, 0; items < stepItems && bytes < stepBytes; items++ {
		key, value, ok := k.values.next()
		switch {
		case !ok:
			b.Put(heightKey, encodeHeight(k.next))
			return k.apply, nil
		case value == nil:
			b.Delete(dataPrefix + key)
		default:
			b.Put(dataPrefix+key, value)
		}
		bytes += len(key) + len(value)
	}
	return k.write, nil
}

// apply hands the batch to the store. Only when the store has it are the new nodes
// marked as stored: a Keep that failed may be repeated.
func (k *keeping) apply() (phase, error) {
	s := k.s
	defer s.lower.batch.release()
	if err := s.store.Apply(&s.lower.batch, true); err != nil {
		return nil, storeError("keep", err)
	}
	for _, n := range k.fresh {
		n.stored = true
	}
	for _, l := range k.layers {
		l.stored = true
	}
	k.next.root.node = nil
	s.lower.height = k.next
	return k.settle, nil
}

// settle does what can wait until the store has the state.
func (k *keeping) settle() (phase, error) {
	s := k.s
	s.lower.tree.sweep()
	view, err := s.store.Snapshot()
	if err != nil {
		return nil, storeError("snapshot", err)
	}
	k.task.finish = func() {
		s.layers = slices.DeleteFunc(slices.Clone(s.layers), func(l *layer) bool { return l.seq <= k.next.seq })
		s.kept = k.next
		s.pin(view)
	}
	return nil, s.discardStale(k.next.seq)
}
