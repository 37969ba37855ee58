package cap

import (
	"io"
	"slices"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
)

// Call is one call, as its caller lived it.
type Call struct {
	check.WeakCall
	Key  string
	Kind kv.Kind // put for a compare-and-swap, too
	Why  string  // why it was refused, or is unknown; "" if it was answered
	Lost bool    // a compare-and-swap that found something else than was expected, and did nothing
	Odd  bool    // an anomaly shows in it
}

// answered reports whether its caller got what it asked for.
func (c *Call) answered() bool { return c.Why == "" && c.Ended > 0 }

// run is what a run left.
type run struct {
	calls      []Call
	final      []map[string][]string // by replica and key
	violations []string
}

// Result is a run, counted and judged.
type Result struct {
	Column     Column
	Seed       uint64
	Calls      []Call
	Final      []map[string][]string
	Minority   Share // of the calls while the network is cut, or of all
	Majority   Share
	Linear     Linear
	Anomalies  []check.Anomaly
	Counts     map[check.AnomalyKind]int
	Reads      Latency
	Writes     Latency
	Violations []string // of what no system may do
	Complaint  string   // how it disagrees with theory; "" if it agrees
	Err        error    // it could not be run
}

// Share is how the calls of one side ended.
type Share struct{ Reads, Writes Tally }

// Tally counts endings.
type Tally struct{ Answered, Refused, Unknown int }

// asked is all of them.
func (t Tally) asked() int { return t.Answered + t.Refused + t.Unknown }

// Latency is how long answered calls took.
type Latency struct{ Median, P99 consensus.Time }

// kinds are the anomalies in the order in which they are told.
var kinds = []check.AnomalyKind{check.LostUpdate, check.StaleRead, check.NonMonotonic, check.Resurrected, check.LeftSiblings, check.DifferentInEnd}

// Run runs one column with one seed. A trace gets one line for each message.
func Run(c Column, seed uint64, trace io.Writer) Result {
	r := Result{Column: c, Seed: seed}
	do := runStore
	if c.Store == nil {
		do = runOrdered
	}
	left, err := do(&c, seed, trace)
	if err != nil {
		r.Err, r.Complaint = err, err.Error()
		return r
	}
	r.judge(left)
	return r
}

// judge counts what a run left, and holds it against theory.
func (r *Result) judge(left *run) {
	whole := r.Column.Setting.Whole
	r.Calls, r.Final, r.Violations, r.Counts = left.calls, left.final, left.violations, map[check.AnomalyKind]int{}
	var weak []check.WeakCall
	var took [2][]consensus.Time // of gets and writes
	for i := range r.Calls {
		c := &r.Calls[i]
		weak = append(weak, c.WeakCall)
		kind := 0
		if c.Kind != kv.KindGet {
			kind = 1
		}
		if c.answered() {
			took[kind] = append(took[kind], c.Ended-c.Began)
		}
		if whole && c.Ended > 0 || c.Began >= cutAt && c.Ended > 0 && c.Ended <= healedAt {
			r.share(c.Client, kind).count(c)
		}
	}
	r.Reads, r.Writes = latency(took[0]), latency(took[1])
	r.Anomalies = check.Weak(weak, r.Final)
	for _, a := range r.Anomalies {
		r.Counts[a.Kind]++
		switch a.Kind {
		case check.LostUpdate:
			r.Calls[a.First].Odd = true
		case check.StaleRead, check.NonMonotonic:
			r.Calls[a.Second].Odd = true
		}
	}
	r.Linear = senseless
	if !r.Column.dotted() {
		r.Linear = linearOf(weak)
	}
	r.Complaint = r.Column.Theory.complaint(r)
}

// share is where a client's calls are counted.
func (r *Result) share(client, kind int) *Tally {
	s := &r.Majority
	if client == 0 {
		s = &r.Minority
	}
	if kind == 0 {
		return &s.Reads
	}
	return &s.Writes
}

func (t *Tally) count(c *Call) {
	switch {
	case c.answered():
		t.Answered++
	case c.Refused:
		t.Refused++
	default:
		t.Unknown++
	}
}

// linearOf asks whether one order explains all calls on each key. What is undecided
// is no yes.
func linearOf(calls []check.WeakCall) Linear {
	switch report := check.Linearizable(calls); {
	case len(report.Bad) > 0:
		return no
	case len(report.Open) > 0:
		return perhaps
	}
	return yes
}

func latency(took []consensus.Time) (l Latency) {
	if len(took) > 0 {
		slices.Sort(took)
		l.Median, l.P99 = took[len(took)/2], took[len(took)*99/100]
	}
	return l
}
