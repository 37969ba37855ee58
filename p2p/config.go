package p2p

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// The errors of Listen and Dial. They are wrapped with what to do about them.
var (
	errConfig       = errors.New("invalid network configuration")
	ErrAddressInUse = errors.New("address already in use")
	errListen       = errors.New("cannot listen")
)

// Member is one replica of the genesis, with where to reach it.
type Member struct {
	Replica consensus.ReplicaID
	Key     crypto.PublicKey
	// Addr is host:port or a TCP multiaddress. Empty means that this side
	// never dials it and waits to be dialled.
	Addr string
}

// Receiver takes what comes in. Frames is called concurrently, once per wake-up
// of a stream's reader, with frames of one peer. It owns the slice and the
// bytes. Blocking in it holds back that stream and, once the window is full,
// its sender, and nobody else; it must return once the caller begins Close.
type Receiver interface {
	Frames(group []consensus.Frame)
}

// Config describes one replica's side of the network.
type Config struct {
	Key      []byte        // Ed25519: the seed (32 bytes), or seed and public key (64 bytes)
	Cluster  crypto.Digest // the genesis hash; it is part of every protocol id
	Listen   string        // host:port or a TCP multiaddress; port 0 picks a free one
	Members  []Member      // all members, this one too
	Receiver Receiver      // where frames go

	// Admit says which keys are clients. Nil admits nobody. Called
	// concurrently and often: it must be quick.
	Admit func(crypto.PublicKey) bool
	// Gossip joins the topic: gossip.Join. Nil keeps out of it, and Publish
	// then reports false.
	Gossip Gossip
	// Observers may read the topic and ask for what proves itself.
	Observers []crypto.PublicKey
	// OnConnect is told, on a goroutine of the link, that frames to a member
	// now have a stream to travel on: the time to say STATUS. It must not block.
	OnConnect func(consensus.Peer)
	// Critical marks frames in the Votes class that outlive others when the
	// queue overflows. Nil marks none.
	Critical func(frame []byte) bool

	Limits Limits       // the zero value of a field stands for its default
	Log    *slog.Logger // nil logs nothing

	redialAge time.Duration           // see link.supersede; 0 stands for redialAge
	idleTime  time.Duration           // see gate.isIdle; 0 stands for idleTime
	bothAlive time.Duration           // see names; 0 stands for bothAlive and the write timeout
	exempt    func(netip.Prefix) bool // from ConnectionsPerIP; nil stands for isLoopback
}

// Limits bound what others can make this process hold. Bytes unless said otherwise.
type Limits struct {
	Clients           int // connections of permitted clients; members and observers have places of their own
	StreamsPerClient  int // concurrent request streams of one client key; the oldest yields
	Guests            int // connections of unknown keys, each told why it is refused
	GuestsPerSecond   int // handshakes of unknown keys that get as far as that
	RequestFrame      int // one frame from a client; larger ones reset the stream
	ClientBytesIn     int // large frames of all clients in delivery at once
	ClientBytesOut    int // frames waiting for all clients; over it, the slowest reader is reset
	Handshakes        int // inbound connections that have not yet proved a key; one of the address with most yields
	ConnectionsPerIP  int // connections of permitted clients from one IPv4 address or IPv6 /56, loopback excepted
	TopicBytesPerPeer int // per second, from one member by the topic

	// GuestTime is how long a guest's connection lives at most: time for one
	// question and its answer.
	GuestTime time.Duration
	// WriteTimeout is how long a stream, or a connection, may take nothing of
	// what is written to it before it is given up.
	WriteTimeout time.Duration
}

// defaultLimits suit four to seven replicas in half a GiB of memory each.
func defaultLimits() Limits {
	return Limits{
		Clients: 512, StreamsPerClient: 4, Guests: 32, GuestsPerSecond: 20,
		RequestFrame: consensus.MaxFrame, ClientBytesIn: 64 << 20, ClientBytesOut: 64 << 20,
		Handshakes: 256, ConnectionsPerIP: 256, TopicBytesPerPeer: 16 << 20, GuestTime: 5 * time.Second, WriteTimeout: 10 * time.Second,
	}
}

// orDefaults fills in what was left zero.
func (l Limits) orDefaults() Limits {
	d := defaultLimits()
	for _, f := range []struct {
		field    *int
		standard int
	}{
		{&l.Clients, d.Clients}, {&l.StreamsPerClient, d.StreamsPerClient}, {&l.Guests, d.Guests},
		{&l.GuestsPerSecond, d.GuestsPerSecond}, {&l.RequestFrame, d.RequestFrame}, {&l.ClientBytesIn, d.ClientBytesIn},
		{&l.ClientBytesOut, d.ClientBytesOut}, {&l.Handshakes, d.Handshakes},
		{&l.ConnectionsPerIP, d.ConnectionsPerIP}, {&l.TopicBytesPerPeer, d.TopicBytesPerPeer},
	} {
		if *f.field == 0 {
			*f.field = f.standard
		}
	}
	if l.GuestTime == 0 {
		l.GuestTime = d.GuestTime
	}
	if l.WriteTimeout == 0 {
		l.WriteTimeout = d.WriteTimeout
	}
	return l
}

// Descriptors is how many connections these limits allow at most, with so many
// members and observers: each may be dialled while it dials, and replaced.
func (l Limits) Descriptors(known int) int {
	l = l.orDefaults()
	return l.Clients + l.Guests + l.Handshakes + 4*known
}

// Validate says what is wrong with the limits, if anything.
func (l Limits) Validate() error {
	l = l.orDefaults()
	switch {
	case l.Clients < 0 || l.StreamsPerClient < 0 || l.Guests < 0 || l.GuestsPerSecond < 0 || l.Handshakes < 0 ||
		l.ConnectionsPerIP < 0 || l.TopicBytesPerPeer < 0 || l.GuestTime < 0 || l.WriteTimeout < 0:
		return fmt.Errorf("%w: limits must not be negative", errConfig)
	case l.RequestFrame < 0 || l.RequestFrame > consensus.MaxFrame:
		return fmt.Errorf("%w: a request frame is at most %d bytes, not %d", errConfig, consensus.MaxFrame, l.RequestFrame)
	case l.ClientBytesIn < l.RequestFrame || l.ClientBytesOut < l.RequestFrame:
		// Otherwise a frame that is allowed could never pass.
		return fmt.Errorf("%w: the limits on clients' bytes (%d in, %d out) must hold one request frame of %d",
			errConfig, l.ClientBytesIn, l.ClientBytesOut, l.RequestFrame)
	}
	return nil
}

// validate finds the members' peer ids, this replica's entry, and mistakes.
func (c *Config) validate() (*roster, error) {
	if c.Receiver == nil {
		return nil, fmt.Errorf("%w: Receiver is nil: set it to what takes frames", errConfig)
	}
	if err := c.Limits.Validate(); err != nil {
		return nil, err
	}
	key, err := privateKey(c.Key)
	if err != nil {
		return nil, err
	}
	r, err := newRoster(key, c.Members, c.Observers)
	if err != nil {
		return nil, err
	}
	if !r.isMember {
		return nil, fmt.Errorf("%w: the key %s is no member's: use the key that the genesis names", errConfig, r.own.Short())
	}
	return r, nil
}
