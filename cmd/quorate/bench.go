package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/bench"
	"quorate.dev/quorate/testnet"
)

// Bounds of flags: more callers measure this process only.
const (
	maxCallers = 1 << 16
	maxRounds  = 100
)

// benchCommand is quorate bench. It is a command and never a timed test: what it
// measures says more about the machine than about the code.
func benchCommand() *cli.Command {
	return &cli.Command{
		Name: "bench", Usage: "measure a cluster under a closed loop of callers",
		Description: "Measures the cluster of --dir, if it runs, by a key of its own; otherwise a temporary\n" +
			"one. All callers share one client. --compare runs temporary clusters one after\n" +
			"another: synced and volatile storage, gathered operations and one signature each,\n" +
			"many callers and one. --versus runs both protocols in turns, each with as many\n" +
			"replicas as --faults needs, and prints Raft's figures as a ratio to PBFT's.\n" +
			"--output json prints one object per measurement, and one per ratio.\n" +
			"A measurement removes its keys, bench/..., at its end, or says that some are left;\n" +
			"--sweep only removes them.",
		Flags: callerFlags(
			numberFlag("clients", 256, 1, maxCallers, "`C` concurrent callers"),
			numberFlag("value-bytes", 256, 0, consensus.MaxFrame, "size of each value"),
			&cli.StringFlag{Name: "operation", Usage: "`OPERATION`, as in quorate invoke, to send instead of puts; for any application"},
			durationFlag("duration", 10*time.Second, "how long to measure"),
			&cli.DurationFlag{Name: "warmup", Value: 3 * time.Second, Usage: "how long to load before that"},
			&cli.BoolFlag{Name: "one-each", Usage: "sign every operation by itself"},
			&cli.BoolFlag{Name: "temporary", Usage: "start a temporary cluster, even if one runs"},
			&cli.BoolFlag{Name: "volatile", Usage: "start a temporary cluster whose replicas never sync"},
			&cli.BoolFlag{Name: "compare", Usage: "run the four standard measurements of the protocol"},
			&cli.BoolFlag{Name: "versus", Usage: "run three of them with both protocols, in turns"},
			&cli.BoolFlag{Name: "sweep", Usage: "measure nothing, and remove the keys that a measurement has left"},
			numberFlag("rounds", 1, 1, maxRounds, "with --versus: how often; ratios are of medians"),
			protocolFlag("of a temporary cluster"),
			&cli.IntFlag{Name: "replicas", Usage: "of a temporary cluster", DefaultText: "4 of pbft, 3 of raft"},
			faultsFlag("how many a temporary cluster tolerates, instead of --replicas"),
			&cli.BoolFlag{Name: "json", Usage: "the same as --output json"}, outputFlag()),
		Action: does(0, 0, runBench),
	}
}

// runBench runs one measurement, or the standard ones one after another, so that
// they do not compete for the machine.
func runBench(c *cli.Context, _ []string) error {
	m, err := measurementOf(c)
	switch {
	case err != nil:
		return err
	case c.Bool("sweep"):
		return sweepOnly(c)
	case c.Bool("versus"):
		ratios, err := bench.Ratios(m, c.Int("faults"), c.Int("rounds"), func(m bench.Measurement) (bench.Result, error) { return temporary(c, m) })
		if err != nil {
			return err
		}
		return showBench(c, ratios, func() error { return bench.WriteRatios(c.App.Writer, ratios, columns(os.Stdout)) })
	case c.Bool("compare"):
		for _, m := range bench.Standard(m) {
			if _, err := temporary(c, m); err != nil {
				return err
			}
		}
		return nil
	}
	return explainTimeout(c, runOne(c, m))
}

// measurementOf reads the flags, and refuses those that make no measurement.
func measurementOf(c *cli.Context) (m bench.Measurement, err error) {
	m = bench.Measurement{
		Name: "bench", Clients: c.Int("clients"), ValueBytes: c.Int("value-bytes"), OneEach: c.Bool("one-each"),
		Volatile: c.Bool("volatile"), Warmup: c.Duration("warmup"), Duration: c.Duration("duration"),
	}
	p, err := protocolOf(c)
	if err != nil {
		return m, err
	}
	m.Protocol = p.Name
	if m.Replicas, err = sizeOf(c, p); err != nil {
		return m, err
	}
	several := c.Bool("compare") || c.Bool("versus")
	switch {
	case m.Warmup < 0:
		err = usageError("--warmup must not be negative: %v", m.Warmup)
	case c.Bool("versus") && (c.Bool("compare") || c.IsSet("protocol") || c.IsSet("replicas")):
		err = usageError("--versus runs both protocols, sized by --faults: omit --compare, --protocol and --replicas")
	case several && (m.OneEach || m.Volatile):
		err = usageError("--compare and --versus measure in several ways already: omit --one-each and --volatile")
	case several && c.IsSet("operation"), c.IsSet("operation") && c.IsSet("value-bytes"):
		err = usageError("--operation replaces the puts: omit --value-bytes, --compare and --versus")
	case c.IsSet("rounds") && !c.Bool("versus"):
		err = usageError("--rounds needs --versus")
	case c.Bool("versus") && c.Int("faults") == 0:
		err = usageError("--versus compares clusters that tolerate faults: choose --faults 1 or more")
	case c.IsSet("operation"):
		var ops [][]byte
		if ops, err = operationsOf([]string{c.String("operation")}); err == nil {
			m.Operation, m.ValueBytes = ops[0], 0
		}
	}
	return m, err
}

