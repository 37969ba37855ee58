package sim

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft"
	"quorate.dev/quorate/pbft/message"
)

// PBFT is the protocol that this project is about, checking its own invariants
// after each step.
func PBFT() Subject { return Subject{Build: buildPBFT, Words: wordsOfPBFT} }

func buildPBFT(s Seat) (consensus.Protocol, error) {
	c := pbft.DefaultConfig(s.Genesis, s.Replica, s.Signer, s.Verifier)
	c.TickLength, c.Patience, c.PatienceCap = s.Timing.Tick, s.Timing.Patience, s.Timing.PatienceCap
	c.StatusEvery = max(1, s.Timing.Patience/8)
	c.RejoinEvery = 4 * s.Timing.Patience
	c.Pipeline = min(c.Pipeline, int(s.Genesis.Window))
	c.CheckEachStep = true
	p, err := pbft.New(c)
	if err != nil {
		return nil, fmt.Errorf("simulated PBFT: %w", err)
	}
	return p, nil
}

// wordsOfPBFT explains frames, and extracts the promises that signatures make.
func wordsOfPBFT(g consensus.Genesis) Words {
	rules, err := message.NewRules(g)
	if err != nil {
		return Words{}
	}
	return Words{Describe: rules.Describe, Promise: func(frame []byte) (Promise, bool) {
		p, ok := rules.Promised(frame)
		if !ok {
			return Promise{}, false
		}
		return Promise{Signer: p.Replica, Kind: uint8(p.Kind), View: p.View, Seq: p.Seq, Content: crypto.Hash([]byte(p.Content))}, true
	}}
}
