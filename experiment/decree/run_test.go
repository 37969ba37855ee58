package decree

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// Whatever the sizes, the losses and the crashes: safe, and decided where a majority
// of acceptors stays and most messages come through.
func TestDecisions(t *testing.T) {
	for seed := uint64(1); seed <= 300; seed++ {
		o := Options{
			Shape: Shape{Proposers: 1 + int(seed%4), Acceptors: 1 + int(seed/4%5), Learners: 1 + int(seed%3)},
			Seed:  seed, Loss: int(seed % 40),
		}
		o.Crashes = int(seed/20) % (o.Acceptors + 1)
		r, err := Decide(o)
		if err != nil {
			t.Fatal(err)
		}
		majority := o.Acceptors-o.Crashes >= o.Acceptors/2+1
		if decided := strings.HasPrefix(r.Verdict.Termination, "every learner knew"); !r.Verdict.Safe() || majority && o.Loss <= 15 && !decided || decided && r.Chosen == "" {
			t.Errorf("%+v: chosen %q, %+v", o, r.Chosen, r.Verdict)
		}
	}
}

func TestTheSameSeedIsTheSameRun(t *testing.T) {
	text := func() string {
		var b strings.Builder
		r, err := Decide(Options{Shape: Shape{3, 5, 2}, Seed: 7, Loss: 20, Crashes: 1})
		if err != nil || r.WriteText(&b) != nil || r.WriteHTML(&b) != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if first, second := text(), text(); first != second {
		t.Error("two runs of one seed differ")
	}
}

// Chosen is a fact of the acceptors: it comes before anybody knows, and the third
// acceptor's vote changes nothing.
func TestChosenBeforeKnown(t *testing.T) {
	for seed := uint64(1); seed <= 50; seed++ {
		r, err := Decide(Options{Shape: Shape{2, 3, 2}, Seed: seed, Loss: 10})
		if err != nil {
			t.Fatal(err)
		}
		chosen := slices.IndexFunc(r.Steps, func(s Step) bool { return s.Kind == "chosen" })
		knows := slices.IndexFunc(r.Steps, func(s Step) bool { return s.Kind == "knows" })
		if chosen < 0 || knows < chosen || r.Steps[chosen].Millis >= r.Steps[knows].Millis || r.Steps[knows].Value != r.Chosen {
			t.Errorf("seed %d: chosen at %d, known at %d of %d steps", seed, chosen, knows, len(r.Steps))
		}
	}
}

func TestImpossibleShapes(t *testing.T) {
	for _, o := range []Options{
		{Shape: Shape{0, 3, 1}}, {Shape: Shape{2, 0, 1}}, {Shape: Shape{2, 3, 0}}, {Shape: Shape{Most + 1, 3, 1}},
		{Shape: Shape{2, 3, 1}, Crashes: 4}, {Shape: Shape{2, 3, 1}, Crashes: -1},
	} {
		if _, err := Decide(o); !errors.Is(err, ErrShape) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// The judge is not the participants: it sees two values where they were chosen.
func TestTheLedgerSeesTwoValues(t *testing.T) {
	s, l := Shape{2, 3, 1}, ledger{}
	for _, c := range []struct {
		m      message
		chosen bool
	}{
		{message{From: 2, Ballot: 1, Value: 1}, false},
		{message{From: 2, Ballot: 1, Value: 1}, false},
		{message{From: 3, Ballot: 2, Value: 1}, false},
		{message{From: 3, Ballot: 1, Value: 1}, true},
		{message{From: 4, Ballot: 1, Value: 1}, false},
		{message{From: 4, Ballot: 2, Value: 2}, false},
		{message{From: 2, Ballot: 2, Value: 2}, true},
	} {
		if got := l.hear(s, c.m); got != c.chosen {
			t.Errorf("%+v: chosen %v", c.m, got)
		}
	}
	w := world{shape: s, ledger: l, learners: []learner{{knows: 2, again: true}}}
	w.net = newWorld(s, 1, timing{}, noCure).net
	if v := w.judge(); v.Agreement || v.Integrity || !v.Validity || v.Safe() {
		t.Errorf("judged %+v", v)
	}
}
