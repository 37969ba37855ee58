package spec

import (
	"fmt"
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
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
	Leaders  []Leader       // of a simulated run: who led, and since when
	Slots    []Slot         // ... and what became of each slot that was executed; bounded, the first ones
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

// Leader is a replica that began to lead.
type Leader struct {
	At      consensus.Time
	View    consensus.View
	Replica consensus.ReplicaID
}

// Slot is what became of one slot of the log.
type Slot struct {
	Seq      consensus.Seq
	Proposed []Proposal     // in the order in which they were first sent; each value of a view once
	Decided  consensus.Time // when the first replica knew that it is
	Executed consensus.Time // when the first replica executed it
	View     consensus.View // ... in the view of which
	Value    crypto.Digest  // ... and what that was
}

// Proposal is a value that somebody proposed.
type Proposal struct {
	View     consensus.View
	Value    crypto.Digest
	Requests []crypto.Digest
}

// Word is the outcome in the words of the matrix: "safe and live", "safe but
// stopped", "forked", "a client was deceived", or "unsafe"; or that too little was
// judged to say.
func (o *Outcome) Word() string {
	switch {
	case o.Verdict.Forked:
		return Forked
	case o.Deceives():
		return Deceived
	case o.Verdict.Unjudged != "" && len(o.Verdict.Violations) == 0:
		return notJudged
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

	notJudged = "not judged" // which no theory allows
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
	return slices.Contains(allowed[want], o.Word()) || want == byzantine.MayFork && o.split()
}

// split reports whether all that is wrong is what two histories lead to, one of which
// reached the honest in a state alone, or not at all: they have two states for one
// height, or answers of one history are not in the other. What was executed twice
// alone is no sign of that.
func (o *Outcome) split() bool {
	signs := []check.Kind{check.Divergence, check.Lost, check.Nonlinear}
	sign := func(v check.Violation) bool { return slices.Contains(signs, v.Kind) }
	other := func(v check.Violation) bool { return !sign(v) && v.Kind != check.Twice && v.Kind != check.Stuck }
	return slices.ContainsFunc(o.Verdict.Violations, sign) && !slices.ContainsFunc(o.Verdict.Violations, other)
}

// Violations are what the judges found, in words.
func (o *Outcome) Violations() []string {
	texts := []string{}
	for _, v := range o.Verdict.Violations {
		texts = append(texts, v.String())
	}
	return texts
}

// Tally is how the runs of one profile ended.
type Tally struct {
	Protocol   string         `json:"protocol"`
	Profile    string         `json:"profile"`
	Replicas   int            `json:"replicas"`
	Traitors   int            `json:"traitors"`
	Real       bool           `json:"real"`
	Expected   string         `json:"expected"`
	Runs       int            `json:"runs"`
	Outcomes   map[string]int `json:"outcomes"`
	Culprits   map[string]int `json:"culprits"` // in how many runs evidence names a replica
	Evidence   []string       `json:"evidence"` // what the first run with any proves
	Unexpected []Unexpected   `json:"unexpected"`
	Lied       int            `json:"lied"` // runs in which a traitor or a client really lied; -1 with processes, where nobody counts
	Asked      int            `json:"asked"`
	Answered   int            `json:"answered"`
	Seconds    float64        `json:"seconds"`

	want byzantine.Outcome
}

// Unexpected is a run that did not end as the catalogue says.
type Unexpected struct {
	Seed       uint64   `json:"seed"`
	Outcome    string   `json:"outcome"`
	Violations []string `json:"violations"`
}

// maxUnexpected bounds those that are listed.
const maxUnexpected = 10

// NewTally checks what is to be run, and has counted nothing yet.
func NewTally(x *ProfileRuns) (*Tally, error) {
	profile, err := x.Check()
	if err != nil {
		return nil, err
	}
	want, promised := x.Want(profile)
	t := &Tally{
		Protocol: x.Protocol, Profile: x.Behaviour, Replicas: x.Replicas, Traitors: len(x.Spec(1).Traitors), Expected: string(want),
		Outcomes: map[string]int{}, Culprits: map[string]int{}, Evidence: []string{}, Unexpected: []Unexpected{}, want: want,
	}
	if !promised {
		t.Expected = fmt.Sprintf("anything: nothing is promised for n=%d with traitors=%d", t.Replicas, t.Traitors)
	}
	return t, nil
}

// Bad reports whether the runs contradict the catalogue, or show nothing: honest
// runs prove nothing about traitors.
func (t *Tally) Bad() bool { return len(t.Unexpected) > 0 || t.Lied == 0 }

// Add counts one outcome.
func (t *Tally) Add(seed uint64, o *Outcome) {
	t.Runs++
	switch {
	case o.Lies < 0:
		t.Lied = -1
	case o.Lies > 0:
		t.Lied++
	}
	t.Outcomes[o.Word()]++
	t.Asked, t.Answered = t.Asked+o.Asked, t.Answered+o.Answered
	for _, id := range o.Verdict.Culprits {
		t.Culprits[fmt.Sprintf("R%d", id)]++
	}
	if len(t.Evidence) == 0 {
		for _, e := range o.Verdict.Evidence {
			t.Evidence = append(t.Evidence, e.Fault.String())
		}
	}
	if Expected(t.want, o) || len(t.Unexpected) == maxUnexpected {
		return
	}
	t.Unexpected = append(t.Unexpected, Unexpected{Seed: seed, Outcome: o.Word(), Violations: o.Violations()})
}
