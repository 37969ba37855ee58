package paxos

import (
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/protocol"
)

// Lies are what members of Paxos can do beside what those of any protocol can.
// They have no outcome with f of 3f+1: that is another protocol's arithmetic.
func Lies() byzantine.Lies {
	all := slices.Concat(leaderProfiles(), acceptorProfiles(), stateProfiles())
	for i := range all {
		all[i].Protocols = []string{protocol.Paxos}
	}
	return byzantine.Lies{Protocol: protocol.Paxos, Profiles: all}
}

// Parameters that several of them take.
var (
	lead      = byzantine.Param{Name: "lead", Default: "yes", Help: "yes: deposes whoever leads and takes its place; no: waits until it leads"}
	otherwise = byzantine.How("empty, stamp, order, subset, null, any", "empty", "how the other batch differs")
)
