package compare

import (
	"fmt"
	"time"

	"quorate.dev/quorate/protocol"
)

// bind holds a scenario against what there is: how long the load lasts, and how
// many replicas each cluster has to tolerate so many faults. Errors are
// *ScenarioErrors.
func (s *Scenario) bind(whole time.Duration, faults int) error {
	done := map[string]bool{} // the kinds that have happened
	for _, f := range s.byTime(whole) {
		if why := f.misfit(whole, faults, done); why != "" {
			return &ScenarioError{File: s.File, Line: f.Line, Text: fmt.Sprintf("fault %d: %s", f.Number, why)}
		}
		done[f.Kind] = true
	}
	return nil
}

// misfit says why a fault cannot happen.
func (f *Fault) misfit(whole time.Duration, faults int, done map[string]bool) string {
	if at := f.At.Of(whole); at >= whole {
		return fmt.Sprintf("it is at %v, and the load lasts %v: write an earlier time, or give a longer --duration", at, whole)
	}
	if need := makes[f.Role]; need != "" && !done[need] {
		return fmt.Sprintf("role %q is nobody's yet: no %s comes before it", f.Role, need)
	}
	for _, name := range Protocols() {
		if n := least(name, faults); f.Replica >= n {
			return fmt.Sprintf("replica = %d: the cluster of %s has 0 to %d: write one of these, or a role", f.Replica, name, n-1)
		}
	}
	return ""
}

// least is how many replicas of a protocol tolerate so many faults.
func least(name string, faults int) int {
	p, _ := protocol.Lookup(name)
	return p.Model.Least(faults)
}
