package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/bench"
	"quorate.dev/quorate/experiment/compare"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
)

// Bounds of flags: more callers measure this process only.
const (
	maxCallers  = 1 << 16
	maxSessions = 1 << 10
	maxRate     = 1_000_000
	maxKeys     = 100_000_000
	maxRounds   = 100
	maxLoads    = 32
	maxOthers   = 8
)

// underWay is how many operations of an open loop may be under way, unless --clients
// says otherwise.
const underWay = 4096

// benchCommand is quorate bench. It is a command and never a timed test: what it
// measures says more about the machine than about the code.
func benchCommand() *cli.Command {
	return &cli.Command{
		Name: "bench", Usage: "measure a cluster under a load",
		Description: "Measures the cluster that runs, by a key of its own, or a temporary one if none does\n" +
			"and no flag names one. The load is a closed loop of --clients callers, or with --rate\n" +
			"an open one: so many operations a second, whether answers come or not, with latencies\n" +
			"counted from the moment when each was due. --clients 1,16,256 or --rate 1000,5000\n" +
			"measures one load after the other, for a curve of latency over throughput.\n\n" +
			"These measure temporary clusters, in --rounds and in turns, and print medians and\n" +
			"ratios:\n" +
			"  --compare        four loads: synced and volatile storage, gathered operations and\n" +
			"                   one signature each, many callers and one\n" +
			"  --versus         all protocols, each with as many replicas as --faults needs\n" +
			"  --against PATH   another quorate, such as an older version\n" +
			"--peers puts the figures of other systems beside, from a JSON file: docs/PERFORMANCE.md\n" +
			"describes it. --html writes a page with plots.\n\n" +
			"--output json prints one object per line: each measurement when it is done, then\n" +
			"summaries and ratios; \"kind\" says which. Ctrl-C ends it with what was measured.\n" +
			"A measurement removes its keys, bench/..., at its end, or says that some are left;\n" +
			"--sweep only removes them.",
		Flags: callerFlags(
			listFlag("clients", fmt.Sprint("256; with --rate ", underWay), "`C,...` concurrent callers; with --rate, the operations under way at most"),
			numberFlag("sessions", 1, 1, maxSessions, "`S` clients with a key each, which the callers share"),
			listFlag("rate", "as fast as answers come", "`R,...` operations per second, in an open loop"),
			numberFlag("value-bytes", 256, 0, consensus.MaxFrame, "size of each value"),
			&cli.StringFlag{Name: "keys", Usage: "`K` distinct keys that are written in turn; new = each once", DefaultText: fmt.Sprintf("%d for each caller; with --rate %d", bench.KeysEach, bench.KeysOpen)},
			&cli.BoolFlag{Name: "fill", Usage: "write all keys before the load begins"},
			numberFlag("reads", 0, 0, 100, "`PERCENT` of the operations that read"),
			&cli.StringFlag{Name: "operation", Usage: "`OPERATION`, as in quorate invoke, to send instead of puts; for any application"},
			durationFlag("duration", 10*time.Second, "how long to measure"),
			&cli.DurationFlag{Name: "warmup", Value: 3 * time.Second, Usage: "how long to load before that"},
			numberFlag("rounds", 1, 1, maxRounds, "how often to measure everything"),
			&cli.BoolFlag{Name: "one-each", Usage: "sign every operation by itself"},
			&cli.BoolFlag{Name: "temporary", Usage: "start a temporary cluster, even if one runs"},
			&cli.BoolFlag{Name: "volatile", Usage: "start a temporary cluster whose replicas never sync"},
			&cli.BoolFlag{Name: "compare", Usage: "measure the four standard loads"},
			&cli.BoolFlag{Name: "versus", Usage: "measure all protocols, in turns"},
			&cli.StringSliceFlag{Name: "against", Usage: "measure the program at `PATH` too, in turns; may be repeated"},
			&cli.PathFlag{Name: "peers", Usage: "`FILE` with figures of other systems"},
			&cli.PathFlag{Name: "html", Usage: "write one self-contained page with plots to `FILE`"},
			&cli.BoolFlag{Name: "sweep", Usage: "measure nothing, and remove the keys that a measurement has left"},
			protocolFlag("of a temporary cluster"),
			&cli.IntFlag{Name: "replicas", Usage: "of a temporary cluster", DefaultText: "4 of pbft, 3 of the others"},
			faultsFlag("how many a temporary cluster tolerates, instead of --replicas"),
			&cli.BoolFlag{Name: "json", Usage: "the same as --output json"}, outputFlag()),
		Action: does(0, 0, runBench),
	}
}

