package main

import (
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/testnet"
)

// dirFlag is how every command finds its cluster.
func dirFlag() cli.Flag {
	return &cli.PathFlag{Name: "dir", Aliases: []string{"d"}, EnvVars: []string{"QUORATE_DIR"}, Value: testnet.DefaultDir, Usage: "`DIR` of the cluster", Action: func(_ *cli.Context, dir string) error {
		if dir == "" {
			return usageError("--dir is empty: name a directory, or leave it out")
		}
		return nil
	}}
}

// clusterFlags are those of every command that talks to a cluster, with more of
// its own.
func clusterFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		dirFlag(),
		&cli.PathFlag{Name: "genesis", Usage: "genesis `FILE` of a cluster elsewhere, instead of --dir"},
		&cli.PathFlag{Name: "key", Usage: "client key `FILE`; with --dir, instead of a free key of the directory"},
		&cli.StringFlag{Name: "addresses", Usage: "`HOST:PORT,...` of the replicas, by id; with --genesis, instead of those in the file"},
		passphraseFlag(),
	}, more...)
}

// callerFlags are clusterFlags of the commands whose calls are written down.
func callerFlags(more ...cli.Flag) []cli.Flag {
	return clusterFlags(append(more, &cli.PathFlag{
		Name: "history", EnvVars: []string{"QUORATE_HISTORY"}, DefaultText: "in the directory of a testnet",
		Usage: "`DIR` in which to write what was asked and answered, for quorate check; off = nowhere",
	})...)
}

// genesisFlag is for commands that need no cluster, only its genesis.
func genesisFlag() cli.Flag {
	return &cli.PathFlag{Name: "genesis", Usage: "genesis `FILE`, instead of the one in --dir"}
}

// giveUp is what most timeouts mean.
const giveUp = "give up after this long"

// timeoutFlag bounds commands that wait for the cluster: a script must not hang
// because too many replicas are down.
func timeoutFlag(standard time.Duration, usage string) cli.Flag {
	f := durationFlag("timeout", standard, usage)
	f.EnvVars = []string{"QUORATE_TIMEOUT"}
	return f
}

// durationFlag is for a time that must be positive.
func durationFlag(name string, standard time.Duration, usage string) *cli.DurationFlag {
	return &cli.DurationFlag{Name: name, Value: standard, Usage: usage, Action: func(_ *cli.Context, d time.Duration) error {
		if d <= 0 {
			return usageError("--%s must be positive, not %v", name, d)
		}
		return nil
	}}
}

// numberFlag is for a number that must be within bounds.
func numberFlag(name string, standard, least, most int, usage string) *cli.IntFlag {
	return &cli.IntFlag{Name: name, Value: standard, Usage: usage, Action: func(_ *cli.Context, n int) error {
		if n < least || n > most {
			return usageError("--%s %d: choose %d to %d", name, n, least, most)
		}
		return nil
	}}
}

// choiceFlag is for one of a few words.
func choiceFlag(name, standard, usage string, words ...string) *cli.StringFlag {
	return &cli.StringFlag{Name: name, Value: standard, Usage: usage, Action: func(_ *cli.Context, word string) error {
		if !slices.Contains(words, strings.ToLower(word)) {
			return usageError("--%s %q: choose %s", name, word, noun.Either(words))
		}
		return nil
	}}
}

// outputFlag is --output, for commands that scripts read: text, which may be a
// table, or json.
func outputFlag(forms ...string) cli.Flag {
	if len(forms) == 0 {
		forms = []string{"text", "json"}
	}
	f := choiceFlag("output", forms[0], noun.Either(forms), forms...)
	f.Aliases = []string{"o"}
	return f
}

// forPrograms reports whether --output json was given.
func forPrograms(c *cli.Context) bool { return strings.EqualFold(c.String("output"), "json") }

// protocolFlag chooses a protocol.
func protocolFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "protocol", Value: protocol.PBFT, Usage: usage + ": " + noun.Either(protocol.Names())}
}

// protocolOf reads it.
func protocolOf(c *cli.Context) (protocol.Protocol, error) {
	p, err := protocol.Lookup(strings.ToLower(c.String("protocol")))
	if err != nil {
		return p, usageError("--%w", err)
	}
	return p, nil
}

// sizeOf reads how many replicas there are to be. Of --faults and --replicas
// one is enough; if both are there, they must fit.
func sizeOf(c *cli.Context, p protocol.Protocol) (int, error) {
	n, f := c.Int("replicas"), c.Int("faults")
	switch {
	case !c.IsSet("replicas"):
		n = p.Model.Least(f)
	case c.IsSet("faults"):
		if err := p.Fit(n, f); err != nil {
			return 0, usageError("--faults %d --replicas %d: %w", f, n, err)
		}
	}
	if _, err := p.Model.Of(n); err != nil {
		return 0, usageError("%w", err)
	}
	return n, nil
}

// faultsFlag is how many faulty replicas are to be tolerated.
func faultsFlag(usage string, aliases ...string) cli.Flag {
	f := numberFlag("faults", 1, 0, (consensus.MaxReplicas-1)/2, usage)
	f.Aliases = aliases
	return f
}

// numbersOf reads a flag that lists numbers, such as 0,3.
func numbersOf(c *cli.Context, flag string, least, most int) ([]int, error) {
	var all []int
	for _, text := range strings.Split(c.String(flag), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < least || n > most {
			return nil, usageError("--%s %q: write numbers from %d to %d, such as %d,%d", flag, c.String(flag), least, most, least, min(least+3, most))
		}
		all = append(all, n)
	}
	return all, nil
}

// replicaIDs are numbers as replicas.
func replicaIDs(numbers []int) []consensus.ReplicaID {
	ids := make([]consensus.ReplicaID, len(numbers))
	for i, n := range numbers {
		ids[i] = consensus.ReplicaID(n)
	}
	return ids
}

// coresFlag bounds how much runs at once of what the processor alone limits.
func coresFlag(usage string) cli.Flag {
	f := numberFlag("parallel", runtime.GOMAXPROCS(0), 1, 1<<10, usage)
	f.DefaultText = "one per core"
	return f
}
