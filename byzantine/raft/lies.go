package raft

import (
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/protocol"
)

// Lies are what members of Raft can do beside what those of any protocol can.
// They have no outcome with f of 3f+1: that is another protocol's arithmetic.
func Lies() byzantine.Lies {
	all := slices.Concat(entryProfiles(), snapshotProfiles(), commitProfiles(), voteProfiles())
	for i := range all {
		all[i].Protocols = []string{protocol.Raft}
	}
	return byzantine.Lies{Protocol: protocol.Raft, Profiles: all}
}

// Parameters that several of them take.
var (
	lead      = byzantine.Param{Name: "lead", Default: "yes", Help: "yes: deposes whoever leads and takes its place; no: waits until it leads"}
	otherwise = byzantine.How("empty, stamp, order, subset, null, any", "empty", "how the other entry differs")
)
