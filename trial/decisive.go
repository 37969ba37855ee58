package trial

import (
	"fmt"
	"math"

	"quorate/check"
	"quorate/consensus"
	"quorate/crypto"
	"quorate/sim"
)

// maxDecisive bounds the steps of an Outcome.
const maxDecisive = 600

// decisive picks the steps that show why a run ended as it did: those about one
// slot, with the view changes, faults and executions between its first step and
// the one that settled it.
func decisive(steps []sim.Step, read Reader, traitors []sim.Traitor, o *Outcome) []sim.Step {
	p := newPlot(steps, read)
	for _, t := range traitors {
		p.traitor[fmt.Sprintf("R%d", t.Replica)] = true
	}
	p.slot = p.focus(o)
	p.scope(o)
	var out []sim.Step
	for i, s := range steps {
		if len(out) == maxDecisive {
			break
		}
		if p.wants(s, p.said[i]) {
			out = append(out, s)
		}
	}
	return out
}

// plot is a recorded run with what its frames say.
type plot struct {
	steps      []sim.Step
	said       []Saying // of the step with the same index
	slot       consensus.Seq
	begin, end consensus.Time
	requests   map[crypto.Digest]bool // that were proposed for the slot
	view       consensus.View         // the highest in which the slot was spoken of
	checkpoint bool                   // the dispute is about a checkpoint
	traitor    map[string]bool        // what these do from the start needs no step of its own
}

func newPlot(steps []sim.Step, read Reader) *plot {
	p := &plot{steps: steps, said: make([]Saying, len(steps)), requests: map[crypto.Digest]bool{}, traitor: map[string]bool{}}
	for i, s := range steps {
		if len(s.Frame) > 0 {
			p.said[i], _ = read(s.Frame)
		}
	}
	return p
}

// focus is the slot to look at: where it forked, where it stopped, what was in
// dispute, or simply the first one.
func (p *plot) focus(o *Outcome) consensus.Seq {
	if o.Verdict.Forked {
		return o.Verdict.ForkAt
	}
	if o.Deceived {
		return p.lie(o)
	}
	if !o.Live {
		return p.height() + 1
	}
	if slot := p.disputed(); slot != 0 {
		return slot
	}
	for _, s := range p.steps {
		if s.Kind == sim.StepExecute && s.View > 0 {
			return s.Seq // a view change was needed
		}
	}
	return 1
}

// lie is the slot whose result the first deceived client believed.
func (p *plot) lie(o *Outcome) consensus.Seq {
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
func (p *plot) height() (highest consensus.Seq) {
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
func (p *plot) disputed() consensus.Seq {
	values := map[claim]crypto.Digest{}
	for _, s := range p.said {
		if !s.Valued || s.Seq == 0 {
			continue
		}
		at := claim{s.Kind, s.View, s.Seq}
		if s.Kind == "REPLY" {
			at.view = 0 // a view in a reply is a hint
			at.kind += string(s.Request[0][:])
		}
		if before, known := values[at]; known && before != s.Value {
			p.checkpoint = s.Kind == "CHECKPOINT"
			return s.Seq
		}
		values[at] = s.Value
	}
	return 0
}

// scope finds when the slot's story begins and ends, and what belongs to it.
func (p *plot) scope(o *Outcome) {
	first := consensus.Time(math.MaxInt64)
	var executed, believed consensus.Time
	executions := map[string]bool{}
	for i, s := range p.steps {
		if p.about(p.said[i]) {
			first = min(first, s.At)
			p.view = max(p.view, p.said[i].View)
			for _, r := range p.said[i].Request {
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
		return
	}
	p.begin = first
	if o.Verdict.Forked {
		p.end = executed
	} else if o.Live || o.Deceived {
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

// about reports whether a frame speaks of the slot.
func (p *plot) about(s Saying) bool {
	return s.Valued && s.Seq == p.slot && (s.Kind != "CHECKPOINT" || p.checkpoint)
}

// asks reports whether a frame is a request that was proposed for the slot.
func (p *plot) asks(s Saying) bool {
	return s.Kind == "REQUEST" && (len(p.requests) == 0 || p.requests[s.Request[0]])
}

// underWay is how long after the end what was sent before may still arrive.
const underWay = 20 * sim.Millisecond

// wants reports whether a step belongs to the story.
func (p *plot) wants(s sim.Step, said Saying) bool {
	switch s.Kind {
	case sim.StepFault:
		return s.At <= p.end && (s.At > 0 || !p.traitor[s.From])
	case sim.StepExecute, sim.StepBelieve, sim.StepNote:
		return s.Seq == p.slot && s.At <= p.end
	case sim.StepSend, sim.StepDeliver:
		if s.At < p.begin || s.At > p.end && (s.Kind == sim.StepSend || s.At > p.end+underWay) {
			return false
		}
		switch said.Kind {
		case "VIEW-CHANGE", "NEW-VIEW":
			return said.View <= p.view
		case "REQUEST":
			return p.asks(said)
		}
		return p.about(said)
	}
	return false
}
