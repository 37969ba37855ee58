package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
)

// load is a closed loop: every caller has one operation under way at a time.
type load struct {
	measurement
	measuring atomic.Bool
	begun     time.Time
	took      time.Duration
	callers   []caller
	broken    chan error // the first error that ended a caller
}

// caller is one of them. Its fields belong to its goroutine until run's stop.
type caller struct {
	latencies []time.Duration
	failed    int // outcome unknown, or busy: tried again with the next
}

// keysEach is how many keys a caller writes in turn: enough to be a state of
// some size, few enough to be written over within seconds.
const keysEach = 512

// newLoad prepares the callers; nothing runs yet.
func newLoad(t measurement) *load {
	return &load{measurement: t, callers: make([]caller, t.Clients), broken: make(chan error, t.Clients)}
}

// run starts the callers; stop ends them and waits. It may be called again.
func (l *load) run(ctx context.Context, store client.KV) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for i := range l.callers {
		all.Go(func() { l.call(ctx, store, i) })
	}
	return func() { cancel(); all.Wait() }
}

// call is one caller: the next operation begins when the last one has its
// answer, as in a program that waits for what it asked. Only operations that
// lie wholly within the measured time count, so that neither the warm-up nor the
// end flatters the result.
func (l *load) call(ctx context.Context, store client.KV, i int) {
	// A panic here would end the process past all that main has deferred, and
	// leave a temporary cluster running.
	defer func() {
		if p := recover(); p != nil {
			l.broken <- fmt.Errorf("caller %d panicked: %v", i, p)
		}
	}()
	me := &l.callers[i]
	value := make([]byte, l.ValueBytes)
	for n := uint64(0); ctx.Err() == nil; n++ {
		if len(value) >= 16 {
			binary.BigEndian.PutUint64(value, uint64(i))
			binary.BigEndian.PutUint64(value[8:], n)
		}
		key := fmt.Appendf(nil, benchPrefix+"%d/%d", i, n%keysEach)
		begun, counts := time.Now(), l.measuring.Load()
		err := l.ask(ctx, store, key, value)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, session.ErrUnknown), errors.Is(err, session.ErrBusy):
			me.failed++
		case err != nil:
			l.broken <- err
			return
		case counts && l.measuring.Load():
			me.latencies = append(me.latencies, time.Since(begun))
		}
	}
}

// ask is what a caller asks for: the operation of the measurement, or a put.
func (l *load) ask(ctx context.Context, store client.KV, key, value []byte) error {
	if l.Operation == nil {
		_, err := store.Put(ctx, key, value)
		return err
	}
	r, err := store.Invoker.Invoke(ctx, l.Operation)
	if err == nil && r.Code != consensus.ResultOK {
		err = refusal(&r)
	}
	return err
}

// begin starts the measured time, once the caches and connections are warm.
func (l *load) begin() { l.begun = time.Now(); l.measuring.Store(true) }

// end closes it; the callers go on until stop, so that no queue drains for free.
func (l *load) end() { l.measuring.Store(false); l.took = time.Since(l.begun) }

// sleep lets the load run for d, or until something goes wrong.
func (l *load) sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case err := <-l.broken:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// benchPrefix begins all keys that a measurement writes.
const benchPrefix = "bench/"

// removeAtOnce is how many keys one transaction removes: far below the limits
// of steps that any genesis has.
const removeAtOnce = 256

// sweepAway removes what the measurement stored, page by page: a cluster that
// was measured must not keep a hundred thousand keys that nobody asked for.
func sweepAway(ctx context.Context, store client.KV) error {
	for {
		page, err := store.Range(ctx, []byte(benchPrefix), kv.PrefixEnd([]byte(benchPrefix)), 0, true)
		if err != nil || len(page.Entries) == 0 {
			return err
		}
		var removals sync.WaitGroup
		failed := make(chan error, len(page.Entries)/removeAtOnce+1)
		for some := range slices.Chunk(page.Entries, removeAtOnce) {
			var operations [][]byte
			for _, e := range some {
				operations = append(operations, kv.Delete(e.Key))
			}
			removals.Go(func() {
				_, err := store.Txn(ctx, nil, operations, nil)
				failed <- err
			})
		}
		removals.Wait()
		close(failed)
		for err := range failed {
			if err != nil {
				return fmt.Errorf("removing the keys below %s: %w", benchPrefix, err)
			}
		}
	}
}

// latency summarizes durations, in milliseconds.
type latency struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
}

// result is one measurement: what came of it.
type result struct {
	measurement
	Seconds    float64 `json:"seconds"`
	Operations int     `json:"operations"`
	PerSecond  float64 `json:"operations_per_second"`
	Failed     int     `json:"failed"`
	Latency    latency `json:"latency_ms"`
}

// result sums up, after the callers have ended.
func (l *load) result() result {
	r := result{measurement: l.measurement, Seconds: l.took.Seconds()}
	var all []time.Duration
	for i := range l.callers {
		all = append(all, l.callers[i].latencies...)
		r.Failed += l.callers[i].failed
	}
	r.Operations = len(all)
	r.PerSecond = float64(len(all)) / max(r.Seconds, 1e-9)
	if len(all) > 0 {
		r.Latency = summarizeLatency(all)
	}
	return r
}

// summarizeLatency sorts all durations: with some hundred thousand of them exact
// percentiles cost less than an estimate would have to be explained.
func summarizeLatency(all []time.Duration) latency {
	slices.Sort(all)
	at := func(part float64) float64 { return ms(all[min(len(all)-1, int(part*float64(len(all))))]) }
	var sum time.Duration
	for _, d := range all {
		sum += d
	}
	return latency{Mean: ms(sum) / float64(len(all)), P50: at(0.5), P90: at(0.9), P99: at(0.99), Max: ms(all[len(all)-1])}
}

// ms is d in milliseconds.
func ms(d time.Duration) float64 { return float64(d) / 1e6 }
