package trial

import (
	"reflect"
	"testing"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/sim"
)

// unsafe is the outcome of a run in which something was executed twice.
func unsafe() Outcome {
	return Outcome{Live: true, Verdict: check.Verdict{Violations: []check.Violation{{Kind: check.Twice}}}}
}

// TestOneSpecIsOneOutcome: repeated, it ends exactly the same, step by step.
func TestOneSpecIsOneOutcome(t *testing.T) {
	s := Spec{Protocol: "pbft", Replicas: 4, Invoked: 10, Seed: 7, Traitors: []sim.Traitor{{Replica: 0, Acts: []sim.Act{{Behaviours: []string{"equivocate"}}}}}}
	first, err := Simulate(s)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Simulate(s)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(first, again) || first.Word() != Live || len(first.Steps) == 0 || len(first.Steps) > maxDecisive {
		t.Errorf("%s with %d steps, and %s with %d", first.Word(), len(first.Steps), again.Word(), len(again.Steps))
	}
}

// TestDecisiveStepsOfALie: the steps are about the slot in which the primary
// proposed two batches, and hold both.
func TestDecisiveStepsOfALie(t *testing.T) {
	o, err := Simulate(Spec{Protocol: "pbft", Replicas: 4, Invoked: 10, Seed: 3, Traitors: []sim.Traitor{{Replica: 0, Acts: []sim.Act{{Behaviours: []string{"equivocate"}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	read, err := NewReader(o.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	values, slots := map[string]bool{}, map[uint64]bool{}
	for _, s := range o.Steps {
		if said, ok := read(s.Frame); ok && said.Valued && said.Kind != "REPLY" {
			slots[uint64(said.Seq)] = true
			values[said.Value.Short()] = values[said.Value.Short()] || said.Kind == "PRE-PREPARE"
		}
	}
	if len(slots) != 1 || len(values) < 2 {
		t.Errorf("slots %v, values %v", slots, values)
	}
}
