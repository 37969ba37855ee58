package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"quorate/client"
	"quorate/client/session"
	"quorate/consensus"
	"quorate/testnet"
)

// benchCommand is quorate bench. It is a command and never a timed test: what it
// measures says more about the machine than about the code.
func benchCommand() *cli.Command {
	return &cli.Command{
		Name: "bench", Usage: "measure a cluster under a closed loop of callers",
		Description: "Attaches to the cluster of --dir if one runs there, with a key of its own, and else\n" +
			"starts a temporary one. All callers share one client. --compare runs temporary\n" +
			"clusters one after another: synced and volatile storage, gathered operations and one\n" +
			"signature each, many callers and one. With --output json, one object per measurement.\n" +
			"The keys of a measurement, bench/..., are removed at its end; after an interruption,\n" +
			"the next one removes them.",
		Flags: clusterFlags(
			&cli.IntFlag{Name: "clients", Value: 256, Usage: "`C` concurrent callers"},
			&cli.IntFlag{Name: "value-bytes", Value: 256, Usage: "size of each value that is put"},
			&cli.DurationFlag{Name: "duration", Value: 10 * time.Second, Usage: "how long to measure"},
			&cli.DurationFlag{Name: "warmup", Value: 3 * time.Second, Usage: "how long to load before that"},
			&cli.BoolFlag{Name: "one-each", Usage: "every operation is a request with a signature of its own"},
			&cli.BoolFlag{Name: "temporary", Usage: "start a temporary cluster, also if one runs"},
			&cli.BoolFlag{Name: "volatile", Usage: "temporary cluster whose replicas never sync"},
			&cli.BoolFlag{Name: "compare", Usage: "run the four standard measurements"},
			protocolFlag("of a temporary cluster"),
			&cli.IntFlag{Name: "replicas", Usage: "of a temporary cluster", DefaultText: "4 of pbft, 3 of raft"},
			&cli.IntFlag{Name: "faults", Value: 1, Usage: "... or how many it tolerates"},
			&cli.BoolFlag{Name: "json", Usage: "the same as --output json"}, outputFlag()),
		Action: does(0, 0, bench),
	}
}

// measurement is what one run of bench does.
type measurement struct {
	Name       string        `json:"name"`
	Protocol   string        `json:"protocol"`
	Replicas   int           `json:"replicas"`
	Clients    int           `json:"clients"`
	ValueBytes int           `json:"value_bytes"`
	OneEach    bool          `json:"one_each"`
	Volatile   bool          `json:"volatile"`
	Throwaway  bool          `json:"-"` // the cluster is removed afterwards
	Warmup     time.Duration `json:"-"`
	Duration   time.Duration `json:"-"`
}

