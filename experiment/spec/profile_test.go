package spec

import (
	"errors"
	"strings"
	"testing"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/byzantine/catalogue"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
)

// unsafe is the outcome of a run in which something was executed twice.
func unsafe() Outcome {
	return Outcome{Live: true, Verdict: check.Verdict{Violations: []check.Violation{{Kind: check.Twice}}}}
}

// TestExpected: an outcome that the catalogue does not promise is not let pass.
func TestExpected(t *testing.T) {
	words := []string{Live, Stopped, Forked, Deceived, Unsafe}
	outcomes := map[string]Outcome{Live: {Live: true}, Stopped: {}, Forked: {}, Deceived: {Live: true, Verdict: check.Verdict{Violations: []check.Violation{{Kind: check.Deceived}}}}, Unsafe: unsafe()}
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

// TestForkOfStates: two histories, one of which reached the honest in a state alone,
// are a fork where one may happen; what else is wrong is never let pass with it.
func TestForkOfStates(t *testing.T) {
	o := Outcome{Verdict: check.Verdict{Violations: []check.Violation{{Kind: check.Divergence}, {Kind: check.Twice}}}}
	if !Expected(byzantine.MayFork, &o) || Expected(byzantine.MayStop, &o) || Expected(byzantine.SafeLive, &o) {
		t.Error("two states are no fork, or a fork is let pass")
	}
	o.Verdict.Violations = append(o.Verdict.Violations, check.Violation{Kind: check.Contradiction})
	if Expected(byzantine.MayFork, &o) {
		t.Error("an honest replica contradicts itself, and a fork excuses it")
	}
}

func TestCampaignsAreChecked(t *testing.T) {
	for want, c := range map[string]ProfileRuns{
		"no such behaviour": {Behaviour: "sing", Replicas: 4},
		"choose 1 to":       {Behaviour: "silent"},
		"at least 4":        {Behaviour: "silent", Replicas: 3},
		"-1 traitors":       {Behaviour: "silent", Replicas: 4, Traitors: -1},
		"known kinds":       {Behaviour: "drop kind=FOO", Replicas: 4},
		"client=":           {Behaviour: "lie to=2", Replicas: 4},
		"to choose from":    {Behaviour: "poison kind=REPLY", Replicas: 4},
		"has 4 replicas":    {Behaviour: "silent to=7", Replicas: 4, Coalition: true},
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
	silent := *catalogue.Lookup("silent")
	for _, x := range []struct {
		protocol           string
		replicas, traitors int
		promised           bool
	}{
		{"pbft", 4, 1, true}, {"pbft", 4, 2, true}, {"pbft", 4, 3, false}, {"pbft", 5, 1, true}, {"pbft", 5, 2, false},
		{"pbft", 3, 1, false}, {"pbft", 1, 1, false}, {"pbft", 7, 3, true},
		{"raft", 3, 1, true}, {"raft", 4, 1, true}, {"raft", 5, 1, true}, {"raft", 3, 2, false}, {"raft", 2, 1, false}, {"raft", 1, 1, false},
	} {
		c := ProfileRuns{Protocol: x.protocol, Behaviour: "silent", Replicas: x.replicas, Traitors: x.traitors}
		if _, promised := c.Want(silent); promised != x.promised {
			t.Errorf("%s with %d of %d: promised %v", x.protocol, x.traitors, x.replicas, promised)
		}
	}
}

func TestCampaignsOfRaftAreChecked(t *testing.T) {
	for want, c := range map[string]ProfileRuns{
		"choose pbft, raft or paxos": {Behaviour: "silent", Replicas: 3, Protocol: "zab"},
		"a lie of pbft":              {Behaviour: "equivocate", Replicas: 3, Protocol: "raft"},
		"is a lie of pbft":           {Behaviour: "vc-spam", Replicas: 3, Protocol: "raft"},
		"a lie of raft":              {Behaviour: "fork-entries", Replicas: 4},
		"known kinds":                {Behaviour: "drop kind=PREPARE", Replicas: 3, Protocol: "raft"},
		"one of: yes, no":            {Behaviour: "false-commit perhaps", Replicas: 3, Protocol: "raft"},
	} {
		if _, err := c.Check(); !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error about %q, got %v", want, err)
		}
	}
	ok := ProfileRuns{Behaviour: "drop 40% kind=MsgApp,MsgAppResp,FETCH", Replicas: 3, Protocol: "raft"}
	if _, err := ok.Check(); err != nil {
		t.Error(err)
	}
}
