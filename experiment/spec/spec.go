package spec

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// ErrSpec is what errors wrap when a Spec cannot be run at all.
var ErrSpec = errors.New("this cannot be tried")

// Spec is one experiment.
type Spec struct {
	Name             string
	Protocol         string // as package protocol names it
	Replicas         int
	Quorum           int // 0 = the right one; another is for showing what then happens
	Assumed          int // faults that the cluster claims to tolerate; 0 = what the bound allows
	Traitors         []sim.Traitor
	Coalition        bool                  // the traitors share their keys and a plan
	Faults           []Fault               // at fixed moments
	ByzantineClients []string              // that misbehave, one behaviour each
	Clients          int                   // honest clients; 0 = 2
	Invoked          int                   // operations of each; 0 = 40
	Reads            int                   // the chance, in percent, that a caller reads without an order before it goes on
	Think            consensus.Time        // between two operations of a client, about; 0 = 20 ms
	Forward          []consensus.ReplicaID // of a protocol that elects: who campaigns first, for all others wait three times as long
	Elections        protocol.Elections    // what elections go without; in the simulator alone
	Deadline         consensus.Time        // after which a caller gives its call up, and is told so; 0 = never
	Seed             uint64
	Rough            bool           // the seed draws network, disks and timing too; else they are quick and quiet
	RealKeys         bool           // Ed25519 in the simulator too, so that evidence holds outside of it
	Settle           consensus.Time // how long after the last fault everything must be answered; 0 = derived from the timeouts
}

// What a Spec leaves open.
const (
	standardClients = 2
	standardInvoked = 40
)

// Limits of a Spec.
const (
	maxClients = 64
	maxInvoked = 100_000
)

// check refuses what no host can run.
func (s *Spec) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrSpec, fmt.Sprintf(format, args...))
	}
	_, err := protocol.Lookup(s.Protocol)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrSpec, err)
	case s.Replicas < 1 || s.Replicas > consensus.MaxReplicas:
		return bad("%d replicas: choose 1 to %d", s.Replicas, consensus.MaxReplicas)
	case s.Clients < 0 || s.Clients > maxClients || s.Invoked < 0 || s.Invoked > maxInvoked:
		return bad("%s with %s each: at most %d and %d are possible", noun.Several(s.Clients, "client"), noun.Several(s.Invoked, "operation"), maxClients, maxInvoked)
	}
	return nil
}

// Complete refuses what no host can run, and puts what is usual in the place of
// zeros. Errors wrap ErrSpec.
func (s *Spec) Complete() error {
	if err := s.check(); err != nil {
		return err
	}
	s.Clients, s.Invoked = cmp.Or(s.Clients, standardClients), cmp.Or(s.Invoked, standardInvoked)
	return nil
}

// Backward is how many times longer the others wait, where somebody is to be
// elected first.
const Backward = 3

// Elected reports whether somebody is to be elected first.
func (s *Spec) Elected() bool { return s.UnderTest().Elected && len(s.Forward) > 0 }

// UnderTest is the protocol; the zero value of one that does not exist.
func (s *Spec) UnderTest() protocol.Protocol {
	p, _ := protocol.Lookup(s.Protocol)
	return p
}

// System is the fault arithmetic of a spec that was checked, before anything is
// bent.
func (s *Spec) System() quorum.System { return s.UnderTest().Model.System(s.Replicas) }

// SettleWithin is how long after the last fault everything must be answered: a view
// change for each replica at the cap of patience, and the time that sending
// again takes.
func (s *Spec) SettleWithin(t *sim.Timing) consensus.Time {
	if s.Settle > 0 {
		return s.Settle
	}
	if s.Rough {
		// As the simulator has it: views fail for want of a state, too.
		return 30*sim.Second + consensus.Time(40*t.PatienceCap)*t.Tick
	}
	return 5*sim.Second + consensus.Time(s.Replicas*t.PatienceCap)*t.Tick
}

// Lies reports whether a replica is a traitor.
func (s *Spec) Lies(id consensus.ReplicaID) bool {
	return slices.ContainsFunc(s.Traitors, func(t sim.Traitor) bool { return t.Replica == id })
}