// bench runs one measurement, or the standard ones one after another, so that
// they do not compete for the machine.
func bench(c *cli.Context, _ []string) error {
	t := measurement{
		Name: "bench", Clients: c.Int("clients"), ValueBytes: c.Int("value-bytes"), OneEach: c.Bool("one-each"),
		Volatile: c.Bool("volatile"), Warmup: c.Duration("warmup"), Duration: c.Duration("duration"),
	}
	if _, err := benchJSON(c); err != nil {
		return err
	}
	if err := t.check(c); err != nil {
		return err
	}
	if !c.Bool("compare") {
		return one(c, t)
	}
	for _, t := range comparison(t) {
		if err := temporary(c, t); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	return nil
}

// maxCallers bounds --clients: more goroutines measure this process only.
const maxCallers = 1 << 16

// check refuses flags that make no measurement, before anything is started.
func (t *measurement) check(c *cli.Context) (err error) {
	if t.Protocol, err = protocolOf(c); err != nil {
		return err
	}
	if t.Replicas, err = sizeOf(c, t.Protocol); err != nil {
		return err
	}
	switch {
	case t.Clients < 1 || t.Clients > maxCallers:
		return usageError("--clients %d: between 1 and %d are possible", t.Clients, maxCallers)
	case t.ValueBytes < 0 || t.ValueBytes > consensus.MaxFrame:
		return usageError("--value-bytes %d: between 0 and the cluster's limit are possible", t.ValueBytes)
	case t.Duration <= 0:
		return usageError("--duration %v: more than nothing", t.Duration)
	case t.Warmup < 0:
		return usageError("--warmup %v: not negative", t.Warmup)
	}
	return nil
}

// keyRoom is more than a key of ours and the head of an operation take, bytes.
const keyRoom = 64

// fits holds the size of a value against the limits of the cluster at hand.
func (t *measurement) fits(l *consensus.Limits) error {
	if most := min(l.ValueBytes, l.OperationBytes-keyRoom); t.ValueBytes > most {
		return usageError("--value-bytes %d: this cluster takes at most %d", t.ValueBytes, most)
	}
	return nil
}

// benchJSON is --output json under either of its names.
func benchJSON(c *cli.Context) (bool, error) {
	machine, err := asJSON(c)
	return machine || c.Bool("json"), err
}

// comparison are the measurements whose results people ask for.
func comparison(t measurement) []measurement {
	gathered, each, single, volatile := t, t, t, t
	gathered.Name, gathered.OneEach, gathered.Volatile = "synced, gathered", false, false
	each.Name, each.OneEach, each.Volatile = "synced, one signature each", true, false
	single.Name, single.OneEach, single.Volatile, single.Clients = "synced, a single caller", false, false, 1
	volatile.Name, volatile.OneEach, volatile.Volatile = "volatile, gathered", false, true
	return []measurement{gathered, each, single, volatile}
}

// one runs one measurement, on the cluster that is there or on a new one.
func one(c *cli.Context, t measurement) error {
	if c.Bool("temporary") || t.Volatile {
		return temporary(c, t)
	}
	if c.IsSet("genesis") {
		a, err := reach(c)
		if err != nil {
			return err
		}
		defer a.release()
		return measure(c, t, a)
	}
	cluster, err := openCluster(c)
	if errors.Is(err, testnet.ErrNoCluster) && !c.IsSet("dir") || err == nil && !cluster.AnyRunning() {
		return temporary(c, t)
	}
	if err != nil {
		return err
	}
	return attach(c, t, cluster)
}

// attach measures a cluster on this machine by the key that is there for it.
func attach(c *cli.Context, t measurement, cluster *testnet.Cluster) error {
	keyFile := c.Path("key")
	if keyFile == "" {
		keyFile = cluster.BenchKey()
	}
	claim, err := testnet.ClaimKey(keyFile)
	if err != nil {
		return err
	}
	defer claim.Release()
	seed, err := testnet.ReadKey(keyFile, passphrase(c))
	if err != nil {
		return err
	}
	return measure(c, t, &access{founding: cluster.Founding, keyFile: keyFile, seed: seed, local: cluster})
}

// temporary makes a cluster, measures it, and removes it.
func temporary(c *cli.Context, t measurement) (err error) {
	dir, err := os.MkdirTemp("", "quorate-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cluster, err := testnet.Init(testnet.Options{Dir: filepath.Join(dir, "net"), Protocol: t.Protocol, Replicas: t.Replicas, Name: "bench", Volatile: t.Volatile})
	if err != nil {
		return err
	}
	t.Throwaway = true
	if err := t.fits(&cluster.Founding.Genesis.Limits); err != nil {
		return err
	}
	// Before Up: whatever happens from here on, no process is left behind.
	defer func() { err = errors.Join(err, cluster.Down()) }()
	note("%s: starting a temporary cluster of %d replicas", t.Name, c.Int("replicas"))
	if _, err := cluster.Up(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, testnet.ReadyWithin)
	defer cancel()
	if err := cluster.AwaitReady(ctx); err != nil {
		return err
	}
	return attach(c, t, cluster)
}

// measure loads the cluster and prints what came of it.
func measure(c *cli.Context, t measurement, a *access) error {
	if err := t.fits(&a.founding.Genesis.Limits); err != nil {
		return err
	}
	cl, err := a.dial(c.Context, session.Config{OneEach: t.OneEach})
	if err != nil {
		return err
	}
	defer func() { _ = cl.Close() }()
	note("%s: %d callers, values of %d bytes, %v of warm-up, then %v", t.Name, t.Clients, t.ValueBytes, t.Warmup, t.Duration)
	t.Protocol, t.Replicas = a.founding.Genesis.Protocol, len(a.founding.Genesis.Replicas)
	l, store := newLoad(t), client.KV{Invoker: cl}
	stop := l.run(c.Context, store)
	defer stop()
	if err := l.sleep(c.Context, t.Warmup); err != nil {
		return err
	}
	before := observe(c.Context, a.local)
	l.begin()
	err = l.sleep(c.Context, t.Duration)
	l.end()
	after := observe(c.Context, a.local)
	stop()
	if err != nil {
		return err
	}
	machine, err := benchJSON(c)
	if err != nil {
		return err
	}
	if err := report(machine, l.result(), before, after); err != nil || t.Throwaway {
		return err
	}
	return sweepAway(c.Context, store)
}
