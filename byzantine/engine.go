package byzantine

import (
	"fmt"
	"slices"

	"quorate.dev/quorate/consensus"
)

// engine is an honest engine behind interceptors.
type engine struct {
	consensus.Engine
	traitor   *Traitor
	plan      *Plan // whose interceptors are on
	selectors []*selector
	released  []Outbound // held by interceptors that were taken off
	tampered  bool       // New was tampered with, which the first step reports
	lied      bool       // a plan was on: what comes back of it is no news to the engine
}

// New implements consensus.Protocol.
func (t *Traitor) New(rec consensus.Recovered) (consensus.Engine, error) {
	var p consensus.Protocol = untwinned{t.inner}
	tampered := false
	if plan := t.current(); plan != nil {
		wraps, err := t.env.wraps(plan.specs)
		if err != nil {
			return nil, err
		}
		tampered = len(wraps) > 0
		for _, w := range wraps {
			p = w(p)
		}
	}
	inner, err := p.New(rec)
	if err != nil {
		return nil, err
	}
	// Amnesia is a lie only if there was something to forget.
	_, twin := inner.(*twins)
	return &engine{Engine: inner, traitor: t, tampered: tampered && (twin || len(rec.Records) > 0)}, nil
}

// Step lets the interceptors change what comes in and what goes out: the last
// one has what comes in first, and what goes out last.
func (e *engine) Step(b consensus.Burst) consensus.Output {
	e.apply(b.Now)
	e.lied = e.lied || e.plan != nil
	b.Lies = b.Lies || e.lied
	_, twin := e.Engine.(*twins)
	frames := unwrap(&b, twin)
	if len(e.selectors) == 0 && len(e.released) == 0 {
		out := e.Engine.Step(b)
		e.report(&out)
		return out
	}
	for _, s := range slices.Backward(e.selectors) {
		s.incoming(&b)
	}
	out := e.Engine.Step(b)
	box := unpack(&e.traitor.env, &out)
	box.Heard = frames
	for _, s := range e.selectors {
		s.outgoing(&b, box)
	}
	box.Messages = append(box.Messages, e.released...)
	e.released = nil
	box.pack()
	e.report(&out)
	return out
}

// report notes, once, that this life began with a lie.
func (e *engine) report(out *consensus.Output) {
	if e.tampered {
		e.tampered = false
		out.Notes = append(out.Notes, consensus.Note{Kind: Lied, Reason: "twin, amnesia or rollback", Text: "the engine is not what its log says"})
	}
}

// unwrap takes messages out of what Open put them into, and lists the frames.
// A twin is told which of its engines a message is for.
func unwrap(b *consensus.Burst, twin bool) (frames []consensus.Frame) {
	copied := false
	for i, e := range b.Events {
		r, received := e.(consensus.Receive)
		h, wrapped := r.Message.(heard)
		if !received || !wrapped {
			continue
		}
		if !copied {
			b.Events, copied = slices.Clone(b.Events), true
		}
		frames = append(frames, consensus.Frame{From: r.From, Bytes: h.frame})
		r.Message = h.message
		if twin && h.side != anySide {
			r.Message = sided{h.message, h.side}
		}
		b.Events[i] = r
	}
	return frames
}

// apply puts the interceptors of a new plan on, and takes off those before.
func (e *engine) apply(now consensus.Time) {
	p := e.traitor.current()
	if p == e.plan {
		return
	}
	for _, s := range e.selectors {
		if h, holds := s.inner.(Holder); holds {
			e.released = append(e.released, h.Release()...)
		}
	}
	e.plan, e.selectors = p, nil
	e.pair(now)
	if p == nil {
		return
	}
	// Plan has made these once already, so that they can be made.
	e.selectors, _ = e.traitor.env.interceptors(p.specs)
	since := e.traitor.sinceOf(p, now)
	for _, s := range e.selectors {
		s.since = since
	}
}

// interceptors makes what complete specs ask for, each behind its selector.
func (e *Env) interceptors(specs []Spec) ([]*selector, error) {
	var all []*selector
	for i, s := range specs {
		if s.Profile.Intercept == nil {
			continue
		}
		inner, err := s.Profile.Intercept(e, s)
		if err != nil {
			return nil, err
		}
		all = append(all, newSelector(e, inner, s, fmt.Sprintf("%d %s", i, s)))
	}
	return all, nil
}

// wraps makes what surrounds New.
func (e *Env) wraps(specs []Spec) ([]behaviour, error) {
	var all []behaviour
	for _, s := range specs {
		if s.Profile.wrap == nil {
			continue
		}
		w, err := s.Profile.wrap(e, s)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}
