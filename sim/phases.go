package sim

import (
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
)

// Run lets everything happen. It is called once.
func (w *World) Run() Result {
	w.guard(func() {
		for _, v := range w.byzantines {
			v.wait()
		}
		for _, r := range w.bodies {
			r.start()
		}
		for _, c := range w.clients {
			c.start(w.cfg.Workload.Invoked)
		}
		w.floods()
		w.safetyPhase()
		w.livenessPhase()
		w.coolDown()
	})
	w.stats.Virtual = w.clock.now - startTime
	w.stats.Lost = w.net.lost
	for _, r := range w.bodies {
		r.closeBooks()
	}
	for _, c := range w.clients {
		c.closeBooks()
	}
	verdict := w.checks.judge.Verdict(w.at())
	return Result{
		Violations: w.theory.forbidden(verdict.Violations), Verdict: verdict, Live: w.live && !w.checks.ended && w.stats.Failed == 0,
		Phases: w.phasesMet(), Steps: w.stats.Steps, History: uint64(w.history), Stats: w.stats,
	}
}

// until lets things happen for d at most, or until done says so, or until
// something is wrong.
func (w *World) until(d consensus.Time, done func() bool) bool {
	end := w.clock.now + d
	for w.clock.now < end && !w.checks.ended {
		if done() {
			return true
		}
		if !w.clock.advance() {
			w.violate("deadlock: nothing will ever happen again")
		}
	}
	return done()
}

// safetyPhase is the first phase: hazards are injected, and nothing but safety is
// asked for.
func (w *World) safetyPhase() {
	w.safetyEnd = w.clock.now + w.cfg.Timing.Safety
	for _, h := range w.cfg.Hazards {
		w.schedule(h, w.safetyEnd)
	}
	w.until(w.cfg.Timing.Safety, func() bool { return false })
}

// livenessPhase is the second phase: a core is healed, everything asked is answered,
// and the core agrees on one state.
func (w *World) livenessPhase() {
	if w.checks.ended {
		return
	}
	w.trace.line(w.clock.now, "the safety phase is over")
	core := w.healCore()
	w.healClocks()
	for _, c := range w.clients {
		c.grant(livenessOperations)
	}
	began := w.clock.now
	settled := w.until(w.cfg.Timing.Liveness, w.now(func() bool { return w.answered() && w.level(core) }))
	w.stats.Recovery = w.clock.now - began
	w.live = settled
	if !settled && !w.checks.ended {
		w.checks.judge.Stuck(w.at(), fmt.Sprintf("no progress within %v of healing: %s", w.cfg.Timing.Liveness.Std().Sub(consensus.Time(0).Std()), w.diagnosis(core)))
	}
	w.over = true
	if !w.checks.ended && w.confirm(core) {
		w.checks.final(core)
	}
}

// healCore ends the faults: the network is whole again and all replicas are up
// and quick, but for as many as the protocol tolerates, which stay away for
// ever. Replicas without memory need the others' help, so they count against
// the same allowance, and so do traitors. What it returns are the honest.
func (w *World) healCore() []*replica {
	dice := newStream(w.cfg.Seed, "core")
	w.net.heal()
	w.isolation.stop()
	w.syncCut.stop()
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
		r.health.slowDisk, r.health.slowRun, r.health.slowTasks = false, false, false
		r.resume()
		r.revive()
		if r.honest() {
			core = append(core, r)
		}
	}
	return core
}

// healClocks sets all clocks right. Clients whose clock was wrong begin again:
// a wrong clock must not lock a key out.
func (w *World) healClocks() {
	for _, r := range w.replicas {
		r.wrong = 0
	}
	for _, c := range w.clients {
		if c.wrong != 0 {
			c.wrong = 0
			c.restart()
		}
	}
}

// confirm waits a little for an honest replica to execute what clients have
// believed already: where one reply is enough, a traitor that leads may have
// been the first to give it, and the last of its answers would pass for lies.
// It reports whether the core is level then.
func (w *World) confirm(core []*replica) bool {
	executed := func() bool {
		return slices.ContainsFunc(core, func(r *replica) bool {
			return r.up() && r.honest() && r.driver.Status().Applied >= w.checks.highest
		})
	}
	patience := consensus.Time(8*w.cfg.Timing.Patience) * w.cfg.Timing.Tick
	end := w.clock.now + patience
	enough := w.now(func() bool { return w.level(core) && (executed() || w.clock.now >= end) })
	if w.level(core) && executed() {
		return true
	}
	for w.clock.now < end+patience && !w.checks.ended && !enough() && w.clock.advance() {
	}
	return !w.checks.ended && w.level(core)
}

// livenessOperations is what each client invokes in the second phase, beside what
// it still waits for.
const livenessOperations = 8

// now limits how often a costly question is asked, in virtual time.
func (w *World) now(question func() bool) func() bool {
	var next consensus.Time
	return func() bool {
		if w.clock.now < next {
			return false
		}
		next = w.clock.now + 20*Millisecond
		return question()
	}
}

// answered reports whether no client waits for anything.
func (w *World) answered() bool {
	for _, c := range w.clients {
		if !c.done() {
			return false
		}
	}
	w.quiet = w.net.settled
	return true
}

// level reports whether all of the core has executed the same batches and
// nobody is on the way back any more.
func (w *World) level(core []*replica) bool {
	var height consensus.Seq
	for i, r := range core {
		s := r.driver.Status()
		if s.Rejoining || s.Fetching != 0 || (i > 0 && s.Applied != height) || s.Applied != s.Executed {
			return false
		}
		height = s.Applied
	}
	return true
}

// coolDown lets what a violation brings about happen.
func (w *World) coolDown() {
	end := w.clock.now + w.cfg.CoolDown
	for w.checks.ended && w.clock.now < end && w.clock.advance() {
	}
}

// diagnosis says who waits for what, when there is no progress.
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
