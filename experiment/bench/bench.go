package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/live"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/testnet"
)

// ErrTooLarge is what errors wrap when a cluster's limits do not allow what is to
// be measured.
var ErrTooLarge = errors.New("too large for this cluster")

// ErrSilent is what errors wrap when a cluster answers nothing.
var ErrSilent = errors.New("the cluster answered nothing")

// Measurement is what one run does.
type Measurement struct {
	Name       string        `json:"name"`
	Protocol   string        `json:"protocol"`
	Replicas   int           `json:"replicas"`
	Clients    int           `json:"clients"`
	ValueBytes int           `json:"value_bytes"`
	OneEach    bool          `json:"one_each"`
	Volatile   bool          `json:"volatile"`
	Operation  []byte        `json:"-"` // executed again and again; nil = puts of the key-value store
	Warmup     time.Duration `json:"-"`
	Duration   time.Duration `json:"-"`
}

// Standard are the measurements whose results people ask for.
func Standard(m Measurement) []Measurement {
	gathered, each, single, volatile := m, m, m, m
	gathered.Name = "synced, gathered"
	each.Name, each.OneEach = "synced, one signature each", true
	single.Name, single.Clients = "synced, a single caller", 1
	volatile.Name, volatile.Volatile = "volatile, gathered", true
	return []Measurement{gathered, each, single, volatile}
}

// silence is how long a measurement without an answer waits for one: a cluster
// that needs longer than what is measured is slow, not silent.
const silence = 5 * time.Second

// keyRoom is more than a key of ours and the head of an operation take, bytes.
const keyRoom = 64

// Check holds what is asked for against a cluster's limits. Errors wrap
// ErrTooLarge.
func (m *Measurement) Check(l *consensus.Limits) error {
	size, most, what := m.ValueBytes, min(l.ValueBytes, l.OperationBytes-keyRoom), "a value"
	if m.Operation != nil {
		size, most, what = len(m.Operation), l.OperationBytes, "an operation"
	}
	if size > most {
		return fmt.Errorf("%w: %s of %d bytes; the limit is %d", ErrTooLarge, what, size, most)
	}
	return nil
}

// String says what will be done, and how long it takes.
func (m Measurement) String() string {
	return fmt.Sprintf("%s: %s, %s, %v of warm-up, then %v", m.Name, several(m.Clients, "caller"), m.load(), m.Warmup, m.Duration)
}

// Session is how the callers' one client gathers operations.
func (m *Measurement) Session() session.Config { return session.Config{OneEach: m.OneEach} }

// toldCallers is of how many callers judges hear: a history of all would cost what is
// measured.
const toldCallers = 4

// Run measures a running cluster by a client with a Session of the measurement's.
// The first few callers call by way of told, the same client with its history.
// Of a cluster elsewhere, local is nil, and nothing is known of its processes. No
// answer at all, also not within some seconds more, is ErrSilent, and a result too.
func (m Measurement) Run(ctx context.Context, cl, told client.Invoker, local *testnet.Cluster) (Result, error) {
	ctx, fail := context.WithCancelCause(ctx)
	l := &load{Measurement: m, fail: fail, callers: make([]caller, m.Clients), answered: make(chan struct{}, 1)}
	loop := live.Load{Begun: time.Now(), Callers: slices.Repeat([]client.Invoker{cl}, m.Clients), Next: l.next, Heard: l.heard}
	for i := range min(toldCallers, m.Clients) {
		loop.Callers[i] = told
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := loop.Run(ctx); err != nil {
			fail(err)
		}
	}()
	until := func(at time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(loop.Begun.Add(at))):
		}
	}
	until(m.Warmup)
	before := observe(ctx, local)
	until(m.Warmup + m.Duration)
	after := observe(ctx, local)
	silent := false
	select {
	case <-ctx.Done():
	case <-l.answered:
	case <-time.After(silence):
		silent = true
	}
	took := time.Since(loop.Begun) - m.Warmup
	err := context.Cause(ctx)
	fail(nil)
	<-done
	if err != nil {
		return Result{}, err
	}
	r := l.result(before, after)
	if silent {
		err = fmt.Errorf("%w for %v", ErrSilent, took.Round(100*time.Millisecond))
	}
	return r, err
}

// Temporary makes a cluster, measures it, and removes it.
func (m Measurement) Temporary(ctx context.Context) (r Result, err error) {
	dir, err := os.MkdirTemp("", "quorate-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cluster, err := testnet.Init(testnet.Options{Dir: filepath.Join(dir, "net"), Protocol: m.Protocol, Replicas: m.Replicas, Name: "bench", Volatile: m.Volatile,
		Settings: func(_ int, c *home.Config) { c.Record.Level = home.RecordVotes }}) // as in production
	if err != nil {
		return r, err
	}
	cluster.Tied = true
	if err := m.Check(&cluster.Genesis.Limits); err != nil {
		return r, err
	}
	// Before Up: whatever happens from here on, no process is left behind.
	defer func() { err = errors.Join(err, cluster.Discard()) }()
	if _, err := cluster.Up(); err != nil {
		return r, err
	}
	soon, cancel := context.WithTimeout(ctx, testnet.ReadyWithin)
	defer cancel()
	if err := cluster.AwaitReady(soon); err != nil {
		return r, err
	}
	seed, err := home.ReadKey(cluster.BenchKey(), nil)
	if err != nil {
		return r, err
	}
	config := client.Config{Genesis: &cluster.Genesis, Key: seed, Addresses: cluster.Addresses(), Session: m.Session()}
	testnet.Remember(&config, cluster.BenchKey())
	cl, err := client.Dial(ctx, config)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	return m.Run(ctx, cl, cl, cluster)
}
