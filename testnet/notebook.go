package testnet

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

// notebook is where those who have no time leave what happened for the one who
// writes it down. Safe for concurrent use.
type notebook struct {
	mu      sync.Mutex
	entries []check.Entry
	bytes   int
	dropped uint64
}

// add leaves entries. What finds no room is dropped and counted, and so is all
// that follows until somebody takes: a record with one gap can be judged.
func (n *notebook) add(entries ...check.Entry) {
	if len(entries) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range entries {
		size := sizeOf(&entries[i])
		if n.dropped > 0 || len(n.entries) >= maxWaiting || n.bytes+size > maxWaitingBytes {
			n.dropped++
			continue
		}
		n.entries, n.bytes = append(n.entries, entries[i]), n.bytes+size
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
func (n *notebook) take(spare []check.Entry) (entries []check.Entry, dropped uint64) {
	clear(spare)
	n.mu.Lock()
	defer n.mu.Unlock()
	entries, dropped = n.entries, n.dropped
	n.entries, n.bytes, n.dropped = spare[:0], 0, 0
	return entries, dropped
}

// repeats recognises large frames that are said again and again, as a
// VIEW-CHANGE is until the view begins: once is enough for the record.
type repeats struct {
	known map[saying]bool
	order []saying
}

// saying is who said what.
type saying struct {
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
	s := saying{what: crypto.Hash(e.Bytes)}
	if e.Kind == check.EntryReceived {
		s.by = e.Peer
	}
	if r.known[s] {
		return true
	}
	if r.known == nil {
		r.known = map[saying]bool{}
	}
	r.known[s], r.order = true, append(r.order, s)
	if len(r.order) > maxRepeats {
		delete(r.known, r.order[0])
		r.order = r.order[1:]
	}
	return false
}
