package p2p

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	basichost "github.com/libp2p/go-libp2p/p2p/host/basic"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	tls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/x/rate"
	yamuxconf "github.com/libp2p/go-yamux/v5"

	"quorate.dev/quorate/crypto"
)

// protocolVersion is the version of the wire: of the framing and of what
// travels in the frames. Peers with another one share no protocol id.
const protocolVersion = "1"

// protocolID names one kind of stream of one cluster, so that two clusters, or
// two versions, never understand each other by accident.
func protocolID(cluster crypto.Digest, kind string) protocol.ID {
	return protocol.ID("/quorate/" + cluster.Short() + "/" + kind + "/" + protocolVersion)
}

const (
	kindClient = "client"

	dialTimeout = 5 * time.Second
	openTimeout = 10 * time.Second
	keepAlive   = 5 * time.Second

	// streamWindow is how many bytes one stream's sender may be ahead of its
	// reader. It is also what a snapshot can put in front of a vote in the
	// one connection that they share: 80 ms at 100 Mbit/s. More would help
	// only where distance times rate is larger, from 10 MB/s at 100 ms on.
	streamWindow = 1 << 20
)

// Memory that the multiplexer may reserve, bytes. It counts 256 KiB for each
// connection and stream, and windows as they grow.
const (
	memberMemory = 64 << 20
	othersMemory = 4 << 20 // per client, observer or guest
)

// newHost makes a libp2p host of explicit parts only: TCP, Noise or else TLS,
// yamux. No relay, no hole punching, no address discovery, no ping service, no
// metrics of its own, nothing that learns of strangers by hearsay. It is put
// together here, and not by package libp2p, because that links every transport
// that it knows: WebRTC alone is sixty packages.
func newHost(who *roster, gater connmgr.ConnectionGater, limits Limits) (host.Host, error) {
	bus := eventbus.NewBus()
	s, err := newSwarm(who, gater, limits, bus)
	if err != nil {
		return nil, fmt.Errorf("libp2p swarm: %w", err)
	}
	h, err := basichost.NewHost(s, &basichost.HostOpts{EventBus: bus, UserAgent: processName()})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("libp2p host: %w", err), s.Close())
	}
	h.Start()
	// What a peer speaks is settled when it connects; later claims about
	// itself are not asked for.
	h.RemoveStreamHandler(identify.IDPush)
	return h, nil
}

// newSwarm makes the connections' side of a host.
func newSwarm(who *roster, gater connmgr.ConnectionGater, limits Limits, bus event.Bus) (*swarm.Swarm, error) {
	peers, err := pstoremem.NewPeerstore()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(peers.AddPrivKey(who.id, who.key), peers.AddPubKey(who.id, who.key.GetPublic())); err != nil {
		return nil, err
	}
	manager, err := newResourceManager(who, limits)
	if err != nil {
		return nil, err
	}
	transport, err := newTransport(who, gater, manager, newMuxer(limits))
	if err != nil {
		return nil, err
	}
	s, err := swarm.NewSwarm(who.id, peers, bus,
		swarm.WithConnectionGater(gater),
		swarm.WithResourceManager(manager),
		swarm.WithDialTimeout(dialTimeout),
		swarm.WithDialRanker(swarm.NoDelayDialRanker),
		// A member is at its address or it is not: no statistics about that.
		swarm.WithUDPBlackHoleSuccessCounter(nil),
		swarm.WithIPv6BlackHoleSuccessCounter(nil),
	)
	if err != nil {
		return nil, err
	}
	return s, s.AddTransport(transport)
}

// newTransport is TCP, secured and multiplexed. The order of security protocols
// is the order of preference: Noise knows no time. A certificate of TLS is valid
// from an hour before its process started, so that one whose clock is further off
// would reach nobody, and nobody could say why. TLS is for those who do not speak Noise.
func newTransport(who *roster, gater connmgr.ConnectionGater, manager network.ResourceManager, muxer network.Multiplexer) (transport.Transport, error) {
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: muxer}}
	first, err := noise.New(noise.ID, who.key, muxers)
	if err != nil {
		return nil, err
	}
	second, err := tls.New(tls.ID, who.key, muxers)
	if err != nil {
		return nil, err
	}
	up, err := upgrader.New([]sec.SecureTransport{first, second}, muxers, nil, manager, gater)
	if err != nil {
		return nil, err
	}
	// Without port reuse a second process on the same port is an error,
	// and not a thief of half the connections.
	return tcp.NewTCPTransport(up, manager, nil, tcp.DisableReuseport(), tcp.WithConnectionTimeout(dialTimeout), tcp.WithDialerForAddr(who.standIns))
}

