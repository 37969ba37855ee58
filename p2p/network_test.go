package p2p

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/p2p/security/noise"

	"quorate.dev/quorate/consensus"
)

func TestEveryoneReachesAllOthersInOrder(t *testing.T) {
	nodes := startAll(t, 4, nil)
	const count = 500
	for i := range count {
		if !nodes[1].Send(consensus.Peer{Kind: consensus.Everyone}, consensus.Votes, binary.BigEndian.AppendUint32(nil, uint32(i))) {
			t.Fatalf("frame %d refused", i)
		}
	}
	for _, r := range []int{0, 2, 3} {
		for i := range count {
			f := nodes[r].in.next(t)
			if f.From != consensus.ReplicaPeer(1) || binary.BigEndian.Uint32(f.Bytes) != uint32(i) {
				t.Fatalf("R%d got %x from %v, want frame %d from R1", r, f.Bytes, f.From, i)
			}
		}
	}
	if n := len(nodes[1].in); n != 0 {
		t.Fatalf("the sender got %d frames of its own", n)
	}
}

func TestSendRefusesWhatCannotTravel(t *testing.T) {
	s := start(t, 0, 2, nil, nil)
	for name, send := range map[string]func() bool{
		"empty": func() bool { return s.Send(consensus.ReplicaPeer(1), consensus.Votes, nil) },
		"too large": func() bool {
			return s.Send(consensus.ReplicaPeer(1), consensus.Bodies, make([]byte, consensus.MaxFrame+1))
		},
		"class":     func() bool { return s.Send(consensus.ReplicaPeer(1), consensus.Classes, []byte{1}) },
		"itself":    func() bool { return s.Send(consensus.ReplicaPeer(0), consensus.Votes, []byte{1}) },
		"no member": func() bool { return s.Send(consensus.ReplicaPeer(7), consensus.Votes, []byte{1}) },
		"no client": func() bool { return s.Send(consensus.ClientPeer(keyOf(clientKey)), consensus.Votes, []byte{1}) },
		"nobody":    func() bool { return s.Send(consensus.Peer{}, consensus.Votes, []byte{1}) },
		"no topic":  func() bool { return s.Publish([]byte("frame")) },
	} {
		if send() {
			t.Errorf("%s: was queued", name)
		}
	}
}

func TestLargestFrameArrives(t *testing.T) {
	nodes := startAll(t, 2, nil)
	want := make([]byte, consensus.MaxFrame)
	for i := range want {
		want[i] = byte(i * 7)
	}
	for class := consensus.Votes; class < consensus.Classes; class++ {
		nodes[0].Send(consensus.ReplicaPeer(1), class, want)
		if f := nodes[1].in.next(t); !slices.Equal(f.Bytes, want) {
			t.Fatalf("%v: %d bytes came, not what was sent", class, len(f.Bytes))
		}
	}
}

// A replica that comes back at the same address is connected to again, from
// either side, and OnConnect says so: that is when STATUS is due.
func TestReconnectAfterRestart(t *testing.T) {
	for _, dialsBack := range []bool{false, true} {
		t.Run(fmt.Sprintf("the one that stayed dials: %v", dialsBack), func(t *testing.T) {
			first := start(t, 1, 2, nil, nil)
			stays := start(t, 0, 2, []string{"", first.Addr()}, nil)
			stays.awaitConnect(t, 1)
			addr := first.Addr()
			first.stop(t)
			await(t, "disconnected", func() bool { return !stays.Stats().Peers[0].Connected })

			known := []string{stays.Addr()}
			if dialsBack {
				known = nil
			}
			again := start(t, 1, 2, known, func(c *Config) { c.Listen = addr })
			again.awaitConnect(t, 1)
			stays.awaitConnect(t, 1)
			stays.Send(consensus.ReplicaPeer(1), consensus.Votes, []byte("welcome"))
			if f := again.in.next(t); string(f.Bytes) != "welcome" {
				t.Fatalf("got %q", f.Bytes)
			}
			again.Send(consensus.ReplicaPeer(0), consensus.Bodies, []byte("thanks"))
			if f := stays.in.next(t); string(f.Bytes) != "thanks" {
				t.Fatalf("got %q", f.Bytes)
			}
			if got := stays.Stats().Peers[0].Connects; got < 2 {
				t.Fatalf("%d connects counted", got)
			}
		})
	}
}

// freeAddr is an address on which nothing listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Both know the other's address, so that both dial. Whatever comes of it, there
// is one stream each way per class.
func TestBothDial(t *testing.T) {
	addrs := []string{freeAddr(t), freeAddr(t)}
	var nodes []*node
	for r := range addrs {
		nodes = append(nodes, start(t, r, 2, addrs, func(c *Config) { c.Listen = addrs[r] }))
	}
	for i, s := range nodes {
		s.awaitConnect(t, 1)
		other := nodes[1-i]
		for class := consensus.Votes; class < consensus.Classes; class++ {
			s.Send(consensus.ReplicaPeer(other.who.replica), class, []byte{byte(class)})
		}
		for range consensus.Classes {
			other.in.next(t)
		}
	}
	if n := len(nodes[0].host.Network().ConnsToPeer(nodes[1].who.id)); n > 2 {
		t.Fatalf("%d connections", n)
	}
}

