package p2p

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// caller is a client under test.
type caller struct {
	*Client
	in        inbox // From is the replica
	connected chan consensus.ReplicaID
}

// call dials all the nodes as the key with number key.
func call(t *testing.T, key int, nodes ...*node) *caller {
	t.Helper()
	c := &caller{in: make(inbox, 1024), connected: make(chan consensus.ReplicaID, 64)}
	config := ClientConfig{
		Key: seedOf(key), Cluster: testCluster,
		Receive: func(from consensus.ReplicaID, frames [][]byte) {
			for _, f := range frames {
				c.in <- consensus.Frame{From: consensus.ReplicaPeer(from), Bytes: f}
			}
		},
		OnConnect: func(r consensus.ReplicaID) { c.connected <- r },
	}
	for _, s := range nodes {
		config.Members = append(config.Members, Member{Replica: s.who.replica, Key: s.who.own, Addr: s.Addr()})
	}
	var err error
	if c.Client, err = Dial(context.Background(), config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *caller) awaitConnect(t *testing.T, replicas int) {
	t.Helper()
	for seen := make(map[consensus.ReplicaID]bool); len(seen) < replicas; {
		select {
		case r := <-c.connected:
			seen[r] = true
		case <-time.After(patience):
			t.Fatalf("connected to %d of %d", len(seen), replicas)
		}
	}
}

// signer signs with a test key, as the crypto package would.
type signer int

func (s signer) Public() crypto.PublicKey { return keyOf(int(s)) }
func (s signer) Sign(d crypto.Domain, body []byte) crypto.Signature {
	return crypto.Signature(ed25519.Sign(ed25519.NewKeyFromSeed(seedOf(int(s))), d.Append(nil, body)))
}

func requestOf(key, counter, size int) *consensus.Request {
	return consensus.SignRequest(signer(key), testCluster, consensus.Sequence{Epoch: 1, Counter: uint64(counter)}, [][]byte{make([]byte, size)})
}

func TestClientAsksAndIsAnswered(t *testing.T) {
	nodes := startAll(t, 2, nil)
	c := call(t, clientKey, nodes...)
	c.awaitConnect(t, 2)
	for _, s := range nodes {
		to := s.who.replica
		if !c.Send(to, []byte("request")) || !c.Connected(to) {
			t.Fatal("not queued, or not connected")
		}
		f := s.in.next(t)
		if f.From != consensus.ClientPeer(keyOf(clientKey)) || string(f.Bytes) != "request" {
			t.Fatalf("%q from %v", f.Bytes, f.From)
		}
		if !s.Send(f.From, consensus.Votes, []byte("reply")) {
			t.Fatal("answer not queued")
		}
		if f := c.in.next(t); f.From != consensus.ReplicaPeer(to) || string(f.Bytes) != "reply" {
			t.Fatalf("%q from %v", f.Bytes, f.From)
		}
	}
	if c.Send(9, []byte{1}) || c.Connected(9) {
		t.Error("there is no R9")
	}
	got := nodes[0].Stats().Clients
	if got.Connections != 1 || got.Streams != 1 || got.Guests != 0 || got.Traffic.Received != 1 || got.Traffic.Sent != 1 {
		t.Errorf("%+v", got)
	}
}

func TestClientComesBackAfterRestart(t *testing.T) {
	s := start(t, 0, 1, nil, nil)
	c := call(t, clientKey, s)
	c.awaitConnect(t, 1)
	addr := s.Addr()
	s.stop(t)
	again := start(t, 0, 1, nil, func(c *Config) { c.Listen = addr })
	c.awaitConnect(t, 1)
	c.Send(0, []byte("still here"))
	if f := again.in.next(t); string(f.Bytes) != "still here" {
		t.Fatalf("got %q", f.Bytes)
	}
}

// Two programs of one user have the same key. Both get every answer, and one
// too many takes the place of the oldest.
func TestOneKeySeveralStreams(t *testing.T) {
	s := start(t, 0, 1, nil, func(c *Config) { c.Limits.StreamsPerClient = 2 })
	var callers []*caller
	for range 2 {
		c := call(t, clientKey, s)
		c.awaitConnect(t, 1)
		c.Send(0, []byte("hello"))
		s.in.next(t)
		callers = append(callers, c)
	}
	s.Send(consensus.ClientPeer(keyOf(clientKey)), consensus.Votes, []byte("both"))
	for _, c := range callers {
		if f := c.in.next(t); string(f.Bytes) != "both" {
			t.Fatalf("got %q", f.Bytes)
		}
	}
	third := call(t, clientKey, s)
	third.awaitConnect(t, 1)
	third.Send(0, []byte("hello"))
	s.in.next(t)
	callers[0].awaitConnect(t, 1) // thrown out, and back
	if n := s.Stats().Clients.Streams; n > 2 {
		t.Fatalf("%d streams", n)
	}
}

// An unknown client is not hung up on in silence: it learns why, and for which
// request.
func TestUnknownClientIsToldSo(t *testing.T) {
	s := start(t, 0, 1, nil, nil)
	c := call(t, unknownKey, s)
	request := requestOf(unknownKey, 3, 100)
	c.Send(0, request.Raw)
	refusal, err := consensus.DecodeRefusal(c.in.next(t).Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if refusal.Code != consensus.RefusedUnknownClient || refusal.Request != request.Digest || refusal.Sequence != request.Sequence {
		t.Fatalf("%+v", refusal)
	}
	if len(s.in) != 0 || s.Stats().Clients.Streams != 0 {
		t.Fatal("a stranger's frame reached the receiver")
	}
}

// With all places taken a permitted client learns that it may try again.
func TestFullIsBusy(t *testing.T) {
	s := start(t, 0, 1, nil, func(c *Config) {
		c.Admit = func(k crypto.PublicKey) bool { return k == keyOf(clientKey) || k == keyOf(clientKey+50) }
		c.Limits.Clients = 1
	})
	first := call(t, clientKey, s)
	first.awaitConnect(t, 1)
	second := call(t, clientKey+50, s)
	second.Send(0, requestOf(clientKey+50, 1, 10).Raw)
	if r, err := consensus.DecodeRefusal(second.in.next(t).Bytes); err != nil || r.Code != consensus.RefusedBusy {
		t.Fatalf("%+v, %v", r, err)
	}
	first.Send(0, []byte("served"))
	if f := s.in.next(t); f.From.Key != keyOf(clientKey) {
		t.Fatalf("from %v", f.From)
	}
}

func TestObserverAsks(t *testing.T) {
	nodes := startAll(t, 2, nil)
	o := call(t, observerKey, nodes...)
	o.awaitConnect(t, 2)
	o.Send(1, []byte("fetch"))
	from := consensus.Peer{Kind: consensus.PeerObserver, Key: keyOf(observerKey)}
	if f := nodes[1].in.next(t); f.From != from {
		t.Fatalf("from %v", f.From)
	}
	nodes[1].Send(from, consensus.Bulk, []byte("given"))
	if f := o.in.next(t); string(f.Bytes) != "given" {
		t.Fatalf("got %q", f.Bytes)
	}
}

// rawHost is a peer that keeps to no rules of ours. It knows the nodes.
func rawHost(t *testing.T, key int, nodes ...*node) host.Host {
	t.Helper()
	private, err := privateKey(seedOf(key))
	if err != nil {
		t.Fatal(err)
	}
	var members []Member
	for _, s := range nodes {
		members = append(members, Member{Replica: s.who.replica, Key: s.who.own, Addr: s.Addr()})
	}
	who, err := newRoster(private, members, nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := newHost(who, newGate(who, nil, defaultLimits(), nil), defaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	for _, m := range who.members {
		if err := dial(context.Background(), h, m); err != nil {
			t.Logf("dial: %v", err)
		}
	}
	return h
}

func rawStream(t *testing.T, h host.Host, s *node, kind string) network.Stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := h.NewStream(ctx, s.who.id, protocolID(testCluster, kind))
	if err != nil {
		t.Fatalf("open %s: %v", kind, err)
	}
	return stream
}

// isReset waits for the other side to end the stream.
func isReset(t *testing.T, s network.Stream) {
	t.Helper()
	if err := s.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return // it is over already
	}
	if _, err := io.Copy(io.Discard, s); err != nil && isTimeout(err) {
		t.Fatal("the stream is still open")
	}
}

// A client that asks and never reads holds a bounded number of bytes, and then
// no stream any more; others are answered all the while.
func TestSlowReaderPays(t *testing.T) {
	s := start(t, 0, 1, nil, func(c *Config) {
		c.Limits.RequestFrame = 1 << 20
		c.Limits.ClientBytesIn = 1 << 20
		c.Limits.ClientBytesOut = 2 << 20
		c.Admit = func(k crypto.PublicKey) bool { return k == keyOf(clientKey) || k == keyOf(clientKey+50) }
	})
	slow := rawStream(t, rawHost(t, clientKey+50, s), s, kindClient)
	if _, err := slow.Write([]byte{0, 0, 0, 1, 'x'}); err != nil {
		t.Fatal(err)
	}
	slowPeer := s.in.next(t).From
	honest := call(t, clientKey, s)
	honest.awaitConnect(t, 1)
	honest.Send(0, []byte("hello"))
	honestPeer := s.in.next(t).From
	big := make([]byte, 256<<10)
	for i := range 100 {
		s.Send(slowPeer, consensus.Votes, big)
		answer := fmt.Appendf(nil, "answer %d", i)
		s.Send(honestPeer, consensus.Votes, answer)
		if f := honest.in.next(t); !slices.Equal(f.Bytes, answer) {
			t.Fatalf("got %q", f.Bytes)
		}
		if waits := s.clients.waiting.Load(); waits > 3<<20 {
			t.Fatalf("%d bytes wait", waits)
		}
	}
	isReset(t, slow)
	await(t, "the slow stream to be forgotten", func() bool { return s.Stats().Clients.Streams == 1 })
	if got := s.Stats().Clients.Evicted; got != 1 {
		t.Errorf("%d streams evicted, want the slow one", got)
	}
}
