package byzantine

import (
	"errors"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
)

func TestPlanRefuses(t *testing.T) {
	e := fakeEnv(t, 4, "pbft")
	for text, want := range map[string]string{
		"drop to=4":          "4 replicas",
		"drop kind=PREPARED": "known kinds are",
		"drop 200%":          "between 0% and 100%",
		"delay 80":           "duration",
		"delay 10001%":       "at most 10000%",
		"garbage how=badly":  "one of: any, flip",
		"duplicate 1":        "between 2 and 16",
		"silent many":        "number",
		"time 1d":            "duration",
		"time how=odd":       "one of: ahead",
		"time ticks=17":      "between 0 and 16",
		"flicker 0s":         "length",
		"lie how=never":      "one of: result",
		"lie after=1s":       "no clock",
		"lie to=1":           "client=",
		"lie client=3":       "3 clients",
		"censor zzzzzzzz":    "digits of their keys",
		"flood 0":            "between 1 and 1000",
		"slow-reader 1025":   "between 0 and 1024",
		"replay from=me":     "one of: own",
		"rollback 1":         "share",
		"request-flood":      "not a replica",
	} {
		s, err := known().Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		_, err = e.Plan(s)
		if !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want it to say %q", text, err, want)
		}
	}
	other := fakeEnv(t, 4, "fake")
	if _, err := other.Plan(parse(t, "equivocate")); !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), "pbft") {
		t.Errorf("equivocation without PBFT: %v", err)
	}
	if _, err := e.Plan(Spec{Profile: known().Lookup("dark"), Main: "3"}); !errors.Is(err, ErrSpec) {
		t.Errorf("a main parameter too many: %v", err)
	}
	if _, err := e.Plan(Spec{Profile: known().Lookup("drop"), Options: map[string]string{"share": "3%"}}); !errors.Is(err, ErrSpec) {
		t.Errorf("the main parameter among the options: %v", err)
	}
}

// Of a protocol that is not known, and of messages that are, kinds have names
// all the same.
func TestKindsOfNoProtocol(t *testing.T) {
	e := fakeEnv(t, 4, "fake")
	k := kindsOf(&e.Genesis)
	for _, c := range []struct {
		event consensus.Event
		want  string
	}{{consensus.Receive{Message: 3}, "MESSAGE"}, {consensus.Submit{}, "REQUEST"}, {consensus.Tick{}, ""}} {
		if got := k.event(c.event); got != c.want {
			t.Errorf("%+v is called %q, want %q", c.event, got, c.want)
		}
	}
	p := play(t, e, chatter(), "drop kind=0X10 to=1")
	if got := words(p.step()); len(got) != 2 {
		t.Errorf("%q", got)
	}
}
