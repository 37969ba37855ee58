package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/experiment/decree"
	"quorate.dev/quorate/internal/noun"
)

// Bounds of the laboratory's flags: enough to see what there is to be seen.
const (
	maxDuels  = 1_000_000
	maxRivals = 10_000
	maxSteps  = 1_000_000
)

// paxosCommands are quorate paxos: one decision, under the microscope.
func paxosCommands() *cli.Command {
	return &cli.Command{
		Name: "paxos", Usage: "single-decree Paxos: one decision, its duels, its undecided runs, its rules",
		Description: "A laboratory, and no service: it runs what package paxos/synod decides, on the\n" +
			"simulator's clock and network or by hand. docs/PAXOS.md says what each run shows.",
		Subcommands: []*cli.Command{paxosRunCommand(), paxosDuelCommand(), paxosFLPCommand(), paxosBreakCommand()},
	}
}

func paxosRunCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "decide once, message by message, and judge it",
		Description: "Proposers, acceptors and learners are participants of their own, on a network that\n" +
			"delays, doubles, reorders and loses. A value is chosen when a majority of acceptors has\n" +
			"accepted it under one ballot; learners know it later. The same seed gives the same run.\n" +
			"Exit code 1 if agreement, validity or integrity is broken.",
		Flags: []cli.Flag{
			numberFlag("proposers", 2, 1, decree.Most, "each with a value of its own: x, y, z, ..."),
			numberFlag("acceptors", 3, 1, decree.Most, "of which a majority chooses"),
			numberFlag("learners", 1, 1, decree.Most, "who want to know"),
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "which run"},
			numberFlag("loss", 10, 0, 100, "`PERCENT` of the messages that are lost"),
			numberFlag("crashes", 0, 0, decree.Most, "so many acceptors stop for good, early in the run"),
			outputFlag(), pageFlag(),
		},
		Action: does(0, 0, runPaxos),
	}
}

// runPaxos decides once.
func runPaxos(c *cli.Context, _ []string) error {
	if err := writable(c); err != nil {
		return err
	}
	r, err := decree.Decide(decree.Options{
		Shape: decree.Shape{Proposers: c.Int("proposers"), Acceptors: c.Int("acceptors"), Learners: c.Int("learners")},
		Seed:  c.Uint64("seed"), Loss: c.Int("loss"), Crashes: c.Int("crashes"),
	})
	if errors.Is(err, decree.ErrShape) {
		return usageError("%w", err)
	} else if err != nil {
		return err
	}
	if err := showPage(c, r, func() error { return r.WriteText(c.App.Writer) }, r.WriteHTML); err != nil {
		return err
	}
	if !r.Verdict.Safe() {
		return fmt.Errorf("seed %d breaks a promise of consensus", r.Seed)
	}
	return nil
}

func paxosDuelCommand() *cli.Command {
	return &cli.Command{
		Name: "duel", Usage: "let two proposers preempt each other, with and without a cure",
		Description: "Without a cure a proposer that is preempted prepares a higher ballot at once, and may\n" +
			"preempt the other in turn for ever. An adversary does it every time, a clock now and\n" +
			"then, where ACCEPTs take longer than PREPAREs. Prints how many runs decided, and in how\n" +
			"many rounds, for each cure: random waits of several lengths, and a leader.",
		Flags: []cli.Flag{
			choiceFlag("cure", decree.Cures()[0], noun.Either(decree.Cures()), decree.Cures()...),
			numberFlag("runs", 1000, 1, maxDuels, "of each row, from the seed on"),
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "the first seed"},
			numberFlag("rounds", 100, 2, maxRivals, "attempts of both together after which a run counts as undecided"),
			outputFlag("table", "json"), pageFlag(),
		},
		Action: does(0, 0, runPaxosDuel),
	}
}

// runPaxosDuel runs the duels.
func runPaxosDuel(c *cli.Context, _ []string) error {
	if err := writable(c); err != nil {
		return err
	}
	defer waits("dueling")()
	d, err := decree.RunDuel(c.Context, decree.DuelOptions{
		Cure: c.String("cure"), Runs: c.Int("runs"), Seed: c.Uint64("seed"), Limit: c.Int("rounds"), Done: tells(c, "run"),
	})
	if err != nil {
		return err
	}
	return showPage(c, d, func() error { return d.WriteText(c.App.Writer, columns(os.Stdout)) }, d.WriteHTML)
}

