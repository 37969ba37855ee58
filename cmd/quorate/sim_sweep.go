package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"sort"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// sweepState is what the workers of a sweep share.
type sweepState struct {
	mu     sync.Mutex
	of     protocol.Protocol
	next   uint64
	end    uint64
	done   uint64
	bad    map[uint64][]string
	stats  sim.Stats
	tried  *sim.Coverage
	begun  time.Time
	told   time.Time
	failed error
}

// sweep runs the seeds on several workers. A run is one goroutine, and runs share
// nothing, so that they are as deterministic side by side as alone.
func sweep(c *cli.Context, of protocol.Protocol) error {
	s := &sweepState{of: of, next: c.Uint64("from"), end: c.Uint64("from") + c.Uint64("seeds"), bad: map[uint64][]string{}, tried: sim.NewCoverage(of), begun: time.Now(), told: time.Now()}
	quickly()
	var workers sync.WaitGroup
	for range max(1, c.Int("parallel")) {
		workers.Go(func() {
			for seed, ok := s.take(c); ok; seed, ok = s.take(c) {
				cfg, r, err := runSeed(s.of, seed, nil)
				s.give(cfg, r, err)
			}
		})
	}
	workers.Wait()
	if s.failed != nil {
		return s.failed
	}
	if err := s.report(forPrograms(c), c.Bool("coverage")); err != nil {
		return err
	}
	return c.Context.Err()
}

// quickly lets worlds, which live briefly and litter a lot, be collected less
// often.
func quickly() { debug.SetGCPercent(400) }

// take hands out the next seed; none after a failure or an interrupt.
func (s *sweepState) take(c *cli.Context) (uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next >= s.end || s.failed != nil || c.Context.Err() != nil {
		return 0, false
	}
	s.next++
	return s.next - 1, true
}

// give takes in a result. A bad seed is printed at once: a sweep may take hours,
// and somebody may want to look at it meanwhile.
func (s *sweepState) give(cfg sim.Config, r sim.Result, err error) {
	seed := cfg.Seed
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed = err
		return
	}
	s.done++
	s.stats.Add(r.Stats)
	s.tried.Add(&cfg, &r)
	if len(r.Violations) > 0 {
		s.bad[seed] = texts(r)
		note("seed %d: %s\n  replay: quorate sim --protocol %s --seed %d --trace", seed, r.Violations[0], s.of.Name, seed)
	}
	if time.Since(s.told) > 5*time.Second {
		s.told = time.Now()
		note("%d seeds done, %d bad, %.1f seeds/s", s.done, len(s.bad), s.rate())
	}
}

// rate is seeds per second so far.
func (s *sweepState) rate() float64 {
	return float64(s.done) / max(time.Since(s.begun).Seconds(), 1e-9)
}

// report lists the bad seeds in order at the end, where people look for them.
func (s *sweepState) report(machine, coverage bool) error {
	var seeds []uint64
	for seed := range s.bad {
		seeds = append(seeds, seed)
	}
	sort.Slice(seeds, func(i, j int) bool { return seeds[i] < seeds[j] })
	if machine {
		all := map[string]any{"protocol": s.of.Name, "seeds": s.done, "bad": s.bad, "seconds": time.Since(s.begun).Seconds(), "seeds_per_second": s.rate(), "stats": s.stats}
		if coverage {
			all["missing"] = s.tried.Missing()
		}
		if err := printSnake(all); err != nil {
			return err
		}
	} else {
		fmt.Printf("%d seeds, %d bad, %.1f seeds/s; %d steps, %d frames of which %d lost, %d hazards, %d results\n",
			s.done, len(seeds), s.rate(), s.stats.Steps, s.stats.Frames, s.stats.Lost, s.stats.Hazards, s.stats.Results)
		if coverage {
			if err := s.tried.Report(os.Stdout); err != nil {
				return err
			}
		}
	}
	for _, seed := range seeds {
		fmt.Fprintf(os.Stderr, "bad: quorate sim --protocol %s --seed %d --trace\n", s.of.Name, seed)
	}
	if len(seeds) > 0 {
		return fmt.Errorf("%d of %d seeds break a promise", len(seeds), s.done)
	}
	return s.gate(coverage)
}

// gate fails if enough seeds have not tried enough.
func (s *sweepState) gate(coverage bool) error {
	missing := s.tried.Missing()
	if !coverage || s.done < sim.GateSeeds || len(missing) == 0 {
		return nil
	}
	for _, m := range missing {
		note("not covered: %s", m)
	}
	return fmt.Errorf("%d seeds have not tried %d things", s.done, len(missing))
}
