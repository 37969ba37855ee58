package p2p

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"golang.org/x/time/rate"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Bounds of the topic. The library's queues of 32 lose messages at any load.
const (
	topicQueue    = 1024             // messages: to each peer, and between validation and delivery
	topicOverhead = 4 << 10          // bytes of the library's envelope and control
	seenTime      = 15 * time.Second // longer than a message is offered again (5 heartbeats), short enough for a client's later retry
)

// topicLimit bounds what waits to be published here.
var topicLimit = queueLimit{frames: 256, bytes: 16 << 20, policy: dropOldest}

// topicConfig says where a topic lives.
type topicConfig struct {
	host           host.Host
	cluster        crypto.Digest
	who            *roster
	bytesPerSecond int // from one member
	deliver        func(frame []byte)
}

// topic is the cluster's GossipSub topic: lossy, quick, in no order. It carries
// what proves itself, requests and announcements, and never a vote.
type topic struct {
	config topicConfig
	topic  *pubsub.Topic
	sub    *pubsub.Subscription
	box    *outbox
	cancel context.CancelFunc
	work   sync.WaitGroup

	budget   map[peer.ID]*rate.Limiter // bytes from each member; the map does not change
	received meter
	rejected atomic.Uint64 // not from a member, too large, or too much
	lost     atomic.Uint64 // dropped in the library's queues, in or out
}

// joinTopic subscribes and starts the two goroutines of the topic. It must run
// before the host listens or dials: peers learn of the gossip protocol once,
// when they connect.
func joinTopic(ctx context.Context, config topicConfig) (*topic, error) {
	t := &topic{config: config, box: newOutbox(topicLimit, nil, nil), budget: make(map[peer.ID]*rate.Limiter)}
	for id := range config.who.members {
		t.budget[id] = rate.NewLimiter(rate.Limit(config.bytesPerSecond), max(config.bytesPerSecond, consensus.MaxFrame))
	}
	ctx, t.cancel = context.WithCancel(ctx)
	name := "quorate/" + config.cluster.Short() + "/topic/" + protocolVersion
	params := pubsub.DefaultGossipSubParams()
	params.SlowHeartbeatWarning = 1 // of the interval: a loaded laptop is no news
	ps, err := pubsub.NewGossipSub(ctx, gatedHost{Host: config.host, who: config.who},
		// Payloads carry their authors' signatures; a second one costs more
		// than everything else together and proves nothing.
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithMaxMessageSize(consensus.MaxFrame+topicOverhead),
		pubsub.WithPeerOutboundQueueSize(topicQueue),
		pubsub.WithValidateQueueSize(topicQueue),
		pubsub.WithValidateWorkers(1),
		pubsub.WithSeenMessagesTTL(seenTime),
		pubsub.WithFloodPublish(true),
		pubsub.WithGossipSubParams(params),
		pubsub.WithSubscriptionFilter(pubsub.WrapLimitSubscriptionFilter(pubsub.NewAllowlistSubscriptionFilter(name), 4)),
		pubsub.WithPeerFilter(func(id peer.ID, _ string) bool { return config.who.speaksTopic(id) }),
		pubsub.WithAppSpecificRpcInspector(t.inspect),
		pubsub.WithRawTracer(losses{&t.lost}),
	)
	if err != nil {
		t.cancel()
		return nil, fmt.Errorf("gossip: %w", err)
	}
	if err := t.join(ps, name); err != nil {
		t.cancel()
		return nil, fmt.Errorf("gossip: join %s: %w", name, err)
	}
	t.box.setUp()
	t.work.Go(func() { t.publishAll(ctx) })
	t.work.Go(func() { t.deliverAll(ctx) })
	return t, nil
}

// join installs the validator first, so that no message passes without it.
func (t *topic) join(ps *pubsub.PubSub, name string) error {
	if err := ps.RegisterTopicValidator(name, t.validate, pubsub.WithValidatorInline(true)); err != nil {
		return err
	}
	var err error
	if t.topic, err = ps.Join(name); err != nil {
		return err
	}
	t.sub, err = t.topic.Subscribe(pubsub.WithBufferSize(topicQueue))
	return err
}

// speaksTopic reports whether a peer may take part: members, and observers, who
// only listen.
func (r *roster) speaksTopic(id peer.ID) bool {
	_, member := r.members[id]
	_, observer := r.observers[id]
	return member || observer
}

// messageID makes equal payloads one message, whoever published them.
func messageID(m *pb.Message) string {
	d := crypto.Hash(m.GetData())
	return string(d[:])
}

