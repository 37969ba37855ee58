package state

import "fmt"

// errTooLarge says that a key or value is longer than the state can hold.
var errTooLarge = fmt.Errorf("key longer than %d bytes or value longer than %d", MaxKeyBytes, MaxValueBytes)

// Tx is one operation's reads and writes: all of it happens or nothing. There is
// one open Tx at a time. It writes straight into the open layer and remembers
// what it replaced, so that committing costs nothing.
//
// Its first failure (a key or value that is too large, or the store's) is kept:
// from then on reads find nothing, writes do nothing and Commit rolls back and
// returns it. So whoever runs foreign code in a Tx need not trust that code to
// look at Err.
type Tx struct {
	s         *State
	undo      []undo
	err       error
	ranging   bool
	committed bool
}

type undo struct {
	key      string
	previous []byte
	had      bool
}

// Begin opens a transaction. Another one still open is the caller's mistake.
func (s *State) Begin() *Tx {
	if s.tx != nil {
		panic("state: a transaction is still open")
	}
	s.spare.s, s.spare.undo = s, s.spare.undo[:0]
	s.tx = &s.spare
	return s.tx
}

// Err is the first failure, or nil.
func (t *Tx) Err() error { return t.err }

// open reports whether the Tx may go on.
func (t *Tx) open() bool {
	if t.err != nil {
		return false
	}
	if t.s.tx != t {
		panic("state: transaction used after its end")
	}
	return true
}

// Get returns the value at key; an empty one is not an absent one. The caller
// does not write to it.
func (t *Tx) Get(key string) ([]byte, bool) {
	if !t.open() {
		return nil, false
	}
	value, ok, err := t.s.Get(key)
	if err != nil {
		t.err = err
		return nil, false
	}
	return value, ok
}

// Put writes a copy of value at key.
func (t *Tx) Put(key string, value []byte) {
	if len(key) > MaxKeyBytes || len(value) > MaxValueBytes {
		t.fail(errTooLarge)
	}
	if t.open() {
		t.set(key, t.s.open.copyOf(value))
	}
}

// Delete removes key, if it is there.
func (t *Tx) Delete(key string) {
	if len(key) <= MaxKeyBytes && t.open() {
		t.set(key, nil)
	}
}

func (t *Tx) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *Tx) set(key string, value []byte) {
	if t.ranging {
		panic("state: write during a Range of the same transaction")
	}
	previous, had := t.s.open.set(key, value)
	t.undo = append(t.undo, undo{key, previous, had})
}

// Range visits the keys in [from, to) in ascending byte order, this Tx's own
// writes included, until limit entries were visited or visit returns false. An
// empty to means up to the end, a limit of 0 or less none. visit may keep the
// value but not write to it, and must not write to the Tx.
func (t *Tx) Range(from, to string, limit int, visit func(key string, value []byte) bool) {
	if !t.open() || to != "" && from >= to {
		return
	}
	t.ranging = true
	m := newMerged(t.s.stack(), t.s.store, from, to)
	defer func() {
		t.ranging = false
		if err := m.close(); err != nil {
			t.fail(err)
		}
	}()
	for visited := 0; limit <= 0 || visited < limit; {
		key, value, ok := m.next()
		if !ok || to != "" && key >= to {
			return
		}
		if value == nil {
			continue
		}
		if !t.open() || !visit(key, value) {
			return
		}
		visited++
	}
}

// Commit ends the Tx. After a failure it rolls back and returns that failure.
func (t *Tx) Commit() error {
	err := t.err
	t.committed = err == nil
	t.Rollback()
	return err
}

// Rollback ends the Tx and takes its writes back. After an end it does nothing,
// so it may be deferred.
func (t *Tx) Rollback() {
	if t.s == nil || t.s.tx != t {
		return
	}
	if !t.committed {
		for i := len(t.undo) - 1; i >= 0; i-- {
			t.s.open.restore(t.undo[i].key, t.undo[i].previous, t.undo[i].had)
		}
	}
	clear(t.undo)
	t.s.tx = nil
	*t = Tx{s: t.s, undo: t.undo[:0]}
}
