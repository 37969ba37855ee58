package p2p

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"golang.org/x/time/rate"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// standing says what the other end of a connection is to us.
type standing uint8

const (
	stranger standing = iota // refused
	guest                    // let in only to be told why it is refused
	client
	observer
	replica
	standings
)

// gate decides who is let in, as early as libp2p allows: after the security
// handshake, which proves the key, and before a multiplexer, a stream or an
// identify exchange costs anything. It keeps exact counts of who is in.
type gate struct {
	who        *roster
	admit      func(crypto.PublicKey) bool
	limits     Limits
	guests     *rate.Limiter
	handshakes *handshakes

	mu      sync.Mutex
	conns   map[network.Conn]standing
	count   [standings]int
	refused atomic.Uint64 // connections of strangers turned away
}

func newGate(who *roster, admit func(crypto.PublicKey) bool, limits Limits) *gate {
	if admit == nil {
		admit = func(crypto.PublicKey) bool { return false }
	}
	return &gate{
		who: who, admit: admit, limits: limits, conns: make(map[network.Conn]standing),
		handshakes: newHandshakes(limits.Handshakes),
		guests:     rate.NewLimiter(rate.Limit(limits.GuestsPerSecond), limits.Guests),
	}
}

// judge says what a peer would be, were it let in now. Called with mu held.
func (g *gate) judge(id peer.ID) standing {
	if _, ok := g.who.members[id]; ok {
		return replica
	}
	full := g.count[client]+g.count[observer] >= g.limits.Clients
	if _, ok := g.who.observers[id]; ok && !full {
		return observer
	}
	key, err := keyOfPeer(id)
	if err != nil {
		return stranger // not an Ed25519 key: nobody we could even name
	}
	if !full && g.admit(key) {
		return client
	}
	if g.count[guest] < g.limits.Guests {
		return guest
	}
	return stranger
}

// InterceptPeerDial allows dialling members only.
func (g *gate) InterceptPeerDial(id peer.ID) bool {
	_, ok := g.who.members[id]
	return ok
}

// InterceptAddrDial allows every address of a member.
func (g *gate) InterceptAddrDial(peer.ID, ma.Multiaddr) bool { return true }

// InterceptAccept refuses nobody, because an address proves nothing, but makes
// room: see handshakes.
func (g *gate) InterceptAccept(c network.ConnMultiaddrs) bool {
	if conn, ok := c.(io.Closer); ok {
		g.handshakes.begin(c.RemoteMultiaddr().String(), conn)
	}
	return true
}

// InterceptSecured refuses strangers, and guests that come too fast.
func (g *gate) InterceptSecured(dir network.Direction, id peer.ID, c network.ConnMultiaddrs) bool {
	if dir == network.DirOutbound {
		return true
	}
	g.handshakes.end(c.RemoteMultiaddr().String())
	g.mu.Lock()
	s := g.judge(id)
	g.mu.Unlock()
	if s == stranger || s == guest && !g.guests.Allow() {
		g.refused.Add(1)
		return false
	}
	return true
}

// InterceptUpgraded has nothing to add: the counts are settled in enter.
func (g *gate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

// enter counts a new connection. Handshakes run at the same time, so the limits
// may only now turn out to be reached: then the connection is closed.
func (g *gate) enter(c network.Conn) {
	g.mu.Lock()
	s := replica
	if c.Stat().Direction == network.DirInbound {
		s = g.judge(c.RemotePeer())
	}
	if s != stranger {
		g.conns[c] = s
		g.count[s]++
	}
	g.mu.Unlock()
	switch s {
	case stranger:
		g.refused.Add(1)
		go closeConn(c)
	case guest:
		time.AfterFunc(g.limits.GuestTime, func() { closeConn(c) })
	}
}

// closeConn closes a connection; that it may be closed already is no news.
// Never call it from a notification: closing notifies.
func closeConn(c network.Conn) { _ = c.Close() }

// leave forgets a connection and, with the last one, what the peer store
// remembers of a peer that is no member.
func (g *gate) leave(n network.Network, c network.Conn) {
	g.mu.Lock()
	if s, ok := g.conns[c]; ok {
		delete(g.conns, c)
		g.count[s]--
	}
	g.mu.Unlock()
	id := c.RemotePeer()
	if _, ok := g.who.members[id]; !ok && n.Connectedness(id) != network.Connected {
		n.Peerstore().ClearAddrs(id)
		n.Peerstore().RemovePeer(id)
	}
}

// standingOf is what the other end of an open connection is.
func (g *gate) standingOf(c network.Conn) standing {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.conns[c]
}

// caller names the peer at the other end of a request stream, or says why its
// requests are refused.
func (g *gate) caller(c network.Conn) (consensus.Peer, consensus.RefusalCode) {
	key, err := keyOfPeer(c.RemotePeer())
	if err != nil {
		return consensus.Peer{}, consensus.RefusedUnknownClient
	}
	_, isObserver := g.who.observers[c.RemotePeer()]
	switch s := g.standingOf(c); {
	case s == observer:
		return consensus.Peer{Kind: consensus.PeerObserver, Key: key}, 0
	case (s == client || s == replica) && g.admit(key):
		return consensus.ClientPeer(key), 0
	case isObserver || g.admit(key):
		return consensus.ClientPeer(key), consensus.RefusedBusy // a guest only because all places are taken
	}
	return consensus.ClientPeer(key), consensus.RefusedUnknownClient
}

// counts says how many connections of each standing are open.
func (g *gate) counts() [standings]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.count
}
