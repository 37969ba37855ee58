package compare

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
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

// load is a closed loop: every caller has one operation under way at a time.
// All callers of a side share one client.
type load struct {
	store   client.KV
	count   *count
	begun   time.Time
	bytes   int // of a value
	callers []caller
	broken  chan error // the first reason why the load makes no sense any more
}

// caller is one of them. Its fields belong to its goroutine until the load has
// stopped.
type caller struct {
	number int
	keys   [keysEach]slot
}

// slot is what a caller knows of one of its keys, which nobody else writes.
type slot struct {
	acknowledged uint64   // the last write that was; 0 = none
	doubts       []uint64 // writes of which it is not known whether they were executed
	lost         bool     // ... too many of them to remember
	writes       int      // acknowledged
}

// newLoad prepares callers whose clock begins now.
func newLoad(store client.KV, callers, valueBytes int, c *count) *load {
	l := &load{store: store, count: c, begun: time.Now(), bytes: max(valueBytes, 8), callers: make([]caller, callers), broken: make(chan error, callers)}
	for i := range l.callers {
		l.callers[i].number = i
	}
	return l
}

// run starts the callers; stop ends them and waits.
func (l *load) run(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for i := range l.callers {
		all.Go(func() { l.call(ctx, &l.callers[i]) })
	}
	return func() { cancel(); all.Wait() }
}

// call is one caller: the next operation begins when the last one has its
// answer or was given up.
func (l *load) call(ctx context.Context, me *caller) {
	// A panic here would end the process past all that is deferred elsewhere, and
	// leave two clusters running.
	defer func() {
		if p := recover(); p != nil {
			l.broken <- fmt.Errorf("caller %d panicked: %v", me.number, p)
		}
	}()
	for n := uint64(1); ctx.Err() == nil; n++ {
		asked := time.Now()
		err := l.one(ctx, me, n)
		at := time.Since(l.begun)
		switch {
		case err == nil:
			l.count.answered(at, time.Since(asked))
		case ctx.Err() != nil:
			return // the load has ended before the answer came
		case errors.Is(err, session.ErrClosed):
			l.broken <- err
			return
		default:
			l.count.gaveUp(at)
			select {
			case <-ctx.Done():
			case <-time.After(afterFailure):
			}
		}
	}
}

// one makes the n-th operation of a caller.
func (l *load) one(ctx context.Context, me *caller, n uint64) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	k := n % keysEach
	if n%readsEvery == 0 {
		k = (n / readsEvery) % keysEach
		_, _, err := l.store.Get(ctx, me.key(k))
		return err
	}
	value := make([]byte, l.bytes)
	binary.BigEndian.PutUint64(value, n)
	_, err := l.store.Put(ctx, me.key(k), value)
	me.keys[k].wrote(n, err)
	return err
}

// key is the k-th key of a caller.
func (me *caller) key(k uint64) []byte { return fmt.Appendf(nil, "compare/%d/%d", me.number, k) }

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
func (l *load) readBack(ctx context.Context) ReadBack {
	each := make([]ReadBack, len(l.callers))
	var all sync.WaitGroup
	for i := range l.callers {
		all.Go(func() { each[i] = l.callers[i].readBack(ctx, l.store) })
	}
	all.Wait()
	var sum ReadBack
	for _, r := range each {
		sum.Acknowledged += r.Acknowledged
		sum.Keys += r.Keys
		sum.Lost += r.Lost
		sum.Unanswered += r.Unanswered
		if sum.Example == "" {
			sum.Example = r.Example
		}
	}
	return sum
}

func (me *caller) readBack(ctx context.Context, store client.KV) (r ReadBack) {
	for k := range me.keys {
		s := &me.keys[k]
		r.Acknowledged += s.writes
		if s.acknowledged == 0 || s.lost {
			continue
		}
		entry, found, err := store.Get(ctx, me.key(uint64(k)))
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
			r.Example = fmt.Sprintf("key %s holds write %d of its caller, and write %d was acknowledged", me.key(uint64(k)), holds, s.acknowledged)
		}
	}
	return r
}
