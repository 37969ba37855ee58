package byzantine

import (
	"fmt"
	"slices"

	"quorate.dev/quorate/consensus"
)

// engine is an honest engine behind its masks.
type engine struct {
	consensus.Engine
	traitor *Traitor
	plan    *Plan // whose masks are on
	masks   []*filter
	freed   []Letter // what masks held that were taken off
	wrapped bool     // New was tampered with, which the first step owns up to
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
	return &engine{Engine: inner, traitor: t, wrapped: tampered && (twin || len(rec.Records) > 0)}, nil
}

// Step lets the masks change what the engine hears and says: the last one
// hears first and speaks last.
func (e *engine) Step(b consensus.Burst) consensus.Output {
	e.dress(b.Now)
	_, twin := e.Engine.(*twins)
	frames := unwrap(&b, twin)
	if len(e.masks) == 0 && len(e.freed) == 0 {
		out := e.Engine.Step(b)
		e.ownUp(&out)
		return out
	}
	for _, m := range slices.Backward(e.masks) {
		m.hear(&b)
	}
	out := e.Engine.Step(b)
	mail := unpack(&e.traitor.env, &out)
	mail.Heard = frames
	for _, m := range e.masks {
		m.speak(&b, mail)
	}
	mail.Letters = append(mail.Letters, e.freed...)
	e.freed = nil
	mail.pack()
	e.ownUp(&out)
	return out
}

// ownUp notes, once, that this life began with a lie.
func (e *engine) ownUp(out *consensus.Output) {
	if e.wrapped {
		e.wrapped = false
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
func (e *engine) dress(now consensus.Time) {
	p := e.traitor.current()
	if p == e.plan {
		return
	}
	for _, m := range e.masks {
		if h, holds := m.mask.(holder); holds {
			e.freed = append(e.freed, h.letGo()...)
		}
	}
	e.plan, e.masks = p, nil
	e.pair(now)
	if p == nil {
		return
	}
	// Plan has made these masks once already, so that they can be made.
	e.masks, _ = e.traitor.env.masks(p.specs)
	since := e.traitor.sinceOf(p, now)
	for _, m := range e.masks {
		m.since = since
	}
}

// masks makes what the specs ask for, each behind its filter.
func (e *Env) masks(specs []Spec) ([]*filter, error) {
	var ms []*filter
	for i, s := range specs {
		entry, s, err := complete(s, false, e.Genesis.Protocol)
		if err != nil {
			return nil, err
		}
		if err := e.check(&s); err != nil {
			return nil, err
		}
		if entry.mask == nil {
			continue
		}
		purpose := fmt.Sprintf("%d %s", i, s)
		m, err := entry.mask(e, s)
		if err != nil {
			return nil, err
		}
		ms = append(ms, newFilter(e, m, s, purpose))
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
