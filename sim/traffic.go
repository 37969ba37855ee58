package sim

import (
	"hash/crc32"

	"quorate.dev/quorate/consensus"
)

// launch sends a packet, to both bodies of a twinned replica.
func (w *World) launch(p packet) {
	if w.net.manual && len(p.bytes) > 0 && p.bytes[0] == consensus.KindClock {
		return // no script is about clocks
	}
	w.remember(p)
	w.send(p)
	w.copyToTwin(p)
}

// send sends a packet to one end.
func (w *World) send(p packet) {
	if w.apart(p) {
		w.net.lost++
		return
	}
	w.stats.Frames++
	w.watchFrame(StepSend, p)
	if w.loses(p) {
		w.net.lost++
		return
	}
	w.net.send(p)
}

// arrive hands a packet to whom it is for.
func (w *World) arrive(p packet) {
	w.history.mix(uint64(w.clock.now))
	w.history.mix(uint64(p.from)<<48 | uint64(p.to)<<32 | uint64(p.sum))
	if crc32.Checksum(p.bytes, castagnoli) != p.sum {
		w.violate("%s changed %s after sending it", w.name(p.from), w.describe(p.bytes))
	}
	if w.trace.on() {
		w.trace.line(w.clock.now, "%s → %s %s", w.name(p.from), w.name(p.to), w.describe(p.bytes))
	}
	w.watchFrame(StepDeliver, p)
	from, to := w.bodyAt(p.from), w.bodyAt(p.to)
	switch {
	case to != nil:
		to.accept(p.class, consensus.Frame{From: w.peerAt(p.from), Bytes: p.bytes})
	case int(p.to) < len(w.replicas)+len(w.clients) && from != nil: // Byzantine clients read nothing
		w.clients[int(p.to)-len(w.replicas)].accept(from.id, p.bytes)
	}
}

// arriving tells a replica of a larger frame that is on its way to it.
func (w *World) arriving(p packet) {
	from, to := w.bodyAt(p.from), w.bodyAt(p.to)
	if from != nil && to != nil && to.up() {
		to.tell(consensus.Arriving{From: from.id, Bytes: largePart})
	}
}

// peerAt is who is at an end: a replica or a client.
func (w *World) peerAt(e endpoint) consensus.Peer {
	i := int(e) - len(w.replicas)
	switch b := w.bodyAt(e); {
	case b != nil:
		return consensus.ReplicaPeer(b.id)
	case i < len(w.clients):
		return consensus.ClientPeer(w.clients[i].signer.Public())
	}
	return consensus.ClientPeer(w.keys.byzantines[i-len(w.clients)].Public())
}

// bodyAt is the body at a replica's or a second body's end.
func (w *World) bodyAt(e endpoint) *replica {
	if int(e) < len(w.replicas) {
		return w.replicas[e]
	}
	if i := int(e) - w.cfg.Replicas - w.cfg.Workload.Clients - len(w.cfg.Byzantines); i >= 0 {
		return w.bodies[len(w.replicas)+i]
	}
	return nil
}

// copyToTwin sends what is for a twinned replica to its second body as well.
func (w *World) copyToTwin(p packet) {
	if len(w.cfg.Twins) == 0 || int(p.to) >= len(w.replicas) {
		return
	}
	if other := w.replicas[p.to].other; other != nil && other.end != p.from {
		p.to = other.end
		w.send(p)
	}
}

// apart reports whether a split keeps a frame from its receiver.
func (w *World) apart(p packet) bool {
	if len(w.cfg.Splits) == 0 || w.net.settled {
		return false
	}
	from, to := w.bodyAt(p.from), w.bodyAt(p.to)
	if from == nil || to == nil || from.views.now >= consensus.View(len(w.cfg.Splits)) {
		return false
	}
	split := w.cfg.Splits[from.views.now]
	return split[from.body] != split[to.body] && !isViewChange(p.bytes)
}

// isViewChange recognises a VIEW-CHANGE by its first byte.
func isViewChange(frame []byte) bool {
	const kind = 0x14
	return len(frame) > 0 && frame[0] == kind
}