func newMuxer(l Limits) *yamux.Transport {
	c := yamuxconf.DefaultConfig()
	c.KeepAliveInterval = keepAlive
	c.ConnectionWriteTimeout = l.WriteTimeout
	c.MaxStreamWindowSize = streamWindow
	c.MaxIncomingStreams = 64 // the resource manager's limits lie lower
	c.ReadBufSize = 0         // the security layer buffers
	c.LogOutput = io.Discard
	return (*yamux.Transport)(c)
}

// Of one peer: connections, and streams in one direction.
const (
	memberConns, memberStreams = 6, 32
	otherConns, otherStreams   = 4, 12
)

// newResourceManager sets every limit that concerns us. What all others may take
// together, each its own share, leaves room for the shares of all members, also
// while nobody knows yet what a stream will speak: otherwise clients that open
// streams and say nothing on them would keep members from opening theirs.
// Connections per address are the gate's to count, because here nobody knows yet
// who connects, and those that we dial are counted, too.
func newResourceManager(who *roster, l Limits) (network.ResourceManager, error) {
	members, others := len(who.members), l.Clients+l.Guests+otherConns*len(who.observers)+2*l.Handshakes
	each := func(conns, streams int, memory int64) rcmgr.ResourceLimits {
		return rcmgr.ResourceLimits{
			Conns: rcmgr.LimitVal(2 * conns), ConnsInbound: rcmgr.LimitVal(conns), ConnsOutbound: rcmgr.LimitVal(conns),
			Streams: rcmgr.LimitVal(2 * streams), StreamsInbound: rcmgr.LimitVal(streams), StreamsOutbound: rcmgr.LimitVal(streams),
			FD: rcmgr.LimitVal(2 * conns), Memory: rcmgr.LimitVal64(memory),
		}
	}
	all := each(members*memberConns+others, members*memberStreams+others*otherStreams, int64(members)*memberMemory+int64(others)*othersMemory)
	config := rcmgr.PartialLimitConfig{
		System: all, Transient: all,
		PeerDefault: each(otherConns, otherStreams, othersMemory),
		Peer:        make(map[peer.ID]rcmgr.ResourceLimits, members),
		Conn:        each(1, memberStreams, memberMemory),
		Stream:      each(1, 1, 2*streamWindow),
		// Protocols and services are bounded by their peers.
		ProtocolDefault: unlimited, ProtocolPeerDefault: unlimited,
		ServiceDefault: unlimited, ServicePeerDefault: unlimited,
	}
	for id := range who.members {
		config.Peer[id] = each(memberConns, memberStreams, memberMemory)
	}
	fixed := rcmgr.NewFixedLimiter(config.Build(rcmgr.InfiniteLimits))
	v4, v6 := everywhere("0.0.0.0/0"), everywhere("::/0")
	return rcmgr.NewResourceManager(fixed, rcmgr.WithMetricsDisabled(), rcmgr.WithNetworkPrefixLimit(v4, v6),
		// The numbers bound what one address holds; a rate on top would only
		// refuse scripts that call the command line in a loop.
		rcmgr.WithConnRateLimiters(&rate.Limiter{}))
}

var unlimited = rcmgr.ResourceLimits{
	Streams: rcmgr.Unlimited, StreamsInbound: rcmgr.Unlimited, StreamsOutbound: rcmgr.Unlimited,
	Conns: rcmgr.Unlimited, ConnsInbound: rcmgr.Unlimited, ConnsOutbound: rcmgr.Unlimited,
	FD: rcmgr.Unlimited, Memory: rcmgr.Unlimited64,
}

// everywhere switches the library's limit per address off for a prefix.
func everywhere(prefix string) []rcmgr.NetworkPrefixLimit {
	return []rcmgr.NetworkPrefixLimit{{Network: netip.MustParsePrefix(prefix), ConnCount: math.MaxInt}}
}
