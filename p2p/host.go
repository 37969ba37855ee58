package p2p

import (
	"fmt"
	"io"
	"math"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
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

// newHost makes a libp2p host with explicit parts only: TCP, TLS or else Noise,
// yamux. No relay, no hole punching, no address discovery, no ping service, no
// metrics of its own, nothing that learns of strangers by hearsay.
func newHost(who *roster, gater connmgr.ConnectionGater, limits Limits) (host.Host, error) {
	manager, err := newResourceManager(who, limits)
	if err != nil {
		return nil, fmt.Errorf("resource manager: %w", err)
	}
	h, err := libp2p.New(
		libp2p.Identity(who.key),
		libp2p.NoListenAddrs,
		// Without port reuse a second process on the same port is an error,
		// and not a thief of half the connections.
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport(), tcp.WithConnectionTimeout(dialTimeout)),
		libp2p.Security(tls.ID, tls.New),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, newMuxer(limits)),
		libp2p.ResourceManager(manager),
		libp2p.ConnectionManager(&connmgr.NullConnMgr{}),
		libp2p.ConnectionGater(gater),
		libp2p.DisableRelay(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.DisableMetrics(),
		libp2p.Ping(false),
		libp2p.UserAgent("quorate"),
		libp2p.WithDialTimeout(dialTimeout),
		libp2p.SwarmOpts(swarm.WithDialRanker(swarm.NoDelayDialRanker)),
		// A member is at its address or it is not: no statistics about that.
		libp2p.UDPBlackHoleSuccessCounter(nil),
		libp2p.IPv6BlackHoleSuccessCounter(nil),
	)
	if err != nil {
		return nil, fmt.Errorf("libp2p host: %w", err)
	}
	// What a peer speaks is settled when it connects; later claims about
	// itself are not asked for.
	h.RemoveStreamHandler(identify.IDPush)
	return h, nil
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

// newResourceManager sets every limit that concerns us. Members have room of
// their own: the sum of what all others may take leaves theirs untouched.
func newResourceManager(who *roster, l Limits) (network.ResourceManager, error) {
	members, others := len(who.members), l.Clients+l.Guests+2*l.Handshakes
	each := func(conns, streams int, memory int64) rcmgr.ResourceLimits {
		return rcmgr.ResourceLimits{
			Conns: rcmgr.LimitVal(2 * conns), ConnsInbound: rcmgr.LimitVal(conns), ConnsOutbound: rcmgr.LimitVal(conns),
			Streams: rcmgr.LimitVal(2 * streams), StreamsInbound: rcmgr.LimitVal(streams), StreamsOutbound: rcmgr.LimitVal(streams),
			FD: rcmgr.LimitVal(2 * conns), Memory: rcmgr.LimitVal64(memory),
		}
	}
	const memberConns, memberStreams, otherConns, otherStreams = 6, 32, 4, 12
	config := rcmgr.PartialLimitConfig{
		System: each(members*memberConns+others, members*memberStreams+others*otherStreams,
			int64(members)*memberMemory+int64(others)*othersMemory),
		// Twice, because those that were hung up on take a moment to go.
		Transient:   each(2*l.Handshakes, l.Handshakes+members*memberStreams, int64(l.Handshakes)<<20+int64(members)<<22),
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
	v4, v6 := loopback("127.0.0.0/8"), loopback("::1/128")
	return rcmgr.NewResourceManager(fixed, rcmgr.WithMetricsDisabled(),
		rcmgr.WithNetworkPrefixLimit(v4, v6),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: l.ConnectionsPerIP}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: l.ConnectionsPerIP}}),
		// The number per address bounds what one address holds; a rate on top
		// would only refuse scripts that call the command line in a loop.
		rcmgr.WithConnRateLimiters(&rate.Limiter{}))
}

var unlimited = rcmgr.ResourceLimits{
	Streams: rcmgr.Unlimited, StreamsInbound: rcmgr.Unlimited, StreamsOutbound: rcmgr.Unlimited,
	Conns: rcmgr.Unlimited, ConnsInbound: rcmgr.Unlimited, ConnsOutbound: rcmgr.Unlimited,
	FD: rcmgr.Unlimited, Memory: rcmgr.Unlimited64,
}

// loopback exempts a whole test network on one machine from the limit per address.
func loopback(prefix string) []rcmgr.NetworkPrefixLimit {
	return []rcmgr.NetworkPrefixLimit{{Network: netip.MustParsePrefix(prefix), ConnCount: math.MaxInt}}
}
