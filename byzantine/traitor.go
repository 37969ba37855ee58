package byzantine

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// behaviour makes a protocol misbehave. Behaviours compose like middleware:
// the outermost receives first and sends last.
type behaviour func(consensus.Protocol) consensus.Protocol

// Member is one traitor of a coalition, with its key.
type Member struct {
	Replica consensus.ReplicaID
	Signer  crypto.Signer
}

// Env is everything that a traitor has: what all members know, its key, and
// the seed of what it draws.
type Env struct {
	Genesis   consensus.Genesis
	Self      consensus.ReplicaID
	Signer    crypto.Signer
	Coalition []Member // those who share their keys and a plan with this one; itself may stand in it
	Patience  int      // ticks that the honest wait before they leave a view
	Seed      uint64   // of all that is drawn; a coalition shares it
}

// Plan is what a traitor is to do: immutable, checked, and nil for the honest.
type Plan struct{ specs []Spec } // complete

// Plan checks specs. It fails if one asks for what there is not, or for what
// the genesis' protocol cannot do.
func (e *Env) Plan(specs ...Spec) (*Plan, error) {
	p := &Plan{}
	for _, s := range specs {
		full, err := s.Complete(&e.Genesis, false)
		if err != nil {
			return nil, e.cannot(err)
		}
		p.specs = append(p.specs, full)
	}
	_, interceptors := e.interceptors(p.specs)
	_, replies := e.replyFuncs(p.specs)
	_, findings := e.findingFuncs(p.specs)
	_, wraps := e.wraps(p.specs)
	if err := cmp.Or(interceptors, replies, findings, wraps); err != nil {
		return nil, e.cannot(err)
	}
	return p, nil
}

func (e *Env) cannot(err error) error {
	return fmt.Errorf("replica %d cannot be made a traitor: %w", e.Self, err)
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

// sinceOf is when plan p was put on: before a restart, too.
func (t *Traitor) sinceOf(p *Plan, now consensus.Time) consensus.Time {
	if t.begun != p {
		t.begun, t.since = p, now
	}
	return t.since
}

// Lied is the kind of note by which a traitor's engine reports the lies of one
// step: Reason names the behaviour, Text counts the messages. Nobody but
// tests and reports reads it.
const Lied consensus.NoteKind = "lied"

// Rand makes the random stream of one purpose, of this traitor alone.
func (e *Env) Rand(purpose string) *rand.Rand {
	return e.sharedRand(fmt.Sprintf("R%d/%s", e.Self, purpose))
}

// sharedRand makes the stream from which every member of a coalition draws the
// same for one purpose, such as a request: they agree without a word.
func (e *Env) sharedRand(purpose string) *rand.Rand {
	return Rand(fmt.Sprintf("quorate/byzantine/%d/%s", e.Seed, purpose))
}

// Rand makes the random stream with a label.
func Rand(label string) *rand.Rand {
	d := crypto.Hash([]byte(label))
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(d[:8]), binary.BigEndian.Uint64(d[8:16])))
}
