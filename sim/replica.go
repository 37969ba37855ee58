package sim

import (
	"fmt"

	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/driver"
)

// replica is one virtual process on one virtual machine. The process, driver
// and all that stands above the disk, dies with a crash; the disk and the
// clock's error stay.
type replica struct {
	world    *World
	id       consensus.ReplicaID
	protocol consensus.Protocol
	driver   *driver.Driver // nil while it is down
	executor *executor
	disk     *disk
	store    *state.Memory // what the disk holds of the state; nil while it is empty
	dice     *stream
	process                    // lives as long as the driver
	pace     *stream           // of its workers
	tasks    *stream           // of what its checkpoints cost
	horizon  consensus.Horizon // possibly late
	health   health
	life     uint64         // counts starts; what an earlier life scheduled is void
	offset   consensus.Time // of its clock, within the skew
	wrong    consensus.Time // ... and beyond
	awake    bool           // a step is scheduled
	frozen   []func()       // completions that came while it was paused
	traitor  *traitor       // of a traitor; nil for the honest
	end      endpoint
	body     int      // its number among all bodies
	setBack  bool     // its disk is, was or will be an older copy
	twinned  bool     // there is another body with this id
	second   bool     // ... and this is the second one
	other    *replica // ... and this is the other one
	views    views
}

// health is what the hazards have done to a replica.
type health struct {
	paused    bool
	slowDisk  bool
	slowRun   bool
	slowTasks bool
	syncing   bool   // the disk is busy
	born      bool   // the disk has its birth record
	wiped     bool   // ... had, and lost it: a fault for as long as it has not rejoined
	gone      bool   // stays down for ever
	fell      string // a traitor that could not go on: why
}

// up reports whether there is a process.
func (r *replica) up() bool { return r.driver != nil }

// now is the replica's clock.
func (r *replica) now() consensus.Time { return r.world.clock.now + r.offset + r.wrong }

// later schedules f for this life. A paused process does it when it resumes.
func (r *replica) later(d consensus.Time, f func()) {
	life := r.life
	r.world.clock.after(d, func() {
		switch {
		case r.life != life:
		case r.health.paused:
			r.frozen = append(r.frozen, f)
		default:
			f()
		}
	})
}

// start makes the process from what the disk holds.
func (r *replica) start() {
	w := r.world
	r.life++
	r.process, r.frozen, r.awake, r.horizon = w.cfg.newProcess(), nil, false, nil
	r.health = health{born: r.health.born, wiped: r.health.wiped, gone: r.health.gone}
	executor, home, err := w.openState(r)
	if err != nil {
		w.violate("%v: state does not open: %v", r, err)
		return
	}
	home.Now = r.now()
	home.Amnesiac = !r.health.born
	home.Nonce = r.dice.rng.Uint64()
	home.Records = r.disk.records()
	r.protocol, err = w.cfg.Build(w.settings(r))
	if err != nil {
		w.violate("%v: no protocol: %v", r, err)
		return
	}
	r.protocol = r.wrapped(r.protocol)
	engine, err := r.protocol.New(home)
	if err != nil {
		r.falls("%v: does not start: %v", r, err)
		return
	}
	r.executor = executor
	r.driver = driver.New(engine, r)
	w.trace.event(w.clock.now, r, "starts, life %d, %d records, state at %d", r.life, len(home.Records), home.Height)
	if !w.net.manual {
		r.later(r.dice.duration(w.cfg.Timing.Tick), r.tick)
	}
}

// stop kills the process and loses what was not synced.
func (r *replica) stop() {
	if !r.up() {
		return
	}
	if s := r.driver.Status(); s.Primary == r.id && !s.Changing && s.InFlight > 0 {
		r.world.stats.LeadersLost++
	}
	r.life++
	r.closeBooks()
	r.driver, r.executor = nil, nil
	r.process, r.frozen = process{}, nil
	r.health.paused = false
	lucky, lost := r.disk.crash()
	if r.store != nil {
		r.store.Crash()
	}
	r.world.trace.event(r.world.clock.now, r, "dies; of its unsynced records %d survive and %d are lost", lucky, len(lost))
	for _, record := range lost {
		// A vote that waits for the disk is no lazy record.
		if p, ok := r.world.codec.Promise(record.Bytes); ok && record.Lazy && p.Signer == r.id && r.honest() {
			r.world.stats.Forgotten++
		}
	}
}

