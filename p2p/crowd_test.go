package p2p

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/sec"
	tls "github.com/libp2p/go-libp2p/p2p/security/tls"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multistream"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// nobodyExempt counts connections from this machine like all others, as if
// members and clients shared one address somewhere else.
func nobodyExempt(c *Config) {
	c.exempt = func(netip.Prefix) bool { return false }
	c.Admit = func(k crypto.PublicKey) bool { return true }
}

// secured is a connection that has proved a key. With upgrade it also has a
// multiplexer, on which it opens no stream and answers nothing.
func secured(t *testing.T, key int, s *node, upgrade bool) net.Conn {
	t.Helper()
	private, err := privateKey(seedOf(key))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := multistream.SelectOneOf([]string{tls.ID}, conn); err != nil {
		return nil // hung up on
	}
	transport, err := tls.New(tls.ID, private, nil)
	if err != nil {
		t.Fatal(err)
	}
	var secure sec.SecureConn
	if secure, err = transport.SecureOutbound(context.Background(), conn, s.who.id); err != nil {
		return nil
	}
	if upgrade {
		if _, err = multistream.SelectOneOf([]string{"/yamux/1.0.0"}, secure); err != nil {
			return nil
		}
	}
	return secure
}

// comesBack restarts one of the nodes, which dials those before it and is
// dialled by those behind it, and sees it speak with all of them, both ways.
// Meanwhile, with its places free, something happens.
func comesBack(t *testing.T, nodes []*node, which int, meanwhile func()) {
	t.Helper()
	back := nodes[which]
	back.config.Listen = back.Addr()
	back.stop(t)
	meanwhile()
	back.listen(t)
	back.awaitConnect(t, len(nodes)-1)
	for _, other := range nodes {
		if other == back {
			continue
		}
		await(t, "a vote of the member that came back", func() bool {
			back.Send(consensus.ReplicaPeer(other.who.replica), consensus.Votes, []byte("vote"))
			return len(other.in) > 0
		})
		await(t, "a vote for the member that came back", func() bool {
			other.Send(consensus.ReplicaPeer(back.who.replica), consensus.Votes, []byte("vote"))
			return len(back.in) > 0
		})
		for len(back.in) > 0 {
			<-back.in
		}
	}
}

// A crowd of clients at the very address of a member leaves it all its places,
// whatever the crowd does with its own.
func TestClientsLockNoMemberOut(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits Limits
		rude   func(t *testing.T, s *node, i int)
		crowd  int
	}{
		{"connections from one address", Limits{ConnectionsPerIP: 24}, idle, 30},
		{"connections from one address, default limits", Limits{}, idle, 280},
		{"connections in all", Limits{Clients: 20}, idle, 30},
		{"strangers' places", Limits{Clients: 1, Guests: 4, GuestTime: time.Minute}, idle, 30},
		{"stalled before the multiplexer", Limits{Handshakes: 16}, stalled, 60},
		{"streams that never say what they are", Limits{Handshakes: 4, Guests: 4}, streams, 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			nodes := startAll(t, 3, func(config *Config) {
				nobodyExempt(config)
				config.Limits = c.limits
			})
			comesBack(t, nodes, 1, func() {
				for i := range c.crowd {
					for _, s := range []*node{nodes[0], nodes[2]} {
						c.rude(t, s, unknownKey+i)
					}
				}
			})
			got := nodes[0].Stats()
			limits := nodes[0].config.Limits.orDefaults()
			if got.Clients.Connections > min(limits.Clients, limits.ConnectionsPerIP) || got.Clients.Guests > limits.Guests || got.Clients.Handshakes > limits.Handshakes {
				t.Errorf("over the limits: %+v", got.Clients)
			}
			for _, p := range got.Peers {
				if !p.Connected || p.Links == 0 {
					t.Errorf("%+v", p)
				}
			}
		})
	}
}

func idle(t *testing.T, s *node, key int)    { secured(t, key, s, true) }
func stalled(t *testing.T, s *node, key int) { secured(t, key, s, false) }

// streams opens as many streams as one key may and negotiates none of them.
func streams(t *testing.T, s *node, key int) {
	h := rawHost(t, key, s)
	for range otherStreams + 1 {
		if stream, err := h.Network().NewStream(context.Background(), s.who.id); err == nil {
			_, _ = stream.Write([]byte{0x13}) // the length of a protocol name that never comes
		}
	}
}

