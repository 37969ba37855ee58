package p2p

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"syscall"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	manet "github.com/multiformats/go-multiaddr/net"

	"quorate.dev/quorate/consensus"
)

// Network is a replica's side of the network. All methods are safe for
// concurrent use.
type Network struct {
	config  Config
	who     *roster
	host    host.Host
	gate    *gate
	links   []*link // by replica id, without our own
	clients *clients
	topic   *publisher
	names   *names
	log     *slog.Logger

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup // links and inbound streams

	mu     sync.Mutex
	closed bool
}

// Listen starts to listen and to connect to the other members, in the
// background. An error says what is wrong with the configuration, or
// with the address; it wraps ErrAddressInUse if another process listens there.
func Listen(config Config) (*Network, error) {
	config.Limits = config.Limits.orDefaults()
	who, err := config.validate()
	if err != nil {
		return nil, err
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.redialAge == 0 {
		config.redialAge = redialAge
	}
	if config.idleTime == 0 {
		config.idleTime = idleTime
	}
	if config.bothAlive == 0 {
		config.bothAlive = bothAlive + config.Limits.WriteTimeout
	}
	g := newGate(who, config.Admit, config.Limits, config.exempt)
	g.idle = config.idleTime
	h, err := newHost(who, g, config.Limits)
	if err != nil {
		return nil, err
	}
	n := &Network{config: config, who: who, host: h, gate: g, log: config.Log}
	n.names = &names{alive: config.bothAlive, of: make(map[consensus.ReplicaID]*processes)}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.clients = newClients(n)
	for _, m := range who.members {
		if m.id != who.id {
			n.links = append(n.links, newLink(n, m))
		}
	}
	slices.SortFunc(n.links, func(a, b *link) int { return int(a.member.replica) - int(b.member.replica) })
	if err := n.start(); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// start installs everything before the first connection can arrive: identify
// tells a peer once, when it connects, what is spoken here.
func (n *Network) start() error {
	h := n.host
	h.Network().Notify(&network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { n.gate.enter(c); n.kick(c) },
		DisconnectedF: func(w network.Network, c network.Conn) { n.gate.leave(w, c); n.kick(c) },
	})
	for class := consensus.Votes; class < consensus.Classes; class++ {
		h.SetStreamHandler(protocolID(n.config.Cluster, class.String()), n.tracked(func(s network.Stream) { n.fromMember(class, s) }))
	}
	h.SetStreamHandler(protocolID(n.config.Cluster, kindClient), n.tracked(n.clients.serve))
	if err := n.joinTopic(); err != nil {
		return err
	}
	names, err := h.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted))
	if err != nil {
		return fmt.Errorf("%w: %w", errListen, err)
	}
	n.work.Go(func() { n.watchNames(names) })
	if err := n.listen(); err != nil {
		return err
	}
	for _, l := range n.links {
		n.work.Go(func() { l.run(n.ctx) })
	}
	return nil
}

// joinTopic makes the topic deliver to the receiver. Whose words a frame carries
// is for Open to find out: the peer that passed it on is only a courier.
func (n *Network) joinTopic() error {
	var err error
	n.topic, err = join(n.config.Gossip, n.host, n.who, n.config.Cluster, n.config.Limits.TopicBytesPerPeer, func(frame []byte) {
		n.config.Receiver.Frames([]consensus.Frame{{From: consensus.Peer{Kind: consensus.Topic}, Bytes: frame}})
	})
	return err
}

// listen opens the port, last of all.
func (n *Network) listen() error {
	addr, err := parseAddr(n.config.Listen)
	if err != nil {
		return err
	}
	s, ok := n.host.Network().(*swarm.Swarm)
	if !ok {
		return fmt.Errorf("%w: unexpected network %T", errListen, n.host.Network())
	}
	// Not host.Network().Listen, which turns the causes into text.
	switch err := s.AddListenAddr(addr); {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: %s: stop the process that listens there, or choose another listen address", ErrAddressInUse, n.config.Listen)
	case err != nil:
		return fmt.Errorf("%w on %s: %w", errListen, n.config.Listen, err)
	}
	return nil
}

// tracked makes Close wait for a stream's handler, and refuses streams after it.
func (n *Network) tracked(handle network.StreamHandler) network.StreamHandler {
	return func(s network.Stream) {
		n.mu.Lock()
		if n.closed {
			n.mu.Unlock()
			_ = s.Reset()
			return
		}
		n.work.Add(1)
		n.mu.Unlock()
		defer n.work.Done()
		handle(s)
	}
}

// kick tells the link of a connection's peer to look again.
func (n *Network) kick(c network.Conn) {
	if l := n.linkOf(c.RemotePeer()); l != nil {
		l.connChanged(c)
	}
}

// Addr is where this replica listens, as host:port with the port that was
// really taken.
func (n *Network) Addr() string {
	for _, a := range n.host.Network().ListenAddresses() {
		if _, tcp, err := manet.DialArgs(a); err == nil {
			return withZone(tcp, n.config.Listen)
		}
	}
	return ""
}

// Send queues a frame, which nobody writes to any more, and never waits. It
// reports whether all destinations took it: a queue that drops its oldest takes
// everything while its peer is connected or has been lately; the Bulk class
// refuses what does not fit. Class is without meaning for clients and the topic.
// Everyone is all other members, with one copy of the bytes.
func (n *Network) Send(to consensus.Peer, class consensus.Class, frame []byte) bool {
	if len(frame) == 0 || len(frame) > consensus.MaxFrame || class >= consensus.Classes {
		return false
	}
	switch to.Kind {
	case consensus.PeerReplica:
		l := n.linkTo(to.Replica)
		return l != nil && l.boxes[class].put(frame)
	case consensus.Everyone:
		all := true
		for _, l := range n.links {
			all = l.boxes[class].put(frame) && all
		}
		return all
	case consensus.PeerClient, consensus.PeerObserver:
		return n.clients.send(to.Key, frame)
	case consensus.Topic:
		return n.Publish(frame)
	}
	return false
}

// Publish spreads a frame by the topic: to all members and observers, lossily.
// It queues and never waits. The same frame published again within the seen
// time (15 s) goes nowhere. False says that the frame is not one, or that no
// topic was joined.
func (n *Network) Publish(frame []byte) bool { return n.topic.publish(frame) }

// linkTo finds the link to a member; nil for our own id and for unknown ones.
func (n *Network) linkTo(r consensus.ReplicaID) *link {
	i, ok := slices.BinarySearchFunc(n.links, r, func(l *link, r consensus.ReplicaID) int { return int(l.member.replica) - int(r) })
	if !ok {
		return nil
	}
	return n.links[i]
}

// Arriving is how many bytes more have come, since it was asked last, of larger
// frames of members that are still on their way.
func (n *Network) Arriving() (list []consensus.Arriving) {
	for _, l := range n.links {
		if bytes := l.arriving.Swap(0); bytes > 0 {
			list = append(list, consensus.Arriving{From: l.member.replica, Bytes: int(bytes)})
		}
	}
	return list
}

// Close ends all streams and connections and waits for every goroutine of the
// package; what is queued is lost. Receiver.Frames must not block any more.
func (n *Network) Close() error {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.cancel()
	if n.topic != nil {
		n.topic.close()
	}
	err := n.host.Close()
	n.work.Wait()
	if err != nil {
		return fmt.Errorf("close network: %w", err)
	}
	return nil
}
