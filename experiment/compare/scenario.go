package compare

import (
	"fmt"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/protocol"
)

// defaultText is the scenario that is played if there is no file.
const defaultText = `name = "the leader crashes and returns; then a follower halts for a while"

[[fault]]
at = "25%"
kind = "crash"
role = "leader"

[[fault]]
at = "50%"
kind = "restart"

[[fault]]
at = "65%"
kind = "pause"
role = "follower"

[[fault]]
at = "80%"
kind = "resume"
`

// Default is the scenario that is played if there is no file.
func Default() *spec.Scenario {
	s, err := spec.ParseScenario([]byte(defaultText))
	if err != nil {
		panic(fmt.Sprintf("the built-in scenario: %v", err))
	}
	return s
}

// Protocols are the two that are compared, in the order of display.
func Protocols() []string { return []string{protocol.Raft, protocol.PBFT} }

// bind holds a scenario against what there is, and answers the faults of each
// protocol: how long the load lasts, and how many replicas each cluster has to
// tolerate so many faults. Errors are *spec.ScenarioErrors.
func bind(s *spec.Scenario, whole time.Duration, faults int) (map[string][]spec.Fault, error) {
	if len(s.Sets) > 0 {
		return nil, &spec.ScenarioError{File: s.File, Text: "it has [[set]]s, which `quorate byzantine scenario` runs: a comparison has a load of its own, and [[fault]]s"}
	}
	all := map[string][]spec.Fault{}
	for _, name := range Protocols() {
		p, err := protocol.Lookup(name)
		if err != nil {
			return nil, err
		}
		if all[name], err = s.FaultsFor(p, p.Model.Least(faults), consensus.Time(whole)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// least is how many replicas of a protocol tolerate so many faults.
func least(name string, faults int) int {
	p, _ := protocol.Lookup(name)
	return p.Model.Least(faults)
}
