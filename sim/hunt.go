package sim

import "quorate.dev/quorate/consensus"

// hunt isolates whoever is primary, one view after the other, so that a view
// is given up before it has achieved much. It ends after a few victims, or when
// its time is over.
type isolation struct {
	left   int            // victims still to come
	end    consensus.Time // of the hunt
	view   consensus.View // of the last victim
	target int            // the last victim; -1 = none
	dice   *stream
	round  uint64 // counts the hunts of a run
}

// hunts begins a hunt, unless one is going on. Two views in a row at least.
func (w *World) isolateLeaders(lasts consensus.Time, dice *stream) {
	h := &w.isolation
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
	w.isolateLeader(h.view)
	round := h.round
	w.clock.after(h.end-w.clock.now, func() {
		if h.round == round {
			h.left = 0
			w.releaseLeader()
		}
	})
}

// entered hears that an honest replica has entered a view. The hunt lets the
// new primary say a little, or nothing, or just too much.
func (w *World) entered(v consensus.View) {
	h := &w.isolation
	if h.left == 0 || v <= h.view {
		return
	}
	h.view = v
	round := h.round
	w.clock.after(h.dice.duration(pick(h.dice, 0, 2*w.cfg.Network.Delay, 8*(w.cfg.Network.Delay+w.cfg.Network.Jitter))), func() {
		if h.round == round && h.left > 0 {
			w.isolateLeader(v)
		}
	})
}

// strikePrimary isolates the primary of a view, and lets go of the one before:
// more than one away at a time would stop what is to go on.
func (w *World) isolateLeader(v consensus.View) {
	w.releaseLeader()
	w.isolation.left--
	w.isolation.target = w.leaderOf(v)
	w.trace.line(w.clock.now, "hunt: R%d, primary of view %d, is cut off", w.isolation.target, v)
	w.block(w.isolation.target, 1)
}

// head is who leads in a view: by turns, or whom its members elected.
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

// letGo ends the isolation of the last victim.
func (w *World) releaseLeader() {
	if w.isolation.target >= 0 {
		w.trace.line(w.clock.now, "hunt: R%d is back", w.isolation.target)
		w.block(w.isolation.target, -1)
		w.isolation.target = -1
		w.net.release()
	}
}

// fence cuts or mends all links of one end.
func (w *World) block(e, by int) {
	for i := range w.net.ends {
		if i != e {
			w.net.barred[i*w.net.ends+e] += by
			w.net.barred[e*w.net.ends+i] += by
		}
	}
}

// swizzle stops the links of some ends one by one in a random order, and lets
// them come back one by one in another (FoundationDB's swizzle-clogging).
func (w *World) swizzle(lasts consensus.Time, dice *stream) {
	var links []int
	inside := make([]bool, w.net.ends)
	for i := range inside {
		inside[i] = dice.chance(million / 2)
	}
	for from := range inside {
		for to := range inside {
			if from != to && (inside[from] || inside[to]) && dice.chance(million*3/4) {
				links = append(links, from*w.net.ends+to)
			}
		}
	}
	lasts = min(lasts, (w.safetyEnd-w.clock.now)/2)
	w.trace.line(w.clock.now, "swizzle: %d links of %s", len(links), w.sides(inside))
	for _, l := range links {
		stops, mends := dice.duration(lasts), lasts+dice.duration(lasts)
		w.clock.after(stops, func() { w.net.barred[l]++ })
		w.clock.after(mends, func() {
			w.net.barred[l]--
			w.net.release()
		})
	}
}
