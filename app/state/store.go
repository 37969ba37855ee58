package state

import (
	"errors"
	"fmt"
)

// Store is the ordered key-value store below a State. It is supplied from
// above: by storage (a disk) and by NewMemory (tests and simulations). Its
// errors end the process that uses it, so the State never retries.
type Store interface {
	Reader
	// Apply performs the batch atomically: after a crash either all of it
	// is there or nothing. With sync it returns only when the batch is
	// durable; without, a crash may undo it, also if a later synced batch
	// survives. The store may keep the keys and values, which nobody writes
	// to later, but not the batch. On the way through a large one it may call
	// Pause.
	Apply(b *Batch, sync bool) error
	// Snapshot is a view of the store as it is now. It is safe for
	// concurrent use and stays as it is until released.
	Snapshot() (StoreSnapshot, error)
}

// Reader reads a store or a view of it. A key's bytes are in its string; what
// Get returns must not be written to.
type Reader interface {
	// Get returns the value at key. An empty value is not an absent one.
	Get(key string) (value []byte, ok bool, err error)
	// Iterate visits the keys in [from, to) in ascending byte order; an
	// empty to means up to the end. The caller releases the iterator and
	// applies nothing to the store before.
	Iterate(from, to string) Iterator
}

// Iterator walks over entries: it stands before the first one until Next.
type Iterator interface {
	// Next moves on and reports whether there is an entry. After false,
	// Err says whether that was the end or a failure.
	Next() bool
	// Key and Value are valid until the next call of Next or Release.
	Key() []byte
	Value() []byte
	Err() error
	Release()
}

// StoreSnapshot is a point-in-time view of a store.
type StoreSnapshot interface {
	Reader
	// Release frees what keeps the view. Reads after it, or while it
	// happens, fail with ErrReleased or still succeed; they never return
	// anything else than the view's content.
	Release()
}

// Write is one entry of a Batch. A nil Value deletes the key; an empty value is
// a non-nil slice of no length.
type Write struct {
	Key   string
	Value []byte
}

// Batch is a list of writes, performed in order and all at once. The zero Batch
// is empty and ready.
type Batch struct {
	writes []Write
	bytes  int
	pause  func()
}

// Put adds a write of value at key. The batch keeps the slice.
func (b *Batch) Put(key string, value []byte) {
	if value == nil {
		value = []byte{}
	}
	b.writes = append(b.writes, Write{key, value})
	b.bytes += len(key) + len(value)
}

// Delete adds a removal of key, which need not be there.
func (b *Batch) Delete(key string) {
	b.writes = append(b.writes, Write{Key: key})
	b.bytes += len(key)
}

// Writes lists the batch in order. The caller only reads it.
func (b *Batch) Writes() []Write { return b.writes }

// Bytes is the size of all keys and values, in bytes.
func (b *Batch) Bytes() int { return b.bytes }

// Pause lets whoever gave the batch pause, if they wish to.
func (b *Batch) Pause() {
	if b.pause != nil {
		b.pause()
	}
}

// release empties the batch and keeps its list for the next one, unless it is
// unusually long. The slices in it may still be held by a Store.
func (b *Batch) release() {
	clear(b.writes)
	b.writes, b.bytes, b.pause = b.writes[:0], 0, nil
	if cap(b.writes) > 1<<16 {
		b.writes = nil
	}
}

// errStore is what every failure of the Store wraps. The state can no longer
// be relied on; the process that owns it stops.
var errStore = errors.New("state store failed")

// ErrReleased is what a StoreSnapshot's reads wrap after its release.
var ErrReleased = errors.New("store snapshot was released")

// ErrDamaged says that the store holds something that it cannot have been
// given. The remedy is to move it away and let the replica fetch the state.
var ErrDamaged = errors.New("state store is damaged")

func storeError(doing string, err error) error {
	return fmt.Errorf("%w: %s: %w", errStore, doing, err)
}
