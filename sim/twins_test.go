package sim

import (
	"slices"
	"testing"
)

// sample runs a share of the enumeration, spread evenly over it.
func sample(t *testing.T, twins, count int, judge func(Config, Result)) {
	t.Helper()
	all, err := NewTwins(twins)
	if err != nil {
		t.Fatal(err)
	}
	for i, done := 0, 0; done < count && i < all.Count(); i++ {
		c, ok := all.Sample(i)
		if !ok {
			continue
		}
		done++
		judge(c, run(t, c))
	}
}

// TestOneTwin: one replica with two bodies among four breaks nothing, and
// everything is answered after healing.
func TestOneTwin(t *testing.T) {
	t.Parallel()
	changed := 0
	sample(t, 1, 40, func(c Config, r Result) {
		for _, v := range r.Violations {
			t.Errorf("%s: %s", c.String(), v)
		}
		if !r.Live {
			t.Errorf("%s: not live", c.String())
		}
		if r.Stats.TopView >= 3 {
			changed++
		}
	})
	if changed == 0 {
		t.Error("no scenario went through three views")
	}
}

// TestTwoTwins: two of four may fork, some do, and both are named.
func TestTwoTwins(t *testing.T) {
	t.Parallel()
	forks := 0
	sample(t, 2, 60, func(c Config, r Result) {
		for _, v := range r.Violations {
			t.Errorf("%s: %s", c.String(), v)
		}
		if r.Verdict.Forked {
			forks++
			if !slices.Equal(r.Verdict.Culprits, c.Twins) {
				t.Errorf("%s: culprits are %v", c.String(), r.Verdict.Culprits)
			}
		}
	})
	t.Logf("%d forks", forks)
	if forks == 0 {
		t.Error("no scenario forks")
	}
}

// The enumeration has every scenario once, but for the names of bodies.
func TestTwinsAreEnumerated(t *testing.T) {
	all, err := NewTwins(1)
	if err != nil {
		t.Fatal(err)
	}
	// Five bodies split into at most three blocks in 41 ways.
	if want := 4 * 41 * 41 * 41; all.Count() != want {
		t.Errorf("%d scenarios, want %d", all.Count(), want)
	}
	seen, kept := map[int]bool{}, 0
	for i := range all.Count() {
		seen[all.place(i)] = true
		if _, ok := all.at(i); ok {
			kept++
		}
	}
	if len(seen) != all.Count() {
		t.Errorf("sampling visits %d of %d", len(seen), all.Count())
	}
	// Exchanging the bodies leaves alone the splits in which both are on one
	// side, as many as four bodies have, 14, and the one in which each is alone.
	if want := 4 * (41*41*41 + 15*15*15) / 2; kept != want {
		t.Errorf("%d scenarios are kept, want %d", kept, want)
	}
	if _, err := NewTwins(3); err == nil {
		t.Error("three twins are enumerated")
	}
}
