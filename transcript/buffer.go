package transcript

import (
	"sync"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// What waits for the disk at most: entries, and bytes that they hold on to.
const (
	maxWaiting      = 1 << 16
	maxWaitingBytes = 32 << 20
)

// buffer is where those who have no time leave what happened for the writer.
// Safe for concurrent use.
type buffer struct {
	mu      sync.Mutex
	entries []check.Entry
	bytes   int
	dropped uint64
}

// add leaves entries. What finds no room is dropped and counted, and so is all
// that follows until somebody takes: a record with one gap can be judged.
func (b *buffer) add(entries ...check.Entry) {
	if len(entries) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range entries {
		size := sizeOf(&entries[i])
		if b.dropped > 0 || len(b.entries) >= maxWaiting || b.bytes+size > maxWaitingBytes {
			b.dropped++
			continue
		}
		b.entries, b.bytes = append(b.entries, entries[i]), b.bytes+size
	}
}

// sizeOf is about what an entry holds on to, in bytes.
func sizeOf(e *check.Entry) int {
	n := len(e.Bytes)
	if e.Batch != nil {
		n += e.Batch.Size()
	}
	if e.Note != nil {
		n += len(e.Note.Bytes)
	}
	return n
}

// take hands over everything that waits, and how much was dropped since the
// last time. The room of spare is used again.
func (b *buffer) take(spare []check.Entry) (entries []check.Entry, dropped uint64) {
	clear(spare)
	b.mu.Lock()
	defer b.mu.Unlock()
	entries, dropped = b.entries, b.dropped
	b.entries, b.bytes, b.dropped = spare[:0], 0, 0
	return entries, dropped
}

// repeats recognises large frames that are said again and again, as a
// VIEW-CHANGE is until the view begins: once is enough for the record.
type repeats struct {
	known map[statement]bool
	order []statement
}

// statement is who said what.
type statement struct {
	by   consensus.Peer
	what crypto.Digest
}

// What repeats looks at, in bytes, and how much it remembers.
const (
	largeFrame = 1 << 10
	maxRepeats = 1 << 8
)

// again reports whether the frame was said by this replica lately; all that
// one says itself counts as said to everybody.
func (r *repeats) again(e *check.Entry) bool {
	if len(e.Bytes) < largeFrame || e.Kind != check.EntrySent && e.Kind != check.EntryReceived {
		return false
	}
	s := statement{what: crypto.Hash(e.Bytes)}
	if e.Kind == check.EntryReceived {
		s.by = e.Peer
	}
	if r.known[s] {
		return true
	}
	if r.known == nil {
		r.known = map[statement]bool{}
	}
	r.known[s], r.order = true, append(r.order, s)
	if len(r.order) > maxRepeats {
		delete(r.known, r.order[0])
		r.order = r.order[1:]
	}
	return false
}
