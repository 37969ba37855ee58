package decree

import (
	"context"
	"fmt"
	"slices"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/sim"
)

// anyCure is all of them, side by side.
const anyCure = "all"

// Cures lists what may be asked for.
func Cures() []string { return []string{anyCure, noCure, backoff, leader} }

// DuelOptions are those of two proposers, three acceptors and a learner.
type DuelOptions struct {
	Cure  string // one of Cures
	Runs  int    // of each row that draws something
	Seed  uint64
	Limit int // rounds after which a run counts as undecided
	// Done is called after each run, with how many there were and will be.
	Done func(done, of int)
}

// Duel is what many runs showed.
type Duel struct {
	Seed    uint64    `json:"seed"`
	Limit   int       `json:"limit"`
	Attempt float64   `json:"attempt_ms"` // from PREPARE to chosen, if nobody disturbs it and ACCEPTs are slow
	Rows    []DuelRow `json:"rows"`

	duel *Run // the first rounds of one without a cure
}

// DuelRow is one schedule with one cure.
type DuelRow struct {
	Schedule string  `json:"schedule"`
	Cure     string  `json:"cure"`
	Window   float64 `json:"window,omitempty"` // of the random wait, in attempts
	Runs     int     `json:"runs"`
	Decided  int     `json:"decided"`
	Rounds   []int   `json:"rounds"` // of the runs that decided, ascending
	Millis   float64 `json:"median_ms,omitempty"`
}

// The duels' participants and times: a round trip takes 10 to 12 ms, and links are so
// slow that the value in an ACCEPT takes a millisecond more for each 50 bytes.
var duelists = Shape{Proposers: 2, Acceptors: 3, Learners: 1}

func duelTiming(schedule string, window consensus.Time) timing {
	return timing{
		network: sim.NetworkModel{Delay: 5 * sim.Millisecond, Jitter: sim.Millisecond, Bandwidth: 50_000},
		body:    map[string]int{bySlowerClock: 1000, bySlowClock: 2500}[schedule],
		starts:  20 * sim.Millisecond, window: window, patience: sim.Second,
	}
}

// The schedules: each ACCEPT arrives after the other's PREPARE, or when it does, as
// fast as all messages or slower. Bodies and syncs make phase 2 slower than phase 1 anywhere.
const (
	byAdversary   = "adversary"
	byClock       = "clock, all as fast"
	bySlowerClock = "clock, ACCEPT +20 ms"
	bySlowClock   = "clock, ACCEPT +50 ms"
)

// windows are the random waits that are tried, in attempts.
var windows = []float64{0.125, 0.25, 0.5, 1, 2, 4}

// RunDuel runs what was asked for. The error is the context's.
func RunDuel(ctx context.Context, o DuelOptions) (*Duel, error) {
	d := &Duel{Seed: o.Seed, Limit: o.Limit}
	first := fight(o, DuelRow{Schedule: bySlowClock, Cure: leader}, o.Seed)
	d.Attempt = first.attempt.Seconds() * 1000
	var rows []DuelRow
	if o.Cure == noCure || o.Cure == anyCure {
		rows = append(rows, DuelRow{Schedule: byAdversary, Cure: noCure, Runs: 1}, DuelRow{Schedule: byClock, Cure: noCure, Runs: o.Runs},
			DuelRow{Schedule: bySlowerClock, Cure: noCure, Runs: o.Runs}, DuelRow{Schedule: bySlowClock, Cure: noCure, Runs: o.Runs})
		d.duel = opening(o)
	}
	if o.Cure == backoff || o.Cure == anyCure {
		for _, window := range windows {
			rows = append(rows, DuelRow{Schedule: bySlowClock, Cure: backoff, Window: window, Runs: o.Runs})
		}
	}
	if o.Cure == leader || o.Cure == anyCure {
		rows = append(rows, DuelRow{Schedule: bySlowClock, Cure: leader, Runs: o.Runs})
	}
	total, done := 0, 0
	for _, r := range rows {
		total += r.Runs
	}
	for _, r := range rows {
		var times []time.Duration
		for i := range r.Runs {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			e := fight(o, r.in(d), o.Seed+uint64(i))
			if e.decided {
				r.Decided++
				r.Rounds = append(r.Rounds, e.rounds)
				times = append(times, e.at)
			}
			if done++; o.Done != nil {
				o.Done(done, total)
			}
		}
		slices.Sort(r.Rounds)
		slices.Sort(times)
		if len(times) > 0 && r.Schedule != byAdversary {
			r.Millis = times[len(times)/2].Seconds() * 1000
		}
		d.Rows = append(d.Rows, r)
	}
	return d, nil
}

