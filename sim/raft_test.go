package sim

import (
	"os"
	"testing"

	"quorate/consensus"
)

// raftConfig is a seed's configuration for a crash-fault protocol: more may
// stay away, nobody may lose a disk, one reply is believed.
func raftConfig(seed uint64) Config {
	c := FromSeed(seed)
	c.Protocol, c.Faults, c.Replies = "raft", (c.Replicas-1)/2, 1
	var hs []Hazard
	for _, h := range c.Hazards {
		if h.Kind != Wipe {
			hs = append(hs, h)
		}
	}
	c.Hazards = hs
	return c
}

func run(t *testing.T, c Config, subject Subject) Result {
	t.Helper()
	w, err := New(c, subject)
	if err != nil {
		t.Fatal(err)
	}
	return w.Run()
}

// TestRaftSpike: the contract carries a second protocol through everything
// that a seed brings, and a seed is one history.
func TestRaftSpike(t *testing.T) {
	var total Stats
	total.Notes = map[consensus.NoteKind]int{}
	for seed := uint64(1); seed <= 40; seed++ {
		c := raftConfig(seed)
		if os.Getenv("SIM_TRACE") != "" {
			c.Trace = os.Stderr
		}
		r := run(t, c, raftSubject)
		for _, v := range r.Violations {
			t.Errorf("%s: %s", c.String(), v)
		}
		total.Results += r.Stats.Results
		total.Hazards += r.Stats.Hazards
		if again := run(t, raftConfig(seed), raftSubject); again.History != r.History {
			t.Errorf("seed %d has two histories: %x and %x", seed, r.History, again.History)
		}
	}
	t.Logf("%d results believed, %d hazards", total.Results, total.Hazards)
}
