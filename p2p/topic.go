package p2p

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Gossip joins the cluster's topic on a host that neither listens nor dials
// yet, because peers learn of the gossip protocol once, when they connect. The
// one that there is is gossip.Join, in a package of its own so that who needs
// no topic does not link it.
type Gossip func(context.Context, TopicConfig) (Topic, error)

// TopicConfig says where a topic lives and who takes part.
type TopicConfig struct {
	Host           host.Host
	Name           string
	Members        []peer.ID          // who may publish and forward
	Speaks         func(peer.ID) bool // members, and observers, who only listen
	BytesPerSecond int                // from one member
	Deliver        func(frame []byte) // one after another; not called after Close
}

// Topic is a topic that was joined. Publish may wait; Losses counts messages
// refused from others, and messages lost in queues on their way in or out.
type Topic interface {
	Publish(ctx context.Context, frame []byte) error
	Losses() (rejected, lost uint64)
	Close()
}

// topicLimit bounds what waits to be published here.
var topicLimit = queueLimit{frames: 256, bytes: 16 << 20, policy: dropOldest}

// publisher is this side of the topic: a queue, so that nobody waits for the
// library, and the counts. Without a topic it takes nothing.
type publisher struct {
	topic    Topic // nil: none was joined
	box      *outbox
	received meter
	cancel   context.CancelFunc
	work     sync.WaitGroup
}

// join joins the topic of a cluster by gossip, which may be nil.
func join(gossip Gossip, h host.Host, who *roster, cluster crypto.Digest, bytesPerSecond int, deliver func([]byte)) (*publisher, error) {
	p := &publisher{box: newOutbox(topicLimit, nil, nil)}
	if gossip == nil {
		return p, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	p.topic, err = gossip(ctx, TopicConfig{
		Host: h, Name: "quorate/" + cluster.Short() + "/topic/" + protocolVersion,
		Members: slices.Collect(maps.Keys(who.members)), Speaks: who.speaksTopic, BytesPerSecond: bytesPerSecond,
		Deliver: func(frame []byte) {
			p.received.add(1, len(frame))
			deliver(frame)
		},
	})
	if err != nil {
		cancel()
		return nil, err
	}
	p.cancel = cancel
	p.box.setUp()
	p.work.Go(func() { p.run(ctx) })
	return p, nil
}

// speaksTopic reports whether a peer may take part: members, and observers, who
// only listen.
func (r *roster) speaksTopic(id peer.ID) bool {
	_, member := r.members[id]
	_, observer := r.observers[id]
	return member || observer
}

// publish queues a frame and never waits.
func (p *publisher) publish(frame []byte) bool {
	return p.topic != nil && len(frame) > 0 && len(frame) <= consensus.MaxFrame && p.box.put(frame)
}

// run hands queued frames to the library, which may make its caller wait.
func (p *publisher) run(ctx context.Context) {
	var batch [][]byte
	for ctx.Err() == nil {
		batch = p.box.take(batch[:0])
		for _, frame := range batch {
			if p.topic.Publish(ctx, frame) == nil {
				p.box.sent.add(1, len(frame))
			}
		}
		p.box.landed()
		if clear(batch); len(batch) == 0 {
			select {
			case <-p.box.wake:
			case <-ctx.Done():
			}
		}
	}
}

// close leaves the topic and waits for its goroutines.
func (p *publisher) close() {
	if p.topic == nil {
		return
	}
	p.cancel()
	p.topic.Close()
	p.work.Wait()
}

func (p *publisher) stats() TopicStats {
	var s TopicStats
	s.Traffic.addSent(p.box)
	s.Traffic.addReceived(&p.received)
	if p.topic != nil {
		s.Rejected, s.Lost = p.topic.Losses()
	}
	return s
}
