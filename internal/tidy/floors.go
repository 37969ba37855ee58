package tidy

import (
	"fmt"
	"path"
	"slices"
)

// modulePath is the module's path, the beginning of its packages' imports.
const modulePath = "quorate.dev/quorate"

// floors is the house, lowest floor first. A package imports only what stands
// on a lower floor; those on the same one do not know each other. An element
// may be a pattern of path.Match.
var floors = [][]string{
	{"crypto", "experiment/report", "internal/noun"},
	{"consensus"},
	{"consensus/quorum", "consensus/transfer", "app/state", "evidence", "check/linear"},
	{"app"},
	{"app/kv"},
	{"pbft/message"},
	{"checkpoint", "viewchange", "paxos/synod", "consensus/pending", "consensus/clocks"},
	{"pbft", "raft", "paxos", "leaderless"},
	{"protocol"},
	{"consensus/driver", "consensus/host", "client/session", "byzantine", "check"},
	{"byzantine/pbft", "byzantine/raft", "byzantine/paxos", "byzantine/client"},
	{"byzantine/catalogue"},
	{lastBelowTheLine},
	{"storage", "p2p", "internal/files", "internal/table"},
	{"p2p/gossip", "genesis"},
	{"node", "client"},
	{"transcript"},
	{"home"},
	{"testnet", "internal/netlab", "experiment/spec"},
	{"experiment/course"},
	{"experiment/simulate", "experiment/live"},
	{"experiment/bench", "experiment/bounds", "experiment/cap", "experiment/compare", "experiment/costs", "experiment/decree"},
	{"cmd/quorate", "examples/*", "internal/*", "."},
}

// lastBelowTheLine is the highest package without goroutines, clock and I/O.
const lastBelowTheLine = "sim"

// floorOf finds a package's floor by its path within the module.
func floorOf(pkg string) (floor int, known bool) {
	for i, packages := range floors {
		if matches(packages, pkg) {
			return i, true
		}
	}
	return 0, false
}

// matches reports whether a package is one of some patterns of path.Match.
func matches(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		match, err := path.Match(pattern, pkg)
		return err == nil && match
	})
}

// belowTheLine reports whether pkg must stay free of goroutines, clock and I/O.
func belowTheLine(pkg string) bool {
	line, _ := floorOf(lastBelowTheLine)
	floor, known := floorOf(pkg)
	return known && floor <= line
}

// judgeImport says what is wrong with one package of the module importing
// another, or nothing.
func judgeImport(from, to string) string {
	below, known := floorOf(to)
	above, placed := floorOf(from)
	switch {
	case !placed: // which is a breach of its own
	case !known:
		return fmt.Sprintf("%s imports %s, which stands on no floor", from, to)
	case below > above:
		return fmt.Sprintf("%s (floor %d) imports %s (floor %d): upward", from, above, to, below)
	case below == above:
		return fmt.Sprintf("%s imports %s: both stand on floor %d and must not know each other", from, to, above)
	}
	return ""
}
