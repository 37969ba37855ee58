package sim

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Traitor is a replica with behaviours of package byzantine, as its specs name
// them. They change over time: an act holds from its moment on, until the next.
type Traitor struct {
	Replica  consensus.ReplicaID
	Schedule []Assignment
}

// Act is what a traitor does from a moment on, since the start of the run. No
// behaviours at all heal it.
type Assignment struct {
	From       consensus.Time
	Behaviours []string
}

// FaultKind names a fault of a script.
type FaultKind string

// The faults of a script. Names are those of the command line and of scenario
// files.
const (
	FaultCrash     FaultKind = "crash"     // loses what was not synced; comes back after Lasts, or never
	FaultPause     FaultKind = "pause"     // stands still for Lasts
	FaultWipe      FaultKind = "wipe"      // loses its disk and restarts
	FaultIsolate   FaultKind = "isolate"   // hears and is heard by nobody, clients included
	FaultPartition FaultKind = "partition" // Replicas and Clients are cut off from all others
	FaultDeaf      FaultKind = "deaf"      // hears nobody, but is heard
	FaultMute      FaultKind = "mute"      // is heard by nobody, but hears
)

// Fault is something that happens at a fixed moment.
type Fault struct {
	At       consensus.Time // since the start of the run
	Lasts    consensus.Time // 0 = until the end of the run
	Kind     FaultKind
	Replicas []consensus.ReplicaID
	Clients  []int
}

// StepKind says what a Step is.
type StepKind string

// The kinds of steps that a watcher sees.
const (
	StepSend    StepKind = "send"    // a frame was handed to the network
	StepDeliver StepKind = "deliver" // ... and has arrived
	StepExecute StepKind = "execute" // a replica executed a batch
	StepInvoke  StepKind = "invoke"  // a client begins to wait for its call of number Seq
	StepBelieve StepKind = "believe" // a client believes a result
	StepDecline StepKind = "decline" // a client gets an error for its call of number Seq
	StepNote    StepKind = "note"    // an engine reports a fact
	StepFault   StepKind = "fault"   // a fault or an act begins or ends
)

// Step is one event of a run for those who draw it. From and To are names: R0,
// R1, ... and C0, C1, ...
type Step struct {
	At       consensus.Time
	Kind     StepKind
	From, To string
	Frame    []byte // of a send or a delivery; read-only
	Text     string // the frame or the event for people
	Seq      consensus.Seq
	View     consensus.View
	Digest   crypto.Digest // of an execution: the batch's
	Note     *consensus.Note
}
