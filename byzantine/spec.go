package byzantine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
)

// Spec is one behaviour with its parameters, as a manifest or a command line
// has it: "equivocate", "delay 80%", "drop chance=30% to=1,2 kind=PREPARE,COMMIT".
// The first bare word after the name is the behaviour's main parameter.
type Spec struct {
	Profile *Profile
	Main    string                // the bare parameter; "" = its default
	To      []consensus.ReplicaID // victims; nil = everybody
	Kinds   []string              // kinds of frames, such as PREPARE; nil = all
	Chance  int                   // in parts per million; 0 = always
	After   consensus.Time        // since the behaviour was put on; nanoseconds
	Until   consensus.Time        // ... at which it ends; 0 = never
	Options map[string]string     // others, checked against the profile's list
}

// million is certainty, in parts per million.
const million = 1_000_000

// Active reports whether a behaviour is on, so long after it was put on.
func (s *Spec) Active(age consensus.Time) bool {
	return age >= s.After && (s.Until == 0 || age < s.Until)
}

// Happens rolls the dice.
func (s *Spec) Happens(dice *rand.Rand) bool { return s.Chance == 0 || dice.IntN(million) < s.Chance }

// Complete checks s against its profile and the cluster, and fills in
// the defaults. It is for a client or for a replica.
func (s Spec) Complete(g *consensus.Genesis, client bool) (Spec, error) {
	p := s.Profile
	switch {
	case p.Client && !client:
		return s, s.refuse(p.Name, "a client does this, not a replica")
	case !p.Client && client:
		return s, s.refuse(p.Name, "a replica does this, not a client")
	case !p.For(g.Protocol):
		return s, p.Fits(g.Protocol)
	case s.Main != "" && len(p.Params) == 0:
		return s, s.refuse(s.Main, "it takes no main parameter")
	}
	for name := range s.Options {
		if len(p.Params) == 0 || !slices.ContainsFunc(p.Params[1:], func(q Param) bool { return q.Name == name }) {
			return s, s.refuse(name, "it takes no such parameter")
		}
	}
	s.fill()
	for _, id := range s.To {
		if int(id) >= len(g.Replicas) {
			return s, s.refuse("to="+list(s.To), fmt.Sprintf("the cluster has %d replicas, numbered from 0", len(g.Replicas)))
		}
	}
	if client && s.Kinds != nil {
		return s, s.refuse("kind", "a client's frames have no kinds to choose from")
	}
	return s, s.checkKinds(g)
}

// fill sets the defaults of what was left out.
func (s *Spec) fill() {
	s.Options = maps.Clone(s.Options)
	for i, q := range s.Profile.Params {
		switch {
		case i == 0 && s.Main == "":
			s.Main = q.Default
		case i > 0 && s.Options[q.Name] == "":
			if s.Options == nil {
				s.Options = map[string]string{}
			}
			s.Options[q.Name] = q.Default
		}
	}
}

func (s *Spec) refuse(word, why string) error {
	return &paramError{Behaviour: s.Profile.Name, Word: word, Why: why}
}

// String is a text that Parse reads as this Spec.
func (s Spec) String() string {
	words := []string{s.Profile.Name}
	add := func(word string) { words = append(words, word) }
	if s.Main != "" {
		add(s.Main)
	}
	if len(s.To) > 0 {
		add("to=" + list(s.To))
	}
	if len(s.Kinds) > 0 {
		add("kind=" + strings.Join(s.Kinds, ","))
	}
	if s.Chance > 0 {
		add("chance=" + percent(s.Chance))
	}
	if s.After > 0 {
		add(fmt.Sprintf("after=%dns", s.After))
	}
	if s.Until > 0 {
		add(fmt.Sprintf("until=%dns", s.Until))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Options)) {
		add(name + "=" + s.Options[name])
	}
	return strings.Join(words, " ")
}

// percent writes parts per million so that four decimals hold them all.
func percent(ppm int) string {
	text := fmt.Sprintf("%d.%04d", ppm/(million/100), ppm%(million/100))
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + "%"
}

func list(ids []consensus.ReplicaID) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprintf("%d", ids), " ", ","), "[]")
}
