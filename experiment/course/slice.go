package course

import (
	"fmt"
	"math"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// MaxSteps bounds the steps of an Outcome.
const MaxSteps = 600

// Slice picks the steps that show why a run ended as it did: those about one
// slot, with the view changes, faults and executions between its first step and
// the one that settled it. It answers which slot that is.
func (r *Recorder) Slice(s *spec.Spec, o *spec.Outcome) ([]sim.Step, consensus.Seq) {
	p := r.slice(o.Genesis)
	for _, t := range s.Traitors {
		p.traitor[fmt.Sprintf("R%d", t.Replica)] = true
	}
	p.slot = p.focus(o)
	p.mine = p.about()
	p.scope(o)
	var out []sim.Step
	for i := range p.steps {
		if len(out) < MaxSteps && p.wants(i) {
			out = append(out, p.steps[i])
		}
	}
	return out, p.slot
}

// slice is a recorded run with what its frames say.
type slice struct {
	*Recorder
	said       []protocol.Summary // of the step with the same index
	slot       consensus.Seq
	mine       []bool // of the step with the same index: its frame is about the slot
	begin, end consensus.Time
	requests   map[crypto.Digest]bool // that were proposed for the slot
	view       consensus.View         // the highest in which the slot was spoken of
	checkpoint bool                   // the dispute is about a checkpoint
	traitor    map[string]bool        // what these do from the start needs no step of its own
}

func (r *Recorder) slice(g consensus.Genesis) *slice {
	p := &slice{Recorder: r, said: make([]protocol.Summary, len(r.steps)), requests: map[crypto.Digest]bool{}, traitor: map[string]bool{}}
	read := r.protocol.Codec(g).Summary
	for i, s := range r.steps {
		p.said[i], _ = read(s.Frame)
	}
	return p
}

// focus is the slot to look at: where it forked, where it stopped, what was in
// dispute, or simply the first one.
func (p *slice) focus(o *spec.Outcome) consensus.Seq {
	if o.Verdict.Forked {
		return o.Verdict.ForkAt
	}
	if o.Deceives() {
		return p.lie(o)
	}
	if slot := p.imposed(); slot != 0 && !o.Verdict.Safe() {
		return slot
	}
	if !o.Live {
		return p.height() + 1
	}
	if slot := p.disputed(); slot != 0 {
		return slot
	}
	return p.usual()
}

// usual is a slot of a run without a dispute: the first one that needed another
// view than the one before, or else the first one that is a client's.
func (p *slice) usual() consensus.Seq {
	var first consensus.Seq
	var view consensus.View // of the first one
	for _, s := range p.steps {
		if s.Kind != sim.StepExecute || s.Digest == consensus.NullDigest {
			continue
		}
		if first == 0 {
			first = s.Seq
			if p.protocol.Elected {
				view = s.View
			}
		}
		if s.View > view {
			return s.Seq
		}
	}
	return max(first, 1)
}

// imposed is the slot of the first state that somebody was told to take.
func (p *slice) imposed() consensus.Seq {
	for _, s := range p.said {
		if s.Topic == protocol.State && s.Decided > 0 {
			return s.Decided
		}
	}
	return 0
}

// lie is the slot whose result the first deceived client believed.
func (p *slice) lie(o *spec.Outcome) consensus.Seq {
	for _, v := range o.Verdict.Violations {
		for _, s := range p.steps {
			if v.Kind == check.Deceived && s.Kind == sim.StepBelieve && s.At == v.At {
				return s.Seq
			}
		}
	}
	return p.disputed()
}

// height is the highest slot that anybody executed.
func (p *slice) height() (highest consensus.Seq) {
	for _, s := range p.steps {
		if s.Kind == sim.StepExecute {
			highest = max(highest, s.Seq)
		}
	}
	return highest
}

// claim is a position at which only one value may be said.
type claim struct {
	kind string
	view consensus.View
	seq  consensus.Seq
}

// disputed is the slot of the first pair of frames that say different things at
// one position, 0 if there is none.
func (p *slice) disputed() consensus.Seq {
	values := map[claim]crypto.Digest{}
	for _, s := range p.said {
		if !s.Valued || s.Seq == 0 {
			continue
		}
		at := claim{s.Kind, s.View, s.Seq}
		if s.Kind == protocol.KindReply {
			at.view = 0 // a view in a reply is a hint
			at.kind += string(s.Request[0][:])
		}
		if before, known := values[at]; known && before != s.Value {
			p.checkpoint = s.Topic == protocol.State
			return s.Seq
		}
		values[at] = s.Value
	}
	return 0
}

// scope finds when the slot's story begins and ends, and what belongs to it.
func (p *slice) scope(o *spec.Outcome) {
	first := consensus.Time(math.MaxInt64)
	var executed, believed consensus.Time
	executions := map[string]bool{}
	for i, s := range p.steps {
		if p.mine[i] {
			first = min(first, s.At)
			p.view = max(p.view, p.said[i].View)
			for _, r := range p.said[i].At(p.slot).Request {
				p.requests[r] = true
			}
		}
		switch {
		case s.Seq != p.slot:
		case (s.Kind == sim.StepExecute || s.Kind == sim.StepNote) && !executions[s.From+string(s.Kind)]:
			executions[s.From+string(s.Kind)], executed = true, s.At
		case s.Kind == sim.StepBelieve && believed == 0:
			believed = s.At
		}
	}
	p.begin, p.end = 0, math.MaxInt64
	if first == math.MaxInt64 {
		p.view = math.MaxInt64 // nobody spoke of the slot: show what they did instead
		if p.protocol.Elected {
			p.begin = p.lastDone()
		}
		p.neglected()
		return
	}
	p.begin = first
	if o.Verdict.Forked {
		p.end = executed
	} else if o.Live || o.Deceives() {
		p.end = max(executed, believed)
	} else {
		p.view = math.MaxInt64 // how they tried to leave it behind
	}
	for i, s := range p.steps {
		if p.asks(p.said[i]) {
			p.begin = min(p.begin, s.At)
		}
	}
}

// neglected goes for the requests that nobody has answered: where nothing was
// said about a slot, they are the story.
func (p *slice) neglected() {
	answered := map[crypto.Digest]bool{}
	for _, s := range p.said {
		if s.Kind == protocol.KindReply {
			answered[s.Request[0]] = true
		}
	}
	for i, s := range p.said {
		if s.Kind == protocol.KindRequest && !answered[s.Request[0]] {
			p.requests[s.Request[0]] = true
			p.begin = min(p.begin, p.steps[i].At)
		}
	}
}

// lastDone is when somebody executed something for the last time.
func (p *slice) lastDone() (at consensus.Time) {
	for _, s := range p.steps {
		if s.Kind == sim.StepExecute {
			at = s.At
		}
	}
	return at
}

// once tells the first frame of its sort from those that say the same again.
type once struct {
	step     sim.StepKind
	from, to string
	term     consensus.View
	stored   bool // it acknowledges, else it says that something is decided
}

// about marks the frames that speak of the slot: those about it alone, and over
// each link the first one that covers it, as an acknowledgement or as the word
// that it is decided.
func (p *slice) about() []bool {
	mine := make([]bool, len(p.said))
	seen := map[once]bool{}
	offered := false // what covers the slot before it was proposed speaks of another time
	for i, s := range p.said {
		step, at := &p.steps[i], s.At(p.slot)
		link := once{step.Kind, step.From, step.To, s.View, s.Stored > 0}
		switch {
		case (at.Valued || s.Seq > 0) && at.Seq == p.slot && (s.Topic != protocol.State || p.checkpoint):
			mine[i], offered = true, true
			seen[link] = seen[link] || s.Decided >= p.slot
		case (offered || s.Topic == protocol.State) && max(s.Stored, s.Decided) >= p.slot && !seen[link]:
			mine[i], seen[link] = true, true
		}
	}
	return mine
}

// asks reports whether a frame is a request that was proposed for the slot, or
// was refused.
func (p *slice) asks(s protocol.Summary) bool {
	return (s.Kind == protocol.KindRequest || s.Kind == protocol.KindRefused) && (len(p.requests) == 0 || p.requests[s.Request[0]])
}

// underWay is how long after the end what was sent before may still arrive.
const underWay = 20 * sim.Millisecond

// wants reports whether a step belongs to the story.
func (p *slice) wants(i int) bool {
	s, said := &p.steps[i], p.said[i]
	switch s.Kind {
	case sim.StepFault:
		return s.At <= p.end && (s.At > 0 || !p.traitor[s.From])
	case sim.StepNote:
		if s.Note.Kind == consensus.EnteredView || p.survived(s) {
			return s.At >= p.begin && s.At <= p.end
		}
		return s.Seq == p.slot && s.At <= p.end
	case sim.StepExecute, sim.StepBelieve:
		return s.Seq == p.slot && s.At <= p.end
	case sim.StepSend, sim.StepDeliver:
		if s.At < p.begin || s.At > p.end && (s.Kind == sim.StepSend || s.At > p.end+underWay) {
			return false
		}
		switch {
		case said.Topic == protocol.Succession:
			return said.View <= p.view
		case said.Kind == protocol.KindRequest || said.Kind == protocol.KindRefused:
			return p.asks(said)
		}
		return p.mine[i]
	}
	return false
}
