package simulate

import (
	"reflect"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/course"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// TestOneSpecIsOneOutcome: repeated, it ends exactly the same, step by step.
func TestOneSpecIsOneOutcome(t *testing.T) {
	s := spec.Spec{Protocol: "pbft", Replicas: 4, Invoked: 10, Seed: 7, Traitors: []sim.Traitor{{Replica: 0, Schedule: []sim.Assignment{{Behaviours: []string{"equivocate"}}}}}}
	first, err := Run(s)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Run(s)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(first, again) || first.Word() != spec.Live || len(first.Steps) == 0 || len(first.Steps) > course.MaxSteps {
		t.Errorf("%s with %d steps, and %s with %d", first.Word(), len(first.Steps), again.Word(), len(again.Steps))
	}
}

// TestDecisiveStepsOfALie: the steps are about the slot in which the primary
// proposed two batches, and hold both.
func TestDecisiveStepsOfALie(t *testing.T) {
	o, err := Run(spec.Spec{Protocol: "pbft", Replicas: 4, Invoked: 10, Seed: 3, Traitors: []sim.Traitor{{Replica: 0, Schedule: []sim.Assignment{{Behaviours: []string{"equivocate"}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := protocol.Of(o.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	read := p.Codec(o.Genesis).Summary
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

// TestDecisiveStepsOfRaft: the place that a run is about, with who stored it and
// what was executed there.
func TestDecisiveStepsOfRaft(t *testing.T) {
	o, err := Run(spec.Spec{Protocol: "raft", Replicas: 3, Invoked: 8, Seed: 1, Forward: []consensus.ReplicaID{2}, Deadline: 1e9})
	if err != nil {
		t.Fatal(err)
	}
	p, err := protocol.Of(o.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	read := p.Codec(o.Genesis).Summary
	stored, executed, led := false, 0, ""
	for _, s := range o.Steps {
		said, _ := read(s.Frame)
		stored = stored || said.Stored >= o.Slot
		if s.Kind == "execute" && s.Seq == o.Slot {
			executed++
		}
		if s.Note != nil && s.Note.Kind == consensus.EnteredView {
			led = s.From
		}
	}
	if o.Word() != spec.Live || o.Slot == 0 || !stored || executed != 3 {
		t.Errorf("%s, slot %d, stored %v, executed %d times", o.Word(), o.Slot, stored, executed)
	}
	if led != "" && led != "R2" {
		t.Errorf("%s was elected before R2, who was put forward", led)
	}
	if o.Statuses[0].Primary != 2 {
		t.Errorf("R%d leads", o.Statuses[0].Primary)
	}
	if len(o.Calls) != o.Asked || o.Calls[0].Ended == 0 || o.Calls[0].Seq == 0 || o.Calls[0].Operation == "" {
		t.Errorf("%d calls of %d: %+v", len(o.Calls), o.Asked, o.Calls[:1])
	}
}
