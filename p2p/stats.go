package p2p

import (
	"sync/atomic"

	"quorate.dev/quorate/consensus"
)

// meter counts frames and their bytes, without the framing.
type meter struct{ frames, bytes atomic.Uint64 }

func (m *meter) add(frames, bytes int) {
	m.frames.Add(uint64(frames))
	m.bytes.Add(uint64(bytes))
}

func (m *meter) count(frames [][]byte) {
	size := 0
	for _, f := range frames {
		size += len(f)
	}
	m.add(len(frames), size)
}

// Traffic is what went through one kind of stream since the start. Sent means
// handed to the stream; only the protocol knows what arrived.
type Traffic struct {
	Sent, SentBytes         uint64
	Received, ReceivedBytes uint64
	Dropped                 uint64 // queued, and given up for newer ones or for a dead peer
	Refused                 uint64 // not queued
	Queued, QueuedBytes     int    // waiting now
}

// addSent adds what a queue tells.
func (t *Traffic) addSent(b *outbox) {
	t.Sent += b.sent.frames.Load()
	t.SentBytes += b.sent.bytes.Load()
	t.Dropped += b.dropped.Load()
	t.Refused += b.refused.Load()
	frames, bytes := b.depth()
	t.Queued += frames
	t.QueuedBytes += bytes
}

func (t *Traffic) addReceived(m *meter) {
	t.Received += m.frames.Load()
	t.ReceivedBytes += m.bytes.Load()
}

// PeerStats is the link to one member.
type PeerStats struct {
	Replica   consensus.ReplicaID
	Connected bool
	Away      Away   // why not, if dialling told
	Twice     Twice  // whether two processes have its key
	Links     int    // open connections, whoever dialled
	Connects  uint64 // times that a connection came up
	Resets    uint64 // outbound streams that broke while connected
	Class     [consensus.Classes]Traffic
}

// ClientStats is all clients and observers together.
type ClientStats struct {
	Connections int    // of permitted clients
	Observers   int    // connections of observers
	Guests      int    // connections of unknown keys, open to be told so
	Handshakes  int    // connections that have not yet proved who they are
	Streams     int    // open request streams
	Crowded     uint64 // clients told to come back, because all places, or those of their address, were taken
	Yielded     uint64 // connections of clients, without a stream, that gave their place up to others
	TurnedAway  uint64 // connections refused after the handshake
	HungUpOn    uint64 // connections that had not finished it when too many wanted to
	Refused     uint64 // request streams answered with a refusal
	Evicted     uint64 // streams reset because all queues together held too much
	Traffic     Traffic
}

// TopicStats is the gossip topic.
type TopicStats struct {
	Traffic  Traffic
	Rejected uint64 // messages not from a member, too large, or too much
	Lost     uint64 // messages that the library dropped in its queues
}

// Stats is a snapshot for metrics. Its parts are read one after another.
type Stats struct {
	Peers   []PeerStats // by replica id, without our own
	Clients ClientStats
	Topic   TopicStats
}

// Stats takes a snapshot. It costs microseconds; scrape it, do not poll it.
func (n *Network) Stats() Stats {
	var s Stats
	for _, l := range n.links {
		p := PeerStats{Replica: l.member.replica, Connected: l.connected(), Links: len(n.host.Network().ConnsToPeer(l.member.id)), Connects: l.reconnects.Load(), Resets: l.resets.Load()}
		for class := range p.Class {
			p.Class[class].addSent(l.boxes[class])
			p.Class[class].addReceived(&l.received[class])
		}
		p.Twice = n.names.twiceOf(p.Replica)
		l.mu.Lock()
		p.Away = l.away
		l.mu.Unlock()
		s.Peers = append(s.Peers, p)
	}
	s.Clients = n.clients.stats()
	s.Topic = n.topic.stats()
	return s
}

// stats sums the streams that are open and those that have ended.
func (c *clients) stats() ClientStats {
	counts := c.net.gate.counts()
	s := ClientStats{
		Connections: counts[client], Observers: counts[observer], Guests: counts[guest], Handshakes: c.net.gate.handshakes.waiting(),
		Crowded: c.net.gate.crowded.Load(), Yielded: c.net.gate.yielded.Load(),
		TurnedAway: c.net.gate.refused.Load(), HungUpOn: c.net.gate.handshakes.evicted.Load(),
		Refused: c.refused.Load(), Evicted: c.evicted.Load(),
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	s.Traffic = c.gone
	for _, list := range c.all {
		s.Streams += len(list)
		for _, stream := range list {
			s.Traffic.addSent(stream.box)
		}
	}
	s.Traffic.addReceived(&c.received)
	return s
}
