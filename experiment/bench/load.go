package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/live"
)

// load is what the callers of a measurement do and count.
type load struct {
	Measurement
	fail     context.CancelCauseFunc // ends the measurement
	callers  []caller
	answered chan struct{} // holds one: an operation was answered after the warm-up
}

// caller is one of them. Its fields belong to its goroutine until the load ends.
type caller struct {
	latencies []time.Duration
	failed    int  // outcome unknown, or busy: the next operation is tried; or no answer at all
	answered  bool // once, be it while it warmed up
}

const (
	// keysEach is how many keys a caller writes in turn: enough to be a state of
	// some size, few enough to be written over within seconds.
	keysEach = 512
	// keyPrefix begins all keys that a measurement writes.
	keyPrefix = "bench/"
)

// next is a caller's n-th operation. Values differ, if they have the room.
func (l *load) next(caller, n int) []byte {
	if l.Operation != nil {
		return l.Operation
	}
	value := make([]byte, l.ValueBytes)
	if len(value) >= 16 {
		binary.BigEndian.PutUint64(value, uint64(caller))
		binary.BigEndian.PutUint64(value[8:], uint64(n))
	}
	return kv.Put(fmt.Appendf(nil, keyPrefix+"%d/%d", caller, n%keysEach), value)
}

// heard counts how an operation ended.
func (l *load) heard(c *live.Call) time.Duration {
	me := &l.callers[c.Caller]
	if c.Err == nil {
		me.answered = true
		if c.Ended >= l.Warmup {
			select {
			case l.answered <- struct{}{}:
			default:
			}
		}
	}
	switch {
	case c.Over && !me.answered:
		me.failed++
	case c.Over:
	case errors.Is(c.Err, session.ErrUnknown), errors.Is(c.Err, session.ErrBusy):
		me.failed++
	case c.Err != nil:
		l.fail(c.Err)
	case c.Result.Code != consensus.ResultOK:
		l.fail(&client.ResultError{Code: c.Result.Code, Text: strconv.Quote(string(c.Result.Data))})
	case c.Asked >= l.Warmup && c.Ended <= l.Warmup+l.Duration:
		me.latencies = append(me.latencies, c.Ended-c.Asked)
	}
	return 0
}

// latency summarizes durations, in milliseconds.
type latency struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
}

// latencyOf sorts all durations: with some hundred thousand of them exact
// percentiles cost less than an estimate would have to be explained.
func latencyOf(all []time.Duration) latency {
	if len(all) == 0 {
		return latency{}
	}
	slices.Sort(all)
	ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
	at := func(part float64) float64 { return ms(all[min(len(all)-1, int(part*float64(len(all))))]) }
	var sum time.Duration
	for _, d := range all {
		sum += d
	}
	return latency{Mean: ms(sum) / float64(len(all)), P50: at(0.5), P90: at(0.9), P99: at(0.99), Max: ms(all[len(all)-1])}
}

// removeAtOnce is how many keys one transaction removes: far below the limits
// of steps that any genesis has.
const removeAtOnce = 256

// SweepWithin is how long a sweep may take: the cluster may have lost its quorum
// meanwhile.
const SweepWithin = 30 * time.Second

// Sweep removes what measurements have stored, page by page: a cluster that was
// measured must not keep a hundred thousand keys that nobody asked for. That ctx ends
// before is ErrNotSwept.
func Sweep(ctx context.Context, store client.KV) error {
	for {
		page, err := store.Range(ctx, []byte(keyPrefix), kv.PrefixEnd([]byte(keyPrefix)), 0, true)
		if err != nil {
			return notSwept(err)
		}
		if len(page.Entries) == 0 {
			return nil
		}
		var removals errgroup.Group
		for some := range slices.Chunk(page.Entries, removeAtOnce) {
			var operations [][]byte
			for _, e := range some {
				operations = append(operations, kv.Delete(e.Key))
			}
			removals.Go(func() error {
				_, err := store.Txn(ctx, nil, operations, nil)
				return err
			})
		}
		if err := removals.Wait(); err != nil {
			return notSwept(err)
		}
	}
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