// wipe kills the process and loses the disk.
func (r *replica) wipe() {
	r.stop()
	r.disk = newDisk(r.dice, r.world.cfg.Disk)
	r.store = nil
	r.health = health{wiped: true, gone: r.health.gone}
	r.world.trace.event(r.world.clock.now, r, "loses its disk")
}

// resume ends a pause: what came meanwhile happens now.
func (r *replica) resume() {
	if !r.health.paused {
		return
	}
	r.health.paused = false
	frozen := r.frozen
	r.frozen = nil
	for _, f := range frozen {
		r.later(0, f)
	}
	r.wake()
}

// tick counts one tick. Ticks that a busy or paused process misses are lost,
// as with any ticker.
func (r *replica) tick() {
	r.process.tick = true
	r.wake()
	r.later(r.world.cfg.Timing.Tick, r.tick)
}

// wake schedules a step; what arrives until then shares its burst.
func (r *replica) wake() {
	if r.awake || !r.up() || r.health.paused {
		return
	}
	r.awake = true
	r.later(r.dice.duration(r.world.cfg.Timing.StepDelay), r.step)
}

// step hands the engine a burst of what waits. A tick that finds disk or
// execution behind is lost.
func (r *replica) step() {
	r.awake = false
	if !r.up() {
		return
	}
	tick := r.process.tick
	r.process.tick = false
	if r.behind() {
		return
	}
	events, more := r.inbox.Burst(tick)
	if len(events) > 0 {
		r.world.stats.Steps++
		r.run(consensus.Burst{Now: r.now(), Events: events, Lies: r.twinned})
		r.world.checks.stepped(r)
	}
	if !r.up() {
		return
	}
	// Workers that open frames see the horizon late, if ever.
	if r.dice.chance(million / 2) {
		r.horizon = r.driver.Horizon()
	}
	r.unblock()
	if more {
		r.wake()
	}
}

// open is what a worker makes of frames. Blaming an honest peer is a mistake.
func (r *replica) open(h consensus.Horizon, frames []consensus.Frame) []consensus.Opened {
	w := r.world
	opened := r.protocol.Open(w.keys.verifier, h, frames)
	if len(opened) != len(frames) {
		w.violate("%v: Open answered %d of %d frames", r, len(opened), len(frames))
		return nil
	}
	for i, o := range opened {
		switch {
		case o.Event != nil:
		case o.Reason == "" && r.honest():
			w.violate("%v: Open gave neither event nor reason for %s", r, w.describe(frames[i].Bytes))
		default:
			if r.honest() {
				w.stats.refused(o.Reason)
			}
			w.trace.event(w.clock.now, r, "refuses %s from %v: %s", w.lazily(frames[i].Bytes), frames[i].From, o.Reason)
		}
		if o.Blame {
			r.blame(frames[i], o.Reason)
		}
		if o.Refusal != nil {
			r.refuse(o.Refusal)
		}
	}
	return opened
}

// blame tells the judge that r holds a peer for the author of a bad frame.
func (r *replica) blame(f consensus.Frame, why consensus.Reason) {
	w := r.world
	text := fmt.Sprintf("%s: %s", w.describe(f.Bytes), why)
	switch {
	case f.From.Kind == consensus.PeerReplica:
		w.checks.judge.Blamed(w.at(), r.id, f.From.Replica, text)
	case r.honest() && w.honest(f.From):
		w.violate("%v blames the honest %v for %s", r, f.From, text)
	}
}

// tell hands the engine an event of its host.
func (r *replica) tell(e consensus.Event) {
	r.inbox.Own(e)
	r.wake()
}

// String names the replica.
func (r *replica) String() string {
	if r.second {
		return fmt.Sprintf("R%d'", r.id)
	}
	return fmt.Sprintf("R%d", r.id)
}
