package costs

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// clientKinds follow the protocol's own in tables.
var clientKinds = []protocol.FrameKind{{Name: "REQUEST", Part: protocol.Clients}, {Name: "REPLY", Part: protocol.Clients}, {Name: "READ", Part: protocol.Clients}, {Name: "READ-ANSWER", Part: protocol.Clients}}

// Count is how often something was sent, and how large it was.
type Count struct {
	protocol.FrameKind
	Frames int `json:"frames"`
	Bytes  int `json:"bytes"`
}

// kindOf reads a frame. A request that a replica passes on is Other: clients
// that know the primary leave nothing to pass on.
func (m *meter) kindOf(frame []byte, fromClient bool) string {
	if len(frame) == 0 {
		return m.codec.Kind(frame)
	}
	if consensus.IsRequest(frame) && !fromClient {
		return "REQUEST, passed on"
	}
	return cmp.Or(m.codec.Counted(frame), m.codec.Kind(frame))
}

// meter counts one run, from one moment to another.
type meter struct {
	protocol    protocol.Protocol
	codec       protocol.Codec // known once the world is made
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

func newMeter(p protocol.Protocol, from, until consensus.Time) *meter {
	return &meter{
		protocol: p, from: from, until: until, counts: map[string]*Count{}, decided: map[consensus.Seq]bool{},
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
		name := m.kindOf(s.Frame, strings.HasPrefix(s.From, "C"))
		c := m.counts[name]
		if c == nil {
			c = &Count{FrameKind: protocol.FrameKind{Name: name, Part: protocol.Other}}
			m.counts[name] = c
		}
		c.Frames, c.Bytes = c.Frames+1, c.Bytes+len(s.Frame)
	case sim.StepExecute:
		m.decided[s.Seq] = true
	}
}

// build makes replicas that are metered, each in all that it signs, checks and
// writes down. Where leaders are elected, replica 0 loses patience first, so
// that it leads as it does elsewhere: that is where clients begin.
func (m *meter) build(s protocol.Settings) (consensus.Protocol, error) {
	s.Signer = signer{s.Signer, m}
	if m.protocol.Elected && s.Self != 0 {
		s.LeaderPatience *= 2
	}
	known := map[crypto.Digest]bool{}
	s.Verifier = verifier{s.Verifier, m, known}
	p, err := m.protocol.New(s)
	return metered{p, m, known}, err
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

// metered counts what one replica checks.
type metered struct {
	consensus.Protocol
	meter *meter
	known map[crypto.Digest]bool // claims that it has checked before
}

// Open implements consensus.Protocol.
func (p metered) Open(v crypto.Verifier, h consensus.Horizon, in []consensus.Frame) []consensus.Opened {
	return p.Protocol.Open(verifier{v, p.meter, p.known}, h, in)
}

// New implements consensus.Protocol.
func (p metered) New(r consensus.Recovered) (consensus.Engine, error) {
	e, err := p.Protocol.New(r)
	return engine{e, p.meter}, err
}

// verifier counts each signature once per replica: the verifier of a node
// remembers what it has proved, and so must the count.
type verifier struct {
	crypto.Verifier
	meter *meter
	known map[crypto.Digest]bool
}

// Verify implements crypto.Verifier.
func (v verifier) Verify(claims []crypto.Claim) []bool {
	for i := range claims {
		c := &claims[i]
		name := crypto.Hash(append(c.Domain.Append(append(c.Key[:], c.Signature[:]...), c.Body), 0))
		if v.meter.open() && !v.known[name] {
			v.meter.verified[signedKind(c.Domain)]++
		}
		v.known[name] = true
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

// Tally is what was counted in one run, all replicas together.
type Tally struct {
	Decisions int     `json:"decisions"`
	Requests  int     `json:"requests"`
	Kinds     []Count `json:"frames"`   // by kind
	Signed    int     `json:"signed"`   // signatures of the agreement that replicas made
	Verified  int     `json:"verified"` // ... and checked
	Admitted  int     `json:"admitted"` // signatures of clients that replicas checked
	Forced    int     `json:"forced"`   // writes of the agreement that something waited for
	Recorded  int     `json:"recorded"` // bytes in logs, checkpoints' included
}

// tally sums up after the run.
func (r *run) tally() Tally {
	m := r.meter
	t := Tally{Decisions: len(m.decided), Requests: len(r.took), Forced: m.forced - m.cuts, Recorded: m.recorded, Admitted: m.verified["REQUEST"]}
	known := map[string]bool{}
	for _, k := range slices.Concat(m.protocol.Costs.Kinds, clientKinds) {
		known[k.Name] = true
		if c := m.counts[k.Name]; c != nil {
			c.Part = k.Part
			t.Kinds = append(t.Kinds, *c)
		}
		if k.Part == protocol.Agreement {
			t.Signed, t.Verified = t.Signed+m.signed[k.Name], t.Verified+m.verified[k.Name]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.counts)) {
		if !known[name] {
			t.Kinds = append(t.Kinds, *m.counts[name])
		}
	}
	return t
}

// of are the counts of one part.
func (t *Tally) of(p protocol.Part) (counts []Count) {
	for _, c := range t.Kinds {
		if c.Part == p {
			counts = append(counts, c)
		}
	}
	return counts
}

// Frames are those of the agreement.
func (t *Tally) Frames() int { return framesOf(t.of(protocol.Agreement)) }

// bytes are those of the agreement's frames.
func (t *Tally) bytes() (sum int) {
	for _, c := range t.of(protocol.Agreement) {
		sum += c.Bytes
	}
	return sum
}

// reads are the frames and bytes of the kinds that reads are made of; upkeep that
// passes beside them is none.
func (t *Tally) reads(e *protocol.Expected) (frames, bytes int) {
	for _, c := range t.Kinds {
		if e.ByKind[c.Name] > 0 {
			frames, bytes = frames+c.Frames, bytes+c.Bytes
		}
	}
	return frames, bytes
}

// batch is what the batch of one decision weighs, by the size of its requests.
func (t *Tally) batch() int {
	for _, c := range t.Kinds {
		if c.Name == "REQUEST" {
			return batchBytes(t.Requests/max(1, t.Decisions), c.Bytes/max(1, c.Frames))
		}
	}
	return 0
}

// each is a count per decision.
func (t *Tally) each(count int) float64 { return float64(count) / float64(max(1, t.Decisions)) }

// perRequest is a count per request.
func (t *Tally) perRequest(count int) float64 { return float64(count) / float64(max(1, t.Requests)) }

// costsOf is the arithmetic of a protocol that Measure has found.
func costsOf(name string) protocol.Costs {
	p, _ := protocol.Lookup(name)
	return p.Costs
}

func framesOf(counts []Count) (sum int) {
	for _, c := range counts {
		sum += c.Frames
	}
	return sum
}

// batchBytes is what requests of so many bytes weigh in a batch: its stamp and their
// number before them all, a length before each.
func batchBytes(requests, bytes int) int { return 8 + 2 + requests*(3+bytes) }
