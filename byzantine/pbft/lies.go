package pbft

import (
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/protocol"
)

// Lies are what replicas of PBFT can do beside what those of any protocol can.
func Lies() byzantine.Lies {
	all := slices.Concat(
		primaryProfiles(), voteProfiles(), certificateProfiles(), viewProfiles(), checkpointProfiles(), transferProfiles(), forkProfiles(), poisonProfiles())
	for i := range all {
		all[i].Protocols = []string{protocol.PBFT}
	}
	return byzantine.Lies{
		Protocol: protocol.PBFT, Profiles: all, Coalitions: coalitions,
		Kinds: []string{"PRE-PREPARE", "PREPARE", "COMMIT", "CHECKPOINT", "VIEW-CHANGE", "NEW-VIEW", "PREPARE,COMMIT", "VIEW-CHANGE,NEW-VIEW"},
	}
}

// coalitions are what f+1 do together: most that can fork, some that deceive
// clients or stop everything.
var coalitions = [][]string{
	{"fork"}, {"fork"}, {"fork"}, {"fork"}, {"fork-views"}, {"fork-views"}, {"fork-views"},
	{"equivocate", "double-vote"}, {"equivocate any", "double-vote"}, {"equivocate", "hide-prepared"}, {"hide-prepared"},
	{"equivocate-new-view", "hide-prepared"}, {"fake-prepared"}, {"lie"}, {"lie", "fork"}, {"poison-checkpoint"},
	{"twin"}, {"amnesia"}, {"vc-spam"}, {"silent"}, {"bad-new-view"},
}
