package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/sim"
)

// twinsCommand is quorate sim twins.
func twinsCommand() *cli.Command {
	return &cli.Command{
		Name: "twins", Usage: "enumerate what one or two replicas with two bodies each can bring about",
		Description: "Four replicas, of which one or two run twice under one key, and all ways to split\n" +
			"the bodies in each of the first three views. One must change nothing; two may fork,\n" +
			"and must be named. Exit code 1 if a promise is broken.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "twins", Value: 1, Usage: "how many replicas have two bodies: 1 or 2"},
			&cli.IntFlag{Name: "limit", Usage: "run at most `N` scenarios, spread over all; 0 = all"},
			coresFlag("how many systems at once"),
			outputFlag(),
		},
		Action: does(0, 0, enumerateTwins),
	}
}

// twinsState is what the workers of an enumeration share.
type twinsState struct {
	mu     sync.Mutex
	all    *sim.Twins
	next   int
	limit  int
	done   int
	forks  int
	live   int
	bad    []string
	begun  time.Time
	told   time.Time
	failed error
}

func enumerateTwins(c *cli.Context, _ []string) error {
	all, err := sim.NewTwins(c.Int("twins"))
	switch {
	case err != nil:
		return usageError("%v", err)
	case c.Int("limit") < 0:
		return usageError("--limit must not be negative: %d", c.Int("limit"))
	}
	s := &twinsState{all: all, limit: c.Int("limit"), begun: time.Now(), told: time.Now()}
	quickly()
	var workers sync.WaitGroup
	for range max(1, c.Int("parallel")) {
		workers.Go(func() {
			for cfg, ok := s.take(c); ok; cfg, ok = s.take(c) {
				s.run(cfg)
			}
		})
	}
	workers.Wait()
	if s.failed != nil {
		return s.failed
	}
	if err := s.report(forPrograms(c)); err != nil {
		return err
	}
	return c.Context.Err()
}

// take hands out the next scenario that is not another one's mirror image.
func (s *twinsState) take(c *cli.Context) (sim.Config, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.next < s.all.Count() && s.failed == nil && c.Context.Err() == nil && (s.limit == 0 || s.done < s.limit) {
		cfg, ok := s.all.Sample(s.next)
		s.next++
		if ok {
			s.done++
			return cfg, true
		}
	}
	return sim.Config{}, false
}

func (s *twinsState) run(cfg sim.Config) {
	w, err := sim.New(cfg)
	var r sim.Result
	if err == nil {
		r = w.Run()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed = err
		return
	}
	if r.Verdict.Forked {
		s.forks++
	}
	if r.Live {
		s.live++
	}
	if len(r.Violations) > 0 {
		text := fmt.Sprintf("%s: %s", cfg.String(), r.Violations[0])
		s.bad = append(s.bad, text)
		note("%s", text)
	}
	if time.Since(s.told) > 5*time.Second {
		s.told = time.Now()
		note("%d scenarios begun, %d forks, %d bad, %.1f/s", s.done, s.forks, len(s.bad), s.rate())
	}
}

// rate is scenarios per second so far.
func (s *twinsState) rate() float64 {
	return float64(s.done) / max(time.Since(s.begun).Seconds(), 1e-9)
}

func (s *twinsState) report(machine bool) error {
	if machine {
		if err := printSnake(map[string]any{"scenarios": s.done, "forks": s.forks, "live": s.live, "bad": s.bad, "per_second": s.rate()}); err != nil {
			return err
		}
	} else {
		fmt.Printf("%d scenarios, %d forks, all of them with their culprits named unless listed, %d live, %d bad, %.1f/s\n", s.done, s.forks, s.live, len(s.bad), s.rate())
	}
	if len(s.bad) > 0 {
		return fmt.Errorf("%d of %d scenarios break a promise", len(s.bad), s.done)
	}
	return nil
}
