package state

import (
	"errors"
	"fmt"
)

// ErrLimit says that a Tx did more than its limit allows. It is the same at
// every replica: what is counted depends on the state's content only.
var ErrLimit = errors.New("operation exceeds its limit of steps or bytes")

// ErrTooLarge says that a key or value is longer than the state can hold.
var ErrTooLarge = fmt.Errorf("key longer than %d bytes or value longer than %d", MaxKeyBytes, MaxValueBytes)

// Tx is one operation's reads and writes: all of it happens or nothing. There is
// one open Tx at a time. It writes straight into the open layer and remembers
// what it replaced, so that committing costs nothing.
//
// Its first failure (ErrLimit, ErrTooLarge or ErrStore) is kept: from then on
// reads find nothing, writes do nothing and Commit rolls back and returns it.
// So whoever runs foreign code in a Tx need not trust that code to look at Err,
// but should call Exceeded in loops.
type Tx struct {
	s         *State
	undo      []undo
	steps     int // done so far
	bytes     int // read and written so far
	maxSteps  int
	maxBytes  int
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

// Limit bounds the steps (each Get, Put, Delete, Range, and each entry that a
// Range visits) and the bytes (keys and values read and written) from the
// beginning of the Tx. Zero is no limit.
func (t *Tx) Limit(steps, bytes int) { t.maxSteps, t.maxBytes = steps, bytes }

// Steps counts what the Tx did so far.
func (t *Tx) Steps() int { return t.steps }

// Bytes counts what the Tx read and wrote so far.
func (t *Tx) Bytes() int { return t.bytes }

// Err is the first failure, or nil.
func (t *Tx) Err() error { return t.err }

// Exceeded reports whether the limit is exceeded.
func (t *Tx) Exceeded() bool { return errors.Is(t.err, ErrLimit) }

// spend counts one step and reports whether the Tx may go on.
func (t *Tx) spend(bytes int) bool {
	if t.err != nil {
		return false
	}
	if t.s.tx != t {
		panic("state: transaction used after its end")
	}
	t.steps++
	t.bytes += bytes
	if t.maxSteps > 0 && t.steps > t.maxSteps || t.maxBytes > 0 && t.bytes > t.maxBytes {
		t.err = ErrLimit
	}
	return t.err == nil
}

// Get returns the value at key; an empty one is not an absent one. The caller
// does not write to it.
func (t *Tx) Get(key string) ([]byte, bool) {
	if !t.spend(len(key)) {
		return nil, false
	}
	value, ok, err := t.s.Get(key)
	if err != nil {
		t.err = err
		return nil, false
	}
	if t.bytes += len(value); t.maxBytes > 0 && t.bytes > t.maxBytes {
		t.err = ErrLimit
		return nil, false
	}
	return value, ok
}

// Put writes a copy of value at key.
func (t *Tx) Put(key string, value []byte) {
	if len(key) > MaxKeyBytes || len(value) > MaxValueBytes {
		t.fail(ErrTooLarge)
	}
	if t.spend(len(key) + len(value)) {
		t.set(key, append(make([]byte, 0, len(value)), value...))
	}
}

// Delete removes key, if it is there.
func (t *Tx) Delete(key string) {
	if len(key) <= MaxKeyBytes && t.spend(len(key)) {
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
	if !t.spend(len(from)+len(to)) || to != "" && from >= to {
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
		if !t.spend(len(key)+len(value)) || !visit(key, value) {
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
