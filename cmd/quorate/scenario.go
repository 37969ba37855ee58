package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/experiment/simulate"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/internal/noun"
)

// byzantineScenario is quorate byzantine scenario.
func byzantineScenario() *cli.Command {
	return &cli.Command{
		Name: "scenario", Usage: "run a list of requests with failing and lying replicas", ArgsUsage: "FILE",
		Description: "In the simulator. FILE is TOML, or the CSV that courses hand out: Set Number,\n" +
			"Transactions, Live, Byzantine, Attack. Prints the answers, and log, state, status and\n" +
			"views where the file asks for them and at the end. Exit code 1 if the run was not safe.",
		Flags:  []cli.Flag{outputFlag()},
		Action: does(1, 1, runScenario),
	}
}

// runScenario runs the file and prints what came of it.
func runScenario(c *cli.Context, args []string) error {
	s, err := spec.LoadScenario(args[0])
	if err != nil {
		return usageError("%w", err)
	}
	done := waits("running %s", noun.Several(len(s.Sets), "set"))
	result, err := simulate.RunScenario(s, nil)
	done()
	if errors.Is(err, spec.ErrScenario) || errors.Is(err, spec.ErrSpec) {
		return usageError("%w", err)
	}
	if err != nil {
		return err
	}
	if forPrograms(c) {
		err = printSnake(c.App.Writer, result)
	} else {
		err = printScenario(c.App.Writer, s, result)
	}
	if err == nil && !result.Safe {
		err = fmt.Errorf("the run was %s: %s", result.Outcome, strings.Join(result.Violations, "; "))
	}
	return err
}

// printScenario prints each set with its answers and the parts that it asks for.
func printScenario(w io.Writer, s *spec.Scenario, result *simulate.ScenarioResult) error {
	for i, x := range s.Sets {
		p := &result.Sets[i]
		fmt.Fprintf(w, "set %d: %s\n", i+1, describeSet(s, &x))
		for _, a := range p.Answers {
			fmt.Fprintf(w, "  %s: %s\n", a.Request, a.Result)
		}
		parts := x.Print
		if i == len(s.Sets)-1 {
			parts = spec.Parts
		}
		for _, part := range spec.Parts {
			if slices.Contains(parts, part) {
				if err := printPart(w, part, p); err != nil {
					return err
				}
			}
		}
	}
	fmt.Fprintf(w, "outcome: %s\n", result.Outcome)
	for i := range result.Sets {
		if short := result.Sets[i].Short; short != "" && result.Outcome != spec.Live {
			fmt.Fprintf(w, "  set %d: %s\n", i+1, short)
		}
	}
	for _, v := range result.Violations {
		fmt.Fprintf(w, "  %s\n", v)
	}
	return nil
}

// describeSet says who is down and who lies.
func describeSet(s *spec.Scenario, x *spec.Set) string {
	var all []string
	for _, id := range x.Down(s.Replicas) {
		all = append(all, fmt.Sprintf("R%d is down", id))
	}
	for _, t := range x.Traitors() {
		all = append(all, fmt.Sprintf("R%d lies (%s)", t, strings.Join(x.Byzantine[t], ", ")))
	}
	if len(all) == 0 {
		return "all replicas are up and honest"
	}
	return strings.Join(all, "; ")
}

// printPart prints one table: a row for each replica, or for each slot.
func printPart(w io.Writer, part string, p *simulate.SetResult) error {
	fmt.Fprintf(w, "  %s\n", part)
	t := newTable(w)
	for _, row := range map[string][][]string{"log": p.Log, "state": p.State, "status": p.Status, "views": p.Views}[part] {
		fmt.Fprintf(t, "    %s\n", strings.Join(row, "\t"))
	}
	return t.Flush()
}
