package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// A few seeds leave much untried, and the gate says what.
func TestGateOfFewSeeds(t *testing.T) {
	c := NewCoverage(registered(protocol.PBFT))
	for seed := uint64(1); seed <= 6; seed++ {
		cfg := FromSeed(seed)
		r := run(t, cfg)
		c.Add(&cfg, &r)
	}
	missing := c.Missing()
	for _, want := range []string{"behaviour ", "reason ", "forks by f+1"} {
		if !slices.ContainsFunc(missing, func(m string) bool { return strings.Contains(m, want) }) {
			t.Errorf("nothing of %q is missing after 6 seeds: %v", want, missing)
		}
	}
	var b strings.Builder
	if err := c.Report(&b); err != nil || !strings.HasPrefix(b.String(), "6 seeds: ") || !strings.Contains(b.String(), "reasons to ignore") {
		t.Errorf("error %v, report:\n%s", err, b.String())
	}
}

// Whoever has tried everything passes; each thing that is taken away fails.
func TestGateOfEverything(t *testing.T) {
	full := func() *Coverage {
		c := NewCoverage(registered(protocol.PBFT))
		c.Seeds, c.InARow, c.FetchedInChange, c.Forgotten, c.RealKeys = 1000, 300, 100, 500, 10
		c.Forks[genreTreason] = 50
		for n := 4; n <= 13; n++ {
			c.Replicas[n] = 10
		}
		for r := range c.Reasons {
			c.Reasons[r] = 5
		}
		for _, g := range always {
			c.Reached[g.name] = g.least
		}
		for _, p := range c.behaviours() {
			for _, phase := range phaseNames {
				c.Cells[Cell{Behaviour: p.Name, Phase: phase, Outcome: "safe and live"}] = 5
			}
		}
		return c
	}
	if missing := full().Missing(); len(missing) > 0 {
		t.Fatalf("missing: %v", missing)
	}
	for want, spoil := range map[string]func(*Coverage){
		"two view changes in a row": func(c *Coverage) { c.InARow = 199 },
		"forks by f+1":              func(c *Coverage) { c.Forks[genreTreason] = 1 },
		"during view changes":       func(c *Coverage) { c.FetchedInChange = 0 },
		"lost with the power":       func(c *Coverage) { c.Forgotten = 0 },
		"undecided":                 func(c *Coverage) { c.Linearizable[check.Unknown] = 900 },
		"traitors fell":             func(c *Coverage) { c.Fallen = 900 },
		fullRequests:                func(c *Coverage) { c.Reached[fullRequests] = 0 },
		"real keys":                 func(c *Coverage) { c.RealKeys = 0 },
		"11 replicas":               func(c *Coverage) { c.Replicas[11] = 0 },
		"old view":                  func(c *Coverage) { c.Reasons["old view"] = 0 },
		"behaviour vc-spam met": func(c *Coverage) {
			for _, phase := range phaseNames[:3] {
				delete(c.Cells, Cell{Behaviour: "vc-spam", Phase: phase, Outcome: "safe and live"})
			}
		},
	} {
		c := full()
		spoil(c)
		if missing := c.Missing(); len(missing) != 1 || !strings.Contains(missing[0], want) {
			t.Errorf("missing %v, want %q", missing, want)
		}
	}
}

// Every seed draws what can be built, and the genres have their shares.
func TestDraws(t *testing.T) {
	t.Parallel()
	const seeds = 1500
	genres, sizes := map[Genre]int{}, map[int]int{}
	for seed := range uint64(seeds) {
		c := FromSeed(seed)
		genres[c.Genre]++
		sizes[c.Replicas]++
		if _, err := New(c); err != nil {
			t.Fatal(err)
		}
		liars := len(c.Traitors)
		f := (c.Replicas - 1) / 3
		if c.Genre == genreTraitor && (liars < 1 || liars > f) || c.Genre == genreTreason && liars != f+1 || c.Genre == genreBenign && liars > 0 {
			t.Errorf("%s: %d traitors", c.String(), liars)
		}
	}
	for _, g := range genreShares {
		if share := 100 * genres[g.genre] / seeds; share < g.share-4 || share > g.share+4 {
			t.Errorf("%d%% of the seeds are %s, want about %d%%", share, g.genre, g.share)
		}
	}
	for n := 4; n <= 13; n++ {
		if sizes[n] == 0 {
			t.Errorf("no seed has %d replicas", n)
		}
	}
}

// Shrinking drops traitors, Byzantine clients and hazards that a violation does not need.
func TestShrinkDropsLies(t *testing.T) {
	c := quietConfig(3)
	c.Traitors = []Traitor{{Replica: 2, Schedule: []Assignment{{Behaviours: []string{"reorder", "unfair-order"}}, {From: Second, Behaviours: []string{"duplicate"}}}}}
	c.Byzantines = []string{"outsider"}
	c.Hazards = []Hazard{{Kind: hazardPause, Every: Second, Lasts: Second / 10}}
	c = bend(c, func(s protocol.Settings) func(*consensus.Output) {
		return func(o *consensus.Output) {
			for i, j := range o.Jobs {
				if c, ok := j.(consensus.Commit); ok && s.Self == 0 && c.Batch != nil {
					c.Batch, c.Digest = nil, consensus.NullDigest
					o.Jobs[i] = c
				}
			}
		}
	})
	small, r := Shrink(c, 200)
	if len(small.Traitors)+len(small.Byzantines)+len(small.Hazards) > 0 || small.Workload.Invoked > 3 || len(r.Violations) == 0 {
		t.Errorf("shrunk to %s", small.String())
	}
	if d := small.Describe(); !strings.Contains(d, "4 replicas") || strings.Contains(d, "R2") {
		t.Errorf("described as %s", d)
	}
	if d := c.Describe(); !strings.Contains(d, "R2 from 1000 ms: duplicate") || !strings.Contains(d, fmt.Sprintf("%s about every", hazardPause)) {
		t.Errorf("described as %s", d)
	}
}
