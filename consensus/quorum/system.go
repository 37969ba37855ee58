package quorum

import (
	"fmt"

	"quorate.dev/quorate/consensus"
)

// System is the fault arithmetic of one cluster. It is an immutable value; the
// zero System is not usable.
type System struct {
	model                         Model
	size, faults, quorum, replies int
}

// Model is what those replicas do that fail. An engine knows its own; for a
// protocol that is named, package protocol does.
type Model uint8

// The models.
const (
	Byzantine Model = iota + 1 // they lie: ⌊(n-1)/3⌋ of n are tolerated
	Crash                      // they stop, and none lies: ⌊(n-1)/2⌋ of n are tolerated
)

// System is the system of n replicas, nothing bent. An n outside
// 1..consensus.MaxReplicas is a mistake of the caller's; what comes from a
// configuration goes through Of or For.
func (m Model) System(n int) System {
	if n = mustBeSize(n); m == Crash {
		return System{model: m, size: n, faults: (n - 1) / 2, quorum: n/2 + 1, replies: 1}
	}
	f := (n - 1) / 3
	return System{model: m, size: n, faults: f, quorum: (n + f + 2) / 2, replies: f + 1}
}

// Of is System for an n that comes from a configuration. It fails, wrapping
// consensus.ErrGenesis, if so many replicas are impossible.
func (m Model) Of(n int) (System, error) {
	if n < 1 || n > consensus.MaxReplicas {
		return System{}, fmt.Errorf("%w: %d replicas: choose 1 to %d", consensus.ErrGenesis, n, consensus.MaxReplicas)
	}
	return m.System(n), nil
}

// Least is how many replicas tolerate f faults: 3f+1, or 2f+1 of those that do
// not lie.
func (m Model) Least(f int) int {
	if m == Crash {
		return 2*f + 1
	}
	return 3*f + 1
}

// For is the system of a genesis. It fails, wrapping consensus.ErrGenesis, if
// the number of replicas is impossible, or a quorum or a number of faults of
// one's own choice is asked for without UnsafeDemo. They exist to demonstrate
// why the bounds are where they are.
func (m Model) For(g *consensus.Genesis) (System, error) {
	s, err := m.Of(len(g.Replicas))
	if err != nil || g.Quorum == 0 && g.Faults == 0 {
		return s, err
	}
	return s.bent(g)
}

func mustBeSize(n int) int {
	if n < 1 || n > consensus.MaxReplicas {
		panic(fmt.Sprintf("quorum: a system of %d replicas: choose 1 to %d", n, consensus.MaxReplicas))
	}
	return n
}

// bent is the system as a demonstration wants it: with a wish for more faults
// than n allows, with a quorum that is not the right one, or with both.
func (s System) bent(g *consensus.Genesis) (System, error) {
	switch {
	case !g.UnsafeDemo:
		return System{}, fmt.Errorf("%w: a quorum of %d instead of %d, or %d faults instead of %d, need unsafe_demo = true", consensus.ErrGenesis, g.Quorum, s.quorum, g.Faults, s.faults)
	case g.Quorum < 0 || g.Quorum > s.size:
		return System{}, fmt.Errorf("%w: a quorum of %d among %d replicas: choose 1 to %d", consensus.ErrGenesis, g.Quorum, s.size, s.size)
	case g.Faults < 0 || g.Faults >= s.size:
		return System{}, fmt.Errorf("%w: %d faults among %d replicas: choose 1 to %d", consensus.ErrGenesis, g.Faults, s.size, s.size-1)
	}
	if g.Faults != 0 && s.model == Byzantine {
		s.faults, s.replies = g.Faults, g.Faults+1
		s.quorum = min((s.size+s.faults+2)/2, s.size)
	} else if g.Faults != 0 {
		s.faults = g.Faults
	}
	if g.Quorum != 0 {
		s.quorum = g.Quorum
	}
	return s, nil
}

// Size is n, the number of replicas.
func (s System) Size() int { return s.size }

// Faults is f, how many replicas may fail.
func (s System) Faults() int { return s.faults }

// Quorum is q, how many replicas must agree: ⌈(n+f+1)/2⌉, or a majority in
// crash mode.
func (s System) Quorum() int { return s.quorum }

// Weak is w = f+1, the weak quorum: one of them at least has not failed.
func (s System) Weak() int { return s.faults + 1 }

// Replies is how many equal replies from distinct replicas a client believes:
// f+1, of which one is honest, or 1 in crash mode, where trusting the members
// is what the mode means.
func (s System) Replies() int { return s.replies }

// Readers is how many replicas must say where they are before a read that is not
// ordered is believed: any q of them hold f+1 of those that committed what was
// answered before. In crash mode one member's word is believed, which has asked
// a majority.
func (s System) Readers() int {
	if s.model == Crash {
		return 1
	}
	return s.quorum
}

// Primary is the replica that leads view v: v mod n. In crash mode views have
// elected leaders and nobody asks.
func (s System) Primary(v consensus.View) consensus.ReplicaID {
	return consensus.ReplicaID(uint64(v) % uint64(s.size))
}

// Has reports whether r is a member.
func (s System) Has(r consensus.ReplicaID) bool { return int(r) < s.size }

// String describes the system for people.
func (s System) String() string {
	return fmt.Sprintf("n=%d f=%d q=%d", s.size, s.faults, s.quorum)
}
