package sim

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"testing"

	"quorate.dev/quorate/consensus"
)

// Worlds live briefly and leave much garbage: collecting less often saves a fifth.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// TestPBFT runs 36 seeds through both phases. A failure names its seed;
// SEED=n runs and traces that one, FIRST=a LAST=b runs a range.
func TestPBFT(t *testing.T) {
	seed, one := number("SEED", 0)
	from, _ := number("FIRST", 1)
	last := uint64(36)
	if testing.Short() {
		last = 12 // what the race detector has patience for
	}
	to, _ := number("LAST", last)
	if one {
		from, to = seed, seed
	}
	const shards = 4 // more than processors: seeds differ in length
	for shard := range uint64(shards) {
		t.Run(fmt.Sprintf("shard%d", shard), func(t *testing.T) {
			t.Parallel()
			for seed := from + shard; seed <= to; seed += shards {
				c := FromSeed(seed)
				if one {
					c.Trace = os.Stderr
				}
				for _, v := range run(t, c).Violations {
					t.Errorf("%s: %s", c.String(), v)
				}
			}
		})
	}
}

func number(name string, otherwise uint64) (uint64, bool) {
	n, err := strconv.ParseUint(os.Getenv(name), 10, 64)
	if err != nil {
		return otherwise, false
	}
	return n, true
}

// TestOneSeedIsOneHistory: repeated, a seed does exactly the same.
func TestOneSeedIsOneHistory(t *testing.T) {
	t.Parallel()
	histories := map[uint64]uint64{}
	for seed := uint64(1001); seed <= 1006; seed++ {
		first := run(t, FromSeed(seed))
		again := run(t, FromSeed(seed))
		if first.History != again.History || first.Steps != again.Steps {
			t.Errorf("seed %d has two histories: %x and %x", seed, first.History, again.History)
		}
		if other, taken := histories[first.History]; taken {
			t.Errorf("seeds %d and %d have one history", seed, other)
		}
		histories[first.History] = seed
	}
}

// A run must have something in it, else it proves nothing.
func TestSeedsAreWorthSomething(t *testing.T) {
	t.Parallel()
	var sum Stats
	for seed := uint64(1); seed <= 20; seed++ {
		sum.Add(run(t, FromSeed(seed)).Stats)
	}
	if sum.Results < 500 || sum.Hazards < 100 || sum.Lost < 1000 || sum.InARow == 0 || sum.Forgotten == 0 {
		t.Errorf("20 seeds: %d results, %d hazards, %d frames lost, %d votes forgotten", sum.Results, sum.Hazards, sum.Lost, sum.Forgotten)
	}
	for _, kind := range []consensus.NoteKind{
		consensus.EnteredView, consensus.Stable, consensus.Fetched, consensus.Rejoined, consensus.Restarted, consensus.Forwarded,
	} {
		if sum.Notes[kind] == 0 {
			t.Errorf("20 seeds: nothing was ever %q; there was %v", kind, sum.Notes)
		}
	}
}

// Seeds that once found something find nothing any more; docs/TESTING.md tells
// their stories. A draw that changes makes other systems of them: then this is
// a test like others, and no loss.
func TestSeedsThatFoundSomething(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds, and under the race detector a minute")
	}
	for _, seed := range []uint64{20184, 301004, 305398, 910045} {
		c := FromSeed(seed)
		for _, v := range run(t, c).Violations {
			t.Errorf("%s: %s", c.String(), v)
		}
	}
}
