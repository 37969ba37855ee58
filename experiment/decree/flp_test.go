package decree

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// Everything arrives, soon, and nothing is decided; then everything is, however the
// adversary is left.
func TestTheAdversary(t *testing.T) {
	for _, then := range Thens() {
		f, err := RunFLP(t.Context(), FLPOptions{Steps: 400, Then: then, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, n := range f.Kinds {
			sum += n
		}
		if sum != f.Delivered || f.Delivered < f.Steps || f.Waited > 12 || f.Ballots[0] < 20 || f.Pending > 20 {
			t.Errorf("%+v", f)
		}
		if f.Chosen == "" || f.After < 1 || f.Known < f.After {
			t.Errorf("then %s: chosen %q after %d, known after %d", then, f.Chosen, f.After, f.Known)
		}
		var page, text strings.Builder
		if f.WriteHTML(&page) != nil || f.WriteText(&text, 0) != nil || !strings.Contains(text.String(), "400 rounds: nothing is decided.") {
			t.Error("nothing to be seen")
		}
	}
}

// A configuration is bivalent until a value is as good as chosen: a witness is a run
// to its end, not a guess.
func TestBivalence(t *testing.T) {
	c, f := newConfiguration(duelists), &FLP{}
	if !c.bivalent(f) || f.Solo[0] == 0 || f.Solo[1] == 0 {
		t.Fatal("the beginning is not bivalent")
	}
	before := len(c.pending)
	c.solo(0)
	if len(c.pending) != before || c.acceptors[0].promised != 0 {
		t.Error("to look ahead changes what is")
	}
	// P0 alone: its PREPAREs, the promises, two of its ACCEPTs.
	for len(c.ledger.chosen) == 0 {
		c.deliver(slices.IndexFunc(c.pending, func(m pending) bool { return m.From == 0 || m.To == 0 }))
	}
	if c.bivalent(f) {
		t.Error("x is chosen, and y said to be possible")
	}
	if v, _ := c.solo(1); v != 1 {
		t.Errorf("P1 alone ends with %v", v)
	}
}

func TestTheAdversaryStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := RunFLP(ctx, FLPOptions{Steps: 1 << 30, Then: random, Done: func(round int) {
		if round == 50 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
