package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/experiment/live"
)

// How many keys are written, unless somebody chooses: enough to be a state of some size,
// few enough to be written over within seconds.
const (
	KeysEach = 512       // by each caller of a closed loop
	KeysOpen = 256 * 512 // by an open loop
)

// UsualKeys is how many keys such a load writes, unless somebody chooses.
func UsualKeys(clients, rate int) int {
	if rate > 0 {
		return KeysOpen
	}
	return KeysEach * clients
}

// keyPrefix begins all keys that a measurement writes.
const keyPrefix = "bench/"

// own is how many keys a caller has for itself, at least one; 0 = ever new ones.
func (m *Measurement) own() int {
	if m.Keys == 0 {
		return 0
	}
	return max(m.Keys/m.Clients, 1)
}

// key is what a caller's n-th operation, from 1, writes: its own keys in turn. Where
// there are fewer keys than callers, some share one.
func (m *Measurement) key(caller, n int) []byte {
	if own := m.own(); own > 0 {
		caller, n = caller%m.Keys, n%own
	}
	key := strconv.AppendInt(append(make([]byte, 0, len(keyPrefix)+20), keyPrefix...), int64(caller), 10)
	return strconv.AppendInt(append(key, '/'), int64(n), 10)
}

// keyToRead is what a caller's n-th operation reads: one of its own keys that it may
// have written before, without an order.
func (m *Measurement) keyToRead(caller, n int) []byte {
	reach := n
	if own := m.own(); own > 0 && (m.Fill || own < n) {
		reach = own
	}
	return m.key(caller, int(scattered(uint64(caller)<<32+uint64(n))%uint64(reach)))
}

// scattered turns neighbours into numbers far from each other (splitmix64).
func scattered(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// reads reports whether a caller's n-th operation reads: so many of each hundred, evenly
// spread, and at another time with each caller.
func (m *Measurement) reads(caller, n int) bool {
	n += 37 * caller
	return n*m.Reads/100 != (n-1)*m.Reads/100
}

// value differs from all others, if it has the room. It is good until the caller's next.
func (l *load) value(caller, n int) []byte {
	me := &l.callers[caller]
	if me.value == nil {
		me.value = make([]byte, l.ValueBytes)
	}
	if len(me.value) >= 16 {
		binary.BigEndian.PutUint64(me.value, uint64(caller))
		binary.BigEndian.PutUint64(me.value[8:], uint64(n))
	}
	return me.value
}

// fill writes every key once.
func (l *load) fill(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	loop := live.Load{Begun: time.Now(), Calls: l.own()}
	loop.Next = func(caller, n int) []byte { return kv.Put(l.key(caller, n), l.value(caller, n)) }
	loop.Heard = func(c *live.Call) time.Duration {
		if errors.Is(c.Err, session.ErrBusy) {
			return afterRefusal // one key is missing
		}
		if c.Err != nil {
			fail(fmt.Errorf("fill the keys: %w", c.Err))
		}
		return 0
	}
	for i := range l.callers {
		loop.Callers = append(loop.Callers, l.target.Sessions[i%len(l.target.Sessions)])
	}
	err := loop.Run(ctx)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// removers is how many removals are under way at a time: enough to fill batches, far
// below what a client keeps waiting.
const removers = 1024

// pageWithin is how long the removal of one page of keys may take: the cluster may have
// lost its quorum meanwhile.
const pageWithin = 30 * time.Second

// Sweep removes what measurements have stored, page by page: a cluster that was
// measured must not keep a hundred thousand keys that nobody asked for. That ctx ends
// before, or that the cluster does not answer, is ErrNotSwept.
func Sweep(ctx context.Context, store client.KV) error {
	for {
		if more, err := sweepPage(ctx, store); err != nil || !more {
			return notSwept(err)
		}
	}
}

// sweepPage removes a page of keys, and reports whether there was any.
func sweepPage(ctx context.Context, store client.KV) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, pageWithin)
	defer cancel()
	// In order: behind what was sent before and is not answered, as after an interrupt.
	page, err := client.KV{Invoker: client.Ordered{Invoker: store.Invoker}}.Range(ctx, []byte(keyPrefix), kv.PrefixEnd([]byte(keyPrefix)), 0, true)
	if err != nil {
		return false, err
	}
	removals, ctx := errgroup.WithContext(ctx)
	removals.SetLimit(removers)
	for _, e := range page.Entries {
		removals.Go(func() error {
			_, err := store.Delete(ctx, e.Key)
			return err
		})
	}
	return len(page.Entries) > 0, removals.Wait()
}

// ErrNotSwept is what errors wrap when keys of a measurement are left.
var ErrNotSwept = errors.New("keys below " + keyPrefix + " are left in the store")

// notSwept says what is left behind, and why.
func notSwept(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return ErrNotSwept
	}
	return fmt.Errorf("%w: %w", ErrNotSwept, err)
}
