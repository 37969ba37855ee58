package spec

import (
	"errors"

	"quorate.dev/quorate/consensus"
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
	Think            consensus.Time        // between two operations of a client, about; 0 = 20 ms
	Forward          []consensus.ReplicaID // of a protocol that elects: who campaigns first, for all others wait three times as long
	Deadline         consensus.Time        // after which a caller gives its call up, and is told so; 0 = never
	Seed             uint64
	Rough            bool           // the seed draws network, disks and timing too; else they are quick and quiet
	RealKeys         bool           // Ed25519 in the simulator too, so that evidence holds outside of it
	Settle           consensus.Time // how long after the last fault everything must be answered; 0 = derived from the timeouts
}
