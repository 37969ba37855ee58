package byzantine

import (
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// kinds names the kinds of a cluster's frames and messages. Of a protocol that
// is not known, kinds are named by their numbers, such as 0X10, and messages are
// of the kind MESSAGE.
type kinds struct{ codec protocol.Codec }

func kindsOf(g *consensus.Genesis) kinds {
	p, _ := protocol.Of(*g)
	return kinds{p.Codec(*g)}
}

// event names the kind of what came in; "" for the host's own events.
func (k kinds) event(e consensus.Event) string {
	switch e := e.(type) {
	case consensus.Submit:
		return "REQUEST"
	case consensus.Receive:
		if name := k.codec.Opened(e.Message); name != "" {
			return name
		}
		return "MESSAGE"
	}
	return ""
}

// checkKinds refuses names that no frame of the protocol has.
func (s *Spec) checkKinds(g *consensus.Genesis) error {
	p, _ := protocol.Of(*g)
	for _, k := range s.Kinds {
		known := named(p.Kinds, k) || named([]string{"REQUEST", "REPLY", "REFUSAL"}, k) ||
			p.Kinds == nil && (k == "MESSAGE" || strings.HasPrefix(k, "0X"))
		if !known {
			return s.refuse("kind="+k, "known kinds are REQUEST, REPLY, REFUSAL, "+strings.Join(p.Kinds, ", "))
		}
	}
	return nil
}

// named reports whether a name stands in a list. Capitals make no difference:
// each protocol's kinds are spelled as in its own papers.
func named(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}
