package check

import (
	"fmt"

	"quorate/consensus"
	"quorate/crypto"
	"quorate/evidence"
)

// Kind names what was violated.
type Kind string

// The kinds of violations.
const (
	Fork          Kind = "fork"          // two batches at one height, executed or certified
	Divergence    Kind = "divergence"    // one history, two states or two replies
	Validity      Kind = "validity"      // something was executed that no client signed
	Twice         Kind = "twice"         // an operation was executed at two places
	Lost          Kind = "lost"          // a believed result did not stay
	Nonlinear     Kind = "nonlinear"     // the history of a key has no linearization
	Contradiction Kind = "contradiction" // an honest replica contradicted itself
	Framed        Kind = "framed"        // evidence against an honest replica, or a blame of one
	Unnamed       Kind = "unnamed"       // a fork whose f+1 culprits evidence does not name
	Deceived      Kind = "deceived"      // a client believed what no honest replica answered
	Growth        Kind = "growth"        // something grew beyond its bound
	Stuck         Kind = "stuck"         // no progress within the bound after healing
	Broken        Kind = "broken"        // a panic, a replica that does not start, a halt
)

// Violation is something that must never happen and did.
type Violation struct {
	At   consensus.Time // since the start of the run
	Kind Kind
	Text string
}

// String is the violation with its time, in seconds.
func (v Violation) String() string {
	return fmt.Sprintf("at %d.%06d: %s: %s", v.At/1e9, v.At%1e9/1000, v.Kind, v.Text)
}

// Config is what a judge knows before the run.
type Config struct {
	Genesis  consensus.Genesis
	Verifier crypto.Verifier                // judges evidence; nil = Ed25519 by the genesis alone
	Honest   func(consensus.ReplicaID) bool // nil = everybody
	Clients  func(crypto.PublicKey) bool    // honest clients; nil = everybody in the genesis
}

// Answer says how a question ended that may remain open.
type Answer string

// The answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown" // not asked, or not decided in the time given
)

// Verdict is how a run is judged.
type Verdict struct {
	Violations   []Violation
	Forked       bool                  // two certificates or executions for one height
	ForkAt       consensus.Seq         // the lowest such height
	Culprits     []consensus.ReplicaID // whom evidence names, ascending
	Evidence     []evidence.Entry
	Linearizable Answer
}

// Safe reports whether nothing that must never happen did; being stuck is not unsafe.
func (v *Verdict) Safe() bool {
	for _, x := range v.Violations {
		if x.Kind != Stuck {
			return false
		}
	}
	return !v.Forked
}
