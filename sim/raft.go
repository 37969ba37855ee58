package sim

import (
	"fmt"
	"strings"

	"quorate/consensus"
	"quorate/quorum"
	"quorate/raft"
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
// that tolerates them, without for one that does not.
func FromSeedOf(protocol string, seed uint64) Config {
	if protocol == quorum.PBFT {
		return FromSeed(seed)
	}
	return WithoutTraitors(seed).CrashFaults(protocol)
}

// Raft is the crash-fault protocol, checking its own invariants after each step.
func Raft() Subject { return Subject{Build: buildRaft, Words: wordsOfRaft} }

func buildRaft(s Seat) (consensus.Protocol, error) {
	c := raft.DefaultConfig(s.Genesis, s.Replica)
	c.Election, c.Heartbeat = s.Timing.Patience, max(1, s.Timing.Patience/10)
	c.Pipeline = min(c.Pipeline, int(s.Genesis.Window))
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
	}}
}
