package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/genesis"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/testnet"
	"quorate.dev/quorate/transcript"
)

// access is what a client needs to reach a cluster.
type access struct {
	genesis   consensus.Genesis
	addresses []string // of the replicas, by id
	keyFile   string
	seed      home.Seed
	local     *testnet.Cluster // nil for a cluster elsewhere
	claim     *testnet.Claim   // on the key, until the command ends
	history   string           // where calls are written down; "" = nowhere
}

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
	a.history = historyOf(c, a.local)
	err := a.hasKey()
	if err == nil {
		a.seed, err = home.ReadKey(a.keyFile, passphrase(c))
	}
	if err != nil {
		a.claim.Release()
		return nil, err
	}
	return a, nil
}

// hasKey says what to do about a client key that is not there: a new one helps only
// where anybody may be a client.
func (a *access) hasKey() error {
	if _, err := os.Stat(a.keyFile); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	advice := "put it back from its backup: the cluster admits no new key"
	if a.genesis.OpenClients {
		advice = fmt.Sprintf("put it back, or make one with `quorate keys new %s`: this cluster admits any", a.keyFile)
	}
	if a.local == nil {
		return fmt.Errorf("key file %s does not exist: %s", a.keyFile, advice)
	}
	for _, other := range append(a.local.ClientKeys(), a.local.BenchKey()) {
		if _, err := os.Stat(other); err == nil {
			return fmt.Errorf("key file %s does not exist: %s; until then, --key %s is a key that it admits", a.keyFile, advice, other)
		}
	}
	return fmt.Errorf("key file %s does not exist: %s", a.keyFile, advice)
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
	defer waits("other commands use all client keys of %s: waiting for one, for %v at most", a.local.Dir, c.Duration("timeout"))()
	if a.claim, err = a.local.ClaimClientKey(ctx); err == nil {
		a.keyFile = a.claim.Key
	}
	return err
}

// elsewhere is for clusters that were not made on this machine: nothing but the
// two files is needed.
func (a *access) elsewhere(c *cli.Context) error {
	if given(c, "dir") {
		return usageError("--genesis and --dir both name a cluster: omit one of them")
	}
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
		return usageError("%d of %s have an address: give --addresses HOST:PORT,... or contact.addresses in %s", len(a.addresses), noun.Several(n, "replica"), c.Path("genesis"))
	}
	return nil
}

// here finds a cluster that testnet made.
func (a *access) here(c *cli.Context) error {
	if c.String("addresses") != "" {
		return usageError("--addresses needs --genesis")
	}
	cluster, err := openCluster(c)
	if err != nil {
		return err
	}
	a.local, a.genesis, a.addresses = cluster, cluster.Genesis, cluster.Addresses()
	return nil
}

// withAccess runs do with what reaches the cluster that the flags name.
func withAccess(c *cli.Context, do func(a *access) error) error {
	a, err := reach(c)
	if err != nil {
		return err
	}
	defer a.claim.Release()
	return do(a)
}

// withClient runs do with a client. If nothing of a cluster on this machine runs
// it says so at once, instead of waiting in vain.
func (a *access) withClient(ctx context.Context, tune session.Config, do func(cl *client.Client) error) error {
	if a.local != nil && !a.local.Answers(ctx) && ctx.Err() == nil {
		if !a.genesis.Testnet {
			return unreachable("no replica answered at %s: start each with `quorate node --home %s`", strings.Join(a.addresses, ", "), filepath.Join(a.local.Dir, "replica-N"))
		}
		if err := a.local.Elsewhere(); err != nil {
			return unreachable("no replica is running in %s: %w", a.local.Dir, err)
		}
		return unreachable("no replica of %s is running: start them with `quorate testnet up --dir %s`", a.local.Dir, a.local.Dir)
	}
	config := client.Config{Genesis: &a.genesis, Key: a.seed, Addresses: a.addresses, Session: tune}
	testnet.Remember(&config, a.keyFile)
	cl, err := client.Dial(ctx, config)
	if err != nil {
		return err
	}
	defer func() { _ = cl.Close() }()
	return do(cl)
}

// caller is a client whose calls may be written down.
type caller interface {
	client.Invoker
	client.Reader
	InvokeAll(ctx context.Context, ops [][]byte) ([]client.Result, error)
}