// Silent connections that come without end, faster than handshakes end, keep no
// member out.
func TestFloodOfSilenceLocksNoMemberOut(t *testing.T) {
	nodes := startAll(t, 2, func(c *Config) { c.Limits.Handshakes = 8 })
	stop, flood := make(chan struct{}), sync.WaitGroup{}
	for range 4 {
		flood.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if conn, err := net.Dial("tcp", nodes[0].Addr()); err == nil {
					defer conn.Close()
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	comesBack(t, nodes, 1, func() {
		await(t, "the flood", func() bool { return nodes[0].Stats().Clients.HungUpOn > 0 })
	})
	close(stop)
	flood.Wait()
	if got := nodes[0].Stats().Clients; got.Handshakes > 8 {
		t.Errorf("%+v", got)
	}
}

// closer notes that it was closed.
type closer struct {
	name   string
	closed *[]string
}

func (c closer) Close() error {
	*c.closed = append(*c.closed, c.name)
	return nil
}

// Who gives way among connections that have not proved anything: one of the
// address that has most, and a member's address last of all.
func TestWhoGivesWay(t *testing.T) {
	address := func(text string) ma.Multiaddr {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	at := func(host string, port string) ma.Multiaddr { return address("/ip4/" + host + "/tcp/" + port) }
	const many, member, other = "192.0.2.1", "192.0.2.2", "192.0.2.3"
	for _, c := range []struct {
		name   string
		limit  int
		come   []ma.Multiaddr
		closed string // the address of who gave way
	}{
		{"a flood pays itself", 4, []ma.Multiaddr{at(other, "1"), at(many, "1"), at(many, "2"), at(member, "1"), at(many, "3")}, many},
		{"between equals no member", 2, []ma.Multiaddr{at(member, "1"), at(many, "1"), at(other, "1")}, many},
		{"at a member's address a flood pays too", 3, []ma.Multiaddr{at(other, "1"), at(member, "1"), at(member, "2"), at(many, "1")}, member},
		{"one customer is one address", 3, []ma.Multiaddr{
			address("/ip6/2001:db8::1/tcp/1"), at(many, "1"), address("/ip6/2001:db8:0:1::2/tcp/1"), at(other, "1"),
		}, "2001:db8::"},
	} {
		var closed []string
		h := &handshakes{limit: c.limit, members: map[netip.Prefix]bool{addressOf(at(member, "9")): true}}
		for _, a := range c.come {
			h.begin(a, closer{addressOf(a).Addr().String(), &closed})
		}
		if len(closed) != 1 || closed[0] != c.closed || h.waiting() != c.limit || h.evicted.Load() != 1 {
			t.Errorf("%s: %v gave way, %d wait", c.name, closed, h.waiting())
		}
	}
}

// Clients that hold their places and ask nothing give them to those who ask.
func TestIdleClientsYield(t *testing.T) {
	s := start(t, 0, 1, nil, func(c *Config) {
		nobodyExempt(c)
		c.Limits.Clients, c.idleTime = 4, time.Millisecond
	})
	for i := range 4 {
		secured(t, unknownKey+i, s, true)
	}
	await(t, "all places to be taken", func() bool { return s.Stats().Clients.Connections == 4 })
	honest := call(t, clientKey, s)
	await(t, "the client to be served", func() bool {
		honest.Send(0, []byte("request"))
		return len(s.in) > 0
	})
	if got := s.Stats().Clients; got.Yielded == 0 || got.Crowded == 0 || got.Connections > 4 {
		t.Errorf("%+v", got)
	}
}

// Observers are known by name: a crowd of clients takes none of their places.
func TestClientsLockNoObserverOut(t *testing.T) {
	s := start(t, 0, 1, nil, func(c *Config) {
		nobodyExempt(c)
		c.Limits.Clients = 2
	})
	for i := range 4 {
		secured(t, unknownKey+i, s, true)
	}
	o := call(t, observerKey, s)
	o.awaitConnect(t, 1)
	o.Send(0, []byte("fetch"))
	if f := s.in.next(t); f.From.Kind != consensus.PeerObserver {
		t.Fatalf("from %v", f.From)
	}
}
