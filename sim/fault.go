package sim

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
)

// script schedules the faults at fixed moments. It fails if one names a replica
// or a client that is not there.
func (w *World) scheduleFaults() error {
	for i, f := range w.cfg.Faults {
		for _, id := range f.Replicas {
			if int(id) >= len(w.replicas) {
				return fmt.Errorf("fault %d (%s): there is no replica %d", i, f.Kind, id)
			}
		}
		for _, c := range f.Clients {
			if c < 0 || c >= len(w.clients) {
				return fmt.Errorf("fault %d (%s): there is no client %d", i, f.Kind, c)
			}
		}
		begin, err := w.faultOf(f)
		if err != nil {
			return fmt.Errorf("fault %d: %w", i, err)
		}
		w.clock.after(max(0, f.At), begin)
	}
	return nil
}

// faultOf is what a fault does when its moment has come.
func (w *World) faultOf(f Fault) (func(), error) {
	switch f.Kind {
	case FaultCrash, FaultWipe, FaultPause:
		return func() {
			for _, id := range f.Replicas {
				w.watchFault(w.replicas[id], string(f.Kind))
				w.replicas[id].fail(f)
			}
		}, nil
	case FaultIsolate, FaultPartition, FaultDeaf, FaultMute:
		return func() { w.cutFor(f) }, nil
	}
	return nil, fmt.Errorf("no fault is called %q", f.Kind)
}

// suffer lets one process or disk fail.
func (r *replica) fail(f Fault) {
	w := r.world
	switch f.Kind {
	case FaultCrash:
		r.stop()
	case FaultWipe:
		r.wipe()
		w.clock.after(f.Lasts, r.revive)
		return
	case FaultPause:
		if !r.up() || r.health.paused {
			return
		}
		w.trace.event(w.clock.now, r, "pauses")
		r.health.paused = true
	}
	r.health.gone = true
	if f.Lasts > 0 {
		w.clock.after(f.Lasts, func() {
			r.health.gone = false
			r.resume()
			r.revive()
		})
	}
}

// bar cuts links for a time of their own: hazards that end do not mend them.
func (w *World) cutFor(f Fault) {
	inside := make([]bool, w.net.ends)
	for _, id := range f.Replicas {
		inside[id] = true
	}
	for _, c := range f.Clients {
		inside[len(w.replicas)+c] = true
	}
	w.trace.line(w.clock.now, "%s: %s", f.Kind, w.sides(inside))
	w.watchLink(string(f.Kind), w.sides(inside))
	var links []int
	for from := range inside {
		for to := range inside {
			if from != to && f.Kind.Cuts(inside[from], inside[to]) {
				links = append(links, from*w.net.ends+to)
				w.net.barred[from*w.net.ends+to]++
			}
		}
	}
	w.notice()
	if f.Lasts == 0 {
		return
	}
	w.clock.after(f.Lasts, func() {
		w.trace.line(w.clock.now, "%s ends: %s", f.Kind, w.sides(inside))
		w.watchLink(string(f.Kind)+" ends", w.sides(inside))
		for _, l := range links {
			w.net.barred[l]--
		}
		w.net.release()
		w.notice()
	})
}

// notice lets clients see, a while later, which of their links are cut, as those
// see who keep connections open.
func (w *World) notice() {
	if w.cfg.Workload.Notice == 0 {
		return
	}
	w.clock.after(w.cfg.Workload.Notice, func() {
		for _, c := range w.clients {
			for _, r := range w.replicas {
				cut := w.net.stops(packet{from: c.end, to: r.end}) || w.net.stops(packet{from: r.end, to: c.end})
				switch {
				case cut && !c.lost.Has(r.id):
					c.lost.Add(r.id)
					c.session.Disconnected(r.id)
				case !cut && c.lost.Has(r.id):
					c.lost ^= quorum.SetOf(r.id)
					c.session.Connected(r.id)
				}
			}
			c.session.Advance(w.clock.now)
			c.flush()
		}
	})
}

// Cuts says which links a fault cuts: those between ends that it befalls, or
// not. Those who are isolated, deaf or mute are so to each other as well; a
// partition keeps its side together.
func (k FaultKind) Cuts(from, to bool) bool {
	switch k {
	case FaultDeaf:
		return to
	case FaultMute:
		return from
	case FaultIsolate:
		return from || to
	case FaultPartition:
		return from != to
	}
	return false
}

// lost counts those honest replicas that a fault keeps away for good, or cuts
// off from the others for good.
func (w *World) keptAway(r *replica) bool {
	if r.health.gone {
		return true
	}
	for _, f := range w.cfg.Faults {
		if f.Lasts != 0 || w.clock.now-startTime < f.At {
			continue
		}
		for _, id := range f.Replicas {
			if id == r.id && f.Kind != FaultWipe && f.Kind != FaultPartition {
				return true
			}
		}
	}
	return false
}

// watchFault tells the watcher that something begins or ends at a replica.
func (w *World) watchFault(r *replica, what string) {
	if w.cfg.Watch != nil {
		w.watch(Step{Kind: StepFault, From: r.String(), To: r.String(), Text: what})
	}
}

// watchLink tells the watcher about the network.
func (w *World) watchLink(what, sides string) {
	if w.cfg.Watch != nil {
		w.watch(Step{Kind: StepFault, Text: what + ": " + sides})
	}
}

// watch tells the watcher, if there is one.
func (w *World) watch(s Step) {
	s.At = w.clock.now - startTime
	w.cfg.Watch(s)
}

// watchFrame tells the watcher about a frame.
func (w *World) watchFrame(kind StepKind, p packet) {
	if w.cfg.Watch == nil {
		return
	}
	s := Step{Kind: kind, From: w.name(p.from), To: w.name(p.to), Frame: p.bytes, Text: w.describe(p.bytes)}
	if m, ok := w.codec.Promise(p.bytes); ok {
		s.Seq, s.View = m.Seq, m.View
	}
	w.watch(s)
}

// watchExecution tells the watcher that a replica executed a batch.
func (w *World) watchExecution(r *replica, c consensus.Commit) {
	if w.cfg.Watch != nil {
		w.watch(Step{Kind: StepExecute, From: r.String(), To: r.String(), Text: describeJob(c), Seq: c.Seq, View: c.View, Digest: c.Digest})
	}
}

// watchCall tells the watcher that a client begins to wait, or gets an error.
func (w *World) watchCall(c *client, kind StepKind, t token, text string) {
	if w.cfg.Watch != nil {
		w.watch(Step{Kind: kind, From: w.name(c.end), To: w.name(c.end), Seq: consensus.Seq(t.counter), Text: text})
	}
}

// watchNote tells the watcher about a fact.
func (r *replica) watchNote(n *consensus.Note) {
	if r.world.cfg.Watch != nil {
		copied := *n
		r.world.watch(Step{Kind: StepNote, From: r.String(), To: r.String(), Text: n.String(), Seq: n.Seq, View: n.View, Note: &copied})
	}
}
