package node

import (
	"sync"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// work opens frames until the intake closes: one of several verifying workers.
// What waited together is verified together.
func (n *Node) work() {
	frames := make([]consensus.Frame, 0, n.config.Bounds.GroupFrames)
	lanes := make([]*lane, 0, 16)
	for {
		var ok bool
		if frames, lanes, ok = n.intake.take(frames[:0], lanes[:0]); !ok {
			return
		}
		var h consensus.Horizon
		if p := n.horizon.Load(); p != nil {
			h = *p
		}
		opened := n.config.Protocol.Open(n.verifier, h, frames)
		n.metrics.group.Observe(float64(len(frames)))
		for i := range opened {
			n.opened(&frames[i], &opened[i])
		}
		n.intake.done(lanes)
		clear(frames)
		clear(lanes)
	}
}

// opened passes on what became of a frame.
func (n *Node) opened(f *consensus.Frame, o *consensus.Opened) {
	if o.Event == nil {
		n.metrics.ignored.WithLabelValues(string(o.Reason)).Inc()
		if o.Blame {
			n.metrics.blamed.WithLabelValues(culprit(f.From)).Inc()
		}
		if o.Refusal != nil && f.From.Kind == consensus.PeerClient {
			n.refuse(f.From.Key, o.Refusal)
		}
		return
	}
	l := bodies
	switch submit, isRequest := o.Event.(consensus.Submit); {
	case isRequest && !n.inbox.put(requests, o.Event, len(f.Bytes)):
		if f.From.Kind == consensus.PeerClient {
			r := submit.Request
			n.refuse(f.From.Key, &consensus.Refusal{Client: r.Client, Request: r.Digest, Sequence: r.Sequence, Code: consensus.RefusedBusy})
			return
		}
		n.metrics.dropped.WithLabelValues("requests").Inc()
		return
	case isRequest:
		return
	case rankOf(f) == urgent:
		l = votes
	}
	n.inbox.put(l, o.Event, len(f.Bytes))
}

// culprit is a metric's label: replicas by name, all others together, since a
// label for every key that connects would be theirs to make.
func culprit(p consensus.Peer) string {
	if p.Kind == consensus.PeerReplica {
		return p.String()
	}
	return "clients"
}

// Frames takes a group from one stream of the network (p2p.Receiver). Questions
// for the status are answered here and now: they must get an answer also when
// the engine does not get on.
func (n *Node) Frames(group []consensus.Frame) {
	rest := group[:0]
	for _, f := range group {
		if f.From.Kind == consensus.PeerClient && len(f.Bytes) > 0 && f.Bytes[0] == consensus.KindStatusQuery {
			n.answerStatus(f.From.Key)
			continue
		}
		rest = append(rest, f)
	}
	for _, f := range n.intake.offer(rest) {
		if f.From.Kind != consensus.PeerClient {
			n.metrics.dropped.WithLabelValues("intake").Inc()
			continue
		}
		busy := &consensus.Refusal{Client: f.From.Key, Code: consensus.RefusedBusy}
		if r, err := consensus.DecodeRequest(f.Bytes); err == nil {
			busy.Request, busy.Sequence = r.Digest, r.Sequence
		}
		n.refuse(f.From.Key, busy)
	}
}

// refuse answers the client at the end of a stream.
func (n *Node) refuse(to crypto.PublicKey, r *consensus.Refusal) {
	n.metrics.refusals.WithLabelValues(r.Code.String()).Inc()
	if p := n.picture.Load(); p != nil {
		r.View, r.Primary = p.status.View, p.status.Primary
	}
	n.send(consensus.ClientPeer(to), consensus.Votes, r.Encode())
}

// send hands a frame to the network, which takes it or counts it as lost.
func (n *Node) send(to consensus.Peer, class consensus.Class, frame []byte) {
	if n.network.Send(to, class, frame) {
		return
	}
	label := class.String()
	if to.Kind == consensus.PeerClient {
		label = "answers" // mostly to clients that are connected elsewhere
	}
	n.metrics.unsent.WithLabelValues(label).Inc()
}

// sharedMemory lets the workers share what was proven.
type sharedMemory struct {
	mu     sync.RWMutex
	memory *crypto.BoundedMemory
}

// Proven reports whether the claim named d is known to be good.
func (m *sharedMemory) Proven(d crypto.Digest) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.memory.Proven(d)
}

// Remember keeps d.
func (m *sharedMemory) Remember(d crypto.Digest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.memory.Remember(d)
}
