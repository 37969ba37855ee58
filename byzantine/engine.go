package byzantine

import (
	"fmt"
	"slices"

	"quorate.dev/quorate/consensus"
)

// engine is an honest engine behind its masks.
type engine struct {
	consensus.Engine
	traitor   *Traitor
	plan      *Plan // whose masks are on
	selectors []*selector
	released  []Outbound // what masks held that were taken off
	tampered  bool       // New was tampered with, which the first step owns up to
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
	// Who forgets has lied only if there was something to forget.
	_, twin := inner.(*twins)
	return &engine{Engine: inner, traitor: t, tampered: tampered && (twin || len(rec.Records) > 0)}, nil
}

// Step lets the masks change what the engine hears and says: the last one
// hears first and speaks last.
func (e *engine) Step(b consensus.Burst) consensus.Output {
	e.apply(b.Now)
	_, twin := e.Engine.(*twins)
	frames := unwrap(&b, twin)
	if len(e.selectors) == 0 && len(e.released) == 0 {
		out := e.Engine.Step(b)
		e.report(&out)
		return out
	}
	for _, m := range slices.Backward(e.selectors) {
		m.Incoming(&b)
	}
	out := e.Engine.Step(b)
	mail := unpack(&e.traitor.env, &out)
	mail.Heard = frames
	for _, m := range e.selectors {
		m.Outgoing(&b, mail)
	}
	mail.Messages = append(mail.Messages, e.released...)
	e.released = nil
	mail.pack()
	e.report(&out)
	return out
}

// ownUp notes, once, that this life began with a lie.
func (e *engine) report(out *consensus.Output) {
	if e.tampered {
		e.tampered = false
		out.Notes = append(out.Notes, consensus.Note{Kind: Lied, Reason: "twin, amnesia or rollback", Text: "the engine is not what its log says"})
	}
}

// unwrap takes messages out of what Open put them into, and lists the frames.
// Twins learn for which of them a message is.
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

// dress puts on the masks of a plan that is new, and takes off those before.
func (e *engine) apply(now consensus.Time) {
	p := e.traitor.current()
	if p == e.plan {
		return
	}
	for _, m := range e.selectors {
		if h, holds := m.inner.(Holder); holds {
			e.released = append(e.released, h.Release()...)
		}
	}
	e.plan, e.selectors = p, nil
	e.pair(now)
	if p == nil {
		return
	}
	// Plan has made these masks once already, so that they can be made.
	e.selectors, _ = e.traitor.env.interceptors(p.specs)
	since := e.traitor.sinceOf(p, now)
	for _, m := range e.selectors {
		m.since = since
	}
}

// masks makes what the specs ask for, each behind its filter.
func (e *Env) interceptors(specs []Spec) ([]*selector, error) {
	var ms []*selector
	for i, s := range specs {
		entry, s, err := complete(s, false, e.Genesis.Protocol)
		if err != nil {
			return nil, err
		}
		if err := e.check(&s); err != nil {
			return nil, err
		}
		if entry.Intercept == nil {
			continue
		}
		purpose := fmt.Sprintf("%d %s", i, s)
		m, err := entry.Intercept(e, s)
		if err != nil {
			return nil, err
		}
		ms = append(ms, newSelector(e, m, s, purpose))
	}
	return ms, nil
}

// check judges what all behaviours have in common against the cluster.
func (e *Env) check(s *Spec) error {
	for _, id := range s.To {
		if int(id) >= len(e.Genesis.Replicas) {
			return &ParamError{Behaviour: s.Name, Word: "to=" + list(s.To), Why: fmt.Sprintf("the cluster has %d replicas, numbered from 0", len(e.Genesis.Replicas))}
		}
	}
	names := namers[e.Genesis.Protocol]
	return names.check(s)
}

// wraps makes what surrounds New.
func (e *Env) wraps(specs []Spec) ([]Behaviour, error) {
	var ws []Behaviour
	for _, s := range specs {
		entry, s, err := complete(s, false, e.Genesis.Protocol)
		if err != nil {
			return nil, err
		}
		if entry.wrap == nil {
			continue
		}
		w, err := entry.wrap(e, s)
		if err != nil {
			return nil, err
		}
		ws = append(ws, w)
	}
	return ws, nil
}
