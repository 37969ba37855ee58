package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/byzantine/catalogue"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/live"
	"quorate.dev/quorate/experiment/simulate"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
)

// byzantineRun is quorate byzantine run.
func byzantineRun() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "run clusters with traitors of one profile, and judge them", ArgsUsage: "PROFILE",
		Description: "In the simulator, over many seeds, which vary network, traitors and timing; or once with\n" +
			"real processes. Exit code 0 only if every run ends as quorate byzantine list says.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "protocol", Value: protocol.PBFT, Usage: "`PBFT|RAFT`: which one they run"},
			&cli.BoolFlag{Name: "all", Usage: "all profiles of the protocol, with 4 and with 7 replicas; of raft and of paxos with 3 and with 5"},
			&cli.IntFlag{Name: "replicas", Aliases: []string{"n"}, Usage: "how many", DefaultText: "4, of raft and of paxos 3"},
			&cli.IntFlag{Name: "traitors", Usage: "how many of them misbehave", DefaultText: "as many as are tolerated, of raft and of paxos 1"},
			&cli.StringFlag{Name: "at", Usage: "`N,M,...`: which ones, instead of drawing them"},
			&cli.BoolFlag{Name: "gang", Usage: "the traitors share their keys and a plan"},
			&cli.Uint64Flag{Name: "seeds", Value: 20, Usage: "how many seeds"},
			&cli.Uint64Flag{Name: "from", Value: 1, Usage: "the first seed"},
			&cli.BoolFlag{Name: "real", Usage: "once, with processes over libp2p"},
			coresFlag("how many simulations at once"),
			outputFlag(),
		},
		Action: does(0, 1, runProfiles),
	}
}

// runProfiles runs the profile that is named, or all.
func runProfiles(c *cli.Context, args []string) error {
	all, err := runsOf(c, args)
	if err != nil {
		return err
	}
	failed := 0
	for _, x := range all {
		t, err := runProfile(c, &x)
		if err != nil {
			return err
		}
		if t.Bad() {
			failed++
		}
		if forPrograms(c) {
			err = printJSON(c.App.Writer, t)
		} else {
			printTally(c.App.Writer, t)
		}
		if err != nil {
			return err
		}
	}
	if len(all) == 0 {
		return errNoRun
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d profiles did not end as the catalogue says", failed, len(all))
	}
	return nil
}

// runsOf reads what is to be run.
func runsOf(c *cli.Context, args []string) ([]spec.ProfileRuns, error) {
	name := strings.ToLower(c.String("protocol"))
	p, err := protocol.Lookup(name)
	sizes := []int{p.Model.Least(1), p.Model.Least(2)}
	switch {
	case err != nil:
		return nil, usageError("--%w", err)
	case c.Bool("all") && len(args) == 1:
		return nil, usageError("%s takes PROFILE or --all: choose one", commandPath(c))
	case !c.Bool("all") && len(args) == 0:
		return nil, usageError("%s needs PROFILE or --all: quorate byzantine list names them", commandPath(c))
	case c.Bool("all") && (c.IsSet("at") || c.IsSet("traitors") || c.IsSet("replicas")):
		return nil, usageError("--all takes no --replicas, --traitors and --at: it runs each profile with f traitors of 4 and of 7, and of raft and of paxos with one of 3 and of 5")
	case c.Bool("real") && (c.IsSet("seeds") || c.IsSet("parallel")):
		return nil, usageError("--real takes no --seeds and --parallel: processes run once, from the seed of --from")
	case c.IsSet("at") && c.IsSet("traitors"):
		return nil, usageError("--at and --traitors: choose one; --at says how many by naming them")
	case c.IsSet("traitors") && c.Int("traitors") < 1:
		return nil, usageError("--traitors %d: choose at least 1, or omit it for as many as are tolerated", c.Int("traitors"))
	}
	if err := checkSeeds(c); err != nil {
		return nil, err
	}
	if c.Bool("all") {
		return everyProfile(name, sizes, c.Bool("gang")), nil
	}
	one := spec.ProfileRuns{Protocol: name, Behaviour: args[0], Replicas: sizes[0], Traitors: c.Int("traitors"), Coalition: c.Bool("gang")}
	if c.IsSet("replicas") {
		one.Replicas = c.Int("replicas")
	}
	if c.IsSet("at") {
		numbers, err := numbersOf(c, "at", 0, consensus.MaxReplicas-1)
		if err != nil {
			return nil, err
		}
		one.At = replicaIDs(numbers)
	}
	if b, err := catalogue.Parse(args[0]); err == nil && !b.Profile.Client && one.Traitors > one.Replicas {
		return nil, usageError("--traitors %d: choose 1 to %d", one.Traitors, one.Replicas)
	}
	if _, err := one.Check(); err != nil {
		return nil, usageError("%w", err)
	}
	return []spec.ProfileRuns{one}, nil
}

