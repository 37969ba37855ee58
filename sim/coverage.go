package sim

import (
	"slices"
	"strings"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/protocol"
)

// Phase is what honest replicas were doing while a traitor had a behaviour on.
type Phase uint8

// The phases, as bits of a set.
const (
	phaseNormal     Phase = 1 << iota // batches were executed
	phaseChange                       // a view was left
	phaseTransfer                     // a state was fetched
	phaseCheckpoint                   // a checkpoint became stable
	phaseRejoin                       // a replica without memory was on its way back
	phases          = 5
)

// phaseNames are in the order of the bits.
var phaseNames = [phases]string{"normal case", "view change", "state transfer", "checkpoint", "rejoining"}

// phaseOf says what a note shows of the phase that its author is in.
func phaseOf(k consensus.NoteKind) Phase {
	switch k {
	case consensus.LeftView, consensus.EnteredView:
		return phaseChange
	case consensus.Fetching, consensus.Fetched:
		return phaseTransfer
	case consensus.Stable:
		return phaseCheckpoint
	case consensus.Rejoining, consensus.Rejoined:
		return phaseRejoin
	}
	return 0
}

// during marks a phase for every behaviour that is on.
func (w *World) during(p Phase) {
	for _, t := range w.cfg.Traitors {
		w.replicas[t.Replica].traitor.met |= p
	}
}

// record enters the phases that the current assignment has met.
func (t *traitor) record(phases map[string]Phase) {
	for _, b := range t.doing {
		name, _, _ := strings.Cut(b, " ")
		phases[name] |= t.met
	}
	t.met = 0
}

// phasesMet are the behaviours of a run with the phases that they met; clients'
// meet the normal case.
func (w *World) phasesMet() map[string]Phase {
	for _, r := range w.replicas {
		if r.traitor != nil {
			r.traitor.record(w.pastPhases)
		}
	}
	for _, v := range w.cfg.Byzantines {
		name, _, _ := strings.Cut(v, " ")
		w.pastPhases[name] |= phaseNormal
	}
	return w.pastPhases
}

// Outcome is the run in a word.
func (r *Result) Outcome() string {
	deceived := func(v Violation) bool { return v.Kind == check.Deceived }
	switch {
	case len(r.Violations) > 0:
		return "violation"
	case r.Verdict.Forked:
		return "forked"
	case slices.ContainsFunc(r.Verdict.Violations, deceived):
		return "deceived"
	case !r.Live:
		return "stopped"
	}
	return "safe and live"
}

// Cell is one cell of the coverage table.
type Cell struct {
	Behaviour string
	Phase     string
	Outcome   string
}

// Coverage is what a campaign of seeds has tried.
type Coverage struct {
	Protocol        protocol.Protocol
	Seeds           int
	Genres          map[Genre]int
	Replicas        map[int]int
	Cells           map[Cell]int // seeds
	Forks           map[Genre]int
	Named           int            // forks whose culprits were named
	Changes         map[string]int // seeds by the view changes of their busiest replica
	InARow          int            // seeds with two view changes in a row
	FetchedInChange int            // transfers of the state that met a view change
	Forgotten       int            // votes that were said and lost with the power
	Reasons         map[consensus.Reason]int
	Linearizable    map[check.Answer]int
	RealKeys        int
	Fallen          int // seeds in which a traitor could not go on
	TopView         consensus.View
	Reached         map[string]int // seeds in which each goal was
}

// NewCoverage is that of no seed of a protocol.
func NewCoverage(p protocol.Protocol) *Coverage {
	c := &Coverage{
		Protocol: p, Reached: map[string]int{},
		Genres: map[Genre]int{}, Replicas: map[int]int{}, Cells: map[Cell]int{}, Forks: map[Genre]int{}, Changes: map[string]int{},
		Reasons: map[consensus.Reason]int{}, Linearizable: map[check.Answer]int{},
	}
	for _, r := range p.Reasons {
		c.Reasons[r] = 0
	}
	return c
}

// lies reports whether seeds draw traitors: what is tried is then told by
// behaviours and phases, and by goals where nobody lies.
func (c *Coverage) lies() bool { return c.Protocol.Model == quorum.Byzantine }

// buckets of view changes; the last one is open.
var buckets = []struct {
	least uint64
	name  string
}{{0, "0"}, {1, "1"}, {2, "2"}, {3, "3-5"}, {6, "6-10"}, {11, "11 or more"}}

// Add enters one run.
func (c *Coverage) Add(cfg *Config, r *Result) {
	c.Seeds++
	for _, g := range slices.Concat(c.goals(), always) {
		if g.seen(cfg, r) {
			c.Reached[g.name]++
		}
	}
	c.Genres[cfg.Genre]++
	c.Replicas[cfg.Replicas]++
	c.Linearizable[r.Verdict.Linearizable]++
	c.TopView = max(c.TopView, r.Stats.TopView)
	c.FetchedInChange += int(r.Stats.FetchedInChange)
	c.Forgotten += int(r.Stats.Forgotten)
	count := func(n *int, is bool) {
		if is {
			*n++
		}
	}
	count(&c.InARow, r.Stats.InARow > 0)
	count(&c.RealKeys, cfg.RealKeys)
	count(&c.Fallen, r.Stats.Fallen > 0)
	if r.Verdict.Forked {
		c.Forks[cfg.Genre]++
		count(&c.Named, len(r.Verdict.Culprits) > 0)
	}
	for i := len(buckets) - 1; i >= 0; i-- {
		if r.Stats.Busiest >= buckets[i].least {
			c.Changes[buckets[i].name]++
			break
		}
	}
	for reason, n := range r.Stats.Reasons {
		if _, known := c.Reasons[reason]; known || !c.lies() {
			c.Reasons[reason] += n
		}
	}
	for name, met := range r.Phases {
		for i, phase := range phaseNames {
			if met>>i&1 == 1 {
				c.Cells[Cell{Behaviour: name, Phase: phase, Outcome: r.Outcome()}]++
			}
		}
	}
}
