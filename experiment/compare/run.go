package compare

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/protocol"
)

// ErrOptions is what errors about Options wrap.
var ErrOptions = errors.New("this cannot be compared")

// Options say what is compared, and where.
type Options struct {
	Dir        string                     // of all clusters; new or empty, and the caller's to remove
	Faults     int                        // f: 2f+1 replicas of Raft, 3f+1 of PBFT
	Duration   time.Duration              // of the load
	Clients    int                        // callers of each side
	ValueBytes int                        // of each value that is put; at least 8 are
	Turns      bool                       // one side after the other
	Patience   time.Duration              // engine.patience of all homes; 0 = as shipped
	Scenario   *spec.Scenario             // nil = Default
	Show       func(*Report)              // hears of every change and every second, one call at a time; may be nil
	Command    func(home string) []string // how a home becomes a process; nil = this program's node command
}

// Limits of a comparison.
const (
	MaxDuration = 10 * time.Minute // the judges hold all of it in memory
	maxClients  = 1024
	maxValue    = 64 << 10
	maxFaulty   = 4 // 9 + 13 replicas on one machine
)

// check refuses what cannot be compared, before anything is started.
func (o *Options) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrOptions, fmt.Sprintf(format, args...))
	}
	switch {
	case o.Faults < 1 || o.Faults > maxFaulty:
		return bad("%d faults: choose 1 to %d", o.Faults, maxFaulty)
	case o.Duration < time.Second || o.Duration > MaxDuration:
		return bad("a load of %v: choose 1s to %v", o.Duration, MaxDuration)
	case o.Clients < 1 || o.Clients > maxClients:
		return bad("%d clients: choose 1 to %d", o.Clients, maxClients)
	case o.ValueBytes < 8 || o.ValueBytes > maxValue:
		return bad("values of %d bytes: choose 8 to %d", o.ValueBytes, maxValue)
	case o.Patience != 0 && (o.Patience < 100*time.Millisecond || o.Patience > time.Minute):
		return bad("a patience of %v: choose 100ms to 1m", o.Patience)
	case o.Dir == "":
		return bad("no directory for the clusters")
	}
	return nil
}

//go:embed default.toml
var defaultText string

// Default is the scenario that is played if there is no file.
func Default() *spec.Scenario {
	s, err := spec.ParseScenario([]byte(defaultText))
	if err != nil {
		panic(fmt.Sprintf("the built-in scenario: %v", err))
	}
	return s
}

// Protocols are those that are compared, in the order of display: first those that
// tolerate crashes alone.
func Protocols() []string {
	var crash, others []string
	for _, p := range protocol.All() {
		if p.Model == quorum.Crash {
			crash = append(crash, p.Name)
		} else {
			others = append(others, p.Name)
		}
	}
	return append(crash, others...)
}

