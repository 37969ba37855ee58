package p2p

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// ClientConfig describes the side of a client or an observer.
type ClientConfig struct {
	Key     []byte        // Ed25519: the seed (32 bytes), or seed and public key (64 bytes)
	Cluster crypto.Digest // the genesis hash
	Members []Member      // all replicas, each with an address

	// Receive takes the frames of one replica's stream, concurrently with
	// those of others. It owns slice and bytes. Blocking in it holds back
	// that replica's stream only.
	Receive func(from consensus.ReplicaID, frames [][]byte)
	// OnConnect is told that frames to a replica now have a stream to travel
	// on. It must not block. Nil is allowed.
	OnConnect func(consensus.ReplicaID)
	// OnUnreachable is told of each attempt to connect that failed. It must not
	// block. Nil is allowed.
	OnUnreachable func(*Unreachable)
	// Topic takes what arrives by the gossip topic. Not nil only for an
	// observer that the replicas admit, who needs Gossip too.
	Topic  func(frame []byte)
	Gossip Gossip

	Log *slog.Logger // nil logs nothing
}

// Client is connected, or trying to be, to every replica. All methods are safe
// for concurrent use.
type Client struct {
	config ClientConfig
	host   host.Host
	routes map[consensus.ReplicaID]*route
	topic  *publisher // nil: not an observer
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// routeLimit bounds what waits for one replica.
var routeLimit = queueLimit{frames: 4096, bytes: 32 << 20, policy: dropOldest}

// route is a client's way to one replica: a connection and one stream, made
// again whenever they break.
type route struct {
	client *Client
	member member
	box    *outbox
}

// Dial makes a client that connects in the background and goes on trying until
// Close; ctx concerns this call only. An error says what is wrong with the configuration.
func Dial(ctx context.Context, config ClientConfig) (*Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	who, err := config.validate()
	if err != nil {
		return nil, err
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	limits := defaultLimits()
	g := newGate(who, nil, limits, nil)
	h, err := newHost(who, g, limits)
	if err != nil {
		return nil, err
	}
	c := &Client{config: config, host: h, routes: make(map[consensus.ReplicaID]*route)}
	var life context.Context
	life, c.cancel = context.WithCancel(context.Background())
	if config.Topic != nil {
		if c.topic, err = join(config.Gossip, h, who, config.Cluster, limits.TopicBytesPerPeer, config.Topic); err != nil {
			c.cancel()
			_ = h.Close()
			return nil, err
		}
	}
	for _, m := range who.members {
		c.routes[m.replica] = &route{client: c, member: m, box: newOutbox(routeLimit, nil, nil)}
	}
	for _, r := range c.routes {
		c.work.Go(func() { r.run(life) })
	}
	return c, nil
}

func (c *ClientConfig) validate() (*roster, error) {
	if c.Receive == nil {
		return nil, fmt.Errorf("%w: Receive is nil: set it to a function that takes frames", errConfig)
	}
	if c.Topic != nil && c.Gossip == nil {
		return nil, fmt.Errorf("%w: a topic needs Gossip: set it to gossip.Join", errConfig)
	}
	key, err := privateKey(c.Key)
	if err != nil {
		return nil, err
	}
	who, err := newRoster(key, c.Members, nil)
	if err != nil {
		return nil, err
	}
	for _, m := range who.members {
		if m.addr == nil {
			return nil, fmt.Errorf("%w: replica R%d has no address", errConfig, m.replica)
		}
	}
	return who, nil
}

// Send queues a frame, which nobody writes to any more, for one replica and
// never waits. It reports whether the frame was queued: not for a replica that
// does not exist or has been out of reach for some seconds.
func (c *Client) Send(to consensus.ReplicaID, frame []byte) bool {
	r := c.routes[to]
	return r != nil && len(frame) > 0 && len(frame) <= consensus.MaxFrame && r.box.put(frame)
}

// Connected reports whether there is a connection to a replica.
func (c *Client) Connected(to consensus.ReplicaID) bool {
	r := c.routes[to]
	return r != nil && c.host.Network().Connectedness(r.member.id) == network.Connected
}

// Close ends everything and waits for every goroutine of the package. Receive
// and Topic must not block any more.
func (c *Client) Close() error {
	c.cancel()
	if c.topic != nil {
		c.topic.close()
	}
	err := c.host.Close()
	c.work.Wait()
	if err != nil {
		return fmt.Errorf("close client: %w", err)
	}
	return nil
}

// run keeps the route open until ctx ends. A refusal ends a stream too, so that
// an unknown client comes back at the pace of the backoff and no faster.
func (r *route) run(ctx context.Context) {
	for b := (backoff{}); ctx.Err() == nil; b.sleep(ctx) {
		began := time.Now()
		if err := r.serve(ctx); err != nil && ctx.Err() == nil {
			r.client.config.Log.Debug("not connected", "replica", r.member.replica, "error", err)
		}
		if time.Since(began) > backoffMost {
			b = backoff{} // it worked for a while
		}
	}
}

// serve connects and serves one stream until it ends.
func (r *route) serve(ctx context.Context) error {
	if why := dial(ctx, r.client.host, r.member); why != nil {
		if r.client.config.OnUnreachable != nil && ctx.Err() == nil {
			r.client.config.OnUnreachable(why)
		}
		return why
	}
	open, cancel := context.WithTimeout(ctx, openTimeout)
	s, err := r.client.host.NewStream(open, r.member.id, protocolID(r.client.config.Cluster, kindClient))
	cancel()
	if err != nil {
		return fmt.Errorf("open stream to R%d: %w", r.member.replica, err)
	}
	defer func() { _ = s.Reset() }()
	r.box.setUp()
	defer r.box.setDown()
	if r.client.config.OnConnect != nil {
		r.client.config.OnConnect(r.member.replica)
	}
	ctx, stop := context.WithCancel(ctx)
	var writer sync.WaitGroup
	writer.Go(func() {
		// Why it ended does not matter: the reader sees the stream end too.
		_ = r.box.drain(ctx, &patientWriter{stream: s, patience: defaultLimits().WriteTimeout})
		_ = s.Reset() // also ends the reader
	})
	err = r.read(ctx, s)
	stop()
	writer.Wait()
	return err
}

func (r *route) read(ctx context.Context, s network.Stream) error {
	in := newFrameReader(s, readBuffer, consensus.MaxFrame)
	for {
		frames, err := in.group(ctx)
		if len(frames) > 0 {
			r.client.config.Receive(r.member.replica, frames)
		}
		if err != nil {
			return err
		}
	}
}
