package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/internal/files"
	"quorate.dev/quorate/testnet"
	"quorate.dev/quorate/transcript"
)

// side is one of the two clusters while it is compared.
type side struct {
	protocol string
	options  *Options
	changed  func() // tells that the report is another

	cluster *testnet.Cluster
	client  *client.Client
	history *transcript.History
	load    *load
	count   *count
	meter   *meter
	back    ReadBack

	killed, paused, turned []int // replicas in these roles, the latest last; of the events' goroutine, then of mend

	mu      sync.Mutex // for the rest
	phase   string
	begun   time.Time // of the load
	events  []Event
	verdict *Verdict
}

// recordBytes is the room of each replica for what it writes down: all of it,
// or the judges could not execute it again. It is a bound, not a size.
const recordBytes = 1 << 30

// found makes the cluster. Its ports are none of others': two clusters in the
// making do not see each other's.
func (s *side) found(others []*side) error {
	dir := filepath.Join(s.options.Dir, s.protocol)
	for range 8 {
		c, err := testnet.Init(testnet.Options{
			Dir: dir, Protocol: s.protocol, Replicas: least(s.protocol, s.options.Faults), Name: "compare-" + s.protocol, Settings: s.settings,
		})
		if err != nil {
			return fmt.Errorf("make the cluster of %s: %w", s.protocol, err)
		}
		if !slices.ContainsFunc(others, func(o *side) bool { return o.cluster != nil && meet(o.cluster, c) }) {
			c.Command = s.options.Command
			s.cluster = c
			return nil
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("make the cluster of %s anew: %w", s.protocol, err)
		}
	}
	return errors.New("no ports are left that the other cluster does not have: stop what listens on loopback")
}

// meet reports whether two clusters have a port in common.
func meet(a, b *testnet.Cluster) bool {
	taken := map[string]bool{}
	for _, p := range a.Manifest.Replicas {
		taken[p.Address], taken[p.Admin] = true, true
	}
	return slices.ContainsFunc(b.Manifest.Replicas, func(p testnet.Place) bool { return taken[p.Address] || taken[p.Admin] })
}

// settings have a home write everything down.
func (s *side) settings(_ int, c *home.Config) {
	c.Record.Level, c.Record.Bytes = home.RecordAll, recordBytes
	if p := s.options.Patience; p > 0 {
		c.Engine.Patience = files.Duration(p)
		c.Engine.PatienceCap = max(c.Engine.PatienceCap, files.Duration(p))
	}
}

// up starts the cluster and connects a client, which has had its first answer
// when up returns.
func (s *side) up(ctx context.Context) error {
	if _, err := s.cluster.Up(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, testnet.ReadyWithin)
	defer cancel()
	if err := s.cluster.AwaitReady(ctx); err != nil {
		return fmt.Errorf("the cluster of %s is not ready: %w", s.protocol, err)
	}
	seed, err := home.ReadKey(s.cluster.BenchKey(), nil)
	if err != nil {
		return err
	}
	g, key := &s.cluster.Genesis, crypto.PublicOf(seed)
	if s.history, err = transcript.NewHistory(s.cluster.HistoryFile(key), g, key); err != nil {
		return err
	}
	if s.client, err = client.Dial(ctx, client.Config{Genesis: g, Key: seed, Addresses: s.cluster.Addresses()}); err != nil {
		return err
	}
	if _, err := s.store().Put(ctx, []byte("compare/first"), []byte("hello")); err != nil {
		return fmt.Errorf("the cluster of %s does not answer: %w", s.protocol, err)
	}
	return nil
}

// store is the service, as its judged client sees it.
func (s *side) store() client.KV { return client.KV{Invoker: s.history.Of(s.client)} }

