package byzantine

import (
	"fmt"
	"math/rand/v2"

	"quorate/consensus"
	"quorate/crypto"
)

// Behaviour makes a protocol misbehave. Behaviours compose like middleware:
// the outermost hears first and speaks last.
type Behaviour func(consensus.Protocol) consensus.Protocol

// Member is one traitor of a gang, with its key.
type Member struct {
	Replica consensus.ReplicaID
	Signer  crypto.Signer
}

// Env is everything that a traitor has: what all members know, its key, and
// its dice.
type Env struct {
	Genesis  consensus.Genesis
	Self     consensus.ReplicaID
	Signer   crypto.Signer
	Gang     []Member // those who share their keys and a plan with this one; itself may stand in it
	Patience int      // ticks that the honest wait before they leave a view
	Seed     uint64   // of all that is drawn
}

// Plan is what a traitor is to do: immutable, checked, and nil for the honest.
type Plan struct{ specs []Spec }

// Plan checks specs. It fails if one asks for what there is not, or for what
// the genesis' protocol cannot do.
func (e *Env) Plan(specs ...Spec) (*Plan, error) {
	if _, err := e.masks(specs); err != nil {
		return nil, fmt.Errorf("replica %d cannot be turned: %w", e.Self, err)
	}
	return &Plan{specs: specs}, nil
}

// Traitor is a protocol that does what its plan says.
type Traitor struct {
	inner   consensus.Protocol
	env     Env
	current func() *Plan
}

var _ consensus.Protocol = (*Traitor)(nil)

// New makes a traitor of a protocol. It asks for its current plan at each step,
// and at each start for behaviours that need a protocol's New (twin, amnesia);
// a host that changes plans while a replica runs makes current safe for that.
func New(inner consensus.Protocol, env Env, current func() *Plan) *Traitor {
	return &Traitor{inner: inner, env: env, current: current}
}

// Open implements consensus.Protocol.
func (t *Traitor) Open(v crypto.Verifier, h consensus.Horizon, in []consensus.Frame) []consensus.Opened {
	return t.inner.Open(v, h, in)
}

// Mouth is what a traitor's host sends its replies through on their way to
// clients: the honest have none. It shares nothing with the engine, for hosts
// execute beside it. Not safe for concurrent use.
type Mouth struct {
	env     Env
	current func() *Plan
}

// NewMouth makes the mouth of the same traitor.
func NewMouth(env Env, current func() *Plan) *Mouth { return &Mouth{env: env, current: current} }

// Say returns what is said in the place of rs.
func (m *Mouth) Say(rs []consensus.Reply) []consensus.Reply { return rs }

// mask is one behaviour at work in one life of one replica.
type mask interface {
	// hear changes what is about to reach the engine.
	hear(b *consensus.Burst)
	// speak changes what is about to leave. The burst is the one that the
	// engine heard.
	speak(b *consensus.Burst, m *Mail)
}

// dice makes the stream of one purpose.
func (e *Env) dice(purpose string) *rand.Rand {
	d := crypto.Hash(fmt.Appendf(nil, "quorate/byzantine/%d/%d/%s", e.Seed, e.Self, purpose))
	return rand.New(rand.NewPCG(word(d[:8]), word(d[8:16])))
}

func word(b []byte) (w uint64) {
	for _, c := range b {
		w = w<<8 | uint64(c)
	}
	return w
}
