package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/testnet"
)

// testnetCommands is quorate testnet.
func testnetCommands() *cli.Command {
	return &cli.Command{
		Name: "testnet", Usage: "run a cluster on this machine, inject faults, watch it",
		Subcommands: []*cli.Command{
			{
				Name: "up", Usage: "create the cluster if the directory is new, start its replicas, show the status",
				Description: "Shows a table until Ctrl-C, which stops all replicas. With --detach it returns when\n" +
					"all replicas are ready, and leaves them running. If they run already, it prints the\n" +
					"status.",
				Flags:  append(append(initFlags(), &cli.BoolFlag{Name: "detach", Usage: "return when all replicas are ready"}), traitorFlags()...),
				Action: does(0, 0, testnetUp),
			},
			{Name: "init", Usage: "create keys, genesis and configuration, and start nothing", Flags: append(initFlags(), productionFlag()), Action: does(0, 0, testnetInit)},
			{
				Name: "status", Usage: "print one line per replica",
				Flags: []cli.Flag{dirFlag(), outputFlag(),
					&cli.BoolFlag{Name: "settled", Usage: "wait until all replicas are ready, at the same sequence number and root"},
					timeoutFlag(testnet.ReadyWithin, giveUp)},
				Action: does(0, 0, testnetStatus),
			},
			{Name: "down", Usage: "stop all replicas; may be repeated", Flags: []cli.Flag{dirFlag()}, Action: does(0, 0, testnetDown)},
			disturbance("kill", "end replica N by SIGKILL, as a crash does", (*testnet.Cluster).Kill),
			disturbance("pause", "stop replica N by SIGSTOP: it keeps its connections and says nothing", (*testnet.Cluster).Pause),
			disturbance("resume", "continue paused replica N", (*testnet.Cluster).Resume),
			disturbance("restart", "stop replica N, if it runs, and start it", (*testnet.Cluster).Restart),
			disturbance("wipe", "stop replica N, delete its data, and start it as one that lost its disk", wipe),
			{
				Name: "corrupt", Usage: "make replica N a traitor, while it runs", ArgsUsage: "N BEHAVIOUR...",
				Description: "quorate byzantine list names the behaviours, such as equivocate or \"delay 80%\". They\nreplace those that the replica had. Some restart it.",
				Flags:       []cli.Flag{dirFlag()}, Action: does(2, -1, testnetCorrupt), BashComplete: completes(completeCorrupt),
			},
			{
				Name: "heal", Usage: "make replica N honest again", ArgsUsage: "N", Flags: []cli.Flag{dirFlag()},
				Action: does(1, 1, testnetHeal), BashComplete: completes(completeReplica),
			},
			compareCommand(),
		},
	}
}

// initFlags describe a new cluster; up takes them too, for it may have to make one.
func initFlags() []cli.Flag {
	return []cli.Flag{
		dirFlag(),
		protocolFlag("of a new cluster"),
		&cli.IntFlag{Name: "replicas", Aliases: []string{"n"}, Usage: "size of a new cluster", DefaultText: "as many as --faults takes"},
		faultsFlag("how many a new cluster tolerates: 3f+1 replicas of pbft, 2f+1 of the others", "f"),
		&cli.StringFlag{Name: "seed", Usage: "derive all keys of a new cluster from `TEXT`, for repeatable runs; anyone who knows it has all keys"},
		&cli.StringFlag{Name: "name", Value: "testnet", Usage: "of a new cluster"},
		&cli.Uint64Flag{Name: "checkpoint-interval", Value: 64, Usage: "`K` sequence numbers between two checkpoints of a new cluster; the window is 4K"},
	}
}

// productionFlag is for homes that are to be moved to where they count.
func productionFlag() cli.Flag {
	return &cli.BoolFlag{Name: "production", Usage: "do not mark the genesis as a testnet's: no replica can be made a traitor"}
}

