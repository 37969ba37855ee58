package spec

import (
	"reflect"
	"testing"

	"quorate.dev/quorate/check"
)

// A run that ends otherwise than the catalogue says is listed, up to a bound; runs
// in which nobody lied show nothing.
func TestTally(t *testing.T) {
	tally, err := NewTally(&ProfileRuns{Behaviour: "silent", Replicas: 4})
	if err != nil {
		t.Fatal(err)
	}
	tally.Add(1, &Outcome{Live: true, Asked: 5, Answered: 5})
	if !tally.Bad() || len(tally.Unexpected) > 0 {
		t.Errorf("a run without a lie: %+v", tally)
	}
	tally.Add(2, &Outcome{Live: true, Lies: 3})
	if tally.Bad() || tally.Lied != 1 {
		t.Errorf("as expected, with lies: %+v", tally)
	}
	forked := &Outcome{Lies: 1, Verdict: check.Verdict{Forked: true, Violations: []check.Violation{{Kind: check.Deceived}}}}
	for seed := range uint64(maxUnexpected + 5) {
		tally.Add(10+seed, forked)
	}
	want := map[string]int{Live: 2, Forked: maxUnexpected + 5}
	if !tally.Bad() || len(tally.Unexpected) != maxUnexpected || tally.Unexpected[0].Seed != 10 || !reflect.DeepEqual(tally.Outcomes, want) {
		t.Errorf("forks: %+v", tally)
	}
}
