package simulate

import (
	"testing"

	"quorate.dev/quorate/byzantine/catalogue"
	"quorate.dev/quorate/experiment/spec"
)

// TestRaftProfiles: one of three with each behaviour ends as the catalogue says,
// the lies are told, and nobody is convicted, because members of Raft sign
// nothing.
func TestRaftProfiles(t *testing.T) {
	for _, p := range catalogue.All() {
		if !p.For("raft") {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			invoked := 12
			if p.Name == "forge-snapshot" {
				invoked = 40 // or there is no checkpoint to lie about
			}
			endsAsPromised(t, p, spec.ProfileRuns{Protocol: "raft", Behaviour: p.Name, Replicas: 3}, invoked)
		})
	}
}

// TestOneForksRaft: one traitor is enough, among three and among five, in the
// first seed or, where it waits for others to be away, in one of a few.
func TestOneForksRaft(t *testing.T) {
	for text, seeds := range map[string]uint64{
		"fork-entries": 1, "fork-entries stamp": 1, "fork-entries null": 1, "fork-entries any": 1, "forge-append": 1, "forge-append stamp": 1, "false-commit": 1,
		"two-votes": 6, "false-ack": 6, "amnesia": 6, "twin": 6,
	} {
		for _, n := range []int{3, 5} {
			forks := 0
			for seed := uint64(1); seed <= seeds && forks == 0; seed++ {
				c := spec.ProfileRuns{Protocol: "raft", Behaviour: text, Replicas: n}
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
