package catalogue

import (
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/byzantine/client"
	"quorate.dev/quorate/byzantine/paxos"
	"quorate.dev/quorate/byzantine/pbft"
	"quorate.dev/quorate/byzantine/raft"
)

// All lists every behaviour that can be named. What two protocols call by one name
// is one behaviour.
func All() byzantine.Catalogue {
	all := slices.Concat(byzantine.Neutral(), pbft.Lies().Profiles, client.Behaviours(), raft.Lies().Profiles)
	for _, p := range paxos.Lies().Profiles {
		if same := all.Lookup(p.Name); same != nil {
			*same = same.And(p)
			continue
		}
		all = append(all, p)
	}
	return all
}

// Of are the lies of a protocol; none if it has none of its own.
func Of(protocol string) byzantine.Lies {
	for _, l := range []byzantine.Lies{pbft.Lies(), raft.Lies(), paxos.Lies()} {
		if l.Protocol == protocol {
			return l
		}
	}
	return byzantine.Lies{Protocol: protocol}
}

// Lookup finds a behaviour by its name or one of its aliases; nil if there is none.
func Lookup(name string) *byzantine.Profile { return All().Lookup(name) }

// Parse reads one behaviour with its parameters.
func Parse(text string) (byzantine.Spec, error) { return All().Parse(text) }
