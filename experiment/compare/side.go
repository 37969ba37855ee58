package compare

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/live"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/internal/files"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/testnet"
)

// side is one of the clusters while it is compared.
type side struct {
	protocol protocol.Protocol
	faults   []spec.Fault
	options  *Options
	changed  func() // tells that the report is another

	cluster *live.Cluster
	client  *testnet.Caller
	callers *callers
	count   *count
	meter   *meter
	back    ReadBack

	mu      sync.Mutex // for the rest
	phase   string
	begun   time.Time // of the load
	events  []Event
	verdict *Verdict
	forked  float64 // with a verdict: when histories forked, in seconds of the load; infinite = never
}

// replicas is how many it has.
func (s *side) replicas() int { return s.protocol.Model.Least(s.options.Faults) }

// create makes the cluster beside others.
func (s *side) create(others []*side) (err error) {
	setup := live.Setup{
		Dir: filepath.Join(s.options.Dir, s.protocol.Name), Command: s.options.Command, Name: "compare-" + s.protocol.Name,
		Protocol: s.protocol.Name, Replicas: s.replicas(), Faults: s.faults, Settings: s.settings,
	}
	for _, o := range others {
		if o.cluster != nil {
			setup.Apart = append(setup.Apart, o.cluster)
		}
	}
	if s.cluster, err = live.New(setup); err != nil {
		return fmt.Errorf("make the cluster of %s: %w", s.protocol.Name, err)
	}
	return nil
}

// settings give a home its patience.
func (s *side) settings(_ int, c *home.Config) {
	if p := s.options.Patience; p > 0 {
		c.Engine.Patience = files.Duration(p)
		c.Engine.PatienceCap = max(c.Engine.PatienceCap, files.Duration(p))
	}
}

// up starts the cluster and connects a client, which has had its first answer
// when up returns.
func (s *side) up(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, testnet.ReadyWithin)
	defer cancel()
	if err := s.cluster.Start(ctx); err != nil {
		return err
	}
	if err := s.cluster.AwaitReady(ctx); err != nil {
		return fmt.Errorf("the cluster of %s is not ready: %w", s.protocol.Name, err)
	}
	if s.client, err = s.cluster.Dial(ctx, s.cluster.BenchKey()); err != nil {
		return err
	}
	if _, err := s.store().Put(ctx, []byte("compare/first"), []byte("hello")); err != nil {
		return fmt.Errorf("the cluster of %s does not answer: %w", s.protocol.Name, err)
	}
	return nil
}

// store is the service, as its judged client sees it.
func (s *side) store() client.KV { return client.KV{Invoker: s.client} }

// recover lets everybody go on who was stopped: what is read back afterwards is
// what has stayed. That somebody does not come back is an event, and no error: the
// reading back shows what it means.
func (s *side) recover(ctx context.Context) {
	const after = "after the load, "
	s.cluster.Recover(func(f *spec.Fault, err error) { s.happened(time.Since(s.begun), f, after, err) })
	ctx, cancel := context.WithTimeout(ctx, readBackWithin/2)
	defer cancel()
	if late, err := s.cluster.AwaitUsable(ctx); err != nil || len(late) > 0 {
		for _, x := range s.cluster.Statuses(ctx) {
			if !x.Ready {
				s.note(Event{At: time.Since(s.begun).Seconds(), Replica: x.Replica, What: fmt.Sprintf("%sreplica %d is not ready", after, x.Replica), Error: x.Health})
			}
		}
	}
}

// readBackWithin bounds how long what was acknowledged may take to be read.
const readBackWithin = 30 * time.Second

// readBack recovers and reads.
func (s *side) readBack(ctx context.Context) error {
	s.enter("reading back")
	s.recover(ctx)
	within, cancel := context.WithTimeout(ctx, readBackWithin)
	defer cancel()
	s.back = s.callers.readBack(within)
	err := s.client.Close()
	if s.client = nil; err != nil {
		return fmt.Errorf("%s: %w", s.protocol.Name, err)
	}
	return ctx.Err()
}

