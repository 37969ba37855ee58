package sim

import (
	"slices"
	"strings"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
)

// theory is what may go wrong in a run, by arithmetic alone. What theory does
// not allow is a violation, whatever the run was for.
//
// Two quorums of q among n meet in at least 2q-n replicas. As long as more of
// them meet than lie or forget, one honest replica stands in both, and nothing
// forks; f+1 equal replies deceive nobody as long as at most f lie; and q
// replicas that work get things done as long as no more than f lie. Beyond
// that the promises that remain are those that need no majority: an honest
// replica never contradicts itself, nobody honest is accused, what no client
// signed is not executed as long as one honest replica stands in a quorum, and
// after a fork the culprits are named.
type theory struct {
	fork    bool // histories may differ, and everything that follows from it
	deceive bool // clients may believe what is not so
	stop    bool // nothing need ever be answered
	unnamed bool // not even f+1 replicas need have lied for a fork
	invent  bool // no honest replica need stand in a quorum
}

// Theory says what may go wrong.
func (c *Config) theory(s quorum.System) theory {
	liars, n, q := len(c.liars()), s.Size(), s.Quorum()
	failing := liars
	if c.forgets() {
		failing = max(liars+1, c.Trust.Faults)
	}
	away := map[consensus.ReplicaID]bool{}
	for _, f := range c.Faults {
		if f.Lasts == 0 && f.Kind != FaultWipe {
			for _, id := range f.Replicas {
				away[id] = true
			}
		}
	}
	for _, id := range c.liars() {
		away[id] = true
	}
	return theory{
		fork: 2*q-n <= failing, deceive: liars >= s.Replies(),
		stop:    liars > s.Faults() || n-max(len(away), c.Trust.Faults) < q || failing > s.Faults(),
		unnamed: c.Trust.Quorum != 0 || c.Trust.Assumed != 0 || c.forgets(),
		invent:  liars >= q,
	}
}

// liars are the traitors, twins among them.
func (c *Config) liars() []consensus.ReplicaID {
	all := slices.Clone(c.Twins)
	for _, t := range c.Traitors {
		all = append(all, t.Replica)
	}
	return all
}

// forgets reports whether disks are lost.
func (c *Config) forgets() bool {
	return slices.ContainsFunc(c.Hazards, func(h Hazard) bool { return h.Kind == hazardWipe }) ||
		slices.ContainsFunc(c.Faults, func(f Fault) bool { return f.Kind == FaultWipe })
}

// allows reports whether a violation is what theory leads one to expect.
func (t theory) allows(v Violation) bool {
	switch v.Kind {
	case check.Fork, check.Divergence, check.Twice:
		return t.fork
	case check.Lost, check.Nonlinear:
		return t.fork || t.deceive
	case check.Deceived:
		return t.deceive || t.fork
	case check.Unnamed:
		return t.fork && t.unnamed
	case check.Stuck, check.Growth:
		// Where nothing becomes stable, nothing can be forgotten, and views
		// that f+1 keep changing leave records.
		return t.stop || t.fork
	case check.Validity:
		return t.invent
	case check.Broken:
		// A replica that sees two certificates for one slot halts.
		return t.fork && strings.Contains(v.Text, " halts: ")
	}
	return false
}

// forbidden are the violations that theory does not allow.
func (t theory) forbidden(all []Violation) []Violation {
	return slices.DeleteFunc(slices.Clone(all), t.allows)
}