// mend lets everybody go on who was stopped: what is read back afterwards is
// what has stayed. Traitors stay traitors. That somebody does not come back is
// an event, and no error: the reading back shows what it means.
func (s *side) mend(ctx context.Context) {
	for _, i := range slices.Clone(s.paused) {
		s.happens(Resume, i, fmt.Sprintf("after the load, replica %d goes on", i), s.cluster.Resume(i))
	}
	for _, i := range slices.Clone(s.killed) {
		s.happens(Restart, i, fmt.Sprintf("after the load, replica %d is started again", i), s.cluster.Restart(i))
	}
	s.paused, s.killed = nil, nil
	ctx, cancel := context.WithTimeout(ctx, readBackWithin/2)
	defer cancel()
	if late, err := s.cluster.AwaitUsable(ctx); err != nil || len(late) > 0 {
		for _, x := range s.cluster.Statuses(ctx) {
			if !x.Ready {
				s.happens("", x.Replica, fmt.Sprintf("after the load, replica %d is not ready", x.Replica), errors.New(x.Health))
			}
		}
	}
}

// readBackWithin bounds how long what was acknowledged may take to be read.
const readBackWithin = 30 * time.Second

// readBack mends and reads.
func (s *side) readBack(ctx context.Context) error {
	s.enter("reading back")
	s.mend(ctx)
	within, cancel := context.WithTimeout(ctx, readBackWithin)
	defer cancel()
	s.back = s.load.readBack(within)
	if err := errors.Join(s.client.Close(), s.history.Close()); err != nil {
		return fmt.Errorf("%s: %w", s.protocol, err)
	}
	s.client, s.history = nil, nil
	return ctx.Err()
}

// close ends client and processes, whatever has happened before. It may be
// called again.
func (s *side) close() error {
	var errs []error
	if s.client != nil {
		errs = append(errs, s.client.Close())
		s.client = nil
	}
	if s.history != nil {
		errs = append(errs, s.history.Close())
		s.history = nil
	}
	if s.cluster != nil {
		errs = append(errs, s.cluster.Down())
	}
	return errors.Join(errs...)
}

// enter begins a phase.
func (s *side) enter(phase string) {
	s.mu.Lock()
	s.phase = phase
	s.mu.Unlock()
	s.changed()
}

// conclude is the end.
func (s *side) conclude(v *Verdict) {
	s.mu.Lock()
	s.phase, s.verdict = "done", v
	s.mu.Unlock()
	s.changed()
}

// happens notes an event of this moment.
func (s *side) happens(kind string, replica int, what string, err error) {
	s.mu.Lock()
	e := Event{At: time.Since(s.begun).Seconds(), Kind: kind, Replica: replica, What: what}
	if err != nil {
		e.Error = err.Error()
	}
	s.events = append(s.events, e)
	s.mu.Unlock()
	s.changed()
}

// begin begins the load.
func (s *side) begin(ctx context.Context) (stop func()) {
	s.count, s.meter = newCount(s.options.Duration), newMeter()
	s.meter.look(ctx, s.cluster)
	s.load = newLoad(s.store(), s.options.Clients, s.options.ValueBytes, s.count)
	s.mu.Lock()
	s.begun, s.phase = s.load.begun, "under load"
	s.mu.Unlock()
	return s.load.run(ctx)
}

// report is the side as it is now.
func (s *side) report() Side {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Side{
		Protocol: s.protocol, Replicas: least(s.protocol, s.options.Faults), Faults: s.options.Faults, Phase: s.phase,
		Leader: -1, Events: slices.Clone(s.events), Verdict: s.verdict,
	}
	if s.begun.IsZero() {
		return out
	}
	at := min(time.Since(s.begun), s.options.Duration)
	out.Elapsed = at.Seconds()
	out.Seconds, out.Total = s.count.until(at), s.count.total(at)
	out.Total.Sent, out.Total.Decisions = s.meter.read()
	out.Leader, out.View = s.meter.led()
	return out
}

// lies reports whether a replica was ever corrupted.
func (s *side) lies(i int) bool {
	return slices.Contains(s.cluster.Turned(), consensus.ReplicaID(i))
}