// listFlag is for one positive number or several.
func listFlag(name, standard, usage string) *cli.StringFlag {
	return &cli.StringFlag{Name: name, DefaultText: standard, Usage: usage}
}

// listOf reads a list of loads, which differ.
func listOf(c *cli.Context, flag string, most int) ([]int, error) {
	all, err := numbersOf(c, flag, 1, most)
	if err != nil {
		return nil, err
	}
	if len(all) > maxLoads || len(slices.Compact(slices.Sorted(slices.Values(all)))) < len(all) {
		return nil, usageError("--%s %q: name at most %d loads, and each once", flag, c.String(flag), maxLoads)
	}
	return all, nil
}

// runBench measures everything one after another, so that nothing competes for the
// machine.
func runBench(c *cli.Context, _ []string) error {
	quickly()
	if c.Bool("sweep") {
		return sweepOnly(c)
	}
	if err := checkBench(c); err != nil {
		return err
	}
	if err := writable(c); err != nil {
		return err
	}
	p, err := planOf(c)
	if err != nil {
		return err
	}
	if p.Sides != nil {
		return carryOut(c, p)
	}
	return explainTimeout(c, runOne(c, p))
}

// planOf reads the flags. Without sides, one cluster is measured: the one that runs, or
// a temporary one.
func planOf(c *cli.Context) (*bench.Plan, error) {
	m, err := measurementOf(c)
	if err != nil {
		return nil, err
	}
	p := &bench.Plan{Rounds: c.Int("rounds"), Shared: !c.IsSet("genesis"), Done: func(r *bench.Result) error { return printResult(c, r) }}
	if p.Loads, err = loadsOf(c, m); err != nil {
		return nil, err
	}
	if path := c.Path("peers"); c.IsSet("peers") {
		if path == "" {
			return nil, usageError("--peers is empty: name a file, or leave it out")
		}
		if p.Peers, err = bench.ReadPeers(path); err != nil {
			return nil, usageError("--peers %s: %w; examples/bench/peers.json shows what one looks like", path, err)
		}
	}
	switch {
	case c.Bool("versus"):
		for _, name := range compare.Protocols() {
			x, err := protocol.Lookup(name)
			if err != nil {
				return nil, err
			}
			p.Sides = append(p.Sides, bench.Side{Name: name, Measure: func(ctx context.Context, m bench.Measurement) (bench.Result, error) {
				m.Protocol, m.Replicas = name, x.Model.Least(c.Int("faults"))
				return temporary(c, m)
			}})
		}
	case c.IsSet("against"):
		return p, against(c, p)
	case c.Bool("compare"):
		p.Sides = []bench.Side{{Measure: func(_ context.Context, m bench.Measurement) (bench.Result, error) { return temporary(c, m) }}}
	}
	return p, nil
}

