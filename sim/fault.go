package sim

import (
	"fmt"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
)

// FaultKind names a fault at a fixed moment.
type FaultKind string

// The faults at fixed moments. Names are those of the command line and of
// scenario files.
const (
	FaultCrash     FaultKind = "crash"     // loses what was not synced; comes back after Lasts, or never
	FaultPause     FaultKind = "pause"     // stands still for Lasts
	FaultWipe      FaultKind = "wipe"      // loses its disk and restarts
	FaultIsolate   FaultKind = "isolate"   // hears and is heard by nobody, clients included
	FaultPartition FaultKind = "partition" // Replicas and Clients are cut off from all others
	FaultDeaf      FaultKind = "deaf"      // hears nobody, but is heard
	FaultMute      FaultKind = "mute"      // is heard by nobody, but hears
	FaultApart     FaultKind = "apart"     // Replicas do not reach each other; all others do

	FaultLostProposal FaultKind = "lost proposal" // its next proposal reaches nobody, sent again or not
)

// Fault is something that happens at a fixed moment.
type Fault struct {
	At       consensus.Time // since the start of the run
	Lasts    consensus.Time // 0 = until the end of the run
	Kind     FaultKind
	Replicas []consensus.ReplicaID
	Clients  []int
}

// scheduleFaults schedules the faults at fixed moments. It fails if one names a replica
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
	case FaultIsolate, FaultPartition, FaultDeaf, FaultMute, FaultApart:
		return func() { w.cutFor(f) }, nil
	case FaultLostProposal:
		return func() { w.loseProposals(f) }, nil
	}
	return nil, fmt.Errorf("no fault is called %q", f.Kind)
}

// fail lets one process or disk fail.
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

// cutFor cuts links for a time of their own: hazards that end do not heal them.
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
	links := w.net.links(func(from, to int) bool { return f.Kind.Cuts(inside[from], inside[to]) })
	w.net.bar(links, 1)
	w.notice()
	if f.Lasts == 0 {
		return
	}
	w.clock.after(f.Lasts, func() {
		w.trace.line(w.clock.now, "%s ends: %s", f.Kind, w.sides(inside))
		w.watchLink(string(f.Kind)+" ends", w.sides(inside))
		w.net.bar(links, -1)
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
			c.session.Advance(c.now())
			c.flush()
		}
	})
}

// Cuts says which links a fault cuts: those between ends that it befalls, or
// not. Those who are isolated, deaf or mute are so to each other as well; a
// partition keeps its side together, and those who are apart have lost each other only.
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
	case FaultApart:
		return from && to
	}
	return false
}

// keptAway reports whether a fault keeps a replica away for good, or cuts it off
// from the others for good.
func (w *World) keptAway(r *replica) bool {
	if r.health.gone {
		return true
	}
	for _, f := range w.cfg.Faults {
		if f.Lasts != 0 || w.clock.now-startTime < f.At {
			continue
		}
		if slices.Contains(f.Replicas, r.id) && !slices.Contains([]FaultKind{FaultWipe, FaultPartition, FaultApart, FaultLostProposal}, f.Kind) {
			return true
		}
	}
	return false
}
