package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// simCommand is quorate sim.
func simCommand() *cli.Command {
	return &cli.Command{
		Name: "sim", Usage: "simulate whole systems, each drawn from a seed, and check them",
		Description: "A seed draws replicas, clients, network, disks and faults. With pbft up to f replicas\n" +
			"lie, and sometimes more; with raft only clients do. The same seed gives the same\n" +
			"history. Prints the seeds that break a promise, with the command that replays each;\n" +
			"exit code 1 if there are any. --coverage reports what the seeds have tried, and fails\n" +
			"if something is missing; it takes 1000 seeds to judge that, and fewer fail, too.",
		Flags: []cli.Flag{
			protocolFlag("what the systems run"),
			&cli.Uint64Flag{Name: "seeds", Usage: "simulate `N` systems"},
			&cli.Uint64Flag{Name: "from", Value: 1, Usage: "the first seed"},
			&cli.Uint64Flag{Name: "seed", Usage: "simulate the system of seed `S`, twice, and compare"},
			&cli.BoolFlag{Name: "trace", Usage: "with --seed: print every event"},
			&cli.BoolFlag{Name: "shrink", Usage: "with --seed: look for the smallest configuration that still fails"},
			numberFlag("tries", 400, 1, math.MaxInt32, "with --shrink: at most `N` runs"),
			&cli.BoolFlag{Name: "coverage", Usage: "with --seeds: report what they have tried"},
			coresFlag("how many systems at once"),
			outputFlag(),
		},
		Subcommands: []*cli.Command{twinsCommand()},
		Action:      does(0, 0, runSim),
	}
}

// runSim is either one seed in depth or many in width.
func runSim(c *cli.Context, _ []string) error {
	p, err := protocolOf(c)
	switch {
	case err != nil:
		return err
	case c.IsSet("seed") && c.IsSet("seeds"):
		return usageError("choose one of --seed and --seeds")
	case !c.IsSet("seed") && !c.IsSet("seeds"):
		return usageError("%s needs --seeds N or --seed S", commandPath(c))
	case c.IsSet("seed") && c.Bool("coverage"):
		return usageError("--coverage needs --seeds N")
	case c.IsSet("seed") && c.Bool("shrink"):
		return shrinkSeed(c, p)
	case c.IsSet("seed"):
		return replay(c, p)
	case c.Bool("trace"):
		return usageError("--trace needs --seed S")
	case c.Bool("shrink"):
		return usageError("--shrink needs --seed S")
	}
	if err := checkSeeds(c); err != nil {
		return err
	}
	return sweep(c, p)
}

// worldRun is a run of the simulator.
type worldRun struct {
	config sim.Config
	result sim.Result
}

// runWorld runs one system.
func runWorld(cfg sim.Config) (worldRun, error) {
	w, err := sim.New(cfg)
	if err != nil {
		return worldRun{}, err
	}
	return worldRun{cfg, w.Run()}, nil
}

// replay runs one seed, and again without a trace: a run that cannot be
// repeated is a violation too.
func replay(c *cli.Context, p protocol.Protocol) error {
	seed := c.Uint64("seed")
	cfg := sim.FromSeedOf(p, seed)
	again := cfg
	if c.Bool("trace") {
		cfg.Trace = c.App.Writer
	}
	defer waits("simulating the system of seed %d, twice", seed)()
	r, err := runWorld(cfg)
	if err != nil {
		return err
	}
	second, err := runWorld(again)
	if err != nil {
		return err
	}
	if err := c.Context.Err(); err != nil {
		return err // nobody reads on, or it was interrupted
	}
	first := r.result
	note("%s", cfg.String())
	if forPrograms(c) {
		if err := printSnake(c.App.Writer, map[string]any{
			"protocol": p.Name, "seed": seed, "history": fmt.Sprintf("%016x", first.History), "outcome": first.Outcome(), "culprits": first.Verdict.Culprits,
			"violations": texts(first), "stats": first.Stats,
		}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(c.App.Writer, "seed %d: history %016x, %s, height %d, %s%s, %s\n",
			seed, first.History, noun.Several(first.Steps, "step"), first.Stats.Height, first.Outcome(), named(first), noun.Several(len(first.Violations), "violation"))
	}
	if first.History != second.result.History {
		return fmt.Errorf("seed %d: two runs differ: histories %016x and %016x", seed, first.History, second.result.History)
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

// named lists the culprits of a fork.
func named(r sim.Result) string {
	if !r.Verdict.Forked {
		return ""
	}
	return fmt.Sprintf(" at %d, culprits %v", r.Verdict.ForkAt, r.Verdict.Culprits)
}

// shrinkSeed prints the smallest configuration that it finds which still fails,
// and how.
func shrinkSeed(c *cli.Context, p protocol.Protocol) error {
	seed := c.Uint64("seed")
	cfg := sim.FromSeedOf(p, seed)
	defer waits("trying smaller configurations, %d at most", c.Int("tries"))()
	small, result := sim.Shrink(cfg, c.Int("tries"))
	if len(result.Violations) == 0 {
		return fmt.Errorf("seed %d breaks no promise: there is nothing to shrink", seed)
	}
	if forPrograms(c) {
		return printSnake(c.App.Writer, map[string]any{"seed": seed, "from": cfg.String(), "to": small.String(), "violations": texts(result)})
	}
	fmt.Fprintf(c.App.Writer, "seed %d was    %s\n", seed, cfg.String())
	fmt.Fprintf(c.App.Writer, "and is now %s%s\n", strings.Repeat(" ", len(fmt.Sprint(seed))), small.String())
	fmt.Fprint(c.App.Writer, small.Describe())
	for _, text := range texts(result) {
		fmt.Fprintf(c.App.Writer, "  %s\n", text)
	}
	return nil
}
