package trial

import (
	"errors"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/sim"
)

// ErrSpec is what errors wrap when a Spec cannot be run at all.
var ErrSpec = errors.New("this cannot be tried")

// ErrPlace is what errors wrap when a real run finds no place on this machine for
// the files of its cluster, whatever the Spec: the disk is full, or closed to it.
var ErrPlace = errors.New("no place for the cluster of this run")

// Spec is one experiment.
type Spec struct {
	Name     string
	Protocol string // "pbft" or "raft"
	Replicas int
	Quorum   int // 0 = the right one; another is for showing what then happens
	Assumed  int // faults that the cluster claims to tolerate; 0 = what the bound allows
	Traitors []sim.Traitor
	Gang     bool                  // the traitors share their keys and a plan
	Faults   []sim.Fault           // at fixed moments
	Villains []string              // misbehaving clients, one spec each
	Clients  int                   // honest clients; 0 = 2
	Invoked  int                   // operations of each; 0 = 40
	Think    consensus.Time        // between two operations of a client, about; 0 = 20 ms
	Forward  []consensus.ReplicaID // of a protocol that elects: who campaigns first, for all others wait three times as long
	Deadline consensus.Time        // after which a caller gives its call up, and is told so; 0 = never
	Seed     uint64
	Rough    bool           // the seed draws network, disks and timing too; else they are quick and quiet
	RealKeys bool           // Ed25519 in the simulator too, so that evidence holds outside of it
	Settle   consensus.Time // how long after the last fault everything must be answered; 0 = derived from the timeouts
}

// Outcome is how an experiment ended.
type Outcome struct {
	Verdict  check.Verdict
	Live     bool // everything that was asked was answered within the bound
	Deceived bool // a client believed what no honest replica answered
	Asked    int  // operations
	Answered int
	Lies     int            // steps, replies and frames in which a traitor or a villain lied; -1 in a real run, where nobody counts them
	Views    consensus.View // the highest that an honest replica was in
	Steps    []sim.Step     // of a simulated run: bounded, the decisive ones
	Slot     consensus.Seq  // what most of these are about
	Calls    []Call         // if callers have a deadline: bounded, the first ones
	Elapsed  consensus.Time // virtual or real
	Genesis  consensus.Genesis
	Statuses []consensus.Status // at the end, of the replicas that answered
}

// Call is one operation as its caller lived it.
type Call struct {
	Client       int
	Operation    string
	Asked, Ended consensus.Time // Ended 0: it is still waiting
	Seq          consensus.Seq  // where it was executed, if it was answered
	Error        string         // what the caller was told instead
}

// Word is the outcome in the words of the matrix: "safe and live", "safe but
// stopped", "forked", "a client was deceived", or "unsafe".
func (o *Outcome) Word() string {
	switch {
	case o.Verdict.Forked:
		return Forked
	case o.Deceived:
		return Deceived
	case !o.Verdict.Safe():
		return Unsafe
	case !o.Live:
		return Stopped
	}
	return Live
}

// The words of Outcome.Word.
const (
	Live     = "safe and live"
	Stopped  = "safe but stopped"
	Forked   = "forked"
	Deceived = "a client was deceived"
	Unsafe   = "unsafe"
)