// optionsOf reads them. The window follows from the checkpoint interval, at the
// ratio that the protocol recommends.
func optionsOf(c *cli.Context) (testnet.Options, error) {
	p, err := protocolOf(c)
	if err != nil {
		return testnet.Options{}, err
	}
	n, err := sizeOf(c, p)
	if err != nil {
		return testnet.Options{}, err
	}
	k, name := consensus.Seq(c.Uint64("checkpoint-interval")), c.String("name")
	if k == 0 {
		return testnet.Options{}, usageError("--checkpoint-interval must be at least 1")
	}
	if c.Bool("production") && !c.IsSet("name") {
		dir, err := filepath.Abs(c.Path("dir"))
		if err != nil {
			return testnet.Options{}, err
		}
		name = filepath.Base(dir)
	}
	return testnet.Options{
		Dir: c.Path("dir"), Protocol: p.Name, Replicas: n, Seed: c.String("seed"), Name: name, Production: c.Bool("production"),
		Adjust: func(g *consensus.Genesis) { g.CheckpointInterval, g.Window = k, 4*k },
	}, nil
}

// testnetInit makes a cluster and says how to start it.
func testnetInit(c *cli.Context, _ []string) error {
	cluster, err := create(c)
	switch {
	case err != nil:
		return err
	case cluster.Genesis.Testnet:
		note("start it with `quorate testnet up --dir %s`", cluster.Dir)
	default:
		note("start each replica with `quorate node --home %s`, where its home is then", filepath.Join(cluster.Dir, "replica-N"))
	}
	return nil
}

// create never touches a cluster that is there: new keys over a running identity
// would be an amnesia that nobody notices.
func create(c *cli.Context) (*testnet.Cluster, error) {
	o, err := optionsOf(c)
	if err != nil {
		return nil, err
	}
	cluster, err := testnet.Init(o)
	if err != nil {
		return nil, err
	}
	note("created a cluster of %s in %s", noun.Several(cluster.Size(), "replica"), cluster.Dir)
	if p, _ := protocol.Lookup(o.Protocol); faults(cluster) == 0 {
		note("it tolerates no fault: with %s, one fault takes %d replicas", p.Name, p.Model.Least(1))
	}
	return cluster, nil
}

// faults is how many faulty replicas the cluster tolerates.
func faults(cluster *testnet.Cluster) int {
	system, err := protocol.System(cluster.Genesis)
	if err != nil {
		return 0
	}
	return system.Faults()
}

// openOrInit opens the cluster, or makes it if the directory has none.
func openOrInit(c *cli.Context) (*testnet.Cluster, error) {
	cluster, err := openCluster(c)
	if err == nil && !c.IsSet("protocol") {
		err = c.Set("protocol", cluster.Genesis.Protocol) // the sizes are of that one
	}
	if err != nil && !errors.Is(err, testnet.ErrNoCluster) {
		return nil, err
	}
	if _, err := optionsOf(c); err != nil {
		return nil, err // also of what is ignored
	}
	if err != nil {
		if err := foresee(c); err != nil {
			return nil, err
		}
		return create(c)
	}
	noteIgnored(c, cluster, "protocol", "replicas", "faults", "seed", "name", "checkpoint-interval")
	if !cluster.Genesis.Testnet {
		note("%s is no testnet: where a home was moved away from here, `testnet up` starts its replica a second time: start each with `quorate node --home %s`",
			cluster.Dir, filepath.Join(cluster.Dir, "replica-N"))
	}
	return cluster, nil
}

// noteIgnored names the flags that contradict the existing cluster.
func noteIgnored(c *cli.Context, cluster *testnet.Cluster, flags ...string) {
	for _, name := range flags {
		if c.IsSet(name) && !fulfilled(c, cluster, name) {
			note("%s already has a cluster, %s with %s: --%s is ignored", cluster.Dir, cluster.Genesis.Protocol, noun.Several(cluster.Size(), "replica"), name)
		}
	}
}

// fulfilled reports whether the existing cluster is as a flag says.
func fulfilled(c *cli.Context, cluster *testnet.Cluster, flag string) bool {
	switch flag {
	case "replicas":
		return c.Int(flag) == cluster.Size()
	case "faults":
		return c.Int(flag) == faults(cluster)
	case "protocol":
		return strings.EqualFold(c.String(flag), cluster.Genesis.Protocol)
	}
	return false
}

// testnetUp starts what does not run, and leaves alone what does, but for
// traitors that it is asked to make.
func testnetUp(c *cli.Context, _ []string) error {
	if _, err := traitorsOf(c); err != nil {
		return err // before a cluster is made
	}
	cluster, err := openOrInit(c)
	if err != nil {
		return err
	}
	if err := switchOn(c, cluster); err != nil {
		return err
	}
	defer tidies(c)()
	started, err := cluster.Up()
	if err != nil {
		return err
	}
	leaves(c, "what this command has started is stopped again")
	if c.Bool("detach") || len(started) == 0 {
		return settleUp(c, cluster, started)
	}
	return foreground(c, cluster)
}

