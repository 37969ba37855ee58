package p2p

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	manet "github.com/multiformats/go-multiaddr/net"

	"quorate.dev/quorate/consensus"
)

// Two processes that hold one member's key say different things, and each takes
// the other's connections away. Every process has a name of its own, drawn at its
// start, which it tells its peers over the connections that its key proves; so
// nobody can make an honest member look like two. A restart brings a new name
// and ends the old one. Two processes are running if an old name comes back, or
// if connections of two names are both alive long after the second was made.
const (
	agentPrefix = "quorate/"
	// bothAlive is how long a connection whose other end is gone may look
	// alive: the multiplexer's probe, and the time that it waits for the answer.
	bothAlive = 2 * keepAlive
	// twiceFor is how long what was seen is reported. It is seen again and
	// again while it lasts.
	twiceFor  = 2 * time.Minute
	keptNames = 16
)

// processName is the agent version that this process tells its peers.
func processName() string {
	var name [8]byte
	_, _ = rand.Read(name[:]) // it never fails
	return agentPrefix + hex.EncodeToString(name[:])
}

// Twice says that two processes prove the key of one member.
type Twice struct {
	Seen time.Time // the last time that it was seen; zero: never
	From [2]string // the addresses of their connections
}

// Now reports that it is so now, as far as anybody can tell.
func (t Twice) Now() bool { return !t.Seen.IsZero() && time.Since(t.Seen) < twiceFor }

// String names the addresses.
func (t Twice) String() string {
	return fmt.Sprintf("connections from %s and from %s both prove its key", t.From[0], t.From[1])
}

// names are the processes that have proved the key of each member.
type names struct {
	alive time.Duration // see bothAlive
	mu    sync.Mutex
	of    map[consensus.ReplicaID]*processes
}

// processes are those of one member.
type processes struct {
	past  []string // names in the order of their coming, each once in a row
	addr  map[string]string
	conns map[network.Conn]string
	twice Twice
}

// identified takes the name that came over a connection.
func (n *names) identified(r consensus.ReplicaID, c network.Conn, agent string) {
	if !strings.HasPrefix(agent, agentPrefix) {
		return // of a version without names
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.of[r]
	if p == nil {
		p = &processes{addr: make(map[string]string), conns: make(map[network.Conn]string)}
		n.of[r] = p
	}
	p.conns[c] = agent
	p.addr[agent] = c.RemoteMultiaddr().String()
	if tcp, err := manet.ToNetAddr(c.RemoteMultiaddr()); err == nil {
		p.addr[agent] = tcp.String()
	}
	last := len(p.past) - 1
	if last >= 0 && p.past[last] == agent {
		return
	}
	if slices.Contains(p.past, agent) {
		p.see(agent, p.past[last])
	}
	p.past = append(p.past, agent)
	if len(p.past) > keptNames {
		p.past = slices.Delete(p.past, 0, 1)
		for name := range p.addr {
			if !slices.Contains(p.past, name) {
				delete(p.addr, name)
			}
		}
	}
}

// see notes that two names are of living processes.
func (p *processes) see(a, b string) {
	p.twice = Twice{Seen: time.Now(), From: [2]string{p.addr[a], p.addr[b]}}
}

// look compares the connections that are open, and returns the members of which
// two processes were seen since the last look.
func (n *names) look(since time.Time) (found map[consensus.ReplicaID]Twice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found = make(map[consensus.ReplicaID]Twice)
	for r, p := range n.of {
		for c, name := range p.conns {
			if c.IsClosed() {
				delete(p.conns, c)
				continue
			}
			for other, otherName := range p.conns {
				if name != otherName && !other.IsClosed() && time.Since(c.Stat().Opened) > n.alive && time.Since(other.Stat().Opened) > n.alive {
					p.see(name, otherName)
				}
			}
		}
		if p.twice.Seen.After(since) {
			found[r] = p.twice
		}
	}
	return found
}

// twiceOf is what was seen of a member.
func (n *names) twiceOf(r consensus.ReplicaID) Twice {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.of[r]; p != nil {
		return p.twice
	}
	return Twice{}
}

// watchNames listens to who introduces itself, until the subscription ends, and
// says it when a member does so twice.
func (n *Network) watchNames(sub event.Subscription) {
	ticker := time.NewTicker(n.names.alive / 2)
	defer ticker.Stop()
	defer func() { _ = sub.Close() }()
	said := time.Now()
	for {
		select {
		case <-n.ctx.Done():
			return
		case e, ok := <-sub.Out():
			if !ok {
				return
			}
			done, _ := e.(event.EvtPeerIdentificationCompleted)
			if m, member := n.who.members[done.Peer]; member && done.Conn != nil {
				n.names.identified(m.replica, done.Conn, done.AgentVersion)
			}
		case <-ticker.C:
			for r, twice := range n.names.look(said) {
				n.log.Warn("a member runs twice: stop one of the two processes, and wipe its data if it is a copy", "replica", r, "seen", twice.String())
			}
			said = time.Now()
		}
	}
}
