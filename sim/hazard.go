package sim

import (
	"fmt"
	"strings"

	"quorate.dev/quorate/consensus"
)

// threaten lets a hazard strike again and again until the storm ends.
func (w *World) schedule(h Hazard, end consensus.Time) {
	dice := newStream(w.cfg.Seed, "hazard "+string(h.Kind))
	var strike func()
	strike = func() {
		if w.clock.now >= end {
			return
		}
		w.stats.Hazards++
		w.stats.Struck[h.Kind]++
		w.inject(h, dice)
		w.clock.after(dice.around(h.Every), strike)
	}
	w.clock.after(dice.around(h.Every), strike)
}

// strike lets one hazard happen once.
func (w *World) inject(h Hazard, dice *stream) {
	victim := w.replicas[dice.upTo(len(w.replicas)-1)]
	lasts := dice.duration(h.Lasts)
	switch h.Kind {
	case Crash:
		victim.stop()
		w.clock.after(lasts, victim.revive)
	case PowerLoss:
		w.trace.line(w.clock.now, "power loss")
		for _, r := range w.replicas {
			r.stop()
			w.clock.after(lasts+dice.duration(lasts), r.revive)
		}
	case Wipe:
		if !victim.honest() || w.allowance() > 0 {
			victim.wipe()
			w.clock.after(lasts, victim.revive)
		}
	case Pause:
		w.pause(victim, lasts)
	case SlowDisk:
		victim.health.slowDisk = true
		w.clock.after(lasts, func() { victim.health.slowDisk = false })
	case SlowRun:
		victim.health.slowRun = true
		w.clock.after(lasts, func() { victim.health.slowRun = false })
	case Relaunch:
		w.clients[dice.upTo(len(w.clients)-1)].restart()
	case Swizzle:
		w.swizzle(lasts, dice)
	case LeaderIsolation:
		w.isolateLeaders(h.Lasts, dice)
	case LossBurst:
		w.net.setLoss(million / 2)
		w.clock.after(lasts, func() { w.net.setLoss(w.cfg.Network.Loss) })
	default:
		w.cutLinks(h.Kind, victim, dice)
		w.clock.after(lasts, w.net.heal)
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
		if kind == Isolate {
			side[i] = i == int(victim.id)
		}
	}
	w.trace.line(w.clock.now, "%s: %s", kind, w.sides(side))
	for from := range side {
		for to := range side {
			apart := side[from] != side[to]
			if kind == OneWay {
				apart = apart && side[from]
			}
			if apart {
				w.net.set(endpoint(from), endpoint(to), true)
			}
		}
	}
}

func (w *World) sides(side []bool) string {
	var a, b []string
	for i, s := range side {
		if s {
			a = append(a, w.name(endpoint(i)))
		} else {
			b = append(b, w.name(endpoint(i)))
		}
	}
	return strings.Join(a, ",") + " | " + strings.Join(b, ",")
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

// spare is how many more of the honest may yet fail: traitors, disks that were
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

// healCore ends the storm: the network is whole again and all replicas are up
// and quick, but for as many as the protocol tolerates, which stay away for
// ever. Replicas without memory need the others' help, so they count against
// the same allowance, and so do traitors. What it returns are the honest.
func (w *World) healCore() []*replica {
	dice := newStream(w.cfg.Seed, "core")
	w.net.heal()
	w.isolation.left = 0
	w.releaseLeader()
	w.net.setLoss(min(w.cfg.Network.Loss, million/50))
	w.net.model.Late = 0
	w.net.settled = true
	away := dice.upTo(w.allowance())
	var core []*replica
	for _, i := range dice.rng.Perm(len(w.replicas)) {
		r := w.replicas[i]
		if w.keptAway(r) {
			continue
		}
		if away > 0 && !r.health.wiped && r.honest() {
			away--
			r.stop()
			r.health.gone = true
			w.trace.event(w.clock.now, r, "stays away")
			continue
		}
		r.health.slowDisk, r.health.slowRun = false, false
		r.resume()
		r.revive()
		if r.honest() {
			core = append(core, r)
		}
	}
	return core
}

// lament says who waits for what, when there is no progress.
func (w *World) diagnosis(core []*replica) string {
	var b strings.Builder
	for _, c := range w.clients {
		if !c.done() {
			fmt.Fprintf(&b, "\n  %s waits: %s", w.name(c.end), c)
		}
	}
	for _, r := range core {
		if r.up() {
			s := r.driver.Status()
			fmt.Fprintf(&b, "\n  %v view=%d changing=%v executed=%d applied=%d stable=%d kept=%d pending=%d inflight=%d fetching=%d rejoining=%v waiting=%v",
				r, s.View, s.Changing, s.Executed, s.Applied, s.Stable, s.Kept, s.Pending, s.InFlight, s.Fetching, s.Rejoining, s.Waiting)
		}
	}
	return b.String()
}
