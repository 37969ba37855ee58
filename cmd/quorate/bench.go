package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/testnet"
)

// benchCommand is quorate bench. It is a command and never a timed test: what it
// measures says more about the machine than about the code.
func benchCommand() *cli.Command {
	return &cli.Command{
		Name: "bench", Usage: "measure a cluster under a closed loop of callers",
		Description: "Attaches to the cluster of --dir if one runs there, with a key of its own, and else\n" +
			"starts a temporary one. All callers share one client. --compare runs temporary\n" +
			"clusters one after another: synced and volatile storage, gathered operations and one\n" +
			"signature each, many callers and one. --versus runs both protocols with as many\n" +
			"replicas as --faults needs, in turns, and prints what Raft reaches of PBFT. With\n" +
			"--output json, one object per measurement, and one per ratio.\n" +
			"The keys of a measurement, bench/..., are removed at its end; after an interruption,\n" +
			"the next one removes them.",
		Flags: clusterFlags(
			&cli.IntFlag{Name: "clients", Value: 256, Usage: "`C` concurrent callers"},
			&cli.IntFlag{Name: "value-bytes", Value: 256, Usage: "size of each value that is put"},
			&cli.StringFlag{Name: "operation", Usage: "`OPERATION`, as of quorate invoke: what every caller asks for, in place of puts; for any application"},
			&cli.DurationFlag{Name: "duration", Value: 10 * time.Second, Usage: "how long to measure"},
			&cli.DurationFlag{Name: "warmup", Value: 3 * time.Second, Usage: "how long to load before that"},
			&cli.BoolFlag{Name: "one-each", Usage: "every operation is a request with a signature of its own"},
			&cli.BoolFlag{Name: "temporary", Usage: "start a temporary cluster, also if one runs"},
			&cli.BoolFlag{Name: "volatile", Usage: "temporary cluster whose replicas never sync"},
			&cli.BoolFlag{Name: "compare", Usage: "run the four standard measurements of the protocol"},
			&cli.BoolFlag{Name: "versus", Usage: "run three of them with both protocols, in turns"},
			&cli.IntFlag{Name: "rounds", Value: 1, Usage: "with --versus: how often; ratios are of medians"},
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
	Operation  []byte        `json:"-"` // executed again and again; nil = puts of the key-value store
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
	switch {
	case c.Bool("versus"):
		return versus(c, t)
	case c.Bool("compare"):
		for _, t := range comparison(t) {
			if _, err := temporary(c, t); err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
		}
		return nil
	}
	return explainLeader(one(c, t))
}

// maxCallers bounds --clients: more goroutines measure this process only.
const maxCallers = 1 << 16

// check refuses flags that make no measurement, before anything is started.
func (t *measurement) check(c *cli.Context) (err error) {
	p, err := protocolOf(c)
	if err != nil {
		return err
	}
	t.Protocol = p.Name
	if t.Replicas, err = sizeOf(c, p); err != nil {
		return err
	}
	if err := t.readOperation(c); err != nil {
		return err
	}
	switch {
	case t.Clients < 1 || t.Clients > maxCallers:
		return usageError("--clients %d: between 1 and %d are possible", t.Clients, maxCallers)
	case t.ValueBytes < 0 || t.ValueBytes > consensus.MaxFrame:
		return usageError("--value-bytes %d: between 0 and the cluster's limit are possible", t.ValueBytes)
	case t.Duration <= 0:
		return usageError("--duration must be positive, not %v", t.Duration)
	case t.Warmup < 0:
		return usageError("--warmup %v: not negative", t.Warmup)
	case c.Bool("versus") && (c.Bool("compare") || c.IsSet("protocol") || c.IsSet("replicas")):
		return usageError("--versus runs both protocols, sized by --faults: leave --compare, --protocol and --replicas out")
	case (c.Bool("versus") || c.Bool("compare")) && (t.OneEach || t.Volatile):
		return usageError("--compare and --versus measure in several ways already: leave --one-each and --volatile out")
	case c.IsSet("rounds") && !c.Bool("versus"):
		return usageError("--rounds goes with --versus")
	case c.Int("rounds") < 1 || c.Int("rounds") > maxRounds:
		return usageError("--rounds %d: between 1 and %d are possible", c.Int("rounds"), maxRounds)
	case c.Bool("versus") && c.Int("faults") == 0:
		return usageError("--faults 0: a cluster of one replica agrees with nobody")
	}
	return nil
}

// keyRoom is more than a key of ours and the head of an operation take, bytes.
const keyRoom = 64

// fits holds what is asked for against the cluster at hand.
func (t *measurement) fits(g *consensus.Genesis) error {
	l := &g.Limits
	if t.Operation != nil {
		if len(t.Operation) > l.OperationBytes {
			return usageError("--operation has %d bytes: this cluster takes at most %d", len(t.Operation), l.OperationBytes)
		}
		return nil
	}
	if err := runsStore(g); err != nil {
		return fmt.Errorf("%w; or give --operation", err)
	}
	if most := min(l.ValueBytes, l.OperationBytes-keyRoom); t.ValueBytes > most {
		return usageError("--value-bytes %d: this cluster takes at most %d", t.ValueBytes, most)
	}
	return nil
}

// load says what the callers ask for.
func (t *measurement) load() string {
	if t.Operation != nil {
		return fmt.Sprintf("an operation of %s", several(len(t.Operation), "byte"))
	}
	return fmt.Sprintf("values of %s", several(t.ValueBytes, "byte"))
}

// readOperation is what --operation says.
func (t *measurement) readOperation(c *cli.Context) error {
	if !c.IsSet("operation") {
		return nil
	}
	if c.IsSet("value-bytes") || c.Bool("compare") || c.Bool("versus") {
		return usageError("--operation is all that is asked for: leave --value-bytes, --compare and --versus out")
	}
	ops, err := operationsOf([]string{c.String("operation")})
	if err == nil {
		t.Operation, t.ValueBytes = ops[0], 0
	}
	return err
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
		_, err := temporary(c, t)
		return err
	}
	if c.IsSet("genesis") {
		a, err := reach(c)
		if err != nil {
			return err
		}
		defer a.release()
		_, err = measure(c, t, a)
		return err
	}
	cluster, err := openCluster(c)
	if errors.Is(err, testnet.ErrNoCluster) && !c.IsSet("dir") || err == nil && !cluster.AnyRunning() {
		_, err := temporary(c, t)
		return err
	}
	if err != nil {
		return err
	}
	noteIgnored(c, cluster, "protocol", "replicas", "faults")
	_, err = attach(c, t, cluster)
	return err
}

// attach measures a cluster on this machine by the key that is there for it.
func attach(c *cli.Context, t measurement, cluster *testnet.Cluster) (measured, error) {
	keyFile := c.Path("key")
	if keyFile == "" {
		keyFile = cluster.BenchKey()
	}
	claim, err := testnet.ClaimKey(keyFile)
	if err != nil {
		return measured{}, err
	}
	defer claim.Release()
	seed, err := home.ReadKey(keyFile, passphrase(c))
	if err != nil {
		return measured{}, err
	}
	return measure(c, t, &access{genesis: cluster.Genesis, addresses: cluster.Addresses(), keyFile: keyFile, seed: seed, local: cluster})
}

// temporary makes a cluster, measures it, and removes it.
func temporary(c *cli.Context, t measurement) (o measured, err error) {
	dir, err := os.MkdirTemp("", "quorate-bench-")
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cluster, err := testnet.Init(testnet.Options{Dir: filepath.Join(dir, "net"), Protocol: t.Protocol, Replicas: t.Replicas, Name: "bench", Volatile: t.Volatile})
	if err != nil {
		return o, err
	}
	t.Throwaway = true
	if err := t.fits(&cluster.Genesis); err != nil {
		return o, err
	}
	// Before Up: whatever happens from here on, no process is left behind.
	defer func() { err = errors.Join(err, cluster.Down()) }()
	note("%s: starting a temporary cluster, %s with %d replicas", t.Name, t.Protocol, t.Replicas)
	if _, err := cluster.Up(); err != nil {
		return o, err
	}
	ctx, cancel := context.WithTimeout(c.Context, testnet.ReadyWithin)
	defer cancel()
	if err := cluster.AwaitReady(ctx); err != nil {
		return o, err
	}
	return attach(c, t, cluster)
}

// measure loads the cluster and prints what came of it.
func measure(c *cli.Context, t measurement, a *access) (measured, error) {
	if err := t.fits(&a.genesis); err != nil {
		return measured{}, err
	}
	cl, err := a.dial(c.Context, session.Config{OneEach: t.OneEach})
	if err != nil {
		return measured{}, err
	}
	defer func() { _ = cl.Close() }()
	note("%s: %s, %s, %v of warm-up, then %v", t.Name, several(t.Clients, "caller"), t.load(), t.Warmup, t.Duration)
	t.Protocol, t.Replicas = a.genesis.Protocol, len(a.genesis.Replicas)
	l, store := newLoad(t), client.KV{Invoker: cl}
	stop := l.run(c.Context, store)
	defer stop()
	if err := l.sleep(c.Context, t.Warmup); err != nil {
		return measured{}, err
	}
	before := observe(c.Context, a.local)
	l.begin()
	err = l.sleep(c.Context, t.Duration)
	l.end()
	after := observe(c.Context, a.local)
	stop()
	if err != nil {
		return measured{}, err
	}
	machine, err := benchJSON(c)
	if err != nil {
		return measured{}, err
	}
	o := measuredOf(l.result(), before, after)
	if err := o.report(machine); err != nil || t.Throwaway || t.Operation != nil {
		return o, err
	}
	return o, sweepAway(c.Context, store)
}
