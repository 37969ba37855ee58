package compare

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/live"
)

const (
	// keysEach is how many keys a caller writes in turn. It has no divisor in common
	// with readsEvery, so that each has its turn.
	keysEach = 61
	// readsEvery is the share of reads in the load: one of so many operations.
	readsEvery = 8
	// answerWithin is how long a caller waits for an answer before it gives the
	// operation up, whose outcome it then does not know.
	answerWithin = time.Second
	// afterFailure keeps callers who are turned away at once from asking a thousand
	// times a second.
	afterFailure = 10 * time.Millisecond
	// maxDoubts bounds the outcomes that a caller remembers not to know, per key.
	// Beyond that the key is not read back.
	maxDoubts = 1024
)

// callers are those of one side. They share one client.
type callers struct {
	store   client.KV
	count   *count
	bytes   int // of a value
	callers []caller
}

// caller is one of them. Its fields belong to its goroutine until the load has
// stopped.
type caller struct {
	keys [keysEach]slot
}

// slot is what a caller knows of one of its keys, which nobody else writes.
type slot struct {
	acknowledged uint64   // the last write that was; 0 = none
	doubts       []uint64 // writes of which it is not known whether they were executed
	lost         bool     // ... too many of them to remember
	writes       int      // acknowledged
}

// newCallers prepares so many.
func newCallers(store client.KV, number, valueBytes int, c *count) *callers {
	return &callers{store: store, count: c, bytes: max(valueBytes, 8), callers: make([]caller, number)}
}

// load is what they do from a moment on.
func (l *callers) load(begun time.Time) *live.Load {
	return &live.Load{
		Begun: begun, Callers: slices.Repeat([]client.Invoker{l.store.Invoker}, len(l.callers)), Within: answerWithin, Next: l.next, Heard: l.heard,
	}
}

// next is the n-th operation of a caller.
func (l *callers) next(caller, n int) []byte {
	k, write := keyOf(n)
	if !write {
		return kv.Get(key(caller, k))
	}
	value := make([]byte, l.bytes)
	binary.BigEndian.PutUint64(value, uint64(n))
	return kv.Put(key(caller, k), value)
}

// keyOf is which of its keys a caller's n-th operation is about.
func keyOf(n int) (k int, write bool) {
	if n%readsEvery == 0 {
		return n / readsEvery % keysEach, false
	}
	return n % keysEach, true
}

// heard counts how an operation ended.
func (l *callers) heard(c *live.Call) time.Duration {
	err := c.Err
	if err == nil && c.Result.Code != consensus.ResultOK {
		err = &client.ResultError{Code: c.Result.Code}
	}
	if k, write := keyOf(c.Number); write {
		l.callers[c.Caller].keys[k].wrote(uint64(c.Number), err)
	}
	switch {
	case c.Over:
		return 0
	case err != nil:
		l.count.ended(c.Ended, 0, true)
		return afterFailure
	}
	l.count.ended(c.Ended, c.Ended-c.Asked, false)
	return 0
}

// key is the k-th key of a caller.
func key(caller, k int) []byte { return fmt.Appendf(nil, "compare/%d/%d", caller, k) }

// wrote notes how a write ended. One that was not sent has no effect, ever.
func (s *slot) wrote(n uint64, err error) {
	switch {
	case err == nil:
		s.acknowledged = n
		s.writes++
	case errors.Is(err, session.ErrNotSent):
	case len(s.doubts) == maxDoubts:
		s.lost = true
	default:
		s.doubts = append(s.doubts, n)
	}
}

// allows reports whether a key may hold a write: the last acknowledged, or one
// whose outcome is not known. The latter may even have been executed after the
// former.
func (s *slot) allows(n uint64) bool { return n == s.acknowledged || slices.Contains(s.doubts, n) }

// ReadBack is what became of the writes that were acknowledged, as the service
// answers after the load and the faults.
type ReadBack struct {
	Acknowledged int // writes
	Keys         int // read again
	Lost         int // of them held neither the last acknowledged write nor one in doubt
	Unanswered   int // keys that nobody could read
	Example      string
}

// readBack reads every key that has an acknowledged write. What is not answered
// until ctx ends counts as unanswered.
func (l *callers) readBack(ctx context.Context) ReadBack {
	var sum ReadBack
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range l.callers {
		all.Go(func() {
			r := l.readKeys(ctx, i)
			mu.Lock()
			defer mu.Unlock()
			sum.Acknowledged, sum.Keys = sum.Acknowledged+r.Acknowledged, sum.Keys+r.Keys
			sum.Lost, sum.Unanswered = sum.Lost+r.Lost, sum.Unanswered+r.Unanswered
			sum.Example = cmp.Or(sum.Example, r.Example)
		})
	}
	all.Wait()
	return sum
}

// readKeys reads those of one caller.
func (l *callers) readKeys(ctx context.Context, caller int) (r ReadBack) {
	for k := range l.callers[caller].keys {
		s := &l.callers[caller].keys[k]
		r.Acknowledged += s.writes
		if s.acknowledged == 0 || s.lost {
			continue
		}
		entry, found, err := l.store.Get(ctx, key(caller, k))
		if err != nil {
			r.Unanswered++
			continue
		}
		r.Keys++
		holds := uint64(0)
		if found && len(entry.Value) >= 8 {
			holds = binary.BigEndian.Uint64(entry.Value)
		}
		if !s.allows(holds) {
			r.Lost++
			r.Example = fmt.Sprintf("key %s holds write %d of its caller, and write %d was acknowledged", key(caller, k), holds, s.acknowledged)
		}
	}
	return r
}
