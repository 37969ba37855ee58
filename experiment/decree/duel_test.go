package decree

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// With messages all as fast the clock decides; with slow ACCEPTs many runs do not,
// and all do with waits as long as an attempt, or with a leader.
func TestDuels(t *testing.T) {
	d, err := RunDuel(t.Context(), DuelOptions{Cure: anyCure, Runs: 200, Seed: 1, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range d.Rows {
		switch {
		case r.Schedule == byAdversary:
			if r.Decided != 0 || r.quantile(1) != 0 {
				t.Errorf("the adversary let %d decide", r.Decided)
			}
		case r.Schedule != byClock && r.Cure == noCure:
			if r.Decided > r.Runs*3/4 || r.Decided < r.Runs/4 {
				t.Errorf("%s: without a cure %d of %d decided", r.Schedule, r.Decided, r.Runs)
			}
		case r.Schedule == byClock || r.Cure == leader || r.Window >= 0.25:
			if r.Decided != r.Runs {
				t.Errorf("%s, %s: %d of %d decided", r.Schedule, r.name(), r.Decided, r.Runs)
			}
		}
		if r.Cure == leader && r.quantile(1) != 1 || r.Window >= 1 && r.quantile(1) > 2 {
			t.Errorf("%s, %s: up to %d rounds", r.Schedule, r.name(), r.quantile(1))
		}
	}
	var page, text strings.Builder
	if d.WriteHTML(&page) != nil || d.WriteText(&text, 80) != nil || !strings.Contains(page.String(), "<svg") || !strings.Contains(text.String(), "0 of 1") {
		t.Error("nothing to be seen")
	}
}

// The schedule by hand is undecided because of its order alone: left alone, the last
// ACCEPTs are chosen.
func TestPreemptionEndsWhenLeftAlone(t *testing.T) {
	for limit := 1; limit < 20; limit++ {
		if got := preempt(limit); got != limit {
			t.Errorf("of %d rounds %d are undecided", limit, got)
		}
	}
	s := duelists
	p, acceptors, l := proposer{id: 0}, make([]acceptor, 3), ledger{}
	chosen := false
	for _, m := range p.prepare(s) {
		for _, answer := range acceptors[int(m.To)-s.Proposers].hear(s, m) {
			accepts, _ := p.hear(s, answer)
			for _, a := range accepts {
				for _, vote := range acceptors[int(a.To)-s.Proposers].hear(s, a) {
					chosen = l.hear(s, vote) || chosen
				}
			}
		}
	}
	if !chosen {
		t.Error("a proposer alone decides nothing")
	}
}

func TestDuelsStop(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := 0
	_, err := RunDuel(ctx, DuelOptions{Cure: leader, Runs: 1000, Seed: 1, Limit: 10, Done: func(n, of int) {
		if done = n; n == 3 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || done != 3 {
		t.Errorf("after %d runs: %v", done, err)
	}
}
