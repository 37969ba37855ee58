package trial

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
)

// heavy are the profiles whose floods cost seconds of real time.
var heavy = []string{"flood", "oversize", "poison", "fetch-flood", "garbage-client", "poison-transfer", "request-flood"}

// TestProfiles runs each profile of the catalogue with f of four in two seeds,
// and sees to it that the lies are told;
// make profiles SEEDS=1000 runs more.
func TestProfiles(t *testing.T) {
	for _, p := range byzantine.Catalogue() {
		if !p.For("pbft") {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			endsAsPromised(t, p, Campaign{Behaviour: p.Name, Replicas: 4}, 12)
		})
	}
}

// endsAsPromised runs a campaign in two seeds, or one of what is heavy, and in
// further ones until a lie is told. Each client invokes so many operations.
func endsAsPromised(t *testing.T, p byzantine.Profile, c Campaign, invoked int) {
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
		o, err := Simulate(s)
		if err != nil {
			t.Fatal(err)
		}
		if !promised || !Expected(want, &o) {
			t.Errorf("seed %d: %s, want %s: %v", seed, o.Word(), want, o.Verdict.Violations)
		}
		if c.Protocol == quorum.Raft && len(o.Verdict.Culprits) > 0 {
			t.Errorf("seed %d: %v are convicted, and members of Raft sign nothing", seed, o.Verdict.Culprits)
		}
		lies += o.Lies
	}
	if lies == 0 {
		t.Error("nobody lied: these runs prove nothing")
	}
}

// TestExpected: an outcome that the catalogue does not promise is not let pass.
func TestExpected(t *testing.T) {
	words := []string{Live, Stopped, Forked, Deceived, Unsafe}
	outcomes := map[string]Outcome{Live: {Live: true}, Stopped: {}, Forked: {}, Deceived: {Live: true, Deceived: true}, Unsafe: unsafe()}
	forked := outcomes[Forked]
	forked.Verdict.Forked = true
	outcomes[Forked] = forked
	for want, allowed := range map[byzantine.Outcome]string{
		byzantine.SafeLive: Live, byzantine.SafeSlow: Live, byzantine.SafeStopped: Stopped, byzantine.MayStop: Live + "," + Stopped,
		byzantine.Forks: Forked, byzantine.Deceives: Deceived,
		byzantine.MayDeceive: Deceived + "," + Live, byzantine.Breaks: strings.Join([]string{Forked, Deceived, Unsafe}, ","),
		byzantine.MayFork: strings.Join([]string{Live, Stopped, Forked, Deceived}, ","), "": "",
	} {
		for _, word := range words {
			o := outcomes[word]
			if o.Word() != word {
				t.Fatalf("%q is %q", word, o.Word())
			}
			if got, legal := Expected(want, &o), allowed != "" && strings.Contains(","+allowed+",", ","+word+","); got != legal {
				t.Errorf("%q for a promise of %q: %v", word, want, got)
			}
		}
	}
}

func TestCampaignsAreChecked(t *testing.T) {
	for want, c := range map[string]Campaign{
		"no such behaviour": {Behaviour: "sing", Replicas: 4},
		"between 1 and":     {Behaviour: "silent"},
		"at least 4":        {Behaviour: "silent", Replicas: 3},
		"-1 traitors":       {Behaviour: "silent", Replicas: 4, Traitors: -1},
		"known kinds":       {Behaviour: "drop kind=FOO", Replicas: 4},
		"client=":           {Behaviour: "lie to=2", Replicas: 4},
		"to choose from":    {Behaviour: "poison kind=REPLY", Replicas: 4},
		"has 4 replicas":    {Behaviour: "silent to=7", Replicas: 4, Gang: true},
		"65 misbehaving":    {Behaviour: "poison", Replicas: 4, Traitors: 65},
		"9 traitors":        {Behaviour: "silent", Replicas: 4, Traitors: 9},
		"replica 4":         {Behaviour: "silent", Replicas: 4, At: []consensus.ReplicaID{4}},
		"done by a client":  {Behaviour: "conflict", Replicas: 4, At: []consensus.ReplicaID{1}},
	} {
		if _, err := c.Check(); !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error about %q, got %v", want, err)
		} else if strings.Contains(err.Error(), "seed=") || strings.Contains(err.Error(), "\n") {
			t.Errorf("more is said than what is wrong: %v", err)
		}
	}
}

// TestPromisesOfTheCatalogue: it speaks of systems that tolerate a fault, and of
// one traitor too many only where there are no more replicas than that takes.
func TestPromisesOfTheCatalogue(t *testing.T) {
	silent, _ := byzantine.Lookup("silent")
	for _, x := range []struct {
		protocol           string
		replicas, traitors int
		promised           bool
	}{
		{"pbft", 4, 1, true}, {"pbft", 4, 2, true}, {"pbft", 4, 3, false}, {"pbft", 5, 1, true}, {"pbft", 5, 2, false},
		{"pbft", 3, 1, false}, {"pbft", 1, 1, false}, {"pbft", 7, 3, true},
		{"raft", 3, 1, true}, {"raft", 4, 1, true}, {"raft", 5, 1, true}, {"raft", 3, 2, false}, {"raft", 2, 1, false}, {"raft", 1, 1, false},
	} {
		c := Campaign{Protocol: x.protocol, Behaviour: "silent", Replicas: x.replicas, Traitors: x.traitors}
		if _, promised := c.Want(silent); promised != x.promised {
			t.Errorf("%s with %d of %d: promised %v", x.protocol, x.traitors, x.replicas, promised)
		}
	}
}
