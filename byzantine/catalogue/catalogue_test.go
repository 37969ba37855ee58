package catalogue

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/byzantine/client"
	"quorate.dev/quorate/byzantine/pbft"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/protocol"
)

var wellNamed = regexp.MustCompile(`^[a-z][a-z-]*$`)

// trusting are the protocols in which nobody is to lie.
func trusting() []protocol.Protocol {
	return slices.DeleteFunc(protocol.All(), func(p protocol.Protocol) bool { return p.Model == quorum.Byzantine })
}

// Every profile is complete, and no two can be confused.
func TestCatalogue(t *testing.T) {
	outcomes := []byzantine.Outcome{
		byzantine.SafeLive, byzantine.SafeSlow, byzantine.SafeStopped, byzantine.MayStop, byzantine.Forks, byzantine.MayFork,
		byzantine.Deceives, byzantine.MayDeceive, byzantine.Breaks,
	}
	seen := map[string]string{}
	for _, p := range All() {
		for _, name := range append([]string{p.Name}, p.Aliases...) {
			if seen[name] != "" || !wellNamed.MatchString(name) {
				t.Errorf("%q names %s, and %s", name, p.Name, seen[name])
			}
			seen[name] = p.Name
			if found := Lookup(name); found == nil || found.Name != p.Name {
				t.Errorf("Lookup(%q) finds %+v", name, found)
			}
		}
		if p.Group == "" || p.Sentence == "" {
			t.Errorf("%s is not complete: %+v", p.Name, p)
		}
		if p.For("pbft") != (slices.Contains(outcomes, p.AtF) && slices.Contains(outcomes, p.AtF1)) {
			t.Errorf("%s has not the outcomes of PBFT: %+v", p.Name, p)
		}
		for _, of := range trusting() {
			if p.For(of.Name) != slices.Contains(outcomes, p.OneOf(of)) {
				t.Errorf("%s has not the outcome of %s: %+v", p.Name, of.Name, p)
			}
		}
		if p.For("pbft") && p.AtF != byzantine.SafeLive && p.AtF != byzantine.SafeSlow {
			t.Errorf("%s: f of 3f+1 may do anything, and the rest stay %q", p.Name, p.AtF)
		}
		for _, q := range p.Params {
			if !wellNamed.MatchString(q.Name) || slices.Contains([]string{"to", "kind", "chance", "after", "until"}, q.Name) || q.Help == "" || q.Default == "" || strings.ContainsAny(q.Default, " =") {
				t.Errorf("%s: parameter %+v", p.Name, q)
			}
		}
	}
	for _, name := range []string{"crash", "sign", "in-dark", "dark", "time", "equivocation"} {
		if seen[name] == "" {
			t.Errorf("a course's name is missing: %s", name)
		}
	}
	if p := Lookup("nobody"); p != nil {
		t.Errorf("found %+v", p)
	}
}

// Every behaviour can be had by its name alone, by a replica or by a client,
// and never by the other.
func TestDefaults(t *testing.T) {
	for _, p := range All() {
		e := env(4, "pbft")
		if !p.For("pbft") {
			e = env(3, p.Protocols[0])
		}
		_, asReplica := e.Plan(byzantine.Spec{Profile: &p})
		_, asClient := client.New(e.Genesis, e.Signer, byzantine.Spec{Profile: &p}, 1, func() []byte { return nil })
		right, wrong := asReplica, asClient
		if p.Client {
			right, wrong = asClient, asReplica
		}
		if right != nil || !errors.Is(wrong, byzantine.ErrSpec) {
			t.Errorf("%s: as it should be: %v; as it should not: %v", p.Name, right, wrong)
		}
	}
}

// What two protocols call by one name is one behaviour, told as the cluster's own.
func TestOneNameOfTwoProtocols(t *testing.T) {
	p := Lookup("false-commit")
	theirs := Of(protocol.Paxos).Profiles.Lookup("false-commit")
	if p == nil || theirs == nil || !slices.Equal(p.Protocols, []string{protocol.Raft, protocol.Paxos}) {
		t.Fatalf("it is of %+v", p)
	}
	if p.Sentence != theirs.Sentence || p.AtCrash != theirs.AtCrash || p.Group != theirs.Group || !slices.Equal(p.Params, theirs.Params) || p.Needs != theirs.Needs {
		t.Errorf("two behaviours have one name: %+v and %+v", p, theirs)
	}
	for of, in := range map[string]string{protocol.Raft: "/raft.", protocol.Paxos: "/paxos."} {
		e := env(3, of)
		s, err := Parse("false-commit")
		if err != nil {
			t.Fatal(err)
		}
		full, err := s.Complete(&e.Genesis, false)
		if err != nil {
			t.Fatal(err)
		}
		i, err := p.Intercept(&e, full)
		if kind := reflect.TypeOf(i).Elem(); err != nil || !strings.HasSuffix(kind.PkgPath()+".", in) {
			t.Errorf("in %s it is told by %v, %v", of, kind.PkgPath(), err)
		}
	}
}

// env is replica 0 of n.
func env(n int, protocol string) byzantine.Env {
	var keys []crypto.PublicKey
	for i := range n {
		keys = append(keys, crypto.PublicOf([32]byte{byte(i + 1)}))
	}
	return byzantine.Env{Genesis: consensus.NewGenesis("fake", protocol, keys), Signer: crypto.NewSigner([32]byte{1}), Patience: 100, Seed: 11}
}

// What Parse takes, String writes, and what String writes, Parse takes.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"silent", "drop 30% to=1,2 kind=PREPARE,COMMIT after=2s until=5s chance=50%", "delay 80%", "time -1h how=jumps ticks=0",
		"lie result client=0,1", "garbage how=huge", "x=y", "drop =", "counters huge", "twin to=0",
	} {
		f.Add(text)
	}
	e, all := env(4, "pbft"), All()
	f.Fuzz(func(t *testing.T, text string) {
		s, err := all.Parse(text)
		if err != nil {
			if !errors.Is(err, byzantine.ErrSpec) || len(err.Error()) > 4*byzantine.MaxText {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		again, err := all.Parse(s.String())
		if err != nil || !reflect.DeepEqual(s, again) {
			t.Fatalf("%q: %+v is written as %q, which is read as %+v, %v", text, s, s.String(), again, err)
		}
		if s.Profile.Client {
			_, err = client.New(e.Genesis, e.Signer, s, 1, nil)
		} else {
			_, err = e.Plan(s)
		}
		if err != nil && !errors.Is(err, byzantine.ErrSpec) && !errors.Is(err, pbft.ErrKey) {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
