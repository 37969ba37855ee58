package sim

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/noun"
)

// GateSeeds is how many seeds it takes before coverage is judged: with fewer,
// what is rare may be missing by chance.
const GateSeeds = 1000

// The thresholds of the gate, for GateSeeds seeds; counts grow with the seeds.
// They stand here and nowhere else.
var (
	minInARow          = 20 // percent of the seeds with two view changes in a row
	minPhases          = 3  // phases that each behaviour of a replica has met
	minSeeds           = 3  // seeds with each behaviour
	minReason          = 1  // times that each reason to ignore a message was hit
	minForks           = 10 // forks of f+1 traitors
	minFetchedInChange = 50
	minForgotten       = 200
	maxUnknown         = 20 // percent of the seeds whose linearizability was not decided
	maxFallen          = 5  // percent of the seeds in which a traitor could not go on
)

// crashSizes are the numbers of replicas that FromSeedOf draws for a protocol
// of crashes: odd ones, even ones, and those that tolerate nothing.
var crashSizes = []int{3, 3, 3, 5, 5, 7, 4, 2, 1}

// Missing says what the seeds have not tried, nothing if all thresholds hold.
func (c *Coverage) Missing() []string {
	var list []string
	want := func(ok bool, format string, args ...any) {
		if !ok {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	scale := max(1, c.Seeds/GateSeeds)
	percent := func(n int) int { return 100 * n / max(1, c.Seeds) }
	sizes := slices.Sorted(slices.Values(crashSizes))
	if c.lies() {
		sizes = []int{4, 5, 6, 7, 8, 9, 10, 11, 12, 13}
		want(percent(c.InARow) >= minInARow, "two view changes in a row in %d%% of the seeds, want %d%%", percent(c.InARow), minInARow)
		want(c.Forks[genreTreason] >= minForks*scale, "%d forks by f+1 traitors, want %d", c.Forks[genreTreason], minForks*scale)
		want(c.FetchedInChange >= minFetchedInChange*scale, "%d transfers of the state during view changes, want %d", c.FetchedInChange, minFetchedInChange*scale)
		want(c.Forgotten >= minForgotten*scale, "%d votes were said and lost with the power, want %d", c.Forgotten, minForgotten*scale)
		want(percent(c.Fallen) <= maxFallen, "traitors fell in %d%% of the seeds, want at most %d%%", percent(c.Fallen), maxFallen)
		want(c.RealKeys > 0, "no seed with real keys")
		c.missingBehaviours(want, scale)
	}
	for _, g := range slices.Concat(c.goals(), always) {
		want(c.Reached[g.name] >= g.least*scale || g.liars && !c.lies(), "%s in %d seeds, want %d", g.name, c.Reached[g.name], g.least*scale)
	}
	for _, n := range slices.Compact(sizes) {
		want(c.Replicas[n] > 0, "no seed with %d replicas", n)
	}
	want(percent(c.Linearizable["unknown"]) <= maxUnknown, "linearizability undecided in %d%% of the seeds, want at most %d%%", percent(c.Linearizable["unknown"]), maxUnknown)
	return list
}

// missingBehaviours says which behaviours of traitors and Byzantine clients the
// seeds have not tried, and which reasons to ignore a message.
func (c *Coverage) missingBehaviours(want func(ok bool, format string, args ...any), scale int) {
	for _, p := range c.behaviours() {
		seeds, met := c.behaviour(p.Name)
		want(seeds >= minSeeds*scale, "behaviour %s in %d seeds, want %d", p.Name, seeds, minSeeds*scale)
		want(p.Client || met >= minPhases, "behaviour %s met %d phases, want %d", p.Name, met, minPhases)
	}
	for _, r := range slices.Sorted(maps.Keys(c.Reasons)) {
		want(c.Protocol.OutOfReach[r] != "" || c.Reasons[r] >= minReason, "reason %q was hit %d times, want %d", r, c.Reasons[r], minReason)
	}
}

// behaviours are those that seeds of the protocol draw, clients' last.
func (c *Coverage) behaviours() byzantine.Catalogue {
	return slices.Concat(behavioursOf(c.Protocol.Name, false), behavioursOf(c.Protocol.Name, true))
}

// behaviour is the most seeds of any phase that a behaviour met, and how many
// phases there are.
func (c *Coverage) behaviour(name string) (seeds, met int) {
	for _, phase := range phaseNames {
		n := 0
		for cell, count := range c.Cells {
			if cell.Behaviour == name && cell.Phase == phase {
				n += count
			}
		}
		seeds = max(seeds, n)
		if n > 0 {
			met++
		}
	}
	return seeds, met
}

// Report prints the coverage for people.
func (c *Coverage) Report(w io.Writer) error {
	var b strings.Builder
	if c.lies() {
		c.reportLies(&b)
	} else {
		c.reportCrashes(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// reportLies prints what seeds with traitors have tried.
func (c *Coverage) reportLies(b *strings.Builder) {
	fmt.Fprintf(b, "%s: %s\n", noun.Several(c.Seeds, "seed"), tally(c.Genres))
	fmt.Fprintf(b, "replicas: %s\n", tally(c.Replicas))
	fmt.Fprintf(b, "forks: %s, with culprits named %d\n", tally(c.Forks), c.Named)
	fmt.Fprintf(b, "view changes of the busiest honest replica: %s; highest view %d\n", tally(c.Changes), c.TopView)
	fmt.Fprintf(b, "two view changes in a row in %d seeds (%d%%)\n", c.InARow, 100*c.InARow/max(1, c.Seeds))
	fmt.Fprintf(b, "transfers of the state during view changes: %d\n", c.FetchedInChange)
	fmt.Fprintf(b, "votes that were said and lost with the power: %d\n", c.Forgotten)
	fmt.Fprintf(b, "linearizable: %s; real keys in %d seeds; a traitor fell in %d\n", tally(c.Linearizable), c.RealKeys, c.Fallen)
	b.WriteString("\nreasons to ignore a message\n")
	for _, r := range slices.Sorted(maps.Keys(c.Reasons)) {
		note := ""
		if why := c.Protocol.OutOfReach[r]; why != "" {
			note = "  (" + why + ")"
		}
		fmt.Fprintf(b, "%12d  %s%s\n", c.Reasons[r], r, note)
	}
	c.reportGoals(b, "seeds in which a queue was full", queueGoals)
	c.reportGoals(b, "seeds in which a read was", readGoals)
	outcomes := []string{"safe and live", "stopped", "deceived", "forked", "violation"}
	fmt.Fprintf(b, "\nseeds by behaviour, phase and outcome\n%-22s%-16s%s\n", "behaviour", "phase", strings.Join(outcomes, "  "))
	for _, p := range c.behaviours() {
		for _, phase := range phaseNames {
			c.row(b, p.Name, phase, outcomes)
		}
	}
}

// reportCrashes prints what seeds of a crash-fault protocol have tried. Reasons
// come by their frequency.
func (c *Coverage) reportCrashes(b *strings.Builder) {
	words := c.Protocol.Words
	fmt.Fprintf(b, "%s of %s\nreplicas: %s\n", noun.Several(c.Seeds, "seed"), c.Protocol.Name, tally(c.Replicas))
	fmt.Fprintf(b, "%ss lost by the replica that lost most: %s; highest %s %d\n", words.Lead, tally(c.Changes), words.View, c.TopView)
	fmt.Fprintf(b, "linearizable: %s\n\nreasons to refuse or ignore a message\n", tally(c.Linearizable))
	for _, r := range slices.SortedFunc(maps.Keys(c.Reasons), func(r, s consensus.Reason) int {
		return cmp.Or(c.Reasons[s]-c.Reasons[r], cmp.Compare(r, s))
	}) {
		if c.Reasons[r] > 0 || c.Protocol.OutOfReach[r] == "" {
			fmt.Fprintf(b, "%12d  %s\n", c.Reasons[r], r)
		}
	}
	c.reportGoals(b, "seeds in which it happened", c.goals())
	c.reportGoals(b, "seeds in which a queue was full", queueGoals)
	c.reportGoals(b, "seeds in which a read was", readGoals)
}

// reportGoals prints in how many seeds each goal was reached.
func (c *Coverage) reportGoals(b *strings.Builder, title string, goals []goal) {
	fmt.Fprintf(b, "\n%s\n", title)
	for _, g := range goals {
		if g.liars && !c.lies() && c.Reached[g.name] == 0 {
			continue
		}
		fmt.Fprintf(b, "%12d  %s\n", c.Reached[g.name], g.name)
	}
}

// row prints one behaviour in one phase, if there is anything to print.
func (c *Coverage) row(b *strings.Builder, name, phase string, outcomes []string) {
	sum, line := 0, fmt.Sprintf("%-22s%-16s", name, phase)
	for _, o := range outcomes {
		n := c.Cells[Cell{Behaviour: name, Phase: phase, Outcome: o}]
		sum += n
		line += fmt.Sprintf("%*d  ", len(o), n)
	}
	if sum > 0 {
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// tally prints counts in the order of their keys.
func tally[K interface{ ~string | ~int }](m map[K]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%v %d", k, m[k]))
	}
	return strings.Join(parts, ", ")
}
