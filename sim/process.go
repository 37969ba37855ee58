package sim

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/host"
)

// Host says how a replica's process copes with what comes in. The zero value
// has the bounds of a node, and one worker that takes no time.
type Host struct {
	Bounds  host.Bounds    // zero = host.DefaultBounds
	Workers int            // that verify frames; 0 = 1
	Verify  consensus.Time // a worker takes up to this long for a group, and now and then much longer
}

// process is what waits in a replica between network and engine, in the queues
// of a node. Where a node's goroutines block, it keeps aside what they hold.
type process struct {
	intake  *host.Intake
	inbox   *host.Inbox
	held    []arrival // frames of streams that are held back, in order
	blocked []*work   // of workers whose next event is held back
	workers int       // that are under way
	tick    bool      // one is due
	turns   turns
}

// arrival is a frame and the stream that it came by.
type arrival struct {
	frame consensus.Frame
	class consensus.Class
}

// work is a group with a worker.
type work struct {
	group  host.Group
	opened []consensus.Opened
	passed int // of opened, to the inbox
}

// newProcess makes empty queues.
func (c *Config) newProcess() process {
	b := c.Host.bounds()
	return process{intake: host.NewIntake(b), inbox: host.NewInbox(b), turns: newTurns(c)}
}

// bounds are those of the queues.
func (h *Host) bounds() host.Bounds {
	if h.Bounds == (host.Bounds{}) {
		return host.DefaultBounds()
	}
	return h.Bounds
}

// maxHeldFrames bounds what a held stream keeps: its sender drops what comes on
// top, as its own outbox does.
const maxHeldFrames = 64

// accept takes a frame from the network. What comes by a stream that is held
// back waits behind what is held.
func (r *replica) accept(class consensus.Class, f consensus.Frame) {
	if !r.up() {
		return
	}
	behind := 0
	for i := range r.held {
		if r.held[i].sameStream(f.From, class) {
			behind++
		}
	}
	switch {
	case behind >= maxHeldFrames:
		r.world.stats.full(fullStream)
	case behind > 0 || !r.offer(f):
		r.held = append(r.held, arrival{frame: f, class: class})
	}
	r.work()
}

func (a *arrival) sameStream(from consensus.Peer, class consensus.Class) bool {
	return a.class == class && a.frame.From == from
}

// offer offers a frame to the intake. False if it is held.
func (r *replica) offer(f consensus.Frame) bool {
	switch r.intake.Offer(&f) {
	case host.Held:
		r.world.stats.full(fullIntake)
		return false
	case host.Refused:
		r.world.stats.full(fullClient)
		r.turns.came++
		r.turnAway(&f, nil)
	default:
		r.turns.waits(&f)
	}
	return true
}

// turnAway answers a frame for which a queue had no room. A client on its own
// channel is never left to guess.
func (r *replica) turnAway(f *consensus.Frame, e consensus.Event) {
	switch refusal := host.Refusal(f, e); {
	case refusal != nil:
		r.refuse(refusal)
	case f.From.Kind == consensus.PeerClient:
		r.world.violate("%v turns away a frame of %v and does not say so", r, f.From)
	}
}

// admit offers again what is held, each stream in its order.
func (r *replica) admit() {
	held := r.held
	r.held = nil
	for _, a := range held {
		same := func(b arrival) bool { return b.sameStream(a.frame.From, a.class) }
		if slices.ContainsFunc(r.held, same) || !r.offer(a.frame) {
			r.held = append(r.held, a)
		}
	}
}

// work lets a worker look for frames, if one is idle and there are any.
func (r *replica) work() {
	if r.workers < max(1, r.world.cfg.Host.Workers) && r.intake.Ready() {
		r.workers++
		r.later(0, r.verify)
	}
}

// verify is a worker's way around: it takes a group, takes its time, and comes
// back for the next. The horizon is that of the moment when it takes the group.
func (r *replica) verify() {
	for r.intake.Ready() {
		w := &work{}
		r.intake.Take(&w.group)
		if text := r.turns.taken(w.group.Frames); text != "" {
			r.world.violate("%v: %s", r, text)
		}
		if w.group.Priority == host.Large {
			r.admit()
		}
		r.work()
		horizon := r.horizon
		if takes := r.verifying(); takes > 0 {
			r.later(takes, func() {
				w.opened = r.open(horizon, w.group.Frames)
				if r.pass(w) {
					r.verify()
				}
			})
			return
		}
		w.opened = r.open(horizon, w.group.Frames)
		if !r.pass(w) {
			return
		}
	}
	r.workers--
}

// stall is how much longer a worker takes now and then, when the machine is busy
// elsewhere.
const stall = 20

// verifying draws how long a worker takes for a group.
func (r *replica) verifying() consensus.Time {
	most := r.world.cfg.Host.Verify
	if r.pace.chance(million / 50) {
		most *= stall
	}
	return r.pace.duration(most)
}

// pass hands the inbox what a worker has opened. False if it is held back: the
// worker goes on when the engine has taken a burst.
func (r *replica) pass(w *work) bool {
	for ; w.passed < len(w.opened); w.passed++ {
		f, e := &w.group.Frames[w.passed], w.opened[w.passed].Event
		if e == nil {
			continue
		}
		switch r.inbox.Offer(f, e) {
		case host.Held:
			r.world.stats.full(fullInbox)
			r.blocked = append(r.blocked, w)
			return false
		case host.Refused:
			r.world.stats.full(fullRequests)
			r.turnAway(f, e)
		case host.Taken:
			r.wake()
		}
	}
	r.intake.Done(&w.group)
	return true
}

// unblock lets the workers go on whose events were held back.
func (r *replica) unblock() {
	blocked := r.blocked
	r.blocked = nil
	for _, w := range blocked {
		if r.pass(w) {
			r.verify()
		}
	}
}

// behind reports whether the engine must not be stepped now.
func (r *replica) behind() bool {
	if r.executor.jobs.Full() {
		r.world.stats.full(fullJobs)
		return true
	}
	return r.driver.Full()
}