// bind holds a scenario against what there is, and answers the faults of each
// protocol: how long the load lasts, and how many replicas each cluster has to
// tolerate so many faults. Errors are *spec.ScenarioErrors.
func bind(s *spec.Scenario, whole time.Duration, faults int) (map[string][]spec.Fault, error) {
	if len(s.Sets) > 0 {
		return nil, &spec.ScenarioError{File: s.File, Text: "it has [[set]]s, which `quorate byzantine scenario` runs: a comparison has a load of its own, and [[fault]]s"}
	}
	all := map[string][]spec.Fault{}
	for _, name := range Protocols() {
		p, err := protocol.Lookup(name)
		if err != nil {
			return nil, err
		}
		if all[name], err = s.FaultsFor(p, p.Model.Least(faults), consensus.Time(whole)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// comparison is one Run.
type comparison struct {
	options *Options
	sides   []*side
	showing sync.Mutex
}

// Run compares. It leaves no process behind, however it ends. Errors wrap
// ErrOptions or ErrScenario, are ctx's, or say what did not start; how the
// clusters fared is never one: see Verdict.Safe.
func Run(ctx context.Context, o Options) (r *Report, err error) {
	if o.Scenario == nil {
		o.Scenario = Default()
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	faults, err := bind(o.Scenario, o.Duration, o.Faults)
	if err != nil {
		return nil, err
	}
	c := &comparison{options: &o}
	for _, name := range Protocols() {
		p, err := protocol.Lookup(name)
		if err != nil {
			return nil, err
		}
		c.sides = append(c.sides, &side{protocol: p, faults: faults[name], options: &o, changed: c.show, phase: "waiting"})
	}
	// Before anything starts: whatever happens from here on, no process is left.
	defer func() {
		for _, s := range c.sides {
			err = errors.Join(err, s.close())
		}
	}()
	groups := [][]*side{c.sides}
	if o.Turns {
		groups = [][]*side{c.sides[:1], c.sides[1:]}
	}
	for _, group := range groups {
		if err := c.play(ctx, group); err != nil {
			return nil, err
		}
	}
	return c.report(), nil
}

// report is all sides as they are now.
func (c *comparison) report() *Report {
	o := c.options
	r := &Report{
		Scenario: o.Scenario.Name, Seconds: o.Duration.Seconds(), Clients: o.Clients, ValueBytes: o.ValueBytes,
		Cores: runtime.NumCPU(), Turns: o.Turns, Patience: milliseconds(o.Patience),
	}
	for _, s := range c.sides {
		r.Sides = append(r.Sides, s.report())
	}
	return r
}

// show tells who wants to know.
func (c *comparison) show() {
	if c.options.Show == nil {
		return
	}
	c.showing.Lock()
	defer c.showing.Unlock()
	c.options.Show(c.report())
}

// play takes the sides of a group through all phases at the same time.
func (c *comparison) play(ctx context.Context, group []*side) error {
	for _, s := range group {
		s.enter("starting")
		if err := s.create(c.sides); err != nil {
			return err
		}
	}
	if err := together(group, func(s *side) error { return s.up(ctx) }); err != nil {
		return interrupted(ctx, err)
	}
	if err := c.loaded(ctx, group); err != nil {
		return interrupted(ctx, err)
	}
	err := together(group, func(s *side) error {
		if err := s.readBack(ctx); err != nil {
			return err
		}
		return s.judge(ctx)
	})
	return interrupted(ctx, err)
}

// interrupted is the interruption alone, if there was one: what it broke is no
// news.
func interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// together does something with each side at the same time.
func together(group []*side, do func(*side) error) error {
	errs := make([]error, len(group))
	var all sync.WaitGroup
	for i, s := range group {
		all.Go(func() { errs[i] = do(s) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// loaded runs load and faults of a group, and watches them.
func (c *comparison) loaded(ctx context.Context, group []*side) error {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	broken := make(chan error, len(group))
	var happening sync.WaitGroup
	for _, s := range group {
		load := s.begin(within)
		happening.Go(func() {
			if err := load.Run(within); err != nil {
				broken <- fmt.Errorf("the load of %s: %w", s.protocol.Name, err)
			}
		})
		happening.Go(func() { s.suffer(within, s.faults) })
	}
	err := c.watch(within, group, broken)
	for _, s := range group {
		s.meter.look(ctx, s.cluster.Cluster) // before the callers stop, so that no queue drains for free
	}
	cancel()
	happening.Wait()
	return err
}

// watch looks at the counters once a second, until the load has lasted.
func (c *comparison) watch(ctx context.Context, group []*side, broken chan error) error {
	begun := group[0].begun
	for i := 1; ; i++ {
		at := min(time.Duration(i)*time.Second, c.options.Duration)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-broken:
			return err
		case <-time.After(time.Until(begun.Add(at))):
		}
		for _, s := range group {
			s.meter.look(ctx, s.cluster.Cluster)
		}
		c.show()
		if at == c.options.Duration {
			return nil
		}
	}
}
