package sim

import (
	"fmt"

	"quorate/consensus"
	"quorate/crypto"
	"quorate/raft"
)

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
		voter, candidate, term, ok := raft.Granted(frame)
		if !ok {
			return Promise{}, false
		}
		return Promise{Signer: voter, View: term, Content: crypto.Hash([]byte{byte(candidate >> 8), byte(candidate)})}, true
	}}
}
