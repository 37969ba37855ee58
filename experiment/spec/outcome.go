package spec

import (
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/sim"
)

// Outcome is how an experiment ended.
type Outcome struct {
	Verdict  check.Verdict
	Live     bool // everything that was asked was answered within the bound
	Asked    int  // operations
	Answered int
	Lies     int            // steps, replies and frames in which a traitor or a Byzantine client lied; -1 in a real run, where nobody counts them
	Views    consensus.View // the highest that an honest replica was in
	Steps    []sim.Step     // of a simulated run: bounded, a slice of its trace
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
	case o.Deceives():
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

// Deceives reports whether a client believed what no honest replica answered.
func (o *Outcome) Deceives() bool {
	return slices.ContainsFunc(o.Verdict.Violations, func(x check.Violation) bool { return x.Kind == check.Deceived })
}

// allowed are the words of the outcomes that the catalogue promises.
var allowed = map[byzantine.Outcome][]string{
	byzantine.SafeLive:    {Live},
	byzantine.SafeSlow:    {Live},
	byzantine.SafeStopped: {Stopped},
	byzantine.MayStop:     {Live, Stopped},
	byzantine.Forks:       {Forked},
	byzantine.MayFork:     {Forked, Live, Stopped, Deceived},
	byzantine.Deceives:    {Deceived},
	byzantine.MayDeceive:  {Deceived, Live},
	byzantine.Breaks:      {Forked, Deceived, Unsafe},
}

// Expected reports whether an outcome is one that a profile's catalogue entry
// allows.
func Expected(want byzantine.Outcome, o *Outcome) bool {
	return slices.Contains(allowed[want], o.Word())
}

// Violations are what the judges found, in words.
func (o *Outcome) Violations() []string {
	texts := []string{}
	for _, v := range o.Verdict.Violations {
		texts = append(texts, v.String())
	}
	return texts
}
