package model

import "quorate.dev/quorate/consensus/quorum"

// settle enumerates, after the votes of a view, who executes what was committed
// and for whom the slot becomes stable. Whoever takes a stable checkpoint has
// its state, executed or not.
func (h *search) settle(s state, i, cost int, then func(state, int)) {
	if !h.Checkpoints {
		then(s, cost)
		return
	}
	if i < len(h.ids) {
		h.settle(s, i+1, cost, then)
		for value := range values {
			if h.active(&s, false)>>i&1 == 1 && s.actors[i].executed == 0 && s.committed>>value&1 == 1 {
				with := s
				with.actors[i].executed = uint8(1 + value)
				with.executed |= 1 << value
				h.settle(with, i+1, cost+1, then)
			}
		}
		return
	}
	h.stabilize(s, 0, cost, then)
}

// stabilize enumerates at whom q CHECKPOINTs arrive.
func (h *search) stabilize(s state, i, cost int, then func(state, int)) {
	if i == len(h.ids) {
		then(s, cost)
		return
	}
	h.stabilize(s, i+1, cost, then)
	for value := range values {
		mine := s.actors[i].executed
		if h.active(&s, false)>>i&1 == 1 && s.actors[i].stable == 0 && (mine == 0 || int(mine) == 1+value) && h.checkpointed(&s, value) {
			with := s
			with.actors[i] = actor{executed: uint8(1 + value), stable: uint8(1 + value)}
			with.executed |= 1 << value
			h.stabilize(with, i+1, cost+1, then)
		}
	}
}

// checkpointed reports whether there are q CHECKPOINTs for the state that value
// led to: of those who executed it and of the liars.
func (h *search) checkpointed(s *state, value int) bool {
	if !h.Checkpoints || s.executed>>value&1 == 0 {
		return false
	}
	voters := quorum.Set(h.Liars)
	for i, id := range h.ids {
		if int(s.actors[i].executed) == 1+value {
			voters.Add(id)
		}
	}
	return voters.Len() >= h.quorum()
}
