package sim

import (
	"time"

	"quorate.dev/quorate/consensus"
)

// schedule injects a hazard again and again until the safety phase ends.
func (w *World) schedule(h Hazard, end consensus.Time) {
	dice := newStream(w.cfg.Seed, "hazard "+string(h.Kind))
	var again func()
	again = func() {
		if w.clock.now >= end {
			return
		}
		w.stats.Hazards++
		w.stats.Struck[h.Kind]++
		w.inject(h, dice)
		w.clock.after(dice.around(h.Every), again)
	}
	w.clock.after(dice.around(h.Every), again)
}

// inject lets one hazard happen once.
func (w *World) inject(h Hazard, dice *stream) {
	victim := w.replicas[dice.upTo(len(w.replicas)-1)]
	lasts := dice.duration(h.Lasts)
	switch h.Kind {
	case hazardCrash:
		victim.stop()
		w.clock.after(lasts, victim.revive)
	case hazardPowerLoss:
		w.trace.line(w.clock.now, "power loss")
		for _, r := range w.replicas {
			r.stop()
			w.clock.after(lasts+dice.duration(lasts), r.revive)
		}
	case hazardWipe:
		if !victim.honest() || w.allowance() > 0 {
			victim.wipe()
			w.clock.after(lasts, victim.revive)
		}
	case hazardPause:
		w.pause(victim, lasts)
	case hazardSlowDisk:
		victim.health.slowDisk = true
		w.clock.after(lasts, func() { victim.health.slowDisk = false })
	case hazardSlowRun:
		victim.health.slowRun = true
		w.clock.after(lasts, func() { victim.health.slowRun = false })
	case hazardSlowTasks:
		victim.health.slowTasks = true
		w.clock.after(lasts, func() { victim.health.slowTasks = false })
	case hazardRelaunch:
		w.clients[dice.upTo(len(w.clients)-1)].restart()
	case hazardClock:
		w.setClocks(dice, lasts, victim)
	case hazardClocks:
		w.setClocks(dice, lasts, w.replicas...)
	case hazardClientClock:
		c := w.clients[dice.upTo(len(w.clients)-1)]
		c.wrong = wrongBy(dice)
		c.restart()
	case hazardSwizzle:
		w.swizzle(lasts, dice)
	case hazardLeaderIsolation:
		w.isolation.begin(h.Lasts, dice)
	case hazardSyncCut:
		w.syncCut.arm(h.Lasts, dice)
	case hazardLossBurst:
		w.net.setLoss(million / 2)
		w.clock.after(lasts, func() { w.net.setLoss(w.cfg.Network.Loss) })
	default:
		w.cutLinks(h.Kind, victim, dice)
		w.clock.after(lasts, w.net.heal)
	}
}

// setClocks sets clocks wrong by the same, for a while.
func (w *World) setClocks(dice *stream, lasts consensus.Time, victims ...*replica) {
	by := wrongBy(dice)
	for _, r := range victims {
		w.trace.event(w.clock.now, r, "has a clock that is %v off", time.Duration(by))
		r.wrong += by
		w.clock.after(lasts, func() {
			if !w.net.settled {
				r.wrong -= by
			}
		})
	}
}

// revive starts a replica that is down, unless it is to stay away.
func (r *replica) revive() {
	if !r.up() && !r.health.gone {
		r.start()
	}
}

func (w *World) pause(r *replica, lasts consensus.Time) {
	if !r.up() || r.health.paused {
		return
	}
	w.trace.event(w.clock.now, r, "pauses")
	r.health.paused = true
	life := r.life
	w.clock.after(lasts, func() {
		if r.life == life {
			r.resume()
		}
	})
}

// cutLinks partitions the network in one of three ways.
func (w *World) cutLinks(kind HazardKind, victim *replica, dice *stream) {
	side := make([]bool, w.net.ends)
	for i := range side {
		side[i] = dice.chance(million / 2)
		if kind == hazardIsolate {
			side[i] = i == int(victim.id)
		}
	}
	w.trace.line(w.clock.now, "%s: %s", kind, w.sides(side))
	for _, l := range w.net.links(func(from, to int) bool { return side[from] != side[to] && (side[from] || kind != hazardOneWay) }) {
		w.net.cut[l] = true
	}
}

// amnesiacs counts the honest replicas that lost their disks and are not yet members
// again: each is a fault.
func (w *World) amnesiacs() int {
	count := 0
	for _, r := range w.replicas {
		if r.health.wiped && r.honest() {
			count++
		}
	}
	return count
}

// allowance is how many more of the honest may yet fail: traitors, disks that were
// lost, and those whom a script keeps away for good all count.
func (w *World) allowance() int {
	failed := w.amnesiacs()
	for _, r := range w.replicas {
		if !r.honest() || (w.keptAway(r) && !r.health.wiped) {
			failed++
		}
	}
	return max(0, w.cfg.Trust.Faults-failed)
}

// swizzle stops the links of some ends one by one in a random order, and lets
// them come back one by one in another (FoundationDB's swizzle-clogging).
func (w *World) swizzle(lasts consensus.Time, dice *stream) {
	inside := make([]bool, w.net.ends)
	for i := range inside {
		inside[i] = dice.chance(million / 2)
	}
	links := w.net.links(func(from, to int) bool { return (inside[from] || inside[to]) && dice.chance(million*3/4) })
	lasts = min(lasts, (w.safetyEnd-w.clock.now)/2)
	w.trace.line(w.clock.now, "swizzle: %d links of %s", len(links), w.sides(inside))
	for _, l := range links {
		stops, heals := dice.duration(lasts), lasts+dice.duration(lasts)
		w.clock.after(stops, func() { w.net.barred[l]++ })
		w.clock.after(heals, func() {
			w.net.barred[l]--
			w.net.release()
		})
	}
}
