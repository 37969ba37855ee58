package byzantine

import (
	"fmt"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// fake is a protocol whose engine says what it is told to, and remembers what
// it hears.
type fake struct {
	say   func(b consensus.Burst) consensus.Output
	heard []consensus.Burst
	born  []consensus.Recovered
}

func (f *fake) Open(_ crypto.Verifier, _ consensus.Horizon, in []consensus.Frame) []consensus.Opened {
	out := make([]consensus.Opened, len(in))
	for i, fr := range in {
		out[i].Event = consensus.Receive{From: fr.From, Message: string(fr.Bytes)}
	}
	return out
}

func (f *fake) New(rec consensus.Recovered) (consensus.Engine, error) {
	f.born = append(f.born, rec)
	return f, nil
}

func (f *fake) Step(b consensus.Burst) consensus.Output {
	f.heard = append(f.heard, b)
	if f.say == nil {
		return consensus.Output{}
	}
	return f.say(b)
}

func (f *fake) Status() consensus.Status   { return consensus.Status{} }
func (f *fake) Horizon() consensus.Horizon { return nil }

// locked is a signer that must not sign.
type locked struct {
	t   *testing.T
	key crypto.PublicKey
}

func (l locked) Public() crypto.PublicKey { return l.key }

func (l locked) Sign(crypto.Domain, []byte) crypto.Signature {
	l.t.Error("a behaviour that forges nothing has signed something")
	return crypto.Signature{}
}

// fakeEnv is replica 0 of n, with three clients, of a protocol.
func fakeEnv(t *testing.T, n int, protocol string) Env {
	var keys []crypto.PublicKey
	for i := range n {
		keys = append(keys, crypto.PublicOf([32]byte{byte(i + 1)}))
	}
	g := consensus.NewGenesis("fake", protocol, keys)
	for i := range 3 {
		g.Clients = append(g.Clients, consensus.ClientEntry{Key: crypto.PublicOf([32]byte{100, byte(i)}), Role: consensus.RoleWriter})
	}
	return Env{Genesis: g, Signer: locked{t, keys[0]}, Patience: 100, Seed: 11}
}

// player runs one traitor over a fake.
type player struct {
	t      *testing.T
	env    Env
	inner  *fake
	plan   *Plan
	engine consensus.Engine
	now    consensus.Time
}

func play(t *testing.T, env Env, say func(consensus.Burst) consensus.Output, texts ...string) *player {
	t.Helper()
	p := &player{t: t, env: env, inner: &fake{say: say}, now: 1e18}
	p.turn(texts...)
	var err error
	p.engine, err = New(p.inner, env, func() *Plan { return p.plan }).New(consensus.Recovered{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// turn changes the plan.
func (p *player) turn(texts ...string) {
	p.t.Helper()
	p.plan = planned(p.t, &p.env, texts...)
}

func planned(t *testing.T, e *Env, texts ...string) *Plan {
	t.Helper()
	if len(texts) == 0 {
		return nil
	}
	var specs []Spec
	for _, text := range texts {
		specs = append(specs, parse(t, text))
	}
	plan, err := e.Plan(specs...)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// step lets 10 ms pass and hands the engine some events.
func (p *player) step(events ...consensus.Event) consensus.Output {
	p.now += 10e6
	return p.engine.Step(consensus.Burst{Now: p.now, Events: events})
}

// words are the engine's sends, "to:bytes" each; the early ones begin with "!".
func words(out consensus.Output) []string {
	var ws []string
	for _, s := range out.Early {
		ws = append(ws, "!"+word1(s))
	}
	for _, s := range out.Sends {
		ws = append(ws, word1(s))
	}
	return ws
}

func word1(s consensus.Send) string { return fmt.Sprintf("%v:%s", s.To, s.Bytes) }

// toAll is an output that says a frame to everybody.
func toAll(frame string) consensus.Output {
	return consensus.Output{Sends: []consensus.Send{{To: consensus.Peer{Kind: consensus.Everyone}, Bytes: []byte(frame)}}}
}

// chatter says one numbered frame to all in each step.
func chatter() func(consensus.Burst) consensus.Output {
	n := 0
	return func(consensus.Burst) consensus.Output {
		n++
		return toAll(fmt.Sprintf("%c%03d", 0x10, n))
	}
}

// from is an event of a message of another replica.
func from(id consensus.ReplicaID, text string) consensus.Event {
	return consensus.Receive{From: consensus.ReplicaPeer(id), Message: text}
}

// known are the behaviours that the tests of this package parse: those of no
// protocol, and one of PBFT's.
func known() Catalogue {
	return append(Neutral(), Profile{Name: "equivocate", Aliases: []string{"equivocation"}, Protocols: []string{"pbft"}, Params: How("stamp, order", "stamp", "what differs")},
		Profile{Name: "request-flood", Client: true, Params: []Param{{"rate", "32", "requests"}}})
}

func parse(t *testing.T, text string) Spec {
	t.Helper()
	s, err := known().Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
