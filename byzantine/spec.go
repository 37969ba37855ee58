package byzantine

import (
	"fmt"
	"sort"
	"strings"

	"quorate.dev/quorate/consensus"
)

// Spec is one behaviour with its parameters, as a manifest or a command line
// has it: "equivocate", "delay 80%", "drop chance=30% to=1,2 kind=PREPARE,COMMIT".
// The first bare word after the name is the behaviour's main parameter.
type Spec struct {
	Name    string
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

// String is a text that Parse reads as this Spec.
func (s Spec) String() string {
	words := []string{s.Name}
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
	return strings.Join(append(words, s.options()...), " ")
}

// options lists the others in a fixed order.
func (s Spec) options() []string {
	var words []string
	for name, value := range s.Options {
		words = append(words, name+"="+value)
	}
	sort.Strings(words)
	return words
}

// percent writes parts per million so that four decimals hold them all.
func percent(ppm int) string {
	text := fmt.Sprintf("%d.%04d", ppm/(million/100), ppm%(million/100))
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + "%"
}

func list[T consensus.ReplicaID | int](ids []T) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d", id)
	}
	return b.String()
}
