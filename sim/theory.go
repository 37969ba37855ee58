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
type theory struct {
	fork    bool // histories may differ, and everything that follows from it
	deceive bool // clients may believe what is not so
	stop    bool // nothing need ever be answered
	unnamed bool // not even f+1 replicas need have lied for a fork
	invent  bool // no honest replica need stand in a quorum
	twofold bool // who forgot may say the opposite
}

// faulty is how many replicas do what is not in the protocol.
type faulty struct {
	liars   int
	setBack int // of the others, those whose disk became an older copy
	wiped   int // ... those without memory at a time
	absent  int // ... and those that stay away for good, liars and set back among them: they may
}

// theory says what may go wrong.
func (c *Config) theory(m quorum.Model, s quorum.System) theory {
	return theoryOf(m, s, c.faulty())
}

// theoryOf is the arithmetic.
//
// Where a protocol tolerates lies, two quorums of q among n meet in at least
// 2q-n replicas. As long as more of them meet than lie or forget, one honest
// replica stands in both, and nothing forks; f+1 equal replies deceive nobody as
// long as at most f lie; and q replicas that work get things done as long as no
// more than f lie. Beyond that the promises that remain are those that need no
// majority: an honest replica never contradicts itself, nobody honest is accused,
// what no client signed is not executed as long as one honest replica stands in a
// quorum, and after a fork the culprits are named. Who was set back may sign the
// opposite of what it signed before, so that it counts as a liar.
//
// Where it tolerates crashes alone, the overlap protects from nobody but those
// who forget; who was set back is one of those. A member takes its leader's word for who was elected, what was
// stored and what is decided, so that one liar is enough for anything, however
// many there are; and nobody can be named, for nobody signs. What remains is that
// only what clients signed is executed, and that who has not forgotten does not
// contradict itself.
func theoryOf(m quorum.Model, s quorum.System, x faulty) theory {
	n, q, failing, liars := s.Size(), s.Quorum(), x.liars+x.setBack+x.wiped, x.liars+x.setBack
	t := theory{
		fork: 2*q-n <= failing, deceive: liars >= s.Replies(), stop: failing > s.Faults() || n-x.absent < q,
		unnamed: x.wiped > 0, invent: liars >= q,
	}
	if m == quorum.Crash {
		lied := x.liars > 0
		t = theory{fork: lied || t.fork, deceive: lied, stop: lied || t.stop, unnamed: true, twofold: x.setBack+x.wiped > 0}
	}
	return t
}

// faulty counts.
func (c *Config) faulty() faulty {
	lies, away, wiped := c.liars(), map[consensus.ReplicaID]bool{}, map[consensus.ReplicaID]bool{}
	for _, f := range c.Faults {
		for _, id := range f.Replicas {
			switch {
			case f.Kind == FaultWipe:
				wiped[id] = !slices.Contains(lies, id)
			case f.Lasts == 0:
				away[id] = true
			}
		}
	}
	for _, id := range lies {
		away[id] = true
	}
	x := faulty{liars: len(lies) - len(c.SetBacks), setBack: len(c.SetBacks), absent: max(len(away), c.Trust.Faults)}
	for _, forgot := range wiped {
		if forgot {
			x.wiped++
		}
	}
	if c.wipes() { // as long as that leaves no more faulty than there may be
		x.wiped += max(0, c.Trust.Faults-len(lies))
	}
	return x
}

// liars are the traitors, twins and those whose disk is set back among them.
func (c *Config) liars() []consensus.ReplicaID {
	all := slices.Clone(c.Twins)
	for _, s := range c.SetBacks {
		all = append(all, s.Replica)
	}
	for _, t := range c.Traitors {
		all = append(all, t.Replica)
	}
	return all
}

// forgets reports whether disks are lost.
func (c *Config) forgets() bool {
	return c.wipes() ||
		slices.ContainsFunc(c.Faults, func(f Fault) bool { return f.Kind == FaultWipe })
}

// wipes reports whether hazards lose disks.
func (c *Config) wipes() bool {
	return slices.ContainsFunc(c.Hazards, func(h Hazard) bool { return h.Kind == hazardWipe })
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
	case check.Denied:
		// The word that nothing was executed is a reply as any other.
		return t.deceive
	case check.Contradiction:
		return t.twofold
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