// judge reads what everybody of a side wrote down.
func (s *side) judge(ctx context.Context) error {
	s.enter("judging")
	v, err := s.cluster.Judge(ctx, kv.Store{}, check.Store())
	if err != nil {
		return fmt.Errorf("judge %s: %w", s.protocol.Name, err)
	}
	s.mu.Lock()
	s.phase, s.verdict, s.forked = "done", newVerdict(&v, s.cluster.Traitors(), s.back), forkedAt(&v, s.begun)
	s.mu.Unlock()
	s.changed()
	return nil
}

// forkedAt is when histories forked, in seconds since a load began; infinite if they
// did not.
func forkedAt(v *check.Verdict, begun time.Time) float64 {
	at := math.Inf(1)
	for _, x := range v.Violations {
		if v.Forked && v.Scope != nil {
			at = min(at, time.Duration(v.Scope.Began+x.At-consensus.Time(begun.UnixNano())).Seconds())
		}
	}
	return at
}

// close ends client and processes, whatever has happened before. It may be
// called again.
func (s *side) close() error {
	var errs []error
	if s.client != nil {
		errs = append(errs, s.client.Close())
		s.client = nil
	}
	if s.cluster != nil {
		errs = append(errs, s.cluster.Close())
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

// begin prepares the load, which begins now.
func (s *side) begin(ctx context.Context) *live.Load {
	s.count, s.meter = newCount(s.options.Duration), newMeter()
	s.meter.look(ctx, s.cluster.Cluster)
	s.callers = newCallers(s.store(), s.options.Clients, s.options.ValueBytes, s.count)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun, s.phase = time.Now(), "under load"
	return s.callers.load(s.begun)
}

// report is the side as it is now.
func (s *side) report() Side {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Side{
		Protocol: s.protocol.Name, Replicas: s.replicas(), Faults: s.options.Faults, Phase: s.phase,
		Leader: -1, Events: slices.Clone(s.events), Verdict: s.verdict,
	}
	if s.begun.IsZero() {
		return out
	}
	at := min(time.Since(s.begun), s.options.Duration)
	out.Elapsed = at.Seconds()
	out.Seconds, out.Total = s.count.until(at), s.count.total(at)
	if s.verdict != nil {
		markFork(out.Seconds, s.forked)
	}
	out.Total.Sent, out.Total.Decisions = s.meter.read()
	out.Leader, out.View = s.meter.led()
	return out
}

// suffer lets the faults happen, each at its moment of the load, until ctx ends. A
// fault that cannot happen is told as an event and ends nothing: it is the same
// scenario for all sides, and they are not in the same state.
func (s *side) suffer(ctx context.Context, faults []spec.Fault) {
	for f := range live.Due(ctx, s.begun, faults) {
		err := s.cluster.Find(ctx, &f)
		if ctx.Err() != nil {
			return
		}
		// Counters end with their process: one last look.
		if err == nil && slices.Contains([]spec.Kind{spec.Crash, spec.TornWrite, spec.Wipe, spec.DiskFull}, f.Kind) {
			s.meter.look(ctx, s.cluster.Cluster)
		}
		at := time.Since(s.begun)
		if err == nil {
			err = s.cluster.Inject(&f)
		}
		s.happened(at, &f, "", err)
	}
}

// happened notes a fault that began at a moment of the load, or why it did not.
func (s *side) happened(at time.Duration, f *spec.Fault, before string, err error) {
	e := Event{At: at.Seconds(), Kind: f.Word(), Replica: -1, What: before + f.Text(s.protocol.Words)}
	if len(f.Replicas) > 0 {
		e.Replica = int(f.Replicas[0])
	}
	if err != nil {
		e.Error = err.Error()
	}
	s.note(e)
}

// note adds an event.
func (s *side) note(e Event) {
	s.mu.Lock()
	s.events = append(s.events, e)
	s.mu.Unlock()
	s.changed()
}
