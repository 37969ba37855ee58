package p2p

import (
	"io"
	"net/netip"
	"strings"
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
//
// Whoever has not proved a key is counted by handshakes, and from then on by
// what the key makes of it: members, observers, clients and guests each have
// places of their own, so that none can take another's. A limit per address
// counts clients, and handshakes apart from them; it never counts members.
type gate struct {
	who        *roster
	admit      func(crypto.PublicKey) bool
	limits     Limits
	guests     *rate.Limiter
	handshakes *handshakes
	exempt     func(netip.Prefix) bool // addresses that the limit per address leaves out
	idle       time.Duration           // see idleTime

	mu      sync.Mutex
	conns   map[network.Conn]standing
	count   [standings]int
	from    map[netip.Prefix]int // connections of clients
	refused atomic.Uint64        // connections of strangers turned away
	crowded atomic.Uint64        // clients told that they are too many, in all or from one address
	yielded atomic.Uint64        // connections of clients, without a stream, that made room for others
}

func newGate(who *roster, admit func(crypto.PublicKey) bool, limits Limits, exempt func(netip.Prefix) bool) *gate {
	if admit == nil {
		admit = func(crypto.PublicKey) bool { return false }
	}
	if exempt == nil {
		exempt = isLoopback
	}
	return &gate{
		who: who, admit: admit, limits: limits, exempt: exempt, idle: idleTime,
		conns: make(map[network.Conn]standing), from: make(map[netip.Prefix]int),
		handshakes: &handshakes{limit: limits.Handshakes, members: who.networks()},
		guests:     rate.NewLimiter(rate.Limit(limits.GuestsPerSecond), limits.Guests),
	}
}

// judge says what a peer at an address would be, were it let in now. Called with
// mu held.
func (g *gate) judge(id peer.ID, at netip.Prefix) standing {
	if _, ok := g.who.members[id]; ok {
		return replica
	}
	if _, ok := g.who.observers[id]; ok {
		return observer // their number is that of their keys
	}
	key, err := keyOfPeer(id)
	if err != nil {
		return stranger // not an Ed25519 key: nobody we could even name
	}
	if !g.full() && !g.crowd(at) && g.admit(key) {
		return client
	}
	if g.count[guest] < g.limits.Guests {
		return guest
	}
	return stranger
}

// full and crowd say that clients have no place left, in all or at an address.
// Called with mu held.
func (g *gate) full() bool { return g.count[client] >= g.limits.Clients }

func (g *gate) crowd(at netip.Prefix) bool {
	return g.from[at] >= g.limits.ConnectionsPerIP && !g.exempt(at)
}

// press counts a peer that would be a client, were there room, and makes room: a
// connection that nothing is asked on gives way. That takes a moment, so the one
// that came is told that it is busy here, and finds a place when it asks again.
// Called with mu held.
func (g *gate) press(id peer.ID, at netip.Prefix) {
	if key, err := keyOfPeer(id); err != nil || !g.admit(key) {
		return
	}
	g.crowded.Add(1)
	crowd := g.crowd(at)
	for c, s := range g.conns {
		if s == client && (!crowd || addressOf(c.RemoteMultiaddr()) == at) && g.isIdle(c) {
			g.yielded.Add(1)
			go closeConn(c)
			return
		}
	}
}

// idleTime is how long a client's connection may hold its place before it has a
// stream. A client opens one at once.
const idleTime = 10 * time.Second

// isIdle reports that a client's connection, old enough, has no request stream.
func (g *gate) isIdle(c network.Conn) bool {
	if time.Since(c.Stat().Opened) < g.idle {
		return false
	}
	for _, s := range c.GetStreams() {
		if strings.Contains(string(s.Protocol()), "/"+kindClient+"/") {
			return false
		}
	}
	return true
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
		g.handshakes.begin(c.RemoteMultiaddr(), conn)
	}
	return true
}

// InterceptSecured refuses strangers, and guests that come too fast. A member
// needs no place among the handshakes any more; all others keep theirs until
// they are counted in enter, because they may yet be silent for many seconds.
func (g *gate) InterceptSecured(dir network.Direction, id peer.ID, c network.ConnMultiaddrs) bool {
	if dir == network.DirOutbound {
		return true
	}
	at := addressOf(c.RemoteMultiaddr())
	g.mu.Lock()
	s := g.judge(id, at)
	if s <= guest {
		g.press(id, at)
	}
	g.mu.Unlock()
	refused := s == stranger || s == guest && !g.guests.Allow()
	if s == replica || refused {
		g.handshakes.end(c.RemoteMultiaddr())
	}
	if refused {
		g.refused.Add(1)
	}
	return !refused
}

// InterceptUpgraded has nothing to add: the counts are settled in enter.
func (g *gate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

// enter counts a new connection. Handshakes run at the same time, so the limits
// may only now turn out to be reached: then the connection is closed.
func (g *gate) enter(c network.Conn) {
	g.mu.Lock()
	s := replica
	if c.Stat().Direction == network.DirInbound {
		g.handshakes.end(c.RemoteMultiaddr())
		s = g.judge(c.RemotePeer(), addressOf(c.RemoteMultiaddr()))
	}
	if s != stranger {
		g.conns[c] = s
		g.add(c, s, 1)
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

// add counts a connection. Called with mu held.
func (g *gate) add(c network.Conn, s standing, n int) {
	g.count[s] += n
	if s != client {
		return
	}
	at := addressOf(c.RemoteMultiaddr())
	if g.from[at] += n; g.from[at] == 0 {
		delete(g.from, at)
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
		g.add(c, s, -1)
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
