package model

import "quorate.dev/quorate/consensus/quorum"

// outcome is one way in which a view can go: who accepted what, who went on to
// prepare it, and what the votes prove, with those of the liars for everything.
type outcome struct {
	accepted  [maxActors]int8 // a value, or -1, or both
	commits   [maxActors]int8 // the value that they sent a COMMIT for, or -1
	certs     uint8           // values, as bits, with a prepared certificate
	committed uint8           // values, as bits, with q COMMITs
	cost      int
}

// effect is all of an outcome that matters later.
type effect struct {
	held             [maxActors]int8
	certs, committed uint8
}

// situation is all that the outcomes of a view depend on.
type situation struct {
	view    int
	allowed uint8
	open    uint16
}

// outcomes lists every effect that the view can have, each with the fewest
// steps. An accepted value without a certificate leaves no trace, so it is left
// out.
func (h *search) outcomes(at situation) []outcome {
	if known, ok := h.votes[at]; ok {
		return known
	}
	best := map[effect]int{}
	var list []outcome
	h.accept(at, 0, outcome{}, func(o outcome) {
		if !h.certify(at, &o) {
			return
		}
		h.prepare(at, 0, o, func(o outcome) {
			h.commit(&o)
			e := effect{held: o.commits, certs: o.certs, committed: o.committed}
			if i, ok := best[e]; !ok {
				best[e] = len(list)
				list = append(list, o)
			} else if o.cost < list[i].cost {
				list[i] = o
			}
		})
	})
	h.votes[at] = list
	return list
}

// accept enumerates who accepts what.
func (h *search) accept(at situation, i int, o outcome, then func(outcome)) {
	if i == len(h.ids) {
		then(o)
		return
	}
	o.accepted[i] = -1
	h.accept(at, i+1, o, then)
	for value := range values {
		if at.open>>i&1 == 1 && at.allowed>>value&1 == 1 {
			with := o
			with.accepted[i] = int8(value)
			with.cost++
			h.accept(at, i+1, with, then)
		}
	}
	if at.open>>i&1 == 1 && at.allowed == bothValues && h.Weakness.Again {
		o.accepted[i] = both
		o.cost += 2
		h.accept(at, i+1, o, then)
	}
}

// both is accepted by who forgets one vote and gives another.
const both = values

// votedFor reports whether actor i accepted a value.
func (o *outcome) votedFor(i, value int) bool {
	return int(o.accepted[i]) == value || o.accepted[i] == both
}

// certify notes which values have a prepared certificate, and reports whether
// the primary may have proposed what was accepted and all of it is certified.
// The primary's proposal is its vote; an honest one makes it by accepting.
func (h *search) certify(at situation, o *outcome) bool {
	primary := h.primary(at.view)
	for value := range values {
		voters, accepted := h.Liars, false
		proposed := h.Liars.Has(primary)
		for i, id := range h.ids {
			if o.votedFor(i, value) {
				voters.Add(id)
				accepted = true
				proposed = proposed || id == primary
			}
		}
		votes := voters.Len()
		if h.Weakness.PrimaryTwice && h.Liars.Has(primary) {
			votes++
		}
		if proposed && votes >= h.quorum()-h.Weakness.Prepares {
			o.certs |= 1 << value
		} else if accepted {
			return false
		}
	}
	return true
}

// prepare enumerates at whom the certificate of what it accepted arrives. With the
// power it may have lost that vote, or never given one: then the certificate of
// either value will do.
func (h *search) prepare(at situation, i int, o outcome, then func(outcome)) {
	if i == len(h.ids) {
		then(o)
		return
	}
	o.commits[i] = -1
	h.prepare(at, i+1, o, then)
	for value := range values {
		forgot := h.PowerLoss && at.open>>i&1 == 1 && o.certs>>value&1 == 1
		if forgot || o.votedFor(i, value) {
			with := o
			with.commits[i] = int8(value)
			with.cost++
			h.prepare(at, i+1, with, then)
		}
	}
}

// commit notes for which values there are q COMMITs.
func (h *search) commit(o *outcome) {
	for value := range values {
		if h.committers(o, value).Len() >= h.quorum()-h.Weakness.Commits {
			o.committed |= 1 << value
		}
	}
}

// committers are those who sent COMMITs, and the liars.
func (h *search) committers(o *outcome, value int) quorum.Set {
	voters := h.Liars
	for i, id := range h.ids {
		if int(o.commits[i]) == value {
			voters.Add(id)
		}
	}
	return voters
}

// apply is the state after the votes of o. Without checkpoints it does not
// matter who executes: whoever does it first pays the step. With them,
// executions are steps of their own (settle).
func (h *search) apply(s state, o *outcome) (state, int) {
	cost := o.cost
	for i := range h.ids {
		switch {
		case o.commits[i] >= 0:
			s.actors[i].held = certificate(int(s.view), int(o.commits[i]))
		case h.Weakness.Forgetful && o.accepted[i] >= 0:
			s.actors[i].held = 0
		}
	}
	for value := range values {
		if o.certs>>value&1 == 1 {
			s.certs |= 1 << (certificate(int(s.view), value) - 1)
		}
		if o.committed>>value&1 == 1 && s.executed>>value&1 == 0 && !h.Checkpoints {
			s.executed |= 1 << value
			cost++
		}
	}
	s.committed |= o.committed
	s.ended, s.allowed = true, 0
	if s.wiped && h.first >= 0 {
		s.actors[h.first].held, s.actors[h.first].stable = 0, 0
	}
	return s, cost
}