// runOne measures the cluster that is there, or a new one.
func runOne(c *cli.Context, m bench.Measurement) error {
	fresh := c.Bool("temporary") || m.Volatile
	if !fresh && !c.IsSet("genesis") {
		cluster, err := openCluster(c)
		fresh = errors.Is(err, testnet.ErrNoCluster) && !c.IsSet("dir") || err == nil && !cluster.Answers(c.Context)
		if err != nil && !fresh {
			return err
		}
		if !fresh {
			noteIgnored(c, cluster, "protocol", "replicas", "faults")
			if err := c.Set("key", cmp.Or(c.Path("key"), cluster.BenchKey())); err != nil {
				return err
			}
		}
	}
	if fresh {
		_, err := temporary(c, m)
		return err
	}
	return withAccess(c, func(a *access) error {
		if err := runsStore(&a.genesis); err != nil && m.Operation == nil {
			return fmt.Errorf("%w; or give --operation", err)
		}
		if err := m.Check(&a.genesis.Limits); err != nil {
			return usageError("%w", err)
		}
		m.Protocol, m.Replicas = a.genesis.Protocol, len(a.genesis.Replicas)
		note("%v", m)
		return a.withClient(c.Context, m.Session(), func(cl *client.Client) error {
			if a.history == "" {
				return explainSilence(c, measure(c, m, cl, cl, a.local))
			}
			h := a.told(cl)
			defer func() { _ = h.Close() }()
			return explainSilence(c, measure(c, m, cl, h, a.local))
		})
	})
}

// measure prints what was measured, also of a cluster that answered nothing, and
// removes what it has stored.
func measure(c *cli.Context, m bench.Measurement, cl, told client.Invoker, local *testnet.Cluster) error {
	r, err := m.Run(c.Context, cl, told, local)
	silent := errors.Is(err, bench.ErrSilent)
	if err == nil || silent {
		err = errors.Join(printResult(c, &r), err)
	}
	if silent || m.Operation != nil {
		return err
	}
	return errors.Join(err, removeKeys(c, cl))
}

// sweepInterrupted is how long a sweep may take when somebody waits for the end of the
// command.
const sweepInterrupted = 750 * time.Millisecond

// removeKeys removes what was stored, also after an interruption, or says what is left.
func removeKeys(c *cli.Context, cl client.Invoker) error {
	defer tidies(c)()
	ctx, within := c.Context, bench.SweepWithin
	if ctx.Err() != nil {
		ctx, within = context.WithoutCancel(ctx), sweepInterrupted
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := bench.Sweep(ctx, client.KV{Invoker: cl})
	if errors.Is(err, bench.ErrNotSwept) {
		return fmt.Errorf("%w: %s removes them", err, advice(c, "bench --sweep"))
	}
	return err
}

// sweepOnly removes what measurements have left that could not do so themselves.
func sweepOnly(c *cli.Context) error {
	for _, flag := range []string{"temporary", "volatile", "compare", "versus", "operation"} {
		if c.IsSet(flag) {
			return usageError("--sweep measures nothing: omit --%s", flag)
		}
	}
	if !c.IsSet("genesis") {
		cluster, err := openCluster(c)
		if err != nil {
			return err
		}
		if err := c.Set("key", cmp.Or(c.Path("key"), cluster.BenchKey())); err != nil {
			return err
		}
	}
	return withAccess(c, func(a *access) error {
		if err := runsStore(&a.genesis); err != nil {
			return err
		}
		return a.withClient(c.Context, session.Config{}, func(cl *client.Client) error { return removeKeys(c, cl) })
	})
}

// explainSilence says what to do when a cluster does not answer a measurement.
func explainSilence(c *cli.Context, err error) error {
	if !errors.Is(err, bench.ErrSilent) {
		return err
	}
	return unreachable("%w; %s shows why", err, advice(c, "status"))
}

// temporary measures a cluster that is made for it.
func temporary(c *cli.Context, m bench.Measurement) (bench.Result, error) {
	note("%s: starting a temporary cluster, %s with %d replicas", m.Name, m.Protocol, m.Replicas)
	note("%v", m)
	defer tidies(c)()
	r, err := m.Temporary(c.Context)
	switch {
	case errors.Is(err, bench.ErrTooLarge):
		return r, usageError("%w", err)
	case errors.Is(err, bench.ErrSilent):
		return r, unreachable("%s, %s: %w", m.Name, m.Protocol, err)
	case err != nil:
		return r, fmt.Errorf("%s, %s: %w", m.Name, m.Protocol, err)
	}
	return r, printResult(c, &r)
}

// printResult prints one measurement.
func printResult(c *cli.Context, r *bench.Result) error {
	return showBench(c, []*bench.Result{r}, func() error { return r.WriteText(c.App.Writer, columns(os.Stdout)) })
}

// showBench is show for one object per line, with --json as well.
func showBench[T any](c *cli.Context, all []T, people func() error) error {
	if !c.Bool("json") && !forPrograms(c) {
		return people()
	}
	for _, x := range all {
		if err := printJSON(c.App.Writer, x); err != nil {
			return err
		}
	}
	return nil
}
