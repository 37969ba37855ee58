package sim

import "testing"

// raftConfig is a seed's configuration for a crash-fault protocol.
func raftConfig(seed uint64) Config { return FromSeedOf("raft", seed) }

func run(t *testing.T, c Config, subject Subject) Result {
	t.Helper()
	w, err := New(c, subject)
	if err != nil {
		t.Fatal(err)
	}
	return w.Run()
}

// TestRaft: the contract carries a second protocol through everything
// that a seed brings, and a seed is one history.
func TestRaft(t *testing.T) {
	var total Stats
	for seed := uint64(1); seed <= 20; seed++ {
		c := raftConfig(seed)
		r := run(t, c, Raft())
		for _, v := range r.Violations {
			t.Errorf("%s: %s", c.String(), v)
		}
		total.Results += r.Stats.Results
		total.Hazards += r.Stats.Hazards
		if again := run(t, raftConfig(seed), Raft()); again.History != r.History {
			t.Errorf("seed %d has two histories: %x and %x", seed, r.History, again.History)
		}
	}
	t.Logf("%d results believed, %d hazards", total.Results, total.Hazards)
}
