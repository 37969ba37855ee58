package node

import (
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/host"
	"quorate.dev/quorate/crypto"
)

// work opens frames until the intake closes: one of several verifying workers.
// What waited together is verified together.
func (n *Node) work() {
	var g host.Group
	for n.intake.take(&g) {
		var h consensus.Horizon
		if p := n.horizon.Load(); p != nil {
			h = *p
		}
		opened := n.config.Protocol.Open(n.verifier, h, g.Frames)
		n.metrics.group.Observe(float64(len(g.Frames)))
		for i := range opened {
			n.opened(&g.Frames[i], &opened[i])
		}
		n.intake.done(&g)
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
	if !n.inbox.offer(f, o.Event) {
		n.turnAway(f, o.Event, "requests")
	}
}

// turnAway tells the sender of a frame for which a queue had no room, or counts it.
func (n *Node) turnAway(f *consensus.Frame, e consensus.Event, queue string) {
	if r := host.Refusal(f, e); r != nil {
		n.refuse(f.From.Key, r)
		return
	}
	n.metrics.dropped.WithLabelValues(queue).Inc()
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
	refused := n.intake.offer(rest)
	for i := range refused {
		n.turnAway(&refused[i], nil, "intake")
	}
}

// refuse answers the client at the end of a stream.
func (n *Node) refuse(to crypto.PublicKey, r *consensus.Refusal) {
	if p := n.picture.Load(); p != nil {
		r.View, r.Primary = p.status.View, p.status.Primary
	}
	n.sendRefusal(to, r)
}

// sendRefusal sends a refusal, with this replica's clock if times matter. Such
// a frame is followed by one that clients of before understand.
func (n *Node) sendRefusal(to crypto.PublicKey, r *consensus.Refusal) {
	n.metrics.refusals.WithLabelValues(r.Code.String()).Inc()
	if r.Times != (consensus.Times{}) {
		r.Times.Clock = consensus.Time(max(0, time.Now().UnixNano()))
		n.send(consensus.ClientPeer(to), consensus.Votes, r.Encode())
	}
	n.send(consensus.ClientPeer(to), consensus.Votes, r.Plain())
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