func paxosFLPCommand() *cli.Command {
	return &cli.Command{
		Name: "flp", Usage: "keep a run undecided though every message arrives, then let it decide",
		Description: "The adversary of Fischer, Lynch and Paterson (1985): no clock, no loss, no crash. In\n" +
			"each round the oldest message arrives, after as few others as it takes to keep both\n" +
			"outcomes possible, which two runs witness, of either proposer alone. Then the run goes\n" +
			"on without it: in a random order, with random waits, or with a leader.",
		Flags: []cli.Flag{
			numberFlag("steps", 3000, 1, maxSteps, "rounds of the adversary"),
			choiceFlag("then", decree.Thens()[0], noun.Either(decree.Thens()), decree.Thens()...),
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of what comes after the adversary"},
			outputFlag(), pageFlag(),
		},
		Action: does(0, 0, runPaxosFLP),
	}
}

// runPaxosFLP lets the adversary play.
func runPaxosFLP(c *cli.Context, _ []string) error {
	if err := writable(c); err != nil {
		return err
	}
	steps, progress := c.Int("steps"), tells(c, "round")
	defer waits("keeping it undecided for %s", noun.Several(steps, "round"))()
	f, err := decree.RunFLP(c.Context, decree.FLPOptions{
		Steps: steps, Then: c.String("then"), Seed: c.Uint64("seed"), Done: func(round int) { progress(round, steps) },
	})
	if err != nil {
		return err
	}
	return showPage(c, f, func() error { return f.WriteText(c.App.Writer, columns(os.Stdout)) }, f.WriteHTML)
}

func paxosBreakCommand() *cli.Command {
	return &cli.Command{
		Name: "break", Usage: "play the execution that a rule prevents, with the rule and without it", ArgsUsage: "[RULE]",
		Description: "Both sides get the same steps; acceptors, proposers and learners decide by the same\n" +
			"code, and without the rule a record is lost or overlooked, or a message believed. Prints\n" +
			"them side by side, and what each has decided. Without RULE it plays all, a line each.\n" +
			"Rules: " + strings.Join(decree.Rules(), ", ") + ".",
		Flags:  []cli.Flag{outputFlag(), pageFlag()},
		Action: does(0, 1, runPaxosBreak),
	}
}

// runPaxosBreak plays one rule, or all.
func runPaxosBreak(c *cli.Context, args []string) error {
	if err := writable(c); err != nil {
		return err
	}
	rules := args
	if len(rules) == 0 {
		rules = decree.Rules()
	}
	var all []*decree.Break
	for _, rule := range rules {
		b, err := decree.RunBreak(rule)
		if errors.Is(err, decree.ErrRule) {
			return usageError("%w: choose %s", err, noun.Either(decree.Rules()))
		} else if err != nil {
			return err
		}
		if !b.Shows() {
			return fmt.Errorf("%s: the execution does not show what the rule prevents", rule)
		}
		all = append(all, b)
	}
	people := func() error {
		if len(args) == 1 {
			return all[0].WriteText(c.App.Writer, columns(os.Stdout))
		}
		return decree.WriteRules(c.App.Writer, all, columns(os.Stdout))
	}
	return showPage(c, all, people, func(w io.Writer) error { return decree.WriteRulesHTML(w, all) })
}

// pageFlag is for what can be seen in a browser.
func pageFlag() cli.Flag {
	return &cli.PathFlag{Name: "html", Usage: "write one self-contained page to `FILE`"}
}

// showPage prints a result, and then writes its page, if one is asked for.
func showPage(c *cli.Context, v any, people func() error, page func(io.Writer) error) error {
	if err := show(c, v, people); err != nil {
		return err
	}
	return writeFile(c, "html", "page", page)
}

// tells says on a terminal how far something is, and to whoever interrupts it.
func tells(c *cli.Context, what string) func(done, of int) {
	said := 0
	return func(done, of int) {
		leaves(c, "%d of %s; nothing was written", done, noun.Several(of, what))
		if tenth := int(math.Floor(10 * float64(done) / float64(of))); tenth > said && of >= 10_000 {
			said = tenth
			note("%d of %s", done, noun.Several(of, what))
		}
	}
}
