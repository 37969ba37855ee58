package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/genesis"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/testnet"
)

// dirFlag is how every command finds its cluster.
func dirFlag() cli.Flag {
	return &cli.PathFlag{Name: "dir", Aliases: []string{"d"}, EnvVars: []string{"QUORATE_DIR"}, Value: "quorate-testnet", Usage: "`DIR` of the cluster"}
}

// clusterFlags are what every command has that talks to a cluster, with more
// of its own.
func clusterFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		dirFlag(),
		&cli.PathFlag{Name: "genesis", Usage: "genesis `FILE` of a cluster elsewhere, instead of --dir"},
		&cli.PathFlag{Name: "key", Usage: "client key `FILE`; with --dir, instead of a free one of its own"},
		&cli.StringFlag{Name: "addresses", Usage: "`HOST:PORT,...` of the replicas, by id; with --genesis, instead of the file's own"},
		passphraseFlag(),
	}, more...)
}

// timeoutFlag bounds commands that wait for the cluster: a script must not hang
// because too many replicas are down.
func timeoutFlag(standard time.Duration) cli.Flag {
	return &cli.DurationFlag{Name: "timeout", EnvVars: []string{"QUORATE_TIMEOUT"}, Value: standard, Usage: "give up after this long"}
}

// access is what a client needs to reach a cluster.
type access struct {
	genesis   consensus.Genesis
	addresses []string // of the replicas, by id
	keyFile   string
	seed      home.Seed
	local     *testnet.Cluster // nil for a cluster elsewhere
	claim     *testnet.Claim   // of the key, until release
}

// release gives the key to the next command.
func (a *access) release() { a.claim.Release() }

// reach finds the cluster that the flags name.
func reach(c *cli.Context) (*access, error) {
	a := &access{keyFile: c.Path("key")}
	if c.IsSet("genesis") {
		if err := a.elsewhere(c); err != nil {
			return nil, err
		}
	} else if err := a.here(c); err != nil {
		return nil, err
	}
	if err := a.take(c); err != nil {
		return nil, err
	}
	var err error
	if a.seed, err = home.ReadKey(a.keyFile, passphrase(c)); err != nil {
		a.release()
		return nil, err
	}
	return a, nil
}

// take claims the key that was named, or waits for one of the directory's. With
// a key that another command uses, each would end the other's session.
func (a *access) take(c *cli.Context) (err error) {
	if a.keyFile != "" {
		a.claim, err = testnet.ClaimKey(a.keyFile)
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	if a.claim, err = a.local.ClaimClientKey(ctx); err == nil {
		a.keyFile = a.claim.Key
	}
	return err
}

// elsewhere is for clusters that were not made on this machine: nothing but the
// two files is needed.
func (a *access) elsewhere(c *cli.Context) error {
	if a.keyFile == "" {
		return usageError("--genesis needs --key FILE: a client key that the genesis admits")
	}
	file, err := genesis.Load(c.Path("genesis"))
	if err != nil {
		return err
	}
	a.genesis, a.addresses = file.Genesis, file.Addresses
	if list := c.String("addresses"); list != "" {
		a.addresses = strings.Split(list, ",")
	}
	if n := len(a.genesis.Replicas); len(a.addresses) != n {
		return usageError("%d addresses for %d replicas: give --addresses HOST:PORT,... or contact.addresses in %s", len(a.addresses), n, c.Path("genesis"))
	}
	return nil
}

// here finds a cluster that testnet made.
func (a *access) here(c *cli.Context) error {
	if c.String("addresses") != "" {
		return usageError("--addresses goes with --genesis")
	}
	cluster, err := openCluster(c)
	if err != nil {
		return err
	}
	a.local, a.genesis, a.addresses = cluster, cluster.Genesis, cluster.Addresses()
	return nil
}

// dial makes a client. For a cluster on this machine of which nothing runs it
// says so at once, instead of waiting for nobody.
func (a *access) dial(ctx context.Context, tune session.Config) (*client.Client, error) {
	if a.local != nil && !a.local.AnyRunning() {
		return nil, &codedError{exitUnreachable, fmt.Errorf("no replica of %s is running: start them with `quorate testnet up --dir %s`", a.local.Dir, a.local.Dir)}
	}
	return client.Dial(ctx, client.Config{
		Genesis: &a.genesis, Key: a.seed, Addresses: a.addresses, Session: tune,
	})
}

// withClient runs do with a client of the cluster and a bounded context.
func withClient(c *cli.Context, do func(ctx context.Context, store client.KV) error) error {
	a, err := reach(c)
	if err != nil {
		return err
	}
	defer a.release()
	if err := runsStore(&a.genesis); err != nil {
		return err
	}
	if limit := a.genesis.Limits.KeyBytes; slices.Contains(keyed, c.Command.Name) && len(c.Args().First()) > limit {
		return fmt.Errorf("%w: the key has %d bytes, the cluster's limit for a key is %d", session.ErrTooLarge, len(c.Args().First()), limit)
	}
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	cl, err := a.dial(ctx, session.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = cl.Close() }()
	return explainTimeout(c, do(ctx, client.KV{Invoker: cl}))
}

// runsStore refuses to speak to another application in the language of the store.
func runsStore(g *consensus.Genesis) error {
	if name := g.Application; name != "" {
		return fmt.Errorf("the cluster runs the application %q, not the key-value store: use `quorate invoke`, or the program that was written for it", name)
	}
	return nil
}

// patient refuses a timeout that leaves no time for anything.
func patient(c *cli.Context) error {
	if t := c.Duration("timeout"); t <= 0 && has(c, "timeout") {
		return usageError("--timeout must be positive, not %v", t)
	}
	return nil
}

// has reports whether the command knows the flag.
func has(c *cli.Context, name string) bool {
	return slices.ContainsFunc(c.Command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
}

// keyed are the commands whose first argument is a key.
var keyed = []string{"put", "get", "del", "cas"}

// reads are the commands of which it does not matter whether they were executed.
var reads = []string{"get", "range", "export", "status"}

// explainLeader says what to do when a minority answered that nobody leads.
func explainLeader(err error) error {
	if errors.Is(err, session.ErrNoLeader) {
		return &codedError{exitUnreachable, fmt.Errorf("%w; `quorate status` tells who is missing", err)}
	}
	return err
}

// explainTimeout says what to do when time ran out, or nobody leads.
func explainTimeout(c *cli.Context, err error) error {
	if errors.Is(err, session.ErrNoLeader) {
		return explainLeader(err)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	what := "nothing was executed"
	if errors.Is(err, session.ErrUnknown) {
		what = "the operation may have been executed: read before writing again"
	}
	if slices.Contains(reads, c.Command.Name) {
		return &codedError{exitUnreachable, fmt.Errorf("the cluster did not answer within %v; `quorate status` tells why it does not progress: %w", c.Duration("timeout"), context.DeadlineExceeded)}
	}
	return &codedError{exitUnreachable, fmt.Errorf("the cluster did not answer within %v; %s; `quorate status` tells why it does not progress: %w",
		c.Duration("timeout"), what, context.DeadlineExceeded)}
}