// withCaller is withClient, with what is asked and told written down for quorate
// check. A disk that refuses costs that and nothing else.
func (a *access) withCaller(ctx context.Context, tune session.Config, do func(cl caller) error) error {
	return a.withClient(ctx, tune, func(cl *client.Client) error {
		if a.history == "" {
			return do(cl)
		}
		h := a.told(cl)
		defer func() { _ = h.Close() }()
		return do(h)
	})
}

// told writes down what is asked and told by way of a client.
func (a *access) told(cl client.Invoker) *transcript.History {
	return transcript.Beside(a.history, &a.genesis, crypto.PublicOf(a.seed), cl, func(err error) {
		note("what this command is told is not written down for quorate check: %v", err)
	})
}

// historyOf is where the calls of a command are written down: in the directory of a
// testnet, or where the caller wants them.
func historyOf(c *cli.Context, local *testnet.Cluster) string {
	switch dir := c.Path("history"); {
	case dir == "off":
		return ""
	case dir == "" && local != nil && local.Genesis.Testnet:
		return local.Calls()
	default:
		return dir
	}
}

// withStore runs do with the key-value store of the cluster, within --timeout. Values
// that are too large are refused before they travel.
func withStore(c *cli.Context, do func(ctx context.Context, store client.KV) error, values ...[]byte) error {
	return withAccess(c, func(a *access) error {
		if err := runsStore(&a.genesis); err != nil {
			return err
		}
		if limit, key := a.genesis.Limits.KeyBytes, c.Args().First(); slices.Contains(keyed, c.Command.Name) && len(key) > limit {
			return fmt.Errorf("%w: the key has %d bytes, the cluster's limit for a key is %d", session.ErrTooLarge, len(key), limit)
		}
		for _, v := range values {
			if limit := a.genesis.Limits.ValueBytes; len(v) > limit {
				return fmt.Errorf("%w: the value has %d bytes, the cluster's limit for a value is %d", session.ErrTooLarge, len(v), limit)
			}
		}
		ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
		defer cancel()
		defer waits("waiting for answers of the cluster, for %v at most; %s shows how it stands", c.Duration("timeout"), advice(c, "status"))()
		return explainTimeout(c, a.withCaller(ctx, session.Config{Writes: kv.Writes}, func(cl caller) error { return do(ctx, storeOf(c, cl)) }))
	})
}

// withCluster runs do with the cluster in --dir.
func withCluster(c *cli.Context, do func(cluster *testnet.Cluster) error) error {
	cluster, err := openCluster(c)
	if err != nil {
		return err
	}
	return do(cluster)
}

// runsStore refuses to speak to another application in the language of the store.
func runsStore(g *consensus.Genesis) error {
	if name := g.Application; name != "" {
		return fmt.Errorf("the cluster runs the application %q, not the key-value store: use `quorate invoke`, or the application's own client", name)
	}
	return nil
}

// keyed are the commands whose first argument is a key.
var keyed = []string{"put", "get", "del", "cas"}

// reads are the commands of which it does not matter whether they were executed.
var reads = []string{"get", "range", "export", "status"}

// explainTimeout says what to do when time ran out, or nobody leads.
func explainTimeout(c *cli.Context, err error) error {
	var stand *standing
	switch {
	case err == nil, errors.As(err, &stand):
		return err
	case c.Context.Err() != nil && errors.Is(err, context.Canceled):
		return &standing{executed(c, err)}
	case errors.Is(err, session.ErrNoLeader):
		return unreachable("%w; %s shows who is missing", err, advice(c, "status"))
	case !errors.Is(err, context.DeadlineExceeded):
		return err
	}
	what := executed(c, err) + "; "
	if slices.Contains(reads, c.Command.Name) {
		what = ""
	}
	return unreachable("the cluster did not answer within %v; %s%s shows why", c.Duration("timeout"), what, advice(c, "status"))
}

// executed says whether an operation that was given up was executed.
func executed(c *cli.Context, err error) string {
	switch {
	case slices.Contains(reads, c.Command.Name):
		return "nothing was changed, it only reads"
	case errors.Is(err, session.ErrUnknown):
		return "the operation may have been executed: read before writing again"
	}
	return "nothing was executed"
}
