package sim

import (
	"fmt"
	"strings"
)

// queueGoals are what the queues of a replica's process should come to, in so
// many of GateSeeds seeds. Where nobody lies, nobody floods with larger frames.
var queueGoals = []struct {
	name  string
	least int
	liars bool
}{

	{flooded, 20, false},
	{fullSmall, 5, false},
	{fullIntake, 10, true},
	{fullStream, 1, true},
	{fullClient, 20, false},
	{fullInbox, 20, false},
	{fullRequests, 10, false},
	{fullJobs, 20, false},
	{fullAnswers, 20, false},
	{fullReads, 1, false},
}

// flooded is what Queues calls a run in which somebody floods.
const flooded = "workers kept busy by a flood"

// addQueues enters what the queues of one run came to.
func (c *Coverage) addQueues(r *Result) {
	for what, n := range r.Stats.Full {
		if n > 0 {
			c.Queues[what]++
		}
	}
	if r.Stats.Repeated > 0 {
		c.Queues[flooded]++
	}
}

// missingQueues says which queues the seeds have not filled.
func (c *Coverage) missingQueues() (list []string) {
	for _, g := range queueGoals {
		if least := g.least * max(1, c.Seeds/GateSeeds); c.Queues[g.name] < least && (c.lies() || !g.liars) {
			list = append(list, fmt.Sprintf("%s in %d seeds, want %d", g.name, c.Queues[g.name], least))
		}
	}
	return list
}

// reportQueues prints in how many seeds each queue was full.
func (c *Coverage) reportQueues(b *strings.Builder) {
	b.WriteString("\nseeds in which a queue was full\n")
	for _, g := range queueGoals {
		fmt.Fprintf(b, "%12d  %s\n", c.Queues[g.name], g.name)
	}
}
