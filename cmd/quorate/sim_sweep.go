package main

import (
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// sweepState is what a sweep has found so far.
type sweepState struct {
	of    protocol.Protocol
	done  uint64
	bad   map[uint64][]string
	stats sim.Stats
	tried *sim.Coverage
	begun time.Time
}

// sweep runs the seeds on several workers. A run is one goroutine, and runs share
// nothing, so that they are as deterministic side by side as alone.
func sweep(c *cli.Context, of protocol.Protocol) error {
	s := &sweepState{of: of, bad: map[uint64][]string{}, tried: sim.NewCoverage(of), begun: time.Now()}
	quickly()
	run := func(seed uint64) (worldRun, error) { return runWorld(sim.FromSeedOf(of, seed)) }
	if err := sideBySide(c, seedsOf(c), run, s.take, func() string {
		return fmt.Sprintf("%s done, %d bad, %.1f seeds/s", noun.Several(int(s.done), "seed"), len(s.bad), s.rate())
	}); err != nil {
		return err
	}
	if err := s.report(c); err != nil {
		return err
	}
	return c.Context.Err()
}

// quickly lets worlds and callers, which live briefly and leave much garbage, be
// collected less often.
func quickly() { debug.SetGCPercent(400) }

// take adds a run. A bad seed is printed at once: a sweep may take hours, and
// somebody may want to look at it meanwhile.
func (s *sweepState) take(r worldRun) {
	seed, violations := r.config.Seed, r.result.Violations
	s.done++
	s.stats.Add(r.result.Stats)
	s.tried.Add(&r.config, &r.result)
	if len(violations) > 0 {
		s.bad[seed] = texts(r.result)
		note("seed %d: %s\n  replay: quorate sim --protocol %s --seed %d --trace", seed, violations[0], s.of.Name, seed)
	}
}

// rate is seeds per second so far.
func (s *sweepState) rate() float64 {
	return float64(s.done) / max(time.Since(s.begun).Seconds(), 1e-9)
}

// report lists the bad seeds in order at the end, where people look for them.
func (s *sweepState) report(c *cli.Context) error {
	if err := s.print(c); err != nil {
		return err
	}
	for _, seed := range slices.Sorted(maps.Keys(s.bad)) {
		note("bad: quorate sim --protocol %s --seed %d --trace", s.of.Name, seed)
	}
	switch {
	case len(s.bad) > 0:
		return fmt.Errorf("%d of %s broke a promise", len(s.bad), noun.Several(s.done, "seed"))
	case s.done == 0 && c.Context.Err() == nil:
		return errNoRun
	case c.Context.Err() != nil:
		return nil // of an interrupted sweep, what was tried is no measure
	}
	return s.gate(c.Bool("coverage"))
}

// print prints what the seeds came to, and what they tried.
func (s *sweepState) print(c *cli.Context) error {
	if forPrograms(c) {
		all := map[string]any{"protocol": s.of.Name, "seeds": s.done, "bad": s.bad, "seconds": time.Since(s.begun).Seconds(), "seeds_per_second": s.rate(), "stats": s.stats}
		if c.Bool("coverage") {
			all["missing"] = s.tried.Missing()
		}
		return printSnake(c.App.Writer, all)
	}
	fmt.Fprintf(c.App.Writer, "%s, %d bad, %.1f seeds/s; %s, %s of which %d lost, %s, %s\n",
		noun.Several(int(s.done), "seed"), len(s.bad), s.rate(), noun.Several(s.stats.Steps, "step"), noun.Several(s.stats.Frames, "frame"), s.stats.Lost, noun.Several(s.stats.Hazards, "hazard"), noun.Several(s.stats.Results, "result"))
	if c.Bool("coverage") {
		return s.tried.Report(c.App.Writer)
	}
	return nil
}

// gate fails if the seeds have not tried enough, or are too few to tell.
func (s *sweepState) gate(coverage bool) error {
	missing := s.tried.Missing()
	switch {
	case !coverage:
		return nil
	case s.done < sim.GateSeeds:
		return fmt.Errorf("coverage was not judged: it takes %d seeds, not %d", sim.GateSeeds, s.done)
	case len(missing) == 0:
		return nil
	}
	for _, m := range missing {
		note("not covered: %s", m)
	}
	return fmt.Errorf("not tried by %s: %s", noun.Several(int(s.done), "seed"), noun.Several(len(missing), "thing"))
}
