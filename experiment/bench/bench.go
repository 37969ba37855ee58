package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
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
	Clients    int           `json:"clients"`  // callers, each with one operation under way at a time
	Sessions   int           `json:"sessions"` // clients that they share
	Rate       int           `json:"rate"`     // operations per second of an open loop; 0 = a closed loop
	ValueBytes int           `json:"value_bytes"`
	Keys       int           `json:"keys"`         // distinct ones; 0 = ever new ones
	Fill       bool          `json:"fill"`         // write every key before the load begins
	Reads      int           `json:"read_percent"` // of the operations
	OneEach    bool          `json:"one_each"`
	Volatile   bool          `json:"volatile"`
	Operation  []byte        `json:"-"` // executed again and again; nil = those of the key-value store
	Warmup     time.Duration `json:"-"`
	Duration   time.Duration `json:"-"`
}

// Standard are the measurements whose results people ask for.
func Standard(m Measurement) []Measurement {
	gathered, each, single, volatile := m, m, m, m
	gathered.Name = "synced, gathered"
	each.Name, each.OneEach = "synced, one signature each", true
	single.Name, single.Clients = "synced, a single caller", 1
	single.Sessions, single.Keys = 1, m.own()
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
	before := ""
	if m.Fill {
		before = "all of them written, then "
	}
	return fmt.Sprintf("%s: %s, %s%v of warm-up, then %v", m.Name, m.load(), before, m.Warmup, m.Duration)
}

// Session is how the callers' clients gather operations.
func (m *Measurement) Session() session.Config {
	return session.Config{OneEach: m.OneEach, Writes: kv.Writes}
}

// observeWithin bounds how long replicas are asked what they have used when somebody
// waits for the end.
const observeWithin = 250 * time.Millisecond

// Run measures a running cluster, whose sessions are of the measurement's Session. If
// ctx ends before its time, the result is of what was measured until then, and the
// error ctx's. No answer at all, also not within some seconds more, is ErrSilent, and a
// result too.
func (m Measurement) Run(ctx context.Context, target Target) (Result, error) {
	whole := ctx
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	l := newLoad(m, target, fail)
	if m.Fill && m.Keys > 0 {
		if err := l.fill(ctx); err != nil {
			return Result{}, err
		}
	}
	l.begun = time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := l.run(ctx); err != nil {
			fail(err)
		}
	}()
	l.until(ctx, m.Warmup)
	before := observe(ctx, target.Local)
	warm := ctx.Err() == nil
	l.until(ctx, m.Warmup+m.Duration)
	l.meter.stop(time.Since(l.begun))
	asked, cancel := ctx, context.CancelFunc(func() {})
	if whole.Err() != nil {
		asked, cancel = context.WithTimeout(context.WithoutCancel(ctx), observeWithin)
	}
	after := observe(asked, target.Local)
	cancel()
	silent := l.silent(ctx)
	took := time.Since(l.begun) - m.Warmup
	err := context.Cause(ctx)
	fail(nil)
	<-done
	if err != nil && (whole.Err() == nil || !warm) {
		return Result{}, err
	}
	r := l.result(before, after)
	r.Interrupted = whole.Err() != nil
	if silent && err == nil {
		err = fmt.Errorf("%w for %v", ErrSilent, took.Round(100*time.Millisecond))
	}
	return r, err
}

// until waits for a moment of the load.
func (l *load) until(ctx context.Context, at time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Until(l.begun.Add(at))):
	}
}

// silent reports whether nothing was answered, and waits a while for an answer.
func (l *load) silent(ctx context.Context) bool {
	select {
	case <-ctx.Done():
	case <-l.answered:
	case <-time.After(silence):
		return true
	}
	return false
}

// Temporary makes a cluster, measures it, and removes it.
func (m Measurement) Temporary(ctx context.Context) (r Result, err error) {
	dir, err := os.MkdirTemp("", "quorate-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	more, err := Keys(m.Sessions - 1)
	if err != nil {
		return r, err
	}
	cluster, err := testnet.Init(testnet.Options{Dir: filepath.Join(dir, "net"), Protocol: m.Protocol, Replicas: m.Replicas, Name: "bench", Volatile: m.Volatile,
		Adjust: func(g *consensus.Genesis) {
			for _, seed := range more {
				g.Clients = append(g.Clients, consensus.ClientEntry{Key: crypto.PublicOf(seed), Role: consensus.RoleWriter})
			}
		},
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
	var configs []client.Config
	for _, seed := range append([]home.Seed{seed}, more...) {
		configs = append(configs, client.Config{Genesis: &cluster.Genesis, Key: seed, Addresses: cluster.Addresses()})
	}
	sessions, hangUp, err := m.Dial(ctx, configs)
	if err != nil {
		return r, err
	}
	defer hangUp()
	return m.Run(ctx, Target{Sessions: sessions, Local: cluster})
}

// Keys draws private keys.
func Keys(number int) (keys []home.Seed, err error) {
	for range number {
		seed, err := home.NewSeed()
		if err != nil {
			return nil, err
		}
		keys = append(keys, seed)
	}
	return keys, nil
}

// Dial makes a session of the measurement's by each configuration. hangUp ends them.
func (m *Measurement) Dial(ctx context.Context, configs []client.Config) (sessions []Session, hangUp func(), err error) {
	var clients []*client.Client
	hangUp = func() {
		for _, cl := range clients {
			_ = cl.Close() // nothing is lost with it
		}
	}
	for _, config := range configs {
		config.Session = m.Session()
		cl, err := client.Dial(ctx, config)
		if err != nil {
			hangUp()
			return nil, nil, err
		}
		clients, sessions = append(clients, cl), append(sessions, Session{Invoker: cl, Reads: client.Unordered{Reader: cl}})
	}
	return sessions, hangUp, nil
}
