package sim

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// goal is what seeds of a crash-fault protocol should reach: nobody lies there,
// so that behaviours and phases say nothing. Each is counted by seeds.
type goal struct {
	name  string
	least int // seeds of GateSeeds
	seen  func(*Config, *Result) bool
}

// crashGoals are those of every such protocol.
var crashGoals = []goal{
	{"a replica restarted from its log", 300, func(_ *Config, r *Result) bool { return r.Stats.Notes[consensus.Restarted] > 0 }},
	{"a client lied", 100, func(c *Config, _ *Result) bool { return len(c.Byzantines) > 0 }},
	{"real keys", 1, func(c *Config, _ *Result) bool { return c.RealKeys }},
	{"power loss", 100, struck(hazardPowerLoss)},
	{"crash", 100, struck(hazardCrash)},
	{"pause", 100, struck(hazardPause)},
	{"partition", 100, struck(hazardPartition)},
	{"links of one direction", 100, struck(hazardOneWay)},
	{"one replica cut off", 100, struck(hazardIsolate)},
	{"links that stop and come back one by one", 100, struck(hazardSwizzle)},
	{"leaders cut off one after the other", 200, struck(hazardLeaderIsolation)},
	{"slow disk", 100, struck(hazardSlowDisk)},
	{"slow execution", 100, struck(hazardSlowRun)},
	{"half of everything lost", 100, struck(hazardLossBurst)},
	{"a client's process lost", 100, struck(hazardRelaunch)},
}

// goals are the protocol's own, and those of all.
func (c *Coverage) goals() []goal {
	var all []goal
	for _, g := range c.Protocol.Goals {
		all = append(all, goal{g.Name, g.Least, func(_ *Config, r *Result) bool {
			return g.Seen(&protocol.Run{
				Changes: r.Stats.Changes, InARow: r.Stats.InARow, LeadersLost: r.Stats.LeadersLost, FetchedInChange: r.Stats.FetchedInChange,
				Refusals: r.Stats.Refusals, Notes: r.Stats.Notes, Reasons: r.Stats.Reasons,
			})
		}})
	}
	return append(all, crashGoals...)
}

func struck(k HazardKind) func(*Config, *Result) bool {
	return func(_ *Config, r *Result) bool { return r.Stats.Struck[k] > 0 }
}

// crashSizes are the numbers of replicas that FromSeedOf draws for a protocol
// of crashes: odd ones, even ones, and those that tolerate nothing.
var crashSizes = []int{3, 3, 3, 5, 5, 7, 4, 2, 1}

// addGoals enters one run of a crash-fault protocol.
func (c *Coverage) addGoals(cfg *Config, r *Result) {
	if c.lies() {
		return
	}
	for _, g := range c.goals() {
		if g.seen(cfg, r) {
			c.Tried[g.name]++
		}
	}
}

// missingGoals says what seeds of a crash-fault protocol have not tried.
func (c *Coverage) missingGoals() []string {
	var list []string
	scale := max(1, c.Seeds/GateSeeds)
	for _, g := range c.goals() {
		if n := c.Tried[g.name]; n < g.least*scale {
			list = append(list, fmt.Sprintf("%s in %d seeds, want %d", g.name, n, g.least*scale))
		}
	}
	for _, n := range slices.Compact(slices.Sorted(slices.Values(crashSizes))) {
		if c.Replicas[n] == 0 {
			list = append(list, fmt.Sprintf("no seed with %d replicas", n))
		}
	}
	if 100*c.Linearizable["unknown"] > maxUnknown*c.Seeds {
		list = append(list, fmt.Sprintf("linearizability undecided in %d of %d seeds, want at most %d%%", c.Linearizable["unknown"], c.Seeds, maxUnknown))
	}
	return append(list, c.missingQueues()...)
}

// reportGoals prints the coverage of a crash-fault protocol for people.
func (c *Coverage) reportGoals(w io.Writer) error {
	var b strings.Builder
	words := c.Protocol.Words
	fmt.Fprintf(&b, "%d seeds of %s\nreplicas: %s\n", c.Seeds, c.Protocol.Name, tally(c.Replicas))
	fmt.Fprintf(&b, "%ss lost by the replica that lost most: %s; highest %s %d\n", words.Lead, tally(c.Changes), words.View, c.TopView)
	fmt.Fprintf(&b, "linearizable: %s\n\nreasons to refuse or ignore a message\n", tally(c.Linearizable))
	for _, r := range sortedReasons(c.Reasons) {
		if c.Reasons[r] > 0 || c.Protocol.OutOfReach[r] == "" {
			fmt.Fprintf(&b, "%12d  %s\n", c.Reasons[r], r)
		}
	}
	b.WriteString("\nseeds in which it happened\n")
	for _, g := range c.goals() {
		fmt.Fprintf(&b, "%12d  %s\n", c.Tried[g.name], g.name)
	}
	c.reportQueues(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// sortedReasons lists reasons, the most frequent first.
func sortedReasons(m map[consensus.Reason]int) []consensus.Reason {
	list := make([]consensus.Reason, 0, len(m))
	for r := range m {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b consensus.Reason) int { return cmp.Or(m[b]-m[a], strings.Compare(string(a), string(b))) })
	return list
}
