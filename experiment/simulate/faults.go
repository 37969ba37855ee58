package simulate

import (
	"fmt"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/sim"
)

// script says a spec's faults in the simulator's words: each with the time that it
// lasts, and lies as acts of traitors. Errors wrap ErrSpec.
func script(s *spec.Spec) ([]sim.Fault, []sim.Traitor, error) {
	var faults []sim.Fault
	traitors := slices.Clone(s.Traitors)
	for _, f := range s.Faults {
		switch {
		case f.Role != "":
			return nil, nil, fmt.Errorf("%w: the %s is looked up among processes: name a replica", spec.ErrSpec, f.Role)
		case f.Kind == spec.Corrupt && f.Ends:
			traitors = act(traitors, f.Replicas, f.At, nil)
		case f.Kind == spec.Corrupt:
			traitors = act(traitors, f.Replicas, f.At, f.Behaviours)
			if f.Lasts > 0 {
				traitors = act(traitors, f.Replicas, f.At+f.Lasts, nil)
			}
		case f.Ends:
			var err error
			if faults, err = end(faults, f); err != nil {
				return nil, nil, err
			}
		default:
			faults = append(faults, sim.Fault{At: f.At, Lasts: f.Lasts, Kind: sim.FaultKind(f.Kind), Replicas: f.Replicas, Clients: f.Clients})
		}
	}
	return faults, traitors, nil
}

// act adds what replicas do from a moment on.
func act(traitors []sim.Traitor, ids []consensus.ReplicaID, from consensus.Time, behaviours []string) []sim.Traitor {
	for _, id := range ids {
		i := slices.IndexFunc(traitors, func(t sim.Traitor) bool { return t.Replica == id })
		if i < 0 {
			i, traitors = len(traitors), append(traitors, sim.Traitor{Replica: id})
		}
		traitors[i].Schedule = append(slices.Clone(traitors[i].Schedule), sim.Assignment{From: from, Behaviours: behaviours})
	}
	return traitors
}

// end lets the latest fault of this kind end, replica by replica.
func end(faults []sim.Fault, f spec.Fault) ([]sim.Fault, error) {
	for _, id := range f.Replicas {
		open := -1
		for i, x := range faults {
			if x.Kind == sim.FaultKind(f.Kind) && x.Lasts == 0 && slices.Contains(x.Replicas, id) {
				open = i
			}
		}
		if open < 0 {
			return nil, fmt.Errorf("%w: replica %d: no %s comes before the %s", spec.ErrSpec, id, f.Kind, f.Word())
		}
		over := faults[open]
		over.Lasts, over.Replicas = f.At-over.At, []consensus.ReplicaID{id}
		faults[open].Replicas = slices.DeleteFunc(slices.Clone(faults[open].Replicas), func(r consensus.ReplicaID) bool { return r == id })
		faults = append(faults, over)
	}
	return slices.DeleteFunc(faults, func(x sim.Fault) bool { return len(x.Replicas)+len(x.Clients) == 0 }), nil
}
