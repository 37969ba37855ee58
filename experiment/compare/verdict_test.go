package compare

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
)

// TestNothingAcknowledgedIsNotSafe: of nothing, nothing can be lost.
func TestNothingAcknowledgedIsNotSafe(t *testing.T) {
	for name, c := range map[string]struct {
		verdict check.Verdict
		back    ReadBack
		safe    bool
		word    string
	}{
		"writes, and all are there":      {check.Verdict{}, ReadBack{Acknowledged: 9, Keys: 3}, true, "no acknowledged write was lost"},
		"no write":                       {check.Verdict{}, ReadBack{}, false, "nothing to judge: no write was acknowledged"},
		"records of too few replicas":    {check.Verdict{Unjudged: "R0 alone"}, ReadBack{Acknowledged: 9}, false, "not judged"},
		"no write, and a broken promise": {check.Verdict{Violations: []check.Violation{{Kind: check.Validity}}}, ReadBack{}, false, "unsafe"},
	} {
		v := newVerdict(&c.verdict, nil, c.back)
		if v.Safe != c.safe || v.word() != c.word {
			t.Errorf("%s: safe %t, %q, want %t, %q", name, v.Safe, v.word(), c.safe, c.word)
		}
	}
	v := newVerdict(&check.Verdict{Linearizable: check.Unknown, Why: []string{"nobody said so"}, Unjudged: "R0 alone"}, nil, ReadBack{Acknowledged: 1})
	if text := strings.Join(v.lines(), "\n"); !strings.Contains(text, "linearizable: unknown (nobody said so)") || !strings.Contains(text, "too little was judged: R0 alone") {
		t.Errorf("lines %q", text)
	}
}

// TestSecondsAfterAForkAreNoAvailability: an answer that is contradicted elsewhere is
// none.
func TestSecondsAfterAForkAreNoAvailability(t *testing.T) {
	begun := time.Unix(1000, 0)
	at := func(seconds int64) consensus.Time { return consensus.Time(seconds * 1e9) }
	v := check.Verdict{Forked: true, Scope: &check.Scope{Began: at(998)}, Violations: []check.Violation{{At: at(6), Kind: check.Fork}, {At: at(5), Kind: check.Divergence}}}
	if got := forkedAt(&v, begun); got != 3 {
		t.Errorf("forked at %v s of the load, want 3", got)
	}
	s := Side{Seconds: []Second{{At: 0, Available: true}, {At: 1}, {At: 2, Available: true}, {At: 3, Available: true}, {At: 4}}}
	markFork(s.Seconds, forkedAt(&v, begun))
	if with, forked, of := s.availability(); with != 2 || forked != 1 || of != 5 {
		t.Errorf("%d of %d seconds are available, and %d forked", with, of, forked)
	}
	if got := s.strip(9); got != "█·█▒·" {
		t.Errorf("the strip is %q", got)
	}
	line := rows()[slices.IndexFunc(rows(), func(r row) bool { return r.name == "seconds with an answer" })].of(&s)
	if line != "2 of 5; 1 forked" || !strings.Contains(s.Seconds[3].String(), "after the fork") {
		t.Errorf("the table says %q, the screen %q", line, s.Seconds[3])
	}
	v.Forked = false
	if got := forkedAt(&v, begun); !math.IsInf(got, 1) {
		t.Errorf("without a fork: %v", got)
	}
}