var errTopicPeer = errors.New("not a member, or too much")

// inspect judges a peer's whole message before the library spends anything on
// it: only members publish and forward, each within its rate.
func (t *topic) inspect(from peer.ID, rpc *pubsub.RPC) error {
	size := 0
	for _, m := range rpc.GetPublish() {
		size += len(m.GetData())
	}
	if size == 0 {
		return nil
	}
	if budget := t.budget[from]; budget == nil || !budget.AllowN(time.Now(), size) {
		t.rejected.Add(1)
		return errTopicPeer
	}
	return nil
}

// validate judges one message by what costs nothing: who passed it on, and its
// size. Whether it is authentic is judged by Open, in the host's workers.
func (t *topic) validate(_ context.Context, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
	_, member := t.config.who.members[from]
	if n := len(m.Data); (from != t.config.host.ID() && !member) || n == 0 || n > consensus.MaxFrame {
		t.rejected.Add(1)
		return pubsub.ValidationReject
	}
	return pubsub.ValidationAccept
}

// publish queues a frame and never waits.
func (t *topic) publish(frame []byte) bool {
	return len(frame) > 0 && len(frame) <= consensus.MaxFrame && t.box.put(frame)
}

// publishAll hands queued frames to the library, which may make its caller wait.
func (t *topic) publishAll(ctx context.Context) {
	var batch [][]byte
	for ctx.Err() == nil {
		batch = t.box.take(batch[:0])
		for _, frame := range batch {
			if err := t.topic.Publish(ctx, frame); err != nil {
				t.lost.Add(1)
				continue
			}
			t.box.sent.add(1, len(frame))
		}
		t.box.landed()
		if clear(batch); len(batch) == 0 {
			select {
			case <-t.box.wake:
			case <-ctx.Done():
			}
		}
	}
}

// deliverAll hands arrived frames on, but for our own. If the receiver blocks,
// the library's buffer fills and drops, counted.
func (t *topic) deliverAll(ctx context.Context) {
	for {
		m, err := t.sub.Next(ctx)
		if err != nil {
			return
		}
		if m.ReceivedFrom == t.config.host.ID() {
			continue
		}
		t.received.add(1, len(m.Data))
		t.config.deliver(m.Data)
	}
}

// close leaves the topic and waits for both goroutines.
func (t *topic) close() {
	t.cancel()
	t.work.Wait()
}

// gatedHost keeps everybody but members and observers from speaking the gossip
// protocol to us at all: the library itself would listen to every peer.
type gatedHost struct {
	host.Host
	who *roster
}

// SetStreamHandler installs the library's handler behind the gate.
func (h gatedHost) SetStreamHandler(id protocol.ID, handle network.StreamHandler) {
	h.Host.SetStreamHandler(id, func(s network.Stream) {
		if !h.who.speaksTopic(s.Conn().RemotePeer()) {
			_ = s.Reset()
			return
		}
		handle(s)
	})
}

// NewStream refuses to open gossip streams to anybody else, clients above all.
func (h gatedHost) NewStream(ctx context.Context, id peer.ID, protocols ...protocol.ID) (network.Stream, error) {
	if !h.who.speaksTopic(id) {
		return nil, errTopicPeer
	}
	return h.Host.NewStream(network.WithNoDial(ctx, "the link dials"), id, protocols...)
}

// losses counts what the library drops in its queues.
type losses struct{ n *atomic.Uint64 }

func (l losses) DropRPC(*pubsub.RPC, peer.ID)          { l.n.Add(1) }
func (l losses) UndeliverableMessage(*pubsub.Message)  { l.n.Add(1) }
func (l losses) RejectMessage(*pubsub.Message, string) {}

func (losses) OnNewOutboundStream(peer.ID, protocol.ID) {}
func (losses) OnClosedOutboundStream(peer.ID)           {}
func (losses) Join(string)                              {}
func (losses) Leave(string)                             {}
func (losses) Graft(peer.ID, string)                    {}
func (losses) Prune(peer.ID, string)                    {}
func (losses) ValidateMessage(*pubsub.Message)          {}
func (losses) DeliverMessage(*pubsub.Message)           {}
func (losses) DuplicateMessage(*pubsub.Message)         {}
func (losses) ThrottlePeer(peer.ID)                     {}
func (losses) RecvRPC(*pubsub.RPC)                      {}
func (losses) SendRPC(*pubsub.RPC, peer.ID)             {}