// settleUp waits for a detached cluster and shows it. If it does not become
// ready, what this call started is stopped again; a single replica that takes
// longer than the others is named instead.
func settleUp(c *cli.Context, cluster *testnet.Cluster, started []int) error {
	if len(started) > 0 {
		ctx, cancel := context.WithTimeout(c.Context, testnet.ReadyWithin)
		defer cancel()
		done := waits("waiting for the replicas to be ready, for %v at most", testnet.ReadyWithin)
		late, err := cluster.AwaitUsable(ctx)
		done()
		if err != nil {
			return fmt.Errorf("the cluster is not ready: %w", errors.Join(err, cluster.Stop(started)))
		}
		for _, line := range late {
			note("the cluster serves, but %s", line)
		}
	}
	return testnet.WriteTable(c.App.Writer, cluster.Statuses(c.Context), columns(os.Stdout))
}

// foreground shows the cluster until it is interrupted, and stops it.
func foreground(c *cli.Context, cluster *testnet.Cluster) error {
	note("%s in %s; Ctrl-C stops them", noun.Several(cluster.Size(), "replica"), cluster.Dir)
	err := cluster.Watch(c.Context, c.App.Writer, onTerminal(os.Stdout), columns(os.Stdout))
	note("stopping")
	defer waits("waiting for the replicas to stop")()
	return errors.Join(err, cluster.Down(), c.Context.Err())
}

// testnetStatus can wait for the replicas to agree, for scripts and tests that
// would otherwise sleep and hope.
func testnetStatus(c *cli.Context, _ []string) error {
	return withCluster(c, func(cluster *testnet.Cluster) error {
		if c.Bool("settled") {
			ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
			defer cancel()
			done := waits("waiting for all replicas to stand at one place, for %v at most", c.Duration("timeout"))
			err := cluster.AwaitSettled(ctx)
			if done(); err != nil {
				return err
			}
		}
		all := cluster.Statuses(c.Context)
		if forPrograms(c) {
			return printSnake(c.App.Writer, all)
		}
		return testnet.WriteTable(c.App.Writer, all, columns(os.Stdout))
	})
}

// testnetDown succeeds if nothing runs: that is what was asked for. A damaged
// genesis must not keep it from stopping what does.
func testnetDown(c *cli.Context, _ []string) error {
	cluster, err := testnet.OpenManifest(c.String("dir"))
	if err != nil {
		return err
	}
	leaves(c, "some replicas may still run: %s stops them", testnet.Advice(cluster.Dir, "testnet down"))
	defer waits("waiting for the replicas to stop")()
	if err := cluster.Down(); err != nil {
		return err
	}
	if whole, err := openCluster(c); err == nil {
		if err := whole.Elsewhere(); err != nil {
			note("nothing runs in %s, but %v", cluster.Dir, err)
		}
	}
	return nil
}

// wipe says what it may have cost where nobody can make up for it.
func wipe(cluster *testnet.Cluster, n int) error {
	err := cluster.Wipe(n)
	if p, _ := protocol.Of(cluster.Genesis); err == nil && !p.Rejoins {
		note("replica %d has forgotten what it had acknowledged, and votes at once: in %s a lost disk can lose answered writes (docs/PROTOCOL.md, section 10)", n, p.Title)
	}
	return err
}

// already is what is said of a replica to which a command does nothing.
var already = map[string]map[testnet.Condition]string{
	"kill":   {testnet.Stopped: "is not running: nothing was ended"},
	"pause":  {testnet.Paused: "is paused already"},
	"resume": {testnet.Running: "is not paused: nothing was changed"},
}

// disturbance is a command that does something to one replica.
func disturbance(name, usage string, do func(*testnet.Cluster, int) error) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage, ArgsUsage: "N", Flags: []cli.Flag{dirFlag()}, BashComplete: completes(completeReplica),
		Action: does(1, 1, func(c *cli.Context, args []string) error {
			cluster, n, err := oneReplica(c, args[0])
			if err != nil {
				return err
			}
			defer waits("waiting for replica %d", n)()
			before := cluster.Condition(n)
			if err := do(cluster, n); err != nil {
				return err
			}
			if text := already[name][before]; text != "" {
				note("replica %d %s", n, text)
			}
			return nil
		}),
	}
}
