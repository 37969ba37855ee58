package byzantine

import (
	"fmt"

	"quorate/consensus"
)

// engine is an honest engine behind its masks.
type engine struct {
	consensus.Engine
	traitor *Traitor
	plan    *Plan // whose masks are on
	masks   []mask
}

// New implements consensus.Protocol.
func (t *Traitor) New(rec consensus.Recovered) (consensus.Engine, error) {
	inner, err := t.inner.New(rec)
	if err != nil {
		return nil, err
	}
	return &engine{Engine: inner, traitor: t}, nil
}

// Step lets the masks change what the engine hears and says.
func (e *engine) Step(b consensus.Burst) consensus.Output {
	e.dress()
	if len(e.masks) == 0 {
		return e.Engine.Step(b)
	}
	for _, m := range e.masks {
		m.hear(&b)
	}
	out := e.Engine.Step(b)
	mail := unpack(&e.traitor.env, &out)
	for _, m := range e.masks {
		m.speak(&b, mail)
	}
	mail.pack()
	return out
}

// dress puts on the masks of a plan that is new.
func (e *engine) dress() {
	p := e.traitor.current()
	if p == e.plan {
		return
	}
	e.plan, e.masks = p, nil
	if p != nil {
		// Plan has made these masks once already, so that they can be made.
		e.masks, _ = e.traitor.env.masks(p.specs)
	}
}

// masks makes what the specs ask for.
func (e *Env) masks(specs []Spec) ([]mask, error) {
	var ms []mask
	for _, s := range specs {
		return nil, fmt.Errorf("no behaviour is called %q", s.Name)
	}
	return ms, nil
}
