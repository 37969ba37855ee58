package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/internal/noun"
)

// newKeys stands for keys that are never written twice.
const newKeys = "new"

// checkBench refuses flags that make no measurement together.
func checkBench(c *cli.Context) error {
	store := slices.ContainsFunc([]string{"value-bytes", "keys", "fill", "reads", "compare"}, c.IsSet)
	switch {
	case c.Duration("warmup") < 0:
		return usageError("--warmup must not be negative: %v", c.Duration("warmup"))
	case c.Bool("versus") && c.IsSet("against"):
		return usageError("--versus and --against both say who is measured: omit one of them")
	case c.Bool("versus") && (c.IsSet("protocol") || c.IsSet("replicas")):
		return usageError("--versus runs all protocols, sized by --faults: omit --protocol and --replicas")
	case c.Bool("versus") && c.Int("faults") == 0:
		return usageError("--versus compares clusters that tolerate faults: choose --faults 1 or more")
	case c.Bool("compare") && (c.Bool("one-each") || c.Bool("volatile") || c.IsSet("rate") || strings.Contains(c.String("clients"), ",")):
		return usageError("--compare names four loads already: omit --one-each, --volatile and --rate, and give one number of --clients")
	case store && c.IsSet("operation"):
		return usageError("--operation replaces puts and gets: omit --value-bytes, --keys, --fill, --reads and --compare")
	case c.Bool("fill") && c.String("keys") == newKeys:
		return usageError("--fill writes a number of keys: give --keys K")
	}
	return checkPlace(c)
}

// ofRunning are the flags that say which cluster runs, and how it is reached.
func ofRunning() []string {
	return []string{"genesis", "key", "addresses", "passphrase-file", "dir", "history"}
}

// checkPlace refuses flags of another cluster than the one that is to be measured.
func checkPlace(c *cli.Context) error {
	for _, flag := range []string{"temporary", "volatile", "compare", "versus", "against"} {
		if !c.Bool(flag) && (flag != "against" || !c.IsSet(flag)) {
			continue
		}
		if other := firstGiven(c, ofRunning()...); other != "" {
			return usageError("--%s measures temporary clusters, and --%s is for one that runs: omit one of them", flag, other)
		}
	}
	if other := firstGiven(c, "protocol", "replicas", "faults"); other != "" && c.IsSet("genesis") {
		return usageError("--genesis names a cluster that runs, and --%s is for temporary ones: omit one of them", other)
	}
	return nil
}

// checkFresh refuses flags of a cluster that runs where none does.
func checkFresh(c *cli.Context) error {
	if other := firstGiven(c, ofRunning()...); other != "" {
		return usageError("--%s is for a cluster that runs, and that of %s does not: start it with %s, or omit --%s to measure a temporary one",
			other, c.String("dir"), advice(c, "testnet up"), other)
	}
	return nil
}

// checkSessions refuses more sessions than callers can use.
func checkSessions(sessions, clients int) error {
	if sessions > clients {
		return usageError("--sessions %d: %s can use no more than %d of them: choose --sessions %d, or more --clients", sessions, noun.Several(clients, "caller"), clients, clients)
	}
	return nil
}

// checkSweep refuses flags of measurements.
func checkSweep(c *cli.Context) error {
	useful := append(ofRunning(), "sweep", "json", "output")
	for _, f := range c.Command.Flags {
		if name := f.Names()[0]; given(c, name) && !slices.Contains(useful, name) {
			return usageError("--sweep measures nothing: omit --%s", name)
		}
	}
	return nil
}
