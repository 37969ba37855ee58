package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/live"
)

// store is a cluster in this process: it counts what it is asked.
type store struct {
	mu     sync.Mutex
	asked  map[string]int // by operation's kind and key
	before func(ctx context.Context, number int) error
	number int
}

func (s *store) Invoke(ctx context.Context, op []byte) (client.Result, error) {
	time.Sleep(20 * time.Microsecond) // an answer takes its time, so that all callers have their turn
	s.mu.Lock()
	s.number++
	n := s.number
	s.mu.Unlock()
	if s.before != nil {
		if err := s.before(ctx, n); err != nil {
			return client.Result{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked == nil {
		s.asked = map[string]int{}
	}
	parsed, err := kv.Decode(op)
	if err != nil {
		return client.Result{}, err
	}
	s.asked[fmt.Sprintf("%d %s", parsed.Kind, parsed.Key)]++
	return client.Result{}, ctx.Err()
}

// after ends a context when so many operations were asked for.
func after(n int, cancel context.CancelFunc) func(context.Context, int) error {
	return func(_ context.Context, number int) error {
		if number >= n {
			cancel()
		}
		return nil
	}
}

// TestMixedLoads: reads go their own way, are as many as was asked for, and keys are as
// many as there are to be.
func TestMixedLoads(t *testing.T) {
	for _, test := range []struct {
		clients, sessions, rate, keys, reads int
		keysWritten                          int
	}{
		{4, 1, 0, 40, 0, 40}, {4, 2, 0, 40, 25, 40}, {3, 3, 0, 2, 50, 2}, {2, 1, 0, 0, 50, 0}, {8, 2, 100_000, 16, 30, 16}, {1, 1, 0, 8, 100, 0},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		writes, reads := &store{before: after(600, cancel)}, &store{}
		if test.reads == 100 {
			reads.before = after(600, cancel)
		}
		m := Measurement{Clients: test.clients, Rate: test.rate, Keys: test.keys, Reads: test.reads, ValueBytes: 16, Duration: time.Hour}
		var sessions []Session
		for range test.sessions {
			sessions = append(sessions, Session{Invoker: writes, Reads: reads})
		}
		l := newLoad(m, Target{Sessions: sessions}, func(err error) { t.Error(err) })
		l.begun = time.Now()
		if err := l.run(ctx); err != nil {
			t.Fatal(err)
		}
		count := func(s *store, kind kv.Kind) (all int, keys []string) {
			for what, n := range s.asked {
				var k kv.Kind
				var key string
				if _, err := fmt.Sscan(what, &k, &key); err != nil || k != kind {
					t.Errorf("%q on this way", what)
				}
				all, keys = all+n, append(keys, key)
			}
			return all, keys
		}
		put, keys := count(writes, kv.KindPut)
		got, readKeys := count(reads, kv.KindGet)
		if share := 100 * float64(got) / float64(put+got); share < float64(test.reads)-2 || share > float64(test.reads)+2 {
			t.Errorf("%+v: %.1f %% reads", test, share)
		}
		if len(keys) != test.keysWritten && test.keys > 0 || test.keys == 0 && len(keys) != put {
			t.Errorf("%+v: %d keys of %d puts", test, len(keys), put)
		}
		for _, k := range readKeys {
			if test.keys > 0 && test.reads < 100 && !slices.Contains(keys, k) {
				t.Errorf("%+v: %s is read and never written", test, k)
			}
		}
	}
}

// TestStallIsNotOmitted: operations that were due while nothing was answered count from
// then on, although they were asked for later.
func TestStallIsNotOmitted(t *testing.T) {
	const rate, stall = 1000, 50 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	s := &store{before: func(_ context.Context, n int) error {
		switch n {
		case 1:
			time.Sleep(stall)
		case 41: // those before were due 40 ms after the beginning
			cancel()
		}
		return nil
	}}
	l := newLoad(Measurement{Clients: 1, Rate: rate, Keys: 1, Duration: time.Hour}, Target{Sessions: []Session{{Invoker: s}}}, func(err error) { t.Error(err) })
	l.begun = time.Now()
	if err := l.run(ctx); err != nil {
		t.Fatal(err)
	}
	waited := 0
	for i, n := range l.meter.writes.counts {
		if middleOf(i) >= 9*time.Millisecond {
			waited += int(n)
		}
	}
	if waited < 40 {
		t.Errorf("%d of 40 operations waited for the end of the stall", waited)
	}
}

// TestFill: every key is written once, whatever the number of callers.
func TestFill(t *testing.T) {
	for _, test := range [][2]int{{4, 40}, {7, 7}, {8, 3}} {
		s := &store{}
		l := newLoad(Measurement{Clients: test[0], Keys: test[1], Duration: time.Second}, Target{Sessions: []Session{{Invoker: s}}}, nil)
		if err := l.fill(t.Context()); err != nil || len(s.asked) != test[1] {
			t.Errorf("%d callers wrote %d of %d keys, %v", test[0], len(s.asked), test[1], err)
		}
	}
	refuses := &store{before: func(context.Context, int) error { return session.ErrUnknown }}
	l := newLoad(Measurement{Clients: 1, Keys: 1, Duration: time.Second}, Target{Sessions: []Session{{Invoker: refuses}}}, nil)
	if err := l.fill(t.Context()); !errors.Is(err, session.ErrUnknown) {
		t.Errorf("%v", err)
	}
}

// TestRun measures a cluster in this process.
func TestRun(t *testing.T) {
	m := Measurement{Name: "x", Clients: 3, Sessions: 1, Keys: 6, Fill: true, Reads: 50, ValueBytes: 8, Duration: 250 * time.Millisecond}
	slow := &store{before: func(context.Context, int) error { time.Sleep(time.Millisecond); return nil }}
	r, err := m.Run(t.Context(), Target{Sessions: []Session{{Invoker: slow}}})
	if err != nil || r.Operations == 0 || r.Failed > 0 || r.Interrupted || r.LongestGap == nil || r.ReadLatency == nil || r.Seconds != 0.25 || r.Kind != "measurement" {
		t.Errorf("%+v, %v", r, err)
	}
	sum := 0
	for _, n := range r.Course.Answered {
		sum += n
	}
	if sum < r.Operations {
		t.Errorf("%d answers over time, of %d operations", sum, r.Operations)
	}
}

// TestInterruptedRun has what was measured until then; one that did not begin has nothing.
func TestInterruptedRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := Measurement{Clients: 2, Keys: 2, Duration: time.Hour}
	r, err := m.Run(ctx, Target{Sessions: []Session{{Invoker: &store{before: after(500, cancel)}}}})
	if !errors.Is(err, context.Canceled) || !r.Interrupted || r.Operations == 0 || r.Seconds > 3000 {
		t.Errorf("%+v, %v", r, err)
	}
	m.Warmup = time.Hour
	ctx, cancel = context.WithCancel(t.Context())
	r, err = m.Run(ctx, Target{Sessions: []Session{{Invoker: &store{before: after(500, cancel)}}}})
	if !errors.Is(err, context.Canceled) || r.Kind != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestFailures: what has no answer is told apart, and what cannot be goes no further.
func TestFailures(t *testing.T) {
	var failed error
	l := newLoad(Measurement{Clients: 2, Keys: 2, Duration: 10}, Target{Sessions: []Session{{}}}, func(err error) { failed = err })
	l.heard(&live.Call{Err: session.ErrUnknown})
	if pause := l.heard(&live.Call{Err: session.ErrBusy}); pause != afterRefusal {
		t.Errorf("the caller pauses for %v", pause)
	}
	l.heard(&live.Call{Err: session.ErrClosed, Over: true})
	l.heard(&live.Call{Caller: 1, Ended: 1})
	l.heard(&live.Call{Caller: 1, Err: context.Canceled, Over: true})
	if r := l.result(observation{}, observation{}); r.Failed != 3 || r.Refused != 1 || r.Unknown != 1 || r.Unanswered != 1 || failed != nil {
		t.Errorf("%+v, %v", r, failed)
	}
	l.heard(&live.Call{Result: client.Result{Result: consensus.Result{Code: consensus.ResultFailed}}})
	if failed == nil {
		t.Error("a refused operation did not end the measurement")
	}
	// Every operation would end so, at once.
	failed = nil
	l.heard(&live.Call{Err: fmt.Errorf("%w: %w", session.ErrOlder, session.ErrUnknown)})
	if !errors.Is(failed, session.ErrOlder) {
		t.Error("replicas of an older program did not end the measurement")
	}
}

// TestSessionsAreShared: in turn, and judges hear the first callers of the first.
func TestSessionsAreShared(t *testing.T) {
	first, second, told := &store{}, &store{}, &store{}
	l := newLoad(Measurement{Clients: 12, Keys: 12, Duration: 1}, Target{Sessions: []Session{{Invoker: first}, {Invoker: second}}, Told: told}, nil)
	for i := range 12 {
		want := client.Invoker(second)
		switch {
		case i%2 == 0 && i < 2*toldCallers:
			want = told
		case i%2 == 0:
			want = first
		}
		if s := l.by(i); s.Invoker != want || s.Reads != want {
			t.Errorf("caller %d has another session", i)
		}
	}
}

func TestCheck(t *testing.T) {
	limits := &consensus.Limits{ValueBytes: 1000, OperationBytes: 500}
	for _, row := range []struct {
		m    Measurement
		fits bool
	}{
		{Measurement{ValueBytes: 436}, true}, {Measurement{ValueBytes: 437}, false},
		{Measurement{Operation: make([]byte, 500)}, true}, {Measurement{Operation: make([]byte, 501)}, false},
	} {
		if err := row.m.Check(limits); (err == nil) != row.fits || !row.fits && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d, %d bytes: %v", row.m.ValueBytes, len(row.m.Operation), err)
		}
	}
}