// Members and clients meet whatever their clocks say: the certificates of TLS would
// keep one away whose clock is off, before anybody could name it.
func TestConnectionsKnowNoTime(t *testing.T) {
	nodes := startAll(t, 2, nil)
	conns := nodes[0].host.Network().Conns()
	if len(conns) == 0 {
		t.Fatal("no connection")
	}
	for _, c := range conns {
		if got := c.ConnState().Security; got != noise.ID {
			t.Errorf("secured by %s", got)
		}
	}
}

// A peer that lost power has forgotten the old connection, and nothing told us.
// Its new one replaces it.
func TestNewConnectionReplacesDeadOne(t *testing.T) {
	s := start(t, 0, 2, nil, func(c *Config) { c.redialAge = time.Nanosecond })
	before := rawHost(t, 1, s)
	await(t, "the connection", func() bool { return s.Stats().Peers[0].Connected })
	after := rawHost(t, 1, s)
	await(t, "the old connection to be closed", func() bool { return len(before.Network().Conns()) == 0 })
	stream := rawStream(t, after, s, consensus.Votes.String())
	if _, err := stream.Write([]byte{0, 0, 0, 1, 'v'}); err != nil {
		t.Fatal(err)
	}
	if f := s.in.next(t); f.From != consensus.ReplicaPeer(1) {
		t.Fatalf("from %v", f.From)
	}
	if n := len(s.host.Network().ConnsToPeer(after.ID())); n != 1 {
		t.Fatalf("%d connections", n)
	}
}

func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1:7000":           "/ip4/127.0.0.1/tcp/7000",
		":7000":                    "/ip4/0.0.0.0/tcp/7000",
		"[::1]:7000":               "/ip6/::1/tcp/7000",
		"[fe80::1%lo]:7000":        "/ip6zone/lo/ip6/fe80::1/tcp/7000",
		"[::ffff:10.0.0.1]:7000":   "/ip4/10.0.0.1/tcp/7000",
		"replica-1.example:7000":   "/dns/replica-1.example/tcp/7000",
		"[fe80::1%]:7000":          "",
		"[fe80::1%lo/tcp/1]:7000":  "",
		"host/tcp/1:7000":          "",
		"/ip4/10.0.0.1/tcp/7000":   "/ip4/10.0.0.1/tcp/7000",
		"/dns4/host/tcp/7000":      "/dns4/host/tcp/7000",
		"host":                     "",
		"host:":                    "",
		"host:port":                "",
		"host:70000":               "",
		"":                         "",
		"/ip4/10.0.0.1":            "",
		"/ip4/10.0.0.1/tcp/1/ws":   "",
		"/ip4/10.0.0.1/udp/1/quic": "",
		"/nonsense":                "",
	} {
		addr, err := parseAddr(in)
		switch {
		case want == "" && !errors.Is(err, errConfig):
			t.Errorf("%q: %v, %v", in, addr, err)
		case want != "" && (err != nil || addr.String() != want):
			t.Errorf("%q: %v, %v, want %s", in, addr, err, want)
		}
	}
}

func TestBackoffDoublesToItsBound(t *testing.T) {
	var b backoff
	for base := backoffFirst; base < 4*backoffMost; base *= 2 {
		most := min(base, backoffMost)
		if d := b.next(); d < most/2 || d > most {
			t.Fatalf("waits %v, want up to %v", d, most)
		}
	}
}

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	first := start(t, 0, 1, nil, nil)
	for _, addr := range []string{taken.Addr().String(), first.Addr()} {
		config := first.config
		config.Listen = addr
		if n, err := Listen(config); !errors.Is(err, ErrAddressInUse) {
			t.Errorf("listen on %s: %v, %v", addr, n, err)
		}
	}
}

func TestConfigMistakes(t *testing.T) {
	good := func() Config {
		return Config{Key: seedOf(0), Listen: "127.0.0.1:0", Receiver: make(inbox), Members: []Member{memberOf(0, ""), memberOf(1, "")}}
	}
	for name, spoil := range map[string]func(*Config){
		"short key":     func(c *Config) { c.Key = c.Key[:31] },
		"other key":     func(c *Config) { c.Key = seedOf(9) },
		"no members":    func(c *Config) { c.Members = nil },
		"same id":       func(c *Config) { c.Members[1].Replica = 0 },
		"same key":      func(c *Config) { c.Members[1].Key = keyOf(0) },
		"no port":       func(c *Config) { c.Members[1].Addr = "host" },
		"not TCP":       func(c *Config) { c.Members[1].Addr = "/ip4/127.0.0.1/udp/1/quic-v1" },
		"listen":        func(c *Config) { c.Listen = "nonsense" },
		"no receiver":   func(c *Config) { c.Receiver = nil },
		"negative":      func(c *Config) { c.Limits.Guests = -1 },
		"large request": func(c *Config) { c.Limits.RequestFrame = consensus.MaxFrame + 1 },
		"small budget":  func(c *Config) { c.Limits.ClientBytesIn = 1 },
	} {
		c := good()
		spoil(&c)
		if n, err := Listen(c); !errors.Is(err, errConfig) {
			t.Errorf("%s: %v, %v", name, n, err)
		}
	}
}

func TestPeerIDsAndKeysAreTheSame(t *testing.T) {
	for i := range 8 {
		id, err := PeerID(keyOf(i))
		if err != nil {
			t.Fatal(err)
		}
		if k, err := keyOfPeer(id); err != nil || k != keyOf(i) {
			t.Fatalf("key %d: %v, %v", i, k, err)
		}
	}
	if _, err := keyOfPeer("QmSomethingElse"); err == nil {
		t.Fatal("a hash has no key")
	}
}