// in is the row with its window as a time.
func (r DuelRow) in(d *Duel) DuelRow {
	r.Millis = r.Window * d.Attempt
	return r
}

// end is how one duel ended.
type end struct {
	decided bool
	rounds  int
	at      time.Duration // when it was chosen
	attempt time.Duration // from the start to that
}

// fight is one run.
func fight(o DuelOptions, r DuelRow, seed uint64) end {
	if r.Schedule == byAdversary {
		rounds := preempt(o.Limit)
		return end{decided: rounds < o.Limit, rounds: rounds}
	}
	w := newWorld(duelists, seed, duelTiming(r.Schedule, consensus.Time(r.Millis*1e6)), r.Cure)
	began := consensus.Time(-1)
	for len(w.ledger.chosen) == 0 && w.rounds() < o.Limit && w.net.Advance() {
		if began < 0 && w.rounds() > 0 {
			began = w.net.Now()
		}
	}
	e := end{decided: len(w.ledger.chosen) > 0, rounds: w.rounds(), at: time.Duration(w.net.Now())}
	e.attempt = time.Duration(w.net.Now() - began)
	return e
}

// opening is the beginning of a duel by the clock, for its chart.
func opening(o DuelOptions) *Run {
	w := newWorld(duelists, o.Seed, duelTiming(bySlowClock, 0), noCure)
	w.keep = true
	for w.rounds() < 7 && len(w.ledger.chosen) == 0 && w.net.Advance() {
	}
	return &Run{Shape: duelists, Seed: o.Seed, Steps: w.told(), Rounds: w.rounds()}
}

// preempt is a schedule by hand: each proposer completes phase 1, and its ACCEPTs
// arrive after the PREPAREs of the other. Nothing is lost, and nobody crashes. It
// returns how many rounds were undecided, at most limit.
func preempt(limit int) int {
	s := duelists
	proposers := []proposer{{id: 0}, {id: 1}}
	acceptors := make([]acceptor, s.Acceptors)
	var l ledger
	// deliver hands messages to acceptors, and their answers to who is asked for.
	deliver := func(all []message) (answers []message) {
		for _, m := range all {
			for _, answer := range acceptors[int(m.To)-s.Proposers].hear(s, m) {
				if answer.Kind == accepted {
					l.hear(s, answer)
				}
				if int(answer.To) < s.Proposers {
					answers = append(answers, answer)
				}
			}
		}
		return answers
	}
	var accepts []message // of the other, under way
	turn := 0
	for round := range limit {
		p := &proposers[turn]
		var mine []message
		for _, m := range deliver(p.prepare(s)) {
			out, _ := p.hear(s, m)
			mine = append(mine, out...)
		}
		if len(mine) == 0 {
			continue // its ballot was too low: it knows of a higher one now
		}
		for _, m := range deliver(accepts) {
			proposers[m.To].hear(s, m)
		}
		if accepts, turn = mine, 1-turn; len(l.chosen) > 0 {
			return round
		}
	}
	return limit
}

// quantile is the number of rounds that a share of the runs which decided stayed
// within; 0 if none did.
func (r *DuelRow) quantile(share float64) int {
	if len(r.Rounds) == 0 {
		return 0
	}
	return r.Rounds[min(int(share*float64(len(r.Rounds))), len(r.Rounds)-1)]
}

// name is the row's cure in words.
func (r *DuelRow) name() string {
	switch r.Cure {
	case backoff:
		return fmt.Sprintf("back-off %g", r.Window)
	case leader:
		return "leader"
	}
	return "none"
}
