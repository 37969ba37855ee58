package decree

import (
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/sim"
)

// Options are those of one decision.
type Options struct {
	Shape
	Seed    uint64
	Loss    int // percent of the messages
	Crashes int // acceptors that stop for good
}

// Run is one decision: what happened, and what is to be said of it.
type Run struct {
	Shape
	Seed    uint64  `json:"seed"`
	Loss    int     `json:"loss"`
	Crashes int     `json:"crashes"`
	Steps   []Step  `json:"steps"`
	Rounds  int     `json:"rounds"`
	Chosen  string  `json:"chosen"` // "" if nothing was
	Verdict Verdict `json:"verdict"`
}

// Verdict holds a run against the four promises of consensus. The first three are
// of safety and hold in every run; the fourth is reported and never promised.
type Verdict struct {
	Agreement   bool   `json:"agreement"` // one value at most is chosen, and whoever knows one knows that
	Validity    bool   `json:"validity"`  // it is one that was proposed
	Integrity   bool   `json:"integrity"` // nobody changes its mind
	Termination string `json:"termination"`
}

// Safe reports whether the promises of safety were kept.
func (v *Verdict) Safe() bool { return v.Agreement && v.Validity && v.Integrity }

// The run's times: longer than a round trip by far, and an end to those in which
// nothing can be decided.
const (
	patience = 60 * sim.Millisecond
	longest  = 5 * sim.Second
)

// Decide runs one decision. The error wraps ErrShape.
func Decide(o Options) (*Run, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Crashes < 0 || o.Crashes > o.Acceptors {
		return nil, fmt.Errorf("%w: %d of %s crash: choose 0 to %d", ErrShape, o.Crashes, noun.Several(o.Acceptors, "acceptor"), o.Acceptors)
	}
	w := newWorld(o.Shape, o.Seed, timing{
		network: sim.NetworkModel{Delay: sim.Millisecond, Jitter: 9 * sim.Millisecond, Loss: o.Loss * 10_000, Duplicate: 50_000},
		starts:  20 * sim.Millisecond, window: 20 * sim.Millisecond, patience: patience,
	}, backoff)
	w.keep = true
	for i := range o.Learners {
		w.inquire(i)
	}
	w.crash(o.Crashes)
	for w.net.Now() < longest && !w.known() && w.net.Advance() {
	}
	r := &Run{Shape: o.Shape, Seed: o.Seed, Loss: o.Loss, Crashes: o.Crashes, Steps: w.told(), Rounds: w.rounds(), Verdict: w.judge()}
	if len(w.ledger.chosen) > 0 {
		r.Chosen = w.ledger.chosen[0].value.String()
	}
	return r, nil
}

// crash lets acceptors stop for good, at random times of the first moments.
func (w *world) crash(n int) {
	left := make([]int, w.shape.Acceptors)
	for i := range left {
		left[i] = w.shape.acceptor(i)
	}
	for range n {
		at := int(w.net.Draw(consensus.Time(len(left) - 1)))
		end := left[at]
		left = slices.Delete(left, at, at+1)
		w.net.After(w.net.Draw(30*sim.Millisecond), func() {
			w.crashed[end] = true
			w.step(Step{Kind: "crash", from: end, Text: w.shape.name(end) + " crashes"})
		})
	}
}

// judge holds what happened against the promises.
func (w *world) judge() Verdict {
	v := Verdict{Agreement: len(w.ledger.chosen) <= 1, Validity: true, Integrity: true}
	for _, c := range w.ledger.chosen {
		v.Validity = v.Validity && c.value >= 1 && int(c.value) <= w.shape.Proposers
	}
	knowing := 0
	for i := range w.learners {
		l := &w.learners[i]
		if l.knows != 0 {
			knowing++
			v.Agreement = v.Agreement && len(w.ledger.chosen) > 0 && l.knows == w.ledger.chosen[0].value
		}
		v.Integrity = v.Integrity && !l.again
	}
	millis := float64(w.net.Now()) / float64(sim.Millisecond)
	v.Termination = fmt.Sprintf("%d of %s knew when it ended, after %.1f ms", knowing, noun.Several(len(w.learners), "learner"), millis)
	if knowing == len(w.learners) {
		v.Termination = fmt.Sprintf("every learner knew after %.1f ms", millis)
	}
	return v
}

// chosen says what is chosen, and by whom.
func (s Shape) chosen(c choice) string {
	var names []string
	for _, end := range c.by {
		names = append(names, s.name(int(end)))
	}
	return fmt.Sprintf("%v is chosen: %s accepted it under %d", c.value, strings.Join(names, " "), c.ballot)
}
