package state

import (
	"fmt"

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
	pause  func()
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
	tree    tree     // as of the newest mark that is done
	marked  []*layer // that the store lacks, oldest first
	height  height   // of the store
	unsaved unsaved  // of height
	batch   Batch    // of the last Keep: its memory is reused
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

// Pausing has the task call pause within a step that is long and cannot be divided:
// the write of a batch. What pause does may take a while.
func (t *Task) Pausing(pause func()) { t.pause = pause }

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
	s.layers, s.open = append(s.layers, l), newLayer(len(l.entries))
	s.tasks++
	m := &marking{lower: &s.lower, layer: l}
	t := &Task{next: m.begin, bytes: l.bytes}
	m.task = t
	t.finish = func() { s.entries = l.root.count }
	return t, nil
}

// marking is the task of a mark.
type marking struct {
	task    *Task
	lower   *lower
	layer   *layer
	hashed  int // entries of it
	changes []change
}

func (m *marking) begin() (phase, error) {
	m.lower.tree.begin()
	m.changes = make([]change, 0, len(m.layer.entries))
	return m.hash, nil
}

// hash lists dirty keys for the trie. Only here are keys and values hashed: once
// for each key, however often it was written.
func (m *marking) hash() (phase, error) {
	for items, bytes := 0, 0; items < stepItems && bytes < stepBytes; items++ {
		if m.hashed == len(m.layer.entries) {
			return m.sort, nil
		}
		e := &m.layer.entries[m.hashed]
		m.hashed++
		m.changes = append(m.changes, newChange(e.key, e.value))
		bytes += len(e.key) + len(e.value)
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
	t := &m.lower.tree
	if err := t.update(m.changes[:some]); err != nil {
		return nil, err
	}
	if m.changes = m.changes[some:]; len(m.changes) > 0 {
		return m.feed, nil
	}
	m.layer.root, m.layer.removed = t.root, t.removed
	m.task.root = t.root.rootHash()
	m.lower.marked = append(m.lower.marked, m.layer)
	m.lower.sweep()
	return nil, nil
}
