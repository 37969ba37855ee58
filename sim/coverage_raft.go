package sim

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
)

// trials is what seeds of a crash-fault protocol are to have tried: nobody lies
// there, so that behaviours and phases say nothing. Each is counted by seeds.
var trials = []struct {
	name  string
	least int // seeds of GateSeeds
	seen  func(*Config, *Result) bool
}{
	{"a leader was lost", 300, func(_ *Config, r *Result) bool { return r.Stats.Changes > 0 }},
	{"two leaders in a row were lost, and nothing executed between", 100, func(_ *Config, r *Result) bool { return r.Stats.InARow > 0 }},
	{"a leader died with entries in flight", 50, func(_ *Config, r *Result) bool { return r.Stats.Beheaded > 0 }},
	{"a replica restarted from its log", 300, noted(consensus.Restarted)},
	{"a checkpoint was kept", 500, noted(consensus.Stable)},
	{"a state was named by a leader", 100, noted(consensus.Fetching)},
	{"a state arrived", 100, noted(consensus.Fetched)},
	{"a state was fetched while the leader was lost", 10, func(_ *Config, r *Result) bool { return r.Stats.FetchedInChange > 0 }},
	{"a log was full", 1, ignored("the log reaches too far beyond the state on disk")},
	{"a client lied", 100, func(c *Config, _ *Result) bool { return len(c.Villains) > 0 }},
	{"a client was refused", 10, func(_ *Config, r *Result) bool { return r.Stats.Refusals > 0 }},
	{"real keys", 1, func(c *Config, _ *Result) bool { return c.RealKeys }},
	{"power loss", 100, struck(PowerLoss)},
	{"crash", 100, struck(Crash)},
	{"pause", 100, struck(Pause)},
	{"partition", 100, struck(Partition)},
	{"links of one direction", 100, struck(OneWay)},
	{"one replica cut off", 100, struck(Isolate)},
	{"links that stop and come back one by one", 100, struck(Swizzle)},
	{"leaders cut off one after the other", 200, struck(Hunt)},
	{"slow disk", 100, struck(SlowDisk)},
	{"slow execution", 100, struck(SlowRun)},
	{"half of everything lost", 100, struck(Tempest)},
	{"a client's process lost", 100, struck(Relaunch)},
}

func noted(k consensus.NoteKind) func(*Config, *Result) bool {
	return func(_ *Config, r *Result) bool { return r.Stats.Notes[k] > 0 }
}

func ignored(why consensus.Reason) func(*Config, *Result) bool {
	return func(_ *Config, r *Result) bool { return r.Stats.Reasons[why] > 0 }
}

func struck(k HazardKind) func(*Config, *Result) bool {
	return func(_ *Config, r *Result) bool { return r.Stats.Struck[k] > 0 }
}

// crashSizes are the numbers of replicas that FromSeedOf draws for a protocol
// of crashes: odd ones, even ones, and those that tolerate nothing.
var crashSizes = []int{3, 3, 3, 5, 5, 7, 4, 2, 1}

// addTrials enters one run of a crash-fault protocol.
func (c *Coverage) addTrials(cfg *Config, r *Result) {
	if cfg.Protocol == quorum.PBFT {
		return
	}
	for _, t := range trials {
		if t.seen(cfg, r) {
			c.Tried[t.name]++
		}
	}
}

// missingTrials says what seeds of a crash-fault protocol have not tried.
func (c *Coverage) missingTrials() []string {
	var list []string
	scale := max(1, c.Seeds/GateSeeds)
	for _, t := range trials {
		if n := c.Tried[t.name]; n < t.least*scale {
			list = append(list, fmt.Sprintf("%s in %d seeds, want %d", t.name, n, t.least*scale))
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
	return list
}

// reportTrials prints the coverage of a crash-fault protocol for people.
func (c *Coverage) reportTrials(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d seeds of %s\nreplicas: %s\n", c.Seeds, c.Protocol, tally(c.Replicas))
	fmt.Fprintf(&b, "leaders lost by the replica that lost most: %s; highest term %d\n", tally(c.Changes), c.TopView)
	fmt.Fprintf(&b, "linearizable: %s\n\nreasons to refuse or ignore a message\n", tally(c.Linearizable))
	for _, r := range sortedReasons(c.Reasons) {
		fmt.Fprintf(&b, "%12d  %s\n", c.Reasons[r], r)
	}
	b.WriteString("\nseeds in which it happened\n")
	for _, t := range trials {
		fmt.Fprintf(&b, "%12d  %s\n", c.Tried[t.name], t.name)
	}
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
