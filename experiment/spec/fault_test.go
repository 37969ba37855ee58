package spec

import (
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// TestTimeline: each fault that lasts is followed by its end, what ends at a moment
// comes before what begins, and a timeline of a timeline is the same.
func TestTimeline(t *testing.T) {
	s := Spec{
		Protocol: protocol.PBFT,
		Faults: []Fault{
			{At: 3, Lasts: 2, Kind: Delay, Replicas: []consensus.ReplicaID{0}, By: 1},
			{At: 1, Lasts: 2, Kind: Partition, Replicas: []consensus.ReplicaID{1}},
			{At: 2, Lasts: 9, Kind: Wipe, Replicas: []consensus.ReplicaID{2}},
			{At: 4, Kind: Crash, Role: RoleLeader},
		},
		Traitors: []sim.Traitor{{Replica: 3, Schedule: []sim.Assignment{{Behaviours: []string{"silent"}}, {From: 6}, {From: 7, Behaviours: []string{"lie"}}}}},
	}
	var got []string
	for _, f := range s.Timeline() {
		got = append(got, f.Text(s.UnderTest().Words))
	}
	want := "partition replica 1|wipe replica 2|partition ends: replica 1|delay replica 0 (1ns)|crash primary|delay ends: replica 0|heal replica 3|corrupt replica 3 (lie)"
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
	again := Timeline(s.Timeline())
	if len(again) != len(got) || !slices.IsSortedFunc(again, func(a, b Fault) int { return int(a.At - b.At) }) {
		t.Errorf("again: %+v", again)
	}
}

// TestFaultText: in the words of the protocol, with the role and who has it.
func TestFaultText(t *testing.T) {
	raft, _ := protocol.Lookup(protocol.Raft)
	for want, f := range map[string]Fault{
		"crash leader: replica 2":               {Kind: Crash, Role: RoleLeader, Replicas: []consensus.ReplicaID{2}},
		"pause follower":                        {Kind: Pause, Role: RoleFollower},
		"restart the crashed one":               {Kind: Crash, Ends: true, Role: RoleCrashed},
		"resume replica 0, replica 1":           {Kind: Pause, Ends: true, Replicas: []consensus.ReplicaID{0, 1}},
		"disk full ends: replica 1":             {Kind: DiskFull, Ends: true, Replicas: []consensus.ReplicaID{1}},
		"corrupt replica 3 (silent, delay 80%)": {Kind: Corrupt, Replicas: []consensus.ReplicaID{3}, Behaviours: []string{"silent", "delay 80%"}},
		"delay leader: replica 0 (40ms)":        {Kind: Delay, Role: RoleLeader, Replicas: []consensus.ReplicaID{0}, By: 40 * sim.Millisecond},
		"torn write replica 1":                  {Kind: TornWrite, Replicas: []consensus.ReplicaID{1}},
	} {
		if got := f.Text(raft.Words); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for _, k := range kinds {
		if want := slices.Contains([]Kind{Isolate, Partition, Deaf, Mute, Apart}, k); k.Cuts() != want {
			t.Errorf("%s cuts links: %v", k, !want)
		}
	}
}

// TestParseFaults: what a file can say of a fault, and what it cannot.
func TestParseFaults(t *testing.T) {
	s, err := ParseScenario([]byte(`
[[fault]]
at = "10%"
lasts = "2s"
kind = "delay"
replicas = [0, 1]
by = "40ms"
[[fault]]
at = "3s"
kind = "heal"
[[fault]]
at = "2s"
kind = "corrupt"
replica = 2
behaviours = ["silent"]
raft = []
`))
	if err != nil {
		t.Fatal(err)
	}
	raft, _ := protocol.Lookup(protocol.Raft)
	pbft, _ := protocol.Lookup(protocol.PBFT)
	faults, err := s.FaultsFor(pbft, 4, 10*sim.Second)
	if err != nil || len(faults) != 3 || faults[0].At != sim.Second || faults[0].By != 40*sim.Millisecond || faults[0].Lasts != 2*sim.Second ||
		len(faults[0].Replicas) != 2 || faults[1].Behaviours[0] != "silent" || faults[2].Role != RoleCorrupted || !faults[2].Ends {
		t.Errorf("%+v, %v", faults, err)
	}
	if faults, err := s.FaultsFor(raft, 3, 10*sim.Second); err != nil || len(faults) != 2 {
		t.Errorf("a lie of the other protocol alone: %+v, %v", faults, err)
	}
	for text, want := range map[string]string{
		"at = '1s'\nkind = 'delay'\nreplica = 0":                            "by = \"\": write how much later",
		"at = '1s'\nkind = 'crash'\nreplica = 0\nby = '1s'":                 "by is only for kind = \"delay\"",
		"at = '1s'\nkind = 'restart'\nreplica = 0\nlasts = '1s'":            "lasts has no meaning for restart",
		"at = '1s'\nkind = 'wipe'\nreplica = 0\nlasts = '1s'":               "lasts has no meaning for wipe",
		"at = '1s'\nkind = 'crash'\nreplica = 0\nlasts = 'long'":            "lasts = \"long\": write a time",
		"at = '1s'\nkind = 'crash'\nreplica = 1\nreplicas = [0]":            "replica and replicas: write one",
		"at = '1s'\nkind = 'corrupt'\nreplica = 0\nraft = 'silent'":         "raft must be a list of texts",
		"at = '1s'\nkind = 'corrupt'\nreplica = 0\npbft = [1]":              "pbft must be a list of texts",
		"at = '1s'\nkind = 'corrupt'\nreplica = 0\nzab = ['silent']":        "unknown key \"fault.zab\"",
		"at = '1s'\nkind = 'crash'\nreplica = 0\nraft = ['silent']":         "a crash has no behaviours",
		"at = '1s'\nkind = 'isolate'\nreplicas = [0, 99]":                   "write a number from 0",
		"at = '1s'\nkind = 'corrupt'\nreplica = 0\nbehaviours = ['sielnt']": "sielnt",
	} {
		if _, err := ParseScenario([]byte("[[fault]]\n" + text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}
