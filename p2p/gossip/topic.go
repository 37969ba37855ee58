package gossip

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
	"quorate.dev/quorate/p2p"
)

// Bounds of the topic. The library's queues of 32 lose messages at any load.
const (
	queueSize = 1024             // messages: to each peer, and between validation and delivery
	overhead  = 4 << 10          // bytes of the library's envelope and control
	seenTime  = 15 * time.Second // longer than a message is offered again (5 heartbeats), short enough for a client's later retry
)

// topic is the cluster's GossipSub topic: lossy, quick, in no order. It carries
// what proves itself, requests and announcements, and never a vote.
type topic struct {
	config p2p.TopicConfig
	topic  *pubsub.Topic
	sub    *pubsub.Subscription
	cancel context.CancelFunc
	work   sync.WaitGroup

	budget   map[peer.ID]*rate.Limiter // bytes from each member; the map does not change
	rejected atomic.Uint64             // not from a member, too large, or too much
	lost     atomic.Uint64             // dropped in the library's queues, in or out
}

// Join subscribes and starts to deliver. It is a p2p.Gossip.
func Join(ctx context.Context, config p2p.TopicConfig) (p2p.Topic, error) {
	t, err := join(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("gossip: join %s: %w", config.Name, err)
	}
	return t, nil
}

func join(ctx context.Context, config p2p.TopicConfig) (*topic, error) {
	t := &topic{config: config, budget: make(map[peer.ID]*rate.Limiter)}
	for _, id := range config.Members {
		t.budget[id] = rate.NewLimiter(rate.Limit(config.BytesPerSecond), max(config.BytesPerSecond, consensus.MaxFrame))
	}
	ctx, t.cancel = context.WithCancel(ctx)
	params := pubsub.DefaultGossipSubParams()
	params.SlowHeartbeatWarning = 1 // of the interval: a loaded laptop is no news
	ps, err := pubsub.NewGossipSub(ctx, gatedHost{Host: config.Host, speaks: config.Speaks},
		// Payloads carry their authors' signatures; a second one costs more
		// than everything else together and proves nothing.
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithMaxMessageSize(consensus.MaxFrame+overhead),
		pubsub.WithPeerOutboundQueueSize(queueSize),
		pubsub.WithValidateQueueSize(queueSize),
		pubsub.WithValidateWorkers(1),
		pubsub.WithSeenMessagesTTL(seenTime),
		pubsub.WithFloodPublish(true),
		pubsub.WithGossipSubParams(params),
		pubsub.WithSubscriptionFilter(pubsub.WrapLimitSubscriptionFilter(pubsub.NewAllowlistSubscriptionFilter(config.Name), 4)),
		pubsub.WithPeerFilter(func(id peer.ID, _ string) bool { return config.Speaks(id) }),
		pubsub.WithAppSpecificRpcInspector(t.inspect),
		pubsub.WithRawTracer(losses{&t.lost}),
	)
	if err == nil {
		err = t.subscribe(ps)
	}
	if err != nil {
		t.cancel()
		return nil, err
	}
	t.work.Go(func() { t.deliverAll(ctx) })
	return t, nil
}

// subscribe installs the validator first, so that no message passes without it.
func (t *topic) subscribe(ps *pubsub.PubSub) error {
	if err := ps.RegisterTopicValidator(t.config.Name, t.validate, pubsub.WithValidatorInline(true)); err != nil {
		return err
	}
	var err error
	if t.topic, err = ps.Join(t.config.Name); err != nil {
		return err
	}
	t.sub, err = t.topic.Subscribe(pubsub.WithBufferSize(queueSize))
	return err
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
// size. Whether it is authentic is judged by the receiver.
func (t *topic) validate(_ context.Context, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
	member := t.budget[from] != nil
	if n := len(m.Data); (from != t.config.Host.ID() && !member) || n == 0 || n > consensus.MaxFrame {
		t.rejected.Add(1)
		return pubsub.ValidationReject
	}
	return pubsub.ValidationAccept
}

// Publish spreads a frame. The library may make its caller wait.
func (t *topic) Publish(ctx context.Context, frame []byte) error {
	if err := t.topic.Publish(ctx, frame); err != nil {
		t.lost.Add(1)
		return err
	}
	return nil
}

// Losses says what did not get through.
func (t *topic) Losses() (rejected, lost uint64) { return t.rejected.Load(), t.lost.Load() }

// deliverAll hands arrived frames on, but for our own. If the receiver blocks,
// the library's buffer fills and drops, counted.
func (t *topic) deliverAll(ctx context.Context) {
	for {
		m, err := t.sub.Next(ctx)
		if err != nil {
			return
		}
		if m.ReceivedFrom == t.config.Host.ID() {
			continue
		}
		t.config.Deliver(m.Data)
	}
}

// Close leaves the topic and waits until nothing is delivered any more.
func (t *topic) Close() {
	t.cancel()
	t.work.Wait()
}

// gatedHost keeps everybody but members and observers from speaking the gossip
// protocol to us at all: the library itself would listen to every peer.
type gatedHost struct {
	host.Host
	speaks func(peer.ID) bool
}

// SetStreamHandler installs the library's handler behind the gate.
func (h gatedHost) SetStreamHandler(id protocol.ID, handle network.StreamHandler) {
	h.Host.SetStreamHandler(id, func(s network.Stream) {
		if !h.speaks(s.Conn().RemotePeer()) {
			_ = s.Reset()
			return
		}
		handle(s)
	})
}

// NewStream refuses to open gossip streams to anybody else, clients above all.
func (h gatedHost) NewStream(ctx context.Context, id peer.ID, protocols ...protocol.ID) (network.Stream, error) {
	if !h.speaks(id) {
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
