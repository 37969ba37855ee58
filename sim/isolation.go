package sim

import "quorate.dev/quorate/consensus"

// isolation cuts the leader off, one view after the other, so that a view is
// given up before it has achieved much. It ends after a few targets, or when its
// time is over.
type isolation struct {
	world  *World
	left   int            // targets still to come
	end    consensus.Time // of the isolation
	view   consensus.View // of the last target
	target int            // the last target; -1 = none
	dice   *stream
	round  uint64 // counts the isolations of a run
}

// begin starts an isolation, unless one is going on. Two views in a row at least.
func (h *isolation) begin(lasts consensus.Time, dice *stream) {
	w := h.world
	if h.left > 0 || h.target >= 0 {
		return
	}
	h.round++
	h.left, h.end, h.dice, h.view, h.target = 2+dice.upTo(2), w.clock.now+lasts+dice.duration(lasts), dice, 0, -1
	for _, r := range w.replicas {
		if r.up() && r.honest() {
			h.view = max(h.view, r.driver.Status().View)
		}
	}
	h.cutOff(h.view)
	round := h.round
	w.clock.after(h.end-w.clock.now, func() {
		if h.round == round {
			h.stop()
		}
	})
}

// entered is told that an honest replica has entered a view. The new leader may
// send a little, or nothing, or just too much, before it is cut off.
func (h *isolation) entered(v consensus.View) {
	if h.left == 0 || v <= h.view {
		return
	}
	h.view = v
	w, round := h.world, h.round
	w.clock.after(h.dice.duration(pick(h.dice, 0, 2*w.cfg.Network.Delay, 8*(w.cfg.Network.Delay+w.cfg.Network.Jitter))), func() {
		if h.round == round && h.left > 0 {
			h.cutOff(v)
		}
	})
}

// cutOff cuts off the leader of a view, and connects the one before: more than
// one away at a time would stop what is to go on.
func (h *isolation) cutOff(v consensus.View) {
	h.release()
	h.left--
	h.target = h.world.leaderOf(v)
	h.world.trace.line(h.world.clock.now, "leader isolation: R%d, which leads view %d, is cut off", h.target, v)
	h.world.net.block(h.target, 1)
}

// stop ends an isolation.
func (h *isolation) stop() {
	h.left = 0
	h.release()
}

// release connects the last target again.
func (h *isolation) release() {
	if h.target >= 0 {
		h.world.trace.line(h.world.clock.now, "leader isolation: R%d is connected again", h.target)
		h.world.net.block(h.target, -1)
		h.target = -1
		h.world.net.release()
	}
}

// leaderOf is who leads in a view: by turns, or whom its members elected.
func (w *World) leaderOf(v consensus.View) int {
	if w.protocol.Elected {
		for _, r := range w.replicas {
			if !r.up() {
				continue
			}
			if s := r.driver.Status(); s.View == v && !s.Changing {
				return int(s.Primary)
			}
		}
	}
	return int(uint64(v) % uint64(len(w.replicas)))
}
