package pbft

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// Protocol is PBFT for one replica before it runs.
type Protocol struct {
	cfg   Config
	rules *message.Rules
}

var _ consensus.Protocol = (*Protocol)(nil)

// New checks cfg and returns the protocol. A configuration whose largest
// NEW-VIEW would exceed the frame limit is refused (PROTOCOL.md §6).
func New(cfg Config) (*Protocol, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	rules, err := message.NewRules(cfg.Genesis)
	if err != nil {
		return nil, err
	}
	if size := rules.MaxFrame(); size > consensus.MaxFrame {
		return nil, fmt.Errorf("%w: a NEW-VIEW may take %d bytes, frames end at %d: choose a smaller window or fewer replicas", errConfig, size, consensus.MaxFrame)
	}
	return &Protocol{cfg: cfg, rules: rules}, nil
}

// Open implements consensus.Protocol.
func (p *Protocol) Open(v crypto.Verifier, h consensus.Horizon, in []consensus.Frame) []consensus.Opened {
	horizon, _ := h.(*message.Horizon)
	return p.rules.Open(v, horizon, in)
}

// New implements consensus.Protocol: the replica as it was when its log ended.
func (p *Protocol) New(rec consensus.Recovered) (consensus.Engine, error) {
	r := newReplica(p, rec.Now)
	if err := r.recover(rec); err != nil {
		return nil, err
	}
	return r, nil
}
