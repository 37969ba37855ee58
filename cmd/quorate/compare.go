package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/experiment/compare"
	"quorate.dev/quorate/experiment/spec"
)

// compareCommand is quorate testnet compare.
func compareCommand() *cli.Command {
	return &cli.Command{
		Name: "compare", Usage: "run a cluster of each protocol side by side, under the same load and the same faults",
		Description: "Starts temporary clusters that tolerate --faults each, loads all in the same way,\n" +
			"injects the faults of --scenario into all at the same moments, and shows what each does,\n" +
			"second by second. Then it reads back what was acknowledged, and judges the transcripts.\n" +
			"Ctrl-C stops and removes them.\n\n" +
			"They share this machine with their callers; with --turns they run one after the other.\n\n" +
			"A scenario is TOML: name = \"...\", and for each fault a [[fault]] with\n" +
			"  at          = \"5s\" since the load began, or \"25%\" of its duration\n" +
			"  kind        = crash, pause, wipe, corrupt, isolate, partition, deaf, mute, apart,\n" +
			"                delay, disk full or torn write; or restart, resume or heal, which end one\n" +
			"  lasts       = \"5s\", if no other fault ends it\n" +
			"  role        = leader, follower, crashed, paused or corrupted; each cluster has its\n" +
			"                own, and restart, resume and heal know whom they mean\n" +
			"  replica     = N, or replicas = [N, M], instead of a role\n" +
			"  behaviours  = [\"silent\"], of corrupt; or apart, by protocol, as raft = [...] and pbft = [...]\n" +
			"  by          = \"40ms\", of delay\n" +
			"Cut links and full disks need Linux and root. Without a scenario the leader crashes\n" +
			"and returns, and then a follower halts for a while.\n\n" +
			"Exit code 0 even if one of them lost writes or forked: that is a result.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "faults", Aliases: []string{"f"}, Value: 1, Usage: "how many each tolerates: 3f+1 replicas of pbft, 2f+1 of the others"},
			&cli.DurationFlag{Name: "duration", Value: 24 * time.Second, Usage: "of the load"},
			&cli.IntFlag{Name: "clients", Value: 16, Usage: "`C` concurrent callers of each cluster"},
			&cli.IntFlag{Name: "value-bytes", Value: 256, Usage: "size of each value that is put"},
			&cli.PathFlag{Name: "scenario", Usage: "`FILE` with the faults"},
			&cli.DurationFlag{Name: "patience", Usage: "how long a request waits before a view change; an elected leader may be silent for half of it", DefaultText: "as shipped: 2s"},
			&cli.BoolFlag{Name: "turns", Usage: "one cluster after the other, each alone on the machine"},
			&cli.PathFlag{Name: "html", Usage: "write one self-contained page with plots to `FILE`"},
			outputFlag("table", "json"),
			&cli.PathFlag{Name: "dir", Usage: "keep the clusters in `DIR`, which must be new or empty, for quorate check", DefaultText: "a temporary one, removed"},
		},
		Action: does(0, 0, runCompare),
	}
}

// runCompare compares and writes what was asked for.
func runCompare(c *cli.Context, _ []string) (err error) {
	o := compare.Options{
		Faults: c.Int("faults"), Duration: c.Duration("duration"), Clients: c.Int("clients"), ValueBytes: c.Int("value-bytes"),
		Turns: c.Bool("turns"), Patience: c.Duration("patience"), Scenario: compare.Default(),
	}
	if path := c.Path("scenario"); path != "" {
		if o.Scenario, err = spec.LoadScenario(path); err != nil {
			return usageError("--scenario: %w", err)
		}
	}
	if err := writable(c); err != nil {
		return err
	}
	screen := compare.NewScreen(os.Stderr, onTerminal(os.Stderr), func() int { return columns(os.Stderr) })
	o.Show = func(r *compare.Report) {
		if c.Context.Err() == nil {
			screen.Show(r)
		}
	}
	if o.Dir = c.Path("dir"); o.Dir == "" {
		return temporarily(c, "quorate-compare-", func(dir string) error {
			o.Dir = dir
			return compareIn(c, o)
		})
	}
	if found, err := os.ReadDir(o.Dir); err == nil && len(found) > 0 {
		return usageError("--dir %s is not empty: choose a new or an empty directory", o.Dir)
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	return compareIn(c, o)
}

// compareIn runs both clusters in a directory that is there.
func compareIn(c *cli.Context, o compare.Options) error {
	defer tidies(c)()
	unless := context.AfterFunc(c.Context, func() { note("stopping both clusters") })
	report, err := compare.Run(c.Context, o)
	unless()
	switch {
	case errors.Is(err, compare.ErrOptions), errors.Is(err, spec.ErrScenario):
		return usageError("%w", err)
	case err != nil:
		return err
	}
	return writeCompared(c, report)
}

// writeCompared writes the table, and then the page: if that fails, the table is
// there.
func writeCompared(c *cli.Context, r *compare.Report) error {
	if forPrograms(c) {
		if err := printSnake(c.App.Writer, r); err != nil {
			return err
		}
	} else if err := compare.WriteTable(c.App.Writer, r, columns(os.Stdout)); err != nil {
		return err
	}
	if err := writeFile(c, "html", "page", func(w io.Writer) error { return compare.WriteHTML(w, r) }); err != nil {
		return err
	}
	if dir := c.Path("dir"); dir != "" {
		note("kept: judge again with `quorate check %s` or `quorate check %s`", filepath.Join(dir, compare.Protocols()[0]), filepath.Join(dir, compare.Protocols()[1]))
	}
	return nil
}