// everyProfile is one for each profile of a protocol, in each size.
func everyProfile(protocol string, sizes []int, gang bool) []spec.ProfileRuns {
	var all []spec.ProfileRuns
	for _, n := range sizes {
		for _, p := range catalogue.All() {
			if p.For(protocol) {
				all = append(all, spec.ProfileRuns{Protocol: protocol, Behaviour: p.Name, Replicas: n, Coalition: gang})
			}
		}
	}
	return all
}

// runProfile runs the seeds of one profile, or one cluster of processes.
func runProfile(c *cli.Context, x *spec.ProfileRuns) (*spec.Tally, error) {
	t, err := spec.NewTally(x)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if t.Real = c.Bool("real"); t.Real {
		err = runReal(c, x, t)
	} else {
		err = runSeeds(c, x, t)
	}
	t.Seconds = time.Since(begun).Seconds()
	return t, err
}

// runSeeds runs the seeds side by side.
func runSeeds(c *cli.Context, x *spec.ProfileRuns, t *spec.Tally) error {
	type ended struct {
		seed    uint64
		outcome spec.Outcome
	}
	run := func(seed uint64) (ended, error) {
		o, err := simulate.Run(x.Spec(seed))
		return ended{seed, o}, err
	}
	err := sideBySide(c, seedsOf(c), run, func(e ended) {
		t.Add(e.seed, &e.outcome)
		leaves(c, "%s, n=%d: %d of %s had run, %d of them unexpected", x.Behaviour, x.Replicas, t.Runs, noun.Several(c.Uint64("seeds"), "seed"), len(t.Unexpected))
	}, func() string {
		return fmt.Sprintf("%s, n=%d: %d of %s, %d unexpected", x.Behaviour, x.Replicas, t.Runs, noun.Several(c.Uint64("seeds"), "seed"), len(t.Unexpected))
	})
	return errors.Join(err, c.Context.Err())
}

// runReal runs one cluster of processes.
func runReal(c *cli.Context, x *spec.ProfileRuns, t *spec.Tally) error {
	return temporarily(c, "quorate-byzantine-", func(dir string) error {
		seed := c.Uint64("from")
		o, err := live.Run(c.Context, x.Real(seed), live.Options{Dir: filepath.Join(dir, "net"), Progress: func(text string) { note("%s", text) }})
		if err == nil {
			t.Add(seed, &o)
		}
		return err
	})
}

// printTally is for people: one line that says how it went, and what there is to
// show.
func printTally(w io.Writer, t *spec.Tally) {
	mark, where := "✓", noun.Several(t.Runs, "seed")
	if t.Bad() {
		mark = "✗"
	}
	if t.Real {
		where = "processes"
	} else {
		where += fmt.Sprintf(", lies in %d", t.Lied)
	}
	fmt.Fprintf(w, "%s %s: %s, n=%d, %s, %s, %.1fs: %s; expected %s; %d of %s answered\n",
		mark, t.Profile, t.Protocol, t.Replicas, noun.Several(t.Traitors, "traitor"), where, t.Seconds, counts(t.Outcomes), t.Expected, t.Answered, noun.Several(t.Asked, "operation"))
	if t.Lied == 0 {
		fmt.Fprintf(w, "  nobody lied, so these runs prove nothing: try more --seeds, or another --at\n")
	}
	if len(t.Culprits) > 0 {
		fmt.Fprintf(w, "  evidence names %s\n", counts(t.Culprits))
	}
	for _, text := range t.Evidence[:min(len(t.Evidence), 3)] {
		fmt.Fprintf(w, "  proven: %s\n", text)
	}
	for _, s := range t.Unexpected {
		fmt.Fprintf(w, "  seed %d: %s\n", s.Seed, s.Outcome)
		for _, v := range s.Violations {
			fmt.Fprintf(w, "    %s\n", v)
		}
	}
}

// counts prints a map in order.
func counts(m map[string]int) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		all = append(all, fmt.Sprintf("%s (%d)", k, m[k]))
	}
	return strings.Join(all, ", ")
}
