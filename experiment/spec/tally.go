package spec

import (
	"fmt"

	"quorate.dev/quorate/byzantine"
)

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
