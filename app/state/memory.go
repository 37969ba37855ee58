package state

import (
	"bytes"
	"strings"

	"github.com/tidwall/btree"
)

// Memory is a Store without a disk: a copy-on-write B-tree. It is what the
// simulator's virtual disk keeps the state in, so it can also crash. Its
// snapshots are safe for concurrent use, the Memory itself is not.
type Memory struct {
	seen btree.Map[string, []byte]
	// durable is what a crash leaves: it holds only synced batches. Nil
	// while it equals seen, which is always so if every batch is synced.
	durable *btree.Map[string, []byte]
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{} }

// Get returns the value at key.
func (m *Memory) Get(key string) ([]byte, bool, error) {
	v, ok := m.seen.Get(key)
	return v, ok, nil
}

// Iterate visits [from, to) in order.
func (m *Memory) Iterate(from, to string) Iterator { return iterate(&m.seen, from, to) }

// Apply performs b. It never fails.
func (m *Memory) Apply(b *Batch, sync bool) error {
	if !sync && m.durable == nil {
		m.durable = m.seen.Copy()
	}
	perform(&m.seen, b)
	if sync && m.durable != nil {
		perform(m.durable, b)
	}
	return nil
}

// Copy returns a store with the same contents and the same durability, which
// shares what does not change.
func (m *Memory) Copy() *Memory {
	c := &Memory{seen: *m.seen.Copy()}
	if m.durable != nil {
		c.durable = m.durable.Copy()
	}
	return c
}

// perform does what every Store does with a batch: in order, the last write to a
// key counts.
func perform(m *btree.Map[string, []byte], b *Batch) {
	for _, w := range b.Writes() {
		if w.Value == nil {
			m.Delete(w.Key)
		} else {
			m.Set(strings.Clone(w.Key), bytes.Clone(w.Value)) // what is given may be a part of much more
		}
	}
}

// Snapshot returns a view that shares what does not change.
func (m *Memory) Snapshot() (StoreSnapshot, error) {
	return memorySnapshot{m.seen.Copy()}, nil
}

// Crash forgets everything that no synced Apply covered, even if a later synced
// one came after it: disks promise no more. A State on m must be opened anew.
func (m *Memory) Crash() {
	if m.durable != nil {
		m.seen, m.durable = *m.durable, nil
	}
}

// memorySnapshot needs no release: the garbage collector sees when nobody
// holds it.
type memorySnapshot struct{ m *btree.Map[string, []byte] }

func (s memorySnapshot) Get(key string) ([]byte, bool, error) {
	v, ok := s.m.Get(key)
	return v, ok, nil
}

func (s memorySnapshot) Iterate(from, to string) Iterator { return iterate(s.m, from, to) }
func (s memorySnapshot) Release()                         {}

type memoryIterator struct {
	it       btree.MapIter[string, []byte]
	from, to string
	started  bool
	done     bool
}

func iterate(m *btree.Map[string, []byte], from, to string) Iterator {
	return &memoryIterator{it: m.Iter(), from: from, to: to}
}

func (i *memoryIterator) Next() bool {
	if i.done {
		return false
	}
	var ok bool
	if i.started {
		ok = i.it.Next()
	} else {
		i.started, ok = true, i.it.Seek(i.from)
	}
	i.done = !ok || i.to != "" && i.it.Key() >= i.to
	return !i.done
}

func (i *memoryIterator) Key() []byte   { return []byte(i.it.Key()) }
func (i *memoryIterator) Value() []byte { return i.it.Value() }
func (i *memoryIterator) Err() error    { return nil }
func (i *memoryIterator) Release()      {}