// measurementOf reads what one load is, as far as it has no list.
func measurementOf(c *cli.Context) (m bench.Measurement, err error) {
	m = bench.Measurement{
		Name: "bench", Sessions: c.Int("sessions"), ValueBytes: c.Int("value-bytes"), Fill: c.Bool("fill"), Reads: c.Int("reads"), OneEach: c.Bool("one-each"),
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
	if c.IsSet("operation") {
		ops, err := operationsOf([]string{c.String("operation")})
		if err != nil {
			return m, err
		}
		m.Operation, m.ValueBytes = ops[0], 0
	}
	return m, nil
}

// loadsOf makes a load of each number in a list.
func loadsOf(c *cli.Context, m bench.Measurement) (all []bench.Measurement, err error) {
	clients, rates := []int{256}, []int{0}
	if c.IsSet("rate") {
		clients = []int{underWay}
		if rates, err = listOf(c, "rate", maxRate); err != nil {
			return nil, err
		}
	}
	if c.IsSet("clients") {
		if clients, err = listOf(c, "clients", maxCallers); err != nil {
			return nil, err
		}
	}
	if len(clients) > 1 && c.IsSet("rate") {
		return nil, usageError("--rate needs one number of --clients: that of the operations under way at most")
	}
	for _, m.Clients = range clients {
		for _, m.Rate = range rates {
			switch {
			case len(rates)+len(clients) == 2 && !c.Bool("versus") && !c.IsSet("against"):
			case m.Rate > 0:
				m.Name = fmt.Sprint(m.Rate, "/s")
			default:
				m.Name = noun.Several(m.Clients, "caller")
			}
			if m.Keys, err = keysOf(c, &m); err != nil {
				return nil, err
			}
			if err := checkSessions(m.Sessions, m.Clients); err != nil {
				return nil, err
			}
			all = append(all, m)
		}
	}
	if c.Bool("compare") {
		all = bench.Standard(all[0])
	}
	return all, nil
}

// keysOf is how many keys a load writes.
func keysOf(c *cli.Context, m *bench.Measurement) (int, error) {
	switch text := c.String("keys"); {
	case text == newKeys:
		return 0, nil
	case c.IsSet("keys"):
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxKeys {
			return 0, usageError("--keys %q: choose 1 to %d, or new", text, maxKeys)
		}
		return n, nil
	}
	return bench.UsualKeys(m.Clients, m.Rate), nil
}

// against adds this program to a plan, and then others.
func against(c *cli.Context, p *bench.Plan) error {
	p.Sides = []bench.Side{{Name: "this build", Measure: func(_ context.Context, m bench.Measurement) (bench.Result, error) { return temporary(c, m) }}}
	paths := c.StringSlice("against")
	if len(paths) > maxOthers || len(slices.Compact(slices.Sorted(slices.Values(paths)))) < len(paths) {
		return usageError("--against: name at most %d programs, and each once", maxOthers)
	}
	for _, path := range paths {
		other, err := bench.NewOther(c.Context, path)
		switch {
		case c.Context.Err() != nil:
			return c.Context.Err()
		case err != nil:
			return usageError("--against: %w", err)
		}
		for i := range p.Loads {
			if flag := other.Lacks(&p.Loads[i]); flag != "" {
				omit := flag
				if !c.IsSet(flag) {
					omit = "compare" // wants it
				}
				return usageError("--against: bench of %s has no --%s: omit --%s", path, flag, omit)
			}
		}
		p.Sides = append(p.Sides, bench.Side{Name: path, Measure: func(ctx context.Context, m bench.Measurement) (bench.Result, error) {
			note("%s: %s measures", m.Name, path)
			defer tidies(c)()
			return other.Measure(ctx, m)
		}})
	}
	return nil
}

// carryOut measures what is planned, and writes what came of it, also if it was
// interrupted.
func carryOut(c *cli.Context, p *bench.Plan) error {
	defer tidies(c)()
	r, err := p.Run(c.Context)
	if err == nil && slices.ContainsFunc(r.Results, func(x bench.Result) bool { return x.PerSecond == 0 }) {
		note("nothing was answered within %v: choose a longer --duration", c.Duration("duration"))
	}
	if len(p.Loads) > 1 || len(p.Sides) > 1 || p.Rounds > 1 || p.Peers != nil {
		err = errors.Join(err, printReport(c, r))
	}
	if len(r.Results) == 0 {
		return err
	}
	return errors.Join(err, writeFile(c, "html", "page", func(w io.Writer) error { return bench.WriteHTML(w, r) }))
}

// temporary measures a cluster that is made for it.
func temporary(c *cli.Context, m bench.Measurement) (bench.Result, error) {
	note("%s: starting a temporary cluster, %s with %s", m.Name, m.Protocol, noun.Several(m.Replicas, "replica"))
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
	return r, nil
}

// printResult prints one measurement.
func printResult(c *cli.Context, r *bench.Result) error {
	if benchForPrograms(c) {
		return printJSON(c.App.Writer, r)
	}
	return r.WriteText(c.App.Writer, columns(os.Stdout))
}

// printReport prints what all measurements together say.
func printReport(c *cli.Context, r *bench.Report) error {
	if !benchForPrograms(c) {
		return r.WriteText(c.App.Writer, columns(os.Stdout))
	}
	for _, x := range r.Objects() {
		if err := printJSON(c.App.Writer, x); err != nil {
			return err
		}
	}
	return nil
}

// benchForPrograms is forPrograms, with --json as well.
func benchForPrograms(c *cli.Context) bool { return c.Bool("json") || forPrograms(c) }
