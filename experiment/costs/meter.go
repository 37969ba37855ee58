package costs

import (
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/raft"
	"quorate.dev/quorate/sim"
)

// Part says what a kind of frames is for.
type Part string

// The parts of the traffic.
const (
	Agreement Part = "agreement" // once per decision, between replicas
	Upkeep    Part = "upkeep"    // as time passes, or once per checkpoint
	Clients   Part = "clients"   // to and from clients
	Other     Part = "other"     // nothing that a quiet run has a use for
)

// Kind is a kind of frames, in the protocol's own words.
type Kind struct {
	Name string `json:"kind"`
	Part Part   `json:"part"`
}

// notice is a MsgApp without entries: it tells how far the leader has committed.
const notice = "MsgApp, empty"

// announced is a GIVEN with a checkpoint's certificate, which the primary tells
// everyone who listens now and then.
const announced = "GIVEN, checkpoint"

// kinds are those that a quiet run may have, in the order of tables.
var kinds = []Kind{
	{"PRE-PREPARE", Agreement}, {"PREPARE", Agreement}, {"COMMIT", Agreement},
	{"MsgApp", Agreement}, {notice, Agreement}, {"MsgAppResp", Agreement},
	{"CHECKPOINT", Upkeep}, {announced, Upkeep}, {"STATUS", Upkeep}, {"MsgHeartbeat", Upkeep}, {"MsgHeartbeatResp", Upkeep},
	{"REQUEST", Clients}, {"REPLY", Clients},
}

// Count is how often something was sent, and how large it was.
type Count struct {
	Kind
	Frames int `json:"frames"`
	Bytes  int `json:"bytes"`
}

// kindOf reads a frame. A request that a replica passes on is Other: clients
// that know the primary leave nothing to pass on.
func kindOf(protocol string, frame []byte, fromClient bool) string {
	switch {
	case len(frame) == 0:
		return "empty"
	case frame[0] == consensus.KindRequest && fromClient:
		return "REQUEST"
	case frame[0] == consensus.KindRequest:
		return "REQUEST, passed on"
	case frame[0] == consensus.KindReply:
		return "REPLY"
	case frame[0] == consensus.KindRefusal:
		return "REFUSAL"
	case protocol == quorum.PBFT && len(frame) > 1 && frame[0] == byte(message.GivenKind) && frame[1] == byte(message.WhatCheckpoint):
		return announced
	case protocol == quorum.PBFT:
		return message.Kind(frame[0]).String()
	}
	m, err := raft.DecodeMessage(frame)
	switch {
	case err != nil:
		return "snapshot"
	case m.Type.String() == "MsgApp" && len(m.Entries) == 0:
		return notice
	}
	return m.Type.String()
}

// meter counts one run, from one moment to another.
type meter struct {
	protocol    string
	from, until consensus.Time
	now         consensus.Time
	counts      map[string]*Count
	decided     map[consensus.Seq]bool // executed by anybody
	signed      map[string]int         // by the kind of what was signed
	verified    map[string]int
	forced      int // appends to a log that something waits for
	cuts        int // ... of them, that go with the cutting of the log at a checkpoint
	recorded    int // bytes in logs
}

func newMeter(protocol string, from, until consensus.Time) *meter {
	return &meter{
		protocol: protocol, from: from, until: until, counts: map[string]*Count{}, decided: map[consensus.Seq]bool{},
		signed: map[string]int{}, verified: map[string]int{},
	}
}

// open reports whether it counts at this moment of the run.
func (m *meter) open() bool { return m.now >= m.from && m.now < m.until }

// watch takes a step of the simulation.
func (m *meter) watch(s sim.Step) {
	m.now = s.At
	if !m.open() {
		return
	}
	switch s.Kind {
	case sim.StepSend:
		name := kindOf(m.protocol, s.Frame, strings.HasPrefix(s.From, "C"))
		c := m.counts[name]
		if c == nil {
			c = &Count{Kind: Kind{Name: name, Part: Other}}
			m.counts[name] = c
		}
		c.Frames, c.Bytes = c.Frames+1, c.Bytes+len(s.Frame)
	case sim.StepExecute:
		m.decided[s.Seq] = true
	}
}

// subject is a protocol whose replicas are metered, each in all that it signs,
// checks and writes down. In Raft replica 0 loses patience first, so that it
// leads as it does in PBFT: that is where clients begin.
func (m *meter) subject(s sim.Subject) sim.Subject {
	build := s.Build
	s.Build = func(seat sim.Seat) (consensus.Protocol, error) {
		seat.Signer = signer{seat.Signer, m}
		if m.protocol == quorum.Raft && seat.Replica != 0 {
			seat.Timing.Patience, seat.Timing.PatienceCap = 2*seat.Timing.Patience, 2*seat.Timing.PatienceCap
		}
		p, err := build(seat)
		return protocol{p, m, map[crypto.Digest]bool{}}, err
	}
	return s
}

// signer counts what one replica signs.
type signer struct {
	crypto.Signer
	meter *meter
}

// Sign implements crypto.Signer.
func (s signer) Sign(d crypto.Domain, body []byte) crypto.Signature {
	if s.meter.open() {
		s.meter.signed[signedKind(d)]++
	}
	return s.Signer.Sign(d, body)
}

// signedKind is the kind of message that a domain is for.
func signedKind(d crypto.Domain) string {
	return strings.ToUpper(d.Tag[strings.LastIndexByte(d.Tag, '/')+1:])
}

// protocol counts what one replica checks.
type protocol struct {
	consensus.Protocol
	meter *meter
	known map[crypto.Digest]bool // claims that it has checked before
}

// Open implements consensus.Protocol.
func (p protocol) Open(v crypto.Verifier, h consensus.Horizon, in []consensus.Frame) []consensus.Opened {
	return p.Protocol.Open(verifier{v, p}, h, in)
}

// New implements consensus.Protocol.
func (p protocol) New(r consensus.Recovered) (consensus.Engine, error) {
	e, err := p.Protocol.New(r)
	return engine{e, p.meter}, err
}

// verifier counts each signature once per replica: the verifier of a node
// remembers what it has proved, and so must the count.
type verifier struct {
	crypto.Verifier
	protocol protocol
}

// Verify implements crypto.Verifier.
func (v verifier) Verify(claims []crypto.Claim) []bool {
	for i := range claims {
		c := &claims[i]
		name := crypto.Hash(append(c.Domain.Append(append(c.Key[:], c.Signature[:]...), c.Body), 0))
		if v.protocol.meter.open() && !v.protocol.known[name] {
			v.protocol.meter.verified[signedKind(c.Domain)]++
		}
		v.protocol.known[name] = true
	}
	return v.Verifier.Verify(claims)
}

// engine counts what one replica writes down.
type engine struct {
	consensus.Engine
	meter *meter
}

// Step implements consensus.Engine.
func (e engine) Step(b consensus.Burst) consensus.Output {
	out := e.Engine.Step(b)
	if !e.meter.open() {
		return out
	}
	gates := false
	for _, r := range out.Records {
		e.meter.recorded += len(r.Bytes)
		gates = gates || !r.Lazy
	}
	if gates {
		e.meter.forced++
		if out.Forget != 0 {
			e.meter.cuts++
		}
	}
	return out
}
