package byzantine

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

var wellNamed = regexp.MustCompile(`^[a-z][a-z-]*$`)

// Every profile is complete, and no two can be confused.
func TestCatalogue(t *testing.T) {
	outcomes := []Outcome{SafeLive, SafeSlow, SafeStopped, MayStop, Forks, MayFork, Deceives, MayDeceive, Breaks}
	seen := map[string]string{}
	for _, p := range Catalogue() {
		for _, name := range append([]string{p.Name}, p.Aliases...) {
			if seen[name] != "" || !wellNamed.MatchString(name) {
				t.Errorf("%q names %s, and %s", name, p.Name, seen[name])
			}
			seen[name] = p.Name
			if found, ok := Lookup(name); !ok || found.Name != p.Name {
				t.Errorf("Lookup(%q) finds %q", name, found.Name)
			}
		}
		if p.Group == "" || p.Sentence == "" {
			t.Errorf("%s is not complete: %+v", p.Name, p)
		}
		if p.For("pbft") != (slices.Contains(outcomes, p.AtF) && slices.Contains(outcomes, p.AtF1)) || p.For("raft") != slices.Contains(outcomes, p.OneOf("raft")) {
			t.Errorf("%s has not the outcomes of its protocols: %+v", p.Name, p)
		}
		if p.For("pbft") && p.AtF != SafeLive && p.AtF != SafeSlow {
			t.Errorf("%s: f of 3f+1 may do anything, and the rest stay %q", p.Name, p.AtF)
		}
		for _, q := range p.Params {
			if !wellNamed.MatchString(q.Name) || slices.Contains(commonNames, q.Name) || q.Help == "" || q.Default == "" || strings.ContainsAny(q.Default, " =") {
				t.Errorf("%s: parameter %+v", p.Name, q)
			}
		}
	}
	for _, name := range []string{"crash", "sign", "in-dark", "dark", "time", "equivocation"} {
		if seen[name] == "" {
			t.Errorf("a course's name is missing: %s", name)
		}
	}
	if p, ok := Lookup("nobody"); ok {
		t.Errorf("found %+v", p)
	}
}

// Every behaviour can be had by its name alone, by a replica or by a client,
// and never by the other.
func TestDefaults(t *testing.T) {
	for _, p := range Catalogue() {
		e := fakeEnv(t, 4, "pbft")
		if !p.For("pbft") {
			e = fakeEnv(t, 3, "raft")
		}
		e.Signer = crypto.NewSigner([32]byte{1})
		_, asReplica := e.Plan(Spec{Name: p.Name})
		_, asClient := NewVillain(e.Genesis, e.Signer, Spec{Name: p.Name}, 1, func() []byte { return nil })
		right, wrong := asReplica, asClient
		if p.Client {
			right, wrong = asClient, asReplica
		}
		if right != nil || !errors.Is(wrong, ErrSpec) {
			t.Errorf("%s: as it should be: %v; as it should not: %v", p.Name, right, wrong)
		}
	}
}

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
		s, err := Parse(text)
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
	if _, err := other.Plan(Spec{Name: "equivocate"}); !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), "pbft") {
		t.Errorf("equivocation without PBFT: %v", err)
	}
	if _, err := e.Plan(Spec{Name: "dark", Main: "3"}); !errors.Is(err, ErrSpec) {
		t.Errorf("a main parameter too many: %v", err)
	}
	if _, err := e.Plan(Spec{Name: "drop", Options: map[string]string{"share": "3%"}}); !errors.Is(err, ErrSpec) {
		t.Errorf("the main parameter among the options: %v", err)
	}
}

func TestKinds(t *testing.T) {
	n := namers["pbft"]
	for b, want := range map[byte]string{
		1: "REQUEST", 2: "REPLY", 3: "REFUSAL", 0x10: "PRE-PREPARE", 0x11: "PREPARE", 0x12: "COMMIT", 0x13: "CHECKPOINT", 0x14: "VIEW-CHANGE",
		0x15: "NEW-VIEW", 0x16: "STATUS", 0x17: "FETCH", 0x18: "GIVEN", 0x19: "REJOIN", 0x1a: "REJOIN-ANSWER", 0x1b: "0X1B", 0xff: "0XFF",
	} {
		if got := n.frame([]byte{b, 0}); got != want {
			t.Errorf("%#x is called %q, want %q", b, got, want)
		}
	}
	if got := n.frame(nil); got != "EMPTY" {
		t.Errorf("an empty frame is called %q", got)
	}
	other := namers["fake"]
	if got := other.frame([]byte{0x10}); got != "0X10" {
		t.Errorf("a frame of another protocol is called %q", got)
	}
	if got := other.event(consensus.Receive{Message: 3}); got != "MESSAGE" {
		t.Errorf("a message of another protocol is called %q", got)
	}
	if got := other.event(consensus.Submit{}); got != "REQUEST" {
		t.Errorf("a request is called %q", got)
	}
}
