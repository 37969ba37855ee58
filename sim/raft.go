package sim

import (
	"fmt"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/raft"
)

// Of is the subject of a protocol that a genesis may name.
func Of(protocol string) (Subject, error) {
	switch protocol {
	case quorum.PBFT:
		return PBFT(), nil
	case quorum.Raft:
		return Raft(), nil
	}
	return Subject{}, fmt.Errorf("nothing to simulate for protocol %q: choose %s", protocol, strings.Join(quorum.Protocols(), " or "))
}

// FromSeedOf draws the system of a seed for a protocol: with traitors for one
// that tolerates them, without for one that does not. Clients misbehave for
// either: no protocol need trust them.
func FromSeedOf(protocol string, seed uint64) Config {
	if protocol == quorum.PBFT {
		return FromSeed(seed)
	}
	r := newStream(seed, "crash faults")
	c := WithoutTraitors(seed)
	c.Replicas = pick(r, crashSizes...)
	c = c.CrashFaults(protocol)
	c.Hazards = append(c.Hazards, drawHazards(newStream(seed, "swizzle"), c.Timing.Storm, []HazardKind{Swizzle})...)
	c.drawHunt(newStream(seed, "hunt"))
	if r.chance(million / 3) {
		c.Limits = tightLimits()
		c.Limits.BatchRequests = pick(r, 1, 2, 4, 16, 64)
		c.Villains = append(c.Villains, drawVillain(r))
	}
	return c
}

// Raft is the crash-fault protocol, checking its own invariants after each step.
func Raft() Subject { return Subject{Build: buildRaft, Words: wordsOfRaft} }

func buildRaft(s Seat) (consensus.Protocol, error) {
	c := raft.DefaultConfig(s.Genesis, s.Replica)
	c.Election, c.Heartbeat = s.Timing.Patience, max(1, s.Timing.Patience/10)
	c.Pipeline = min(c.Pipeline, int(s.Genesis.Window))
	c.PreVote, c.CheckQuorum = !s.Timing.Elections.NoPreVote, !s.Timing.Elections.NoCheckQuorum
	c.CheckEachStep = true
	p, err := raft.New(c)
	if err != nil {
		return nil, fmt.Errorf("simulated Raft: %w", err)
	}
	return p, nil
}

// wordsOfRaft explains frames. A granted vote is all that a member promises.
func wordsOfRaft(consensus.Genesis) Words {
	return Words{Describe: raft.Describe, Promise: func(frame []byte) (Promise, bool) {
		voter, term, candidate, ok := raft.Granted(frame)
		return Promise{Signer: voter, View: term, Content: candidate}, ok
	}, Lied: func(n *consensus.Note) bool { return n.Reason == raft.ReasonPanic }}
}
