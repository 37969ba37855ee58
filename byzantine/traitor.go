package byzantine

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
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
	Genesis   consensus.Genesis
	Self      consensus.ReplicaID
	Signer    crypto.Signer
	Coalition []Member // those who share their keys and a plan with this one; itself may stand in it
	Patience  int      // ticks that the honest wait before they leave a view
	Seed      uint64   // of all that is drawn; a gang shares it
}

// Plan is what a traitor is to do: immutable, checked, and nil for the honest.
type Plan struct{ specs []Spec }

// Plan checks specs. It fails if one asks for what there is not, or for what
// the genesis' protocol cannot do.
func (e *Env) Plan(specs ...Spec) (*Plan, error) {
	_, masks := e.interceptors(specs)
	_, voices := e.replyFuncs(specs)
	_, wraps := e.wraps(specs)
	if err := cmp.Or(masks, voices, wraps); err != nil {
		return nil, fmt.Errorf("replica %d cannot be turned: %w", e.Self, err)
	}
	return &Plan{specs: slices.Clone(specs)}, nil
}

// Traitor is a protocol that does what its plan says.
type Traitor struct {
	inner   consensus.Protocol
	env     Env
	current func() *Plan
	begun   *Plan          // the plan that was put on last
	since   consensus.Time // ... and when, by the host's clock
}

var _ consensus.Protocol = (*Traitor)(nil)

// New makes a traitor of a protocol. It asks for its current plan at each step,
// and at each start for behaviours that need a protocol's New (twin, amnesia);
// a host that changes plans while a replica runs makes current safe for that.
func New(inner consensus.Protocol, env Env, current func() *Plan) *Traitor {
	return &Traitor{inner: inner, env: env, current: current}
}

// Open implements consensus.Protocol. It keeps the frame beside each message,
// for behaviours that repeat what they heard.
func (t *Traitor) Open(v crypto.Verifier, h consensus.Horizon, in []consensus.Frame) []consensus.Opened {
	if t.current() == nil {
		return t.inner.Open(v, h, in)
	}
	plain, sides := unmark(&t.env, in)
	opened := t.inner.Open(v, h, plain)
	for i := range opened {
		if r, ok := opened[i].Event.(consensus.Receive); ok {
			opened[i].Event = consensus.Receive{From: r.From, Message: heard{message: r.Message, frame: plain[i].Bytes, side: sides[i]}}
		}
	}
	return opened
}

// heard is a message with the frame that it came in.
type heard struct {
	message any
	frame   []byte
	side    side // which engine of a twin it is for
}

// mask is one behaviour at work in one life of one replica. It is asked at each
// step while its plan is on, in the order of hear and speak.
type Interceptor interface {
	// hear changes what is about to reach the engine: of the events only those
	// of peers, and of them those that the Spec selects; and the clock. The
	// number of ticks in the burst is for those who wait.
	Incoming(b *consensus.Burst, ticks int)
	// speak changes what is about to leave. The burst is all that the engine
	// heard, the host's own events included.
	Outgoing(b *consensus.Burst, m *Outbox)
}

// holder is a mask that holds letters back: they are let go when it is taken off.
type Holder interface{ Release() []Outbound }

// ticker is a mask that changes how many ticks the engine hears in a step.
type Ticker interface{ Ticks(ticks int) int }

// confessor is a mask that owns up to its lies itself.
type Reporter interface{ ReportsItself() }

// listens is embedded by masks that do not change what is heard.
type passIn struct{}

func (passIn) Incoming(*consensus.Burst, int) {}

// says is embedded by masks that do not change what is said.
type passOut struct{}

func (passOut) Outgoing(*consensus.Burst, *Outbox) {}

// maxHeld bounds the letters, and the events, that one mask holds; maxHeldBytes
// bounds the letters' bytes.
const (
	maxHeld      = 4096
	maxHeldBytes = 32 << 20
)

// sinceOf is when plan p was put on: before a restart, too.
func (t *Traitor) sinceOf(p *Plan, now consensus.Time) consensus.Time {
	if t.begun != p {
		t.begun, t.since = p, now
	}
	return t.since
}

// dice makes the stream of one purpose, of this traitor alone.
func (e *Env) Rand(purpose string) *rand.Rand {
	return e.sharedRand(fmt.Sprintf("R%d/%s", e.Self, purpose))
}

// shared makes the stream that every member of a gang draws the same from for
// one purpose, such as a view and a sequence number: a plan without a talk.
func (e *Env) sharedRand(purpose string) *rand.Rand {
	d := crypto.Hash(fmt.Appendf(nil, "quorate/byzantine/%d/%s", e.Seed, purpose))
	return rand.New(rand.NewPCG(word(d[:8]), word(d[8:16])))
}

func word(b []byte) (w uint64) {
	for _, c := range b {
		w = w<<8 | uint64(c)
	}
	return w
}
