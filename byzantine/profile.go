package byzantine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus/quorum"
)

// Outcome is what a run must end in.
type Outcome string

// The outcomes. "may fork" needs colluders and luck in timing.
const (
	SafeLive    Outcome = "safe and live"
	SafeSlow    Outcome = "safe, live, slower"
	SafeStopped Outcome = "safe but stopped"
	MayStop     Outcome = "safe, may stop"
	Forks       Outcome = "forks"
	MayFork     Outcome = "may fork"
	Deceives    Outcome = "a client is deceived"
	MayDeceive  Outcome = "a client may be deceived"
	Breaks      Outcome = "not safe" // forks, or the honest have different states, or an answer is lost
)

// Param is a parameter of a profile. The first one of a profile is its main
// parameter, whose name may be left out.
type Param struct{ Name, Default, Help string }

// Profile describes a behaviour that can be named.
type Profile struct {
	Name      string
	Aliases   []string // a course's names, such as "dark"
	Sentence  string
	Group     string   // its row in ADVERSARIES §2, such as P-EQUIV
	Client    bool     // a client's, not a replica's
	Protocols []string // nil = any
	Params    []Param
	AtF       Outcome // with f such replicas of 3f+1; "" = no behaviour for a protocol that tolerates any
	AtF1      Outcome // with f+1 that collude
	AtCrash   Outcome // with one such replica of 2f+1 in crash mode, which tolerates none; "" = as with AtF
}

// For reports whether a behaviour is one for a protocol.
func (p *Profile) For(protocol string) bool {
	return p.Protocols == nil || slices.Contains(p.Protocols, protocol)
}

// OneOf is the outcome with the fewest of them that are worth a run: f of 3f+1
// in PBFT, one of 2f+1 in Raft; "" if the behaviour is none for the protocol.
func (p *Profile) OneOf(protocol string) Outcome {
	switch {
	case !p.For(protocol):
		return ""
	case protocol == quorum.Raft && p.AtCrash != "":
		return p.AtCrash
	}
	return p.AtF
}

// entry is a profile with what makes it work. A behaviour has at least one of
// mask, voice and wrap, or it is a villain's.
type entry struct {
	Profile
	Intercept func(*Env, Spec) (Interceptor, error)  // between the engine and the network
	replies   func(*Env, Spec) (replyFunc, error)    // between execution and clients
	wrap      func(*Env, Spec) (Behaviour, error)    // around New
	villain   func(*Villain, Spec) (strategy, error) // of a client
}

// table lists every behaviour, in the order of the catalogue.
func table() []entry {
	return slices.Concat(neutralProfiles(), pbftProfiles(), villainProfiles(), raftProfiles())
}

// Catalogue lists every behaviour that can be named.
func Catalogue() []Profile {
	var all []Profile
	for _, e := range table() {
		all = append(all, e.Profile)
	}
	return all
}

// Lookup finds a behaviour by its name or one of its aliases.
func Lookup(name string) (Profile, bool) {
	e, err := find(name)
	if err != nil {
		return Profile{}, false
	}
	return e.Profile, true
}

func find(name string) (*entry, error) {
	for _, e := range table() {
		if e.Name == name || slices.Contains(e.Aliases, name) {
			return &e, nil
		}
	}
	return nil, unknown(name)
}

// known lists the names in order.
func known() []string {
	var all []string
	for _, p := range Catalogue() {
		all = append(all, p.Name)
	}
	slices.Sort(all)
	return all
}

// spellings lists names and aliases.
func spellings() []string {
	all := known()
	for _, p := range Catalogue() {
		all = append(all, p.Aliases...)
	}
	return all
}

// foreign says that a behaviour is a lie of another protocol, and which there
// are for this one.
func foreign(p *Profile, protocol string) string {
	why := fmt.Sprintf("is a lie of %s, and this cluster runs %q", strings.Join(p.Protocols, " or "), protocol)
	var own []string
	for _, q := range Catalogue() {
		if q.Protocols != nil && q.For(protocol) {
			own = append(own, q.Name)
		}
	}
	if own == nil {
		return why + ": for that there are those of no protocol, such as silent"
	}
	return fmt.Sprintf("%s: for %s see %s", why, protocol, strings.Join(own, ", "))
}

// complete finds the entry of s, checks what the profile knows, and fills in
// the defaults.
func complete(s Spec, client bool, protocol string) (*entry, Spec, error) {
	e, err := find(s.Name)
	if err != nil {
		return nil, s, err
	}
	wrong := func(word, why string) (*entry, Spec, error) {
		return nil, s, &ParamError{Behaviour: s.Name, Word: word, Why: why}
	}
	switch {
	case e.Client && !client:
		return wrong(s.Name, "a client does this, not a replica")
	case !e.Client && client:
		return wrong(s.Name, "a replica does this, not a client")
	case !e.For(protocol):
		return wrong(s.Name, foreign(&e.Profile, protocol))
	case s.Main != "" && len(e.Params) == 0:
		return wrong(s.Main, "it takes no main parameter")
	}
	s.Name, s.Options = e.Name, maps.Clone(s.Options)
	for name := range s.Options {
		if len(e.Params) == 0 || !slices.ContainsFunc(e.Params[1:], func(p Param) bool { return p.Name == name }) {
			return wrong(name, "it takes no such parameter")
		}
	}
	for i, p := range e.Params {
		switch {
		case i == 0 && s.Main == "":
			s.Main = p.Default
		case i > 0 && s.Options[p.Name] == "":
			if s.Options == nil {
				s.Options = map[string]string{}
			}
			s.Options[p.Name] = p.Default
		}
	}
	return e, s, nil
}
