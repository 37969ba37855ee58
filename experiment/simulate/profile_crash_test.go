package simulate

import (
	"testing"

	"quorate.dev/quorate/byzantine/catalogue"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/protocol"
)

// TestRaftProfiles: one of three with each behaviour ends as the catalogue says,
// the lies are told, and nobody is convicted, because members of Raft sign
// nothing.
func TestRaftProfiles(t *testing.T) { everyProfile(t, protocol.Raft, "forge-snapshot") }

// TestPaxosProfiles: the same of Paxos, whose members sign nothing either.
func TestPaxosProfiles(t *testing.T) { everyProfile(t, protocol.Paxos, "forge-state") }

// everyProfile runs the behaviours for a protocol. The one named last lies about
// checkpoints, and must see one.
func everyProfile(t *testing.T, name, aboutStates string) {
	for _, p := range catalogue.All() {
		if !p.For(name) {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			invoked := 12
			if p.Name == aboutStates {
				invoked = 40
			}
			endsAsPromised(t, p, spec.ProfileRuns{Protocol: name, Behaviour: p.Name, Replicas: 3}, invoked)
		})
	}
}

// TestOneForksRaft: one traitor is enough, among three and among five, in the
// first seed or, where it waits for others to be away, in one of a few.
func TestOneForksRaft(t *testing.T) {
	oneForks(t, protocol.Raft, map[string]uint64{
		"fork-entries": 1, "fork-entries stamp": 1, "fork-entries null": 1, "fork-entries any": 1, "forge-append": 1, "forge-append stamp": 1, "false-commit": 1,
		"two-votes": 6, "false-ack": 6, "amnesia": 6, "twin": 6,
	})
}

// TestOneForksPaxos: the same bound, whoever leads: 2f+1 trust their members.
func TestOneForksPaxos(t *testing.T) {
	oneForks(t, protocol.Paxos, map[string]uint64{
		"fork-accepts": 1, "fork-accepts stamp": 1, "fork-accepts null": 1, "fork-accepts any": 1, "false-commit": 1,
		"false-promise": 6, "two-promises": 6, "false-accepted": 6, "amnesia": 6, "twin": 6,
	})
}

// oneForks looks for a fork of each behaviour in so many seeds.
func oneForks(t *testing.T, name string, behaviours map[string]uint64) {
	for text, seeds := range behaviours {
		for _, n := range []int{3, 5} {
			forks := 0
			for seed := uint64(1); seed <= seeds && forks == 0; seed++ {
				c := spec.ProfileRuns{Protocol: name, Behaviour: text, Replicas: n}
				o, err := Run(c.Spec(seed))
				if err != nil {
					t.Fatal(err)
				}
				if o.Word() == spec.Forked {
					forks++
				}
			}
			if forks == 0 {
				t.Errorf("%s, n=%d: no fork in %d seeds", text, n, seeds)
			}
		}
	}
}

// TestForkInTheCalmEnds: a fork that comes to light when the network is whole
// ends its run, in which members may go on contradicting each other for ever.
func TestForkInTheCalmEnds(t *testing.T) {
	c := spec.ProfileRuns{Protocol: "raft", Behaviour: "amnesia", Replicas: 3}
	o, err := Run(c.Spec(3))
	if err != nil {
		t.Fatal(err)
	}
	if o.Word() != spec.Forked || o.Live {
		t.Errorf("%s, live %v, want a fork", o.Word(), o.Live)
	}
}

// TestCensorLeadsRaft: a leader that starves its clients stays in office, for it
// sends its heartbeats; a follower that does starves nobody.
func TestCensorLeadsRaft(t *testing.T) {
	c := spec.ProfileRuns{Protocol: "raft", Behaviour: "censor", Replicas: 3}
	led, err := Run(c.Spec(1))
	if err != nil {
		t.Fatal(err)
	}
	if led.Word() != spec.Stopped || led.Answered > 0 || led.Lies == 0 {
		t.Errorf("a censor that leads: %s, %d of %d answered", led.Word(), led.Answered, led.Asked)
	}
}
