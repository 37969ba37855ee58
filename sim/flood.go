package sim

import (
	"quorate.dev/quorate/consensus"
)

// flooder is a traitor or a Byzantine client that repeats what it said, at every honest
// replica, faster than their workers verify. It needs no network for that: a
// link that is always full delivers as fast as somebody reads.
type flooder struct {
	world *World
	end   endpoint
	said  map[endpoint][]packet // to each replica, the last few
}

// repeated is how many of its frames to one replica a flooder repeats.
const repeated = 6

// floods lets whoever misbehaves flood, from the last second of the safety phase until
// everything honest is answered.
func (w *World) floods() {
	if !w.cfg.Flood {
		return
	}
	w.flooders = map[endpoint]*flooder{}
	for _, r := range w.replicas {
		if r.traitor != nil {
			w.flooders[r.end] = nil
		}
	}
	for _, v := range w.byzantines {
		w.flooders[v.end] = nil
	}
	for end := range endpoint(w.net.ends) {
		if _, floods := w.flooders[end]; floods {
			f := &flooder{world: w, end: end, said: map[endpoint][]packet{}}
			w.flooders[end] = f
			w.clock.after(max(0, w.cfg.Timing.Safety-Second), f.flood)
		}
	}
}

// remember keeps what a flooder says.
func (w *World) remember(p packet) {
	if f := w.flooders[p.from]; f != nil && int(p.to) < len(w.replicas) {
		said := append(f.said[p.to], p)
		f.said[p.to] = said[max(0, len(said)-repeated):]
	}
}

// flood brings each honest replica more than a worker takes at once, as often as
// one is through with a group.
func (f *flooder) flood() {
	w := f.world
	if w.quiet || w.over {
		return
	}
	for _, r := range w.replicas {
		said := f.said[r.end]
		if len(said) == 0 || !r.honest() || !r.up() || w.net.stops(said[0]) {
			continue
		}
		for i := range 1 + w.cfg.Host.bounds().GroupFrames {
			p := said[i%len(said)]
			r.accept(p.class, consensus.Frame{From: w.peerAt(f.end), Bytes: p.bytes})
			w.stats.Repeated++
		}
	}
	w.clock.after(1+w.cfg.Host.Verify/2, f.flood)
}
