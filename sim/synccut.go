package sim

import "quorate.dev/quorate/consensus"

// syncCut is power that fails at a leader while it writes: what it has sent beside
// its own sync is out, and what it wrote is not on disk. One of the others is cut off
// with it, so that the rest goes on without either.
type syncCut struct {
	world  *World
	armed  bool
	lasts  consensus.Time
	dice   *stream
	target int // who is cut off; -1 = nobody
}

// arm lets the next leader that writes lose its power, unless that is going on.
func (s *syncCut) arm(lasts consensus.Time, dice *stream) {
	if s.target < 0 {
		s.armed, s.lasts, s.dice = true, lasts, dice
	}
}

// writes is told that a replica begins to write, which takes so long. A leader that is
// to lose its power takes long enough for its followers to answer it before.
func (s *syncCut) writes(r *replica, takes consensus.Time) consensus.Time {
	w := s.world
	if !s.armed {
		return takes
	}
	if st := r.driver.Status(); st.Primary != r.id || st.Changing || st.InFlight == 0 {
		return takes
	}
	s.armed = false
	takes += 8 * (w.cfg.Network.Delay + w.cfg.Network.Jitter)
	life := r.life
	w.clock.after(s.dice.duration(takes), func() {
		if r.life == life && r.up() && !w.net.settled {
			s.strike(r)
		}
	})
	return takes
}

func (s *syncCut) strike(r *replica) {
	w := s.world
	w.trace.event(w.clock.now, r, "loses power while it writes")
	r.stop()
	w.clock.after(s.lasts, r.revive)
	if n := len(w.replicas); n > 2 && s.target < 0 {
		s.target = (int(r.id) + 1 + s.dice.upTo(n-2)) % n
		w.trace.line(w.clock.now, "sync cut: R%d is cut off", s.target)
		w.net.block(s.target, 1)
		w.clock.after(3*s.lasts, s.stop)
	}
}

// stop connects who was cut off again.
func (s *syncCut) stop() {
	s.armed = false
	if s.target >= 0 {
		s.world.net.block(s.target, -1)
		s.target = -1
		s.world.net.release()
	}
}
