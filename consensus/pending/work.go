package pending

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// work is what the requests that wait here have to wait for: others that are
// executed before them. It is no silence, so the clock that requests wait by
// stands still as long as what was executed accounts for. It is not endless
// either: what is credited is what a slow machine would manage, and no more than
// lies within a bound (PROTOCOL.md §6).
type work struct {
	clock  int                      // ticks that nothing executed accounts for
	credit int                      // bytes executed for which the clock has yet to stand still
	coming int                      // bytes on their way for which it has yet to
	spared int                      // ticks for which it stood still for those
	held   int                      // bytes that wait
	under  int                      // ... of them, that stand in a slot of this view
	of     map[crypto.PublicKey]int // ... by client; none is zero
	busy   int                      // ticks of this measurement in which something waited
	done   int                      // bytes executed in them
	rate   int                      // bytes executed in a tick while something waited, as last measured; 0 = not yet
}

// perRequest is what a request costs beside its bytes: its signature, above all.
const perRequest = 1 << 10

// cost is the work that a request is, in bytes.
func cost(q *consensus.Request) int { return perRequest + len(q.Raw) }

// Tick lets the clock run for one tick, or stand still.
func (p *Pool) Tick() {
	w := &p.work
	switch {
	case len(p.byKey) == 0:
		w.credit, w.coming = 0, 0 // nobody has waited for it
	case w.credit >= p.cfg.Speed && p.cfg.Speed > 0:
		w.credit -= p.cfg.Speed
	case w.coming >= p.cfg.Speed && p.cfg.Speed > 0:
		w.coming -= p.cfg.Speed
		w.spared++
	default:
		w.clock++
	}
	if len(p.byKey) > 0 {
		w.measure(p.cfg.Patience)
	}
}

// measure ends a measurement once it has lasted for so many ticks. What is
// measured falls by half at most: a view change is no slow machine.
func (w *work) measure(span int) {
	if w.busy++; w.busy < span {
		return
	}
	if w.done > 0 {
		w.rate = max(w.done/w.busy, w.rate/2)
	}
	w.busy, w.done = 0, 0
}

// earned credits bytes that others had to wait for.
func (p *Pool) earned(bytes int) {
	p.work.credit = min(p.work.credit+bytes, 2*p.cfg.Patience*p.cfg.Speed)
}

// Coming lets the clock stand still for bytes that are on their way. What they are
// is not known yet: unless they are executed then, the time counts in the end.
func (p *Pool) Coming(bytes int) {
	p.work.coming = min(p.work.coming+bytes, 2*p.cfg.Patience*p.cfg.Speed)
}

// account takes in what is executed now. It answers how long one of the requests
// has waited here at most.
func (p *Pool) account(b *consensus.Batch) (longest int) {
	for _, q := range b.Requests {
		p.earned(cost(q))
		if len(p.byKey) > 0 {
			p.work.done += cost(q)
		}
		if e := p.byKey[KeyOf(q)]; e != nil {
			longest = max(longest, p.Waited(e)+p.work.spared-e.spared)
		}
	}
	if p.cfg.Speed > 0 {
		longest -= p.work.credit / p.cfg.Speed
	}
	return max(0, longest)
}

// Waited is how many ticks a request has waited for which nothing accounts.
func (p *Pool) Waited(e *Entry) int { return p.work.clock - e.clock }

// Silent is like Waited, but since the request was proposed, if it was: then it is
// no more the primary alone that it waits for.
func (p *Pool) Silent(e *Entry) int { return p.work.clock - e.silence }

// Proposed says that these requests stand in a new proposal.
func (p *Pool) Proposed(b *consensus.Batch) {
	for _, q := range b.Requests {
		if e := p.byKey[KeyOf(q)]; e != nil {
			e.silence = p.work.clock
		}
	}
}

// holds adds a request to what waits, or takes it away with sign -1.
func (w *work) holds(q *consensus.Request, sign int) {
	w.held += sign * cost(q)
	if w.of[q.Client] += sign * cost(q); w.of[q.Client] == 0 {
		delete(w.of, q.Client)
	}
}

// overloaded reports whether more waits than is executed, at the measured rate,
// in half of the patience: what comes now is told to try again, because those
// who lose patience over it would leave a primary that does what it can.
// What another replica has let in is not refused here: it waits there.
//
// That is not held against a client that keeps to its part: a flood of one would
// else leave the others none. And as long as there is room at all, a client with
// nothing here is let in with a request of any size: among others that come
// without end, a large one would else be refused for ever.
func (p *Pool) overloaded(q *consensus.Request) bool {
	w := &p.work
	most, with, own := max(w.rate, p.cfg.Speed)*p.cfg.Patience/2, w.held+cost(q), w.of[q.Client]
	if w.rate == 0 || w.held == 0 || with <= most || own == 0 && w.held <= most {
		return false
	}
	return own+cost(q) > most/(len(w.of)+1)
}
