package node

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// A follower of Raft is ready if it hears its leader, in a cluster of any size: of
// the other followers it hears nothing. A leader, and a replica of PBFT, need a
// quorum.
func TestFollowersHearTheirLeaderOnly(t *testing.T) {
	const need = 3 // of 5 of Raft, of 4 of PBFT
	for _, c := range []struct {
		name     string
		protocol string
		primary  consensus.ReplicaID
		heard    []consensus.ReplicaID
		ready    bool
	}{
		{"a follower that hears its leader", protocol.Raft, 3, []consensus.ReplicaID{0, 3}, true},
		{"a follower that hears nobody", protocol.Raft, 3, []consensus.ReplicaID{0}, false},
		{"a leader that hears a majority", protocol.Raft, 0, []consensus.ReplicaID{0, 1, 2}, true},
		{"a leader that hears one follower", protocol.Raft, 0, []consensus.ReplicaID{0, 1}, false},
		{"a backup of PBFT that hears its primary", protocol.PBFT, 3, []consensus.ReplicaID{0, 3}, false},
	} {
		s := consensus.Status{Replica: 0, Primary: c.primary, High: 8, Heard: c.heard}
		if why := unready(of(t, c.protocol), &s, need); (len(why) == 0) != c.ready {
			t.Errorf("%s: %q", c.name, why)
		}
	}
}
