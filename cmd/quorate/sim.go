package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"sort"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"quorate/sim"
)

// simCommand is quorate sim.
func simCommand() *cli.Command {
	return &cli.Command{
		Name: "sim", Usage: "simulate whole systems, each drawn from a seed, and check them",
		Description: "A seed draws replicas, clients, network, disks, and what goes wrong. The same seed\n" +
			"is the same history. Prints the seeds that break a promise, with the command that\n" +
			"replays each; exit code 1 if there are any.",
		Flags: []cli.Flag{
			&cli.Uint64Flag{Name: "seeds", Usage: "simulate `N` systems"},
			&cli.Uint64Flag{Name: "from", Value: 1, Usage: "the first seed"},
			&cli.Uint64Flag{Name: "seed", Usage: "simulate the system of seed `S`, twice, and compare"},
			&cli.BoolFlag{Name: "trace", Usage: "with --seed: print everything that happens"},
			&cli.IntFlag{Name: "parallel", Value: runtime.GOMAXPROCS(0), Usage: "how many systems at once"},
			outputFlag(),
		},
		Action: does(0, 0, simulate),
	}
}

// simulate is either one seed in depth or many in width.
func simulate(c *cli.Context, _ []string) error {
	machine, err := asJSON(c)
	switch {
	case err != nil:
		return err
	case c.IsSet("seed") == c.IsSet("seeds"):
		return usageError("%s needs --seeds N or --seed S", commandPath(c))
	case c.IsSet("seeds") && c.Uint64("seeds") == 0:
		return usageError("--seeds 0: at least 1")
	case c.IsSet("seed"):
		return replay(c, machine)
	case c.Bool("trace"):
		return usageError("--trace goes with --seed S")
	}
	return sweep(c, machine)
}

// runSeed runs one system.
func runSeed(seed uint64, trace io.Writer) (sim.Result, error) {
	cfg := sim.FromSeed(seed)
	cfg.Trace = trace
	w, err := sim.New(cfg, sim.PBFT())
	if err != nil {
		return sim.Result{}, err
	}
	return w.Run(), nil
}

// replay runs one seed, and again without a trace: a run that cannot be
// repeated is a violation too.
func replay(c *cli.Context, machine bool) error {
	seed := c.Uint64("seed")
	var trace io.Writer
	if c.Bool("trace") {
		trace = os.Stdout
	}
	first, err := runSeed(seed, trace)
	if err != nil {
		return err
	}
	second, err := runSeed(seed, nil)
	if err != nil {
		return err
	}
	cfg := sim.FromSeed(seed)
	note("%s", cfg.String())
	if machine {
		if err := printSnake(map[string]any{"seed": seed, "history": fmt.Sprintf("%016x", first.History), "violations": texts(first), "stats": first.Stats}); err != nil {
			return err
		}
	} else {
		fmt.Printf("seed %d: history %016x, %d steps, height %d, %d violations\n", seed, first.History, first.Steps, first.Stats.Height, len(first.Violations))
	}
	if first.History != second.History {
		return fmt.Errorf("seed %d: two runs differ: histories %016x and %016x", seed, first.History, second.History)
	}
	if len(first.Violations) > 0 {
		for _, text := range texts(first) {
			note("  %s", text)
		}
		return fmt.Errorf("seed %d breaks a promise", seed)
	}
	return nil
}

// texts are a run's violations, one line each.
func texts(r sim.Result) []string {
	out := []string{}
	for _, v := range r.Violations {
		out = append(out, v.String())
	}
	return out
}

// sweepState is what the workers of a sweep share.
type sweepState struct {
	mu     sync.Mutex
	next   uint64
	end    uint64
	done   uint64
	bad    map[uint64][]string
	stats  sim.Stats
	begun  time.Time
	told   time.Time
	failed error
}

// sweep runs the seeds on several workers. A run is one goroutine, and runs share
// nothing, so that they are as deterministic side by side as alone.
func sweep(c *cli.Context, machine bool) error {
	s := &sweepState{next: c.Uint64("from"), end: c.Uint64("from") + c.Uint64("seeds"), bad: map[uint64][]string{}, begun: time.Now(), told: time.Now()}
	var workers sync.WaitGroup
	for range max(1, c.Int("parallel")) {
		workers.Go(func() {
			for seed, ok := s.take(c); ok; seed, ok = s.take(c) {
				r, err := runSeed(seed, nil)
				s.give(seed, r, err)
			}
		})
	}
	workers.Wait()
	if s.failed != nil {
		return s.failed
	}
	if err := s.report(machine); err != nil {
		return err
	}
	return c.Context.Err()
}

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
func (s *sweepState) give(seed uint64, r sim.Result, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed = err
		return
	}
	s.done++
	s.stats.Add(r.Stats)
	if len(r.Violations) > 0 {
		s.bad[seed] = texts(r)
		note("seed %d: %s\n  replay: quorate sim --seed %d --trace", seed, r.Violations[0], seed)
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

// report lists the bad seeds in order at the end, where they are looked for.
func (s *sweepState) report(machine bool) error {
	var seeds []uint64
	for seed := range s.bad {
		seeds = append(seeds, seed)
	}
	sort.Slice(seeds, func(i, j int) bool { return seeds[i] < seeds[j] })
	if machine {
		if err := printSnake(map[string]any{"seeds": s.done, "bad": s.bad, "seconds": time.Since(s.begun).Seconds(), "seeds_per_second": s.rate(), "stats": s.stats}); err != nil {
			return err
		}
	} else {
		fmt.Printf("%d seeds, %d bad, %.1f seeds/s; %d steps, %d frames of which %d lost, %d hazards, %d results\n",
			s.done, len(seeds), s.rate(), s.stats.Steps, s.stats.Frames, s.stats.Lost, s.stats.Hazards, s.stats.Results)
	}
	for _, seed := range seeds {
		fmt.Fprintf(os.Stderr, "bad: quorate sim --seed %d --trace\n", seed)
	}
	if len(seeds) > 0 {
		return fmt.Errorf("%d of %d seeds break a promise", len(seeds), s.done)
	}
	return nil
}
