package simulate

import (
	"slices"
	"testing"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/byzantine/catalogue"
	"quorate.dev/quorate/experiment/spec"
)

// heavy are the profiles whose floods cost seconds of real time.
var heavy = []string{"flood", "oversize", "poison", "fetch-flood", "garbage-client", "poison-transfer", "request-flood"}

// TestProfiles runs each profile of the catalogue with f of four in two seeds,
// and sees to it that the lies are told;
// make profiles SEEDS=1000 runs more.
func TestProfiles(t *testing.T) {
	for _, p := range catalogue.All() {
		if !p.For("pbft") {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			endsAsPromised(t, p, spec.ProfileRuns{Behaviour: p.Name, Replicas: 4}, 12)
		})
	}
}

// endsAsPromised runs a campaign in two seeds, or one of what is heavy, and in
// further ones until a lie is told. Each client invokes so many operations.
func endsAsPromised(t *testing.T, p byzantine.Profile, c spec.ProfileRuns, invoked int) {
	t.Helper()
	if _, err := c.Check(); err != nil {
		t.Fatal(err)
	}
	want, promised := c.Want(p)
	last := uint64(2)
	if slices.Contains(heavy, p.Name) {
		last = 1
	}
	lies := 0
	for seed := uint64(1); seed <= last || lies == 0 && seed <= 8; seed++ {
		s := c.Spec(seed)
		s.Invoked = invoked
		o, err := Run(s)
		if err != nil {
			t.Fatal(err)
		}
		if !promised || !spec.Expected(want, &o) {
			t.Errorf("seed %d: %s, want %s: %v", seed, o.Word(), want, o.Verdict.Violations)
		}
		if !s.UnderTest().Signed && len(o.Verdict.Culprits) > 0 {
			t.Errorf("seed %d: %v are convicted, and members of %s sign nothing", seed, o.Verdict.Culprits, s.UnderTest().Title)
		}
		lies += o.Lies
	}
	if lies == 0 {
		t.Error("nobody lied: these runs prove nothing")
	}
}
