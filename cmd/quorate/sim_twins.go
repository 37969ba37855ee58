package main

import (
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/sim"
)

// twinsCommand is quorate sim twins.
func twinsCommand() *cli.Command {
	return &cli.Command{
		Name: "twins", Usage: "enumerate what one or two replicas with two bodies each can bring about",
		Description: "Four replicas, of which one or two run twice under one key, and all ways to partition\n" +
			"the bodies in each of the first three views. One must change nothing; two may fork,\n" +
			"and must then be named. Exit code 1 if a promise is broken.",
		Flags: []cli.Flag{
			numberFlag("twins", 1, 1, 2, "how many replicas have two bodies: 1 or 2"),
			numberFlag("limit", 0, 0, math.MaxInt32, "run at most `N` scenarios, spread over all; 0 = all"),
			coresFlag("how many systems at once"),
			outputFlag(),
		},
		Action: does(0, 0, enumerateTwins),
	}
}

// twinsState is what an enumeration has found so far.
type twinsState struct {
	done, forks, live int
	bad               []string
	begun             time.Time
}

func enumerateTwins(c *cli.Context, _ []string) error {
	all, err := sim.NewTwins(c.Int("twins"))
	if err != nil {
		return usageError("%w", err)
	}
	s := &twinsState{begun: time.Now()}
	quickly()
	if err := sideBySide(c, scenarios(all, c.Int("limit")), runWorld, s.take, func() string {
		return fmt.Sprintf("%s done, %s, %d bad, %.1f/s", noun.Several(s.done, "scenario"), noun.Several(s.forks, "fork"), len(s.bad), s.rate())
	}); err != nil {
		return err
	}
	if err := s.report(c); err != nil {
		return err
	}
	return c.Context.Err()
}

// scenarios are those that are not another one's mirror image, at most limit of
// them; 0 = all.
func scenarios(all *sim.Twins, limit int) iter.Seq[sim.Config] {
	return func(yield func(sim.Config) bool) {
		chosen := 0
		for i := range all.Count() {
			cfg, ok := all.Sample(i)
			if !ok {
				continue
			}
			if chosen++; !yield(cfg) || chosen == limit {
				return
			}
		}
	}
}

// take adds the run of a scenario.
func (s *twinsState) take(r worldRun) {
	s.done++
	if r.result.Verdict.Forked {
		s.forks++
	}
	if r.result.Live {
		s.live++
	}
	if len(r.result.Violations) > 0 {
		s.bad = append(s.bad, fmt.Sprintf("%s: %s", r.config.String(), r.result.Violations[0]))
		note("%s", s.bad[len(s.bad)-1])
	}
}

// rate is scenarios per second so far.
func (s *twinsState) rate() float64 {
	return float64(s.done) / max(time.Since(s.begun).Seconds(), 1e-9)
}

func (s *twinsState) report(c *cli.Context) error {
	if forPrograms(c) {
		if err := printSnake(c.App.Writer, map[string]any{"scenarios": s.done, "forks": s.forks, "live": s.live, "bad": s.bad, "per_second": s.rate()}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(c.App.Writer, "%s, %s, all of them with their culprits named unless listed, %d live, %d bad, %.1f/s\n", noun.Several(s.done, "scenario"), noun.Several(s.forks, "fork"), s.live, len(s.bad), s.rate())
	}
	if s.done == 0 && c.Context.Err() == nil {
		return errNoRun
	}
	if len(s.bad) > 0 {
		return fmt.Errorf("%d of %s broke a promise", len(s.bad), noun.Several(s.done, "scenario"))
	}
	return nil
}
