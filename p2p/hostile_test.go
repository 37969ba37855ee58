package p2p

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/sec"
	tls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/multiformats/go-multistream"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// A stranger with a key of its own, as cheap as libp2p allows: the security
// handshake and then the multiplexer's negotiation, by hand.
func knock(key int, s *node) error {
	private, err := privateKey(seedOf(key))
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := multistream.SelectOneOf([]string{tls.ID}, conn); err != nil {
		return err
	}
	transport, err := tls.New(tls.ID, private, nil)
	if err != nil {
		return err
	}
	var secure sec.SecureConn
	if secure, err = transport.SecureOutbound(context.Background(), conn, s.who.id); err != nil {
		return err
	}
	// Refused strangers are hung up on here; guests may stay for a while.
	if _, err = multistream.SelectOneOf([]string{"/yamux/1.0.0"}, secure); err != nil {
		return err
	}
	return secure.Close()
}

func heapNow() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// ping sends one vote from a to b and waits for it.
func ping(t *testing.T, a, b *node) {
	t.Helper()
	a.Send(consensus.ReplicaPeer(b.who.replica), consensus.Votes, []byte("vote"))
	b.in.next(t)
}

// Two thousand connections from people nobody knows, most of them rude: unknown
// keys, garbage, silence. Members and clients notice nothing, and nothing of it
// stays.
func TestThousandsOfStrangers(t *testing.T) {
	nodes := startAll(t, 2, func(c *Config) { c.Limits.GuestsPerSecond = 1 })
	honest := call(t, clientKey, nodes...)
	honest.awaitConnect(t, 2)
	before, goroutines, began := heapNow(), runtime.NumGoroutine(), time.Now()

	const rude = 3 * crowd
	progress := make(chan struct{}, crowd+rude)
	var attack sync.WaitGroup
	var entered atomic.Int64
	attack.Go(func() {
		slots := make(chan struct{}, 32)
		for i := range crowd {
			slots <- struct{}{}
			attack.Go(func() {
				if knock(unknownKey+i, nodes[0]) == nil {
					entered.Add(1)
				}
				<-slots
				progress <- struct{}{}
			})
		}
	})
	var silent []net.Conn
	attack.Go(func() {
		for i := range rude {
			conn, err := net.Dial("tcp", nodes[0].Addr())
			progress <- struct{}{}
			if err != nil {
				continue
			}
			silent = append(silent, conn)
			if i%2 == 0 {
				_, _ = conn.Write(bytes.Repeat([]byte{byte(i)}, 1+i))
			}
		}
	})
	for i := range crowd + rude {
		<-progress
		if i%10 != 0 {
			continue
		}
		ping(t, nodes[1], nodes[0])
		ping(t, nodes[0], nodes[1])
		honest.Send(0, []byte("request"))
		nodes[0].in.next(t)
	}
	attack.Wait()
	if grown := int64(heapNow()) - int64(before); grown > 64<<20 {
		t.Errorf("%d bytes more in the heap", grown)
	}
	for _, conn := range silent {
		conn.Close()
	}
	got, may := nodes[0].Stats().Clients, defaultLimits().Guests+int(time.Since(began)/time.Second)+1
	if int(entered.Load()) > may || got.TurnedAway == 0 || got.Connections != 1 {
		t.Errorf("%d of %d strangers got in, %d may; %+v", entered.Load(), crowd, may, got)
	}
	await(t, "the goroutines to go", func() bool { return runtime.NumGoroutine() < goroutines+50 })
	await(t, "the peer store to forget", func() bool { return len(nodes[0].host.Peerstore().Peers()) <= 3 })
	if links := nodes[0].Stats().Peers[0]; links.Connects != 1 || links.Resets != 0 {
		t.Errorf("the members' link suffered: %+v", links)
	}
}

// Silent connections that hold every place for a handshake lock nobody out.
func TestSilentConnectionsLockNobodyOut(t *testing.T) {
	s := start(t, 0, 1, nil, func(c *Config) { c.Limits.Handshakes = 16 })
	for range 100 {
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	honest := call(t, clientKey, s)
	honest.awaitConnect(t, 1)
	honest.Send(0, []byte("request"))
	s.in.next(t)
	if got := s.Stats().Clients.HungUpOn; got == 0 {
		t.Error("nobody was hung up on")
	}
}

// What is not a frame ends its stream, and only that.
func TestBadFramesEndTheirStream(t *testing.T) {
	nodes := startAll(t, 2, func(c *Config) { c.Limits.RequestFrame = 1 << 20 })
	honest := call(t, clientKey, nodes[0])
	honest.awaitConnect(t, 1)
	client := rawHost(t, clientKey, nodes[0])
	for name, garbage := range map[string][]byte{
		"empty frame": {0, 0, 0, 0},
		"oversized":   {0, 0x10, 0, 1},
		"4 GiB":       {0xff, 0xff, 0xff, 0xff},
		"text":        []byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			s := rawStream(t, client, nodes[0], kindClient)
			if _, err := s.Write(garbage); err != nil {
				t.Fatal(err)
			}
			isReset(t, s)
			honest.Send(0, []byte("request"))
			if f := nodes[0].in.next(t); string(f.Bytes) != "request" {
				t.Fatalf("got %q", f.Bytes)
			}
		})
	}
}

// The streams of replicas are for replicas: clients and guests get nowhere.
func TestOnlyMembersVote(t *testing.T) {
	s := start(t, 0, 1, nil, nil)
	for _, key := range []int{clientKey, observerKey, unknownKey} {
		h := rawHost(t, key, s)
		for class := consensus.Votes; class < consensus.Classes; class++ {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			stream, err := h.NewStream(ctx, s.who.id, protocolID(testCluster, class.String()))
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("%s: neither opened nor refused", class)
			}
			if err != nil {
				continue // reset before the two had agreed on what to speak
			}
			if _, err := stream.Write([]byte{0, 0, 0, 1, 'v'}); err == nil {
				isReset(t, stream)
			}
		}
	}
	if len(s.in) != 0 {
		t.Fatalf("%v voted", (<-s.in).From)
	}
}

// A guest cannot stay, whatever it does or does not do: streams that it opens
// and leaves half open go with it.
func TestGuestsLeave(t *testing.T) {
	nodes := startAll(t, 2, func(c *Config) {
		c.Limits.Guests, c.Limits.GuestTime = 2, time.Second
	})
	for i := range 2 {
		h := rawHost(t, unknownKey+i, nodes[0])
		for range 4 {
			if s, err := h.Network().NewStream(context.Background(), nodes[0].who.id); err == nil {
				_, _ = s.Write([]byte{0x13}) // the length of a protocol name that never comes
			}
		}
	}
	if got := nodes[0].Stats().Clients.Guests; got != 2 {
		t.Fatalf("%d guests", got)
	}
	third := knock(unknownKey+2, nodes[0])
	if third == nil {
		t.Error("a third guest got in")
	}
	ping(t, nodes[1], nodes[0])
	await(t, "the guests to be gone", func() bool { return nodes[0].Stats().Clients.Guests == 0 })
}

// A permitted client cannot hold more frames in delivery than the budget, nor
// streams without end, nor readers by opening streams and leaving them, while
// nobody takes its frames.
func TestGreedyClientIsBounded(t *testing.T) {
	const frame = 1 << 20
	blocked := make(inbox)
	s := start(t, 0, 1, nil, func(c *Config) {
		c.Limits.RequestFrame, c.Limits.ClientBytesIn = frame, 2*frame
		c.Receiver = blocked
	})
	h := rawHost(t, clientKey, s)
	before, goroutines := heapNow(), runtime.NumGoroutine()
	big := append([]byte{0, frame >> 16, 0, 0}, make([]byte, frame)...)
	var writers sync.WaitGroup
	for range 4 {
		stream := rawStream(t, h, s, kindClient)
		writers.Go(func() {
			for range 8 {
				if _, err := stream.Write(big); err != nil {
					return
				}
			}
		})
	}
	await(t, "the budget to be used", func() bool {
		if s.clients.in.TryAcquire(2 * frame) {
			s.clients.in.Release(2 * frame)
			return false
		}
		return true
	})
	for range 100 {
		stream := rawStream(t, h, s, kindClient)
		_, _ = stream.Write([]byte{0, 0, 0, 1, 'x'})
		_ = stream.Reset()
	}
	limit := defaultLimits().StreamsPerClient
	if got := s.Stats().Clients.Streams; got > 2*limit {
		t.Errorf("%d streams are served", got)
	}
	await(t, "few goroutines", func() bool { return runtime.NumGoroutine() < goroutines+10*limit })
	if grown := int64(heapNow()) - int64(before); grown > 24<<20 {
		t.Errorf("%d bytes more in the heap", grown)
	}
	go func() {
		for range blocked {
		}
	}()
	_ = h.Close()
	writers.Wait()
	await(t, "all streams to end", func() bool { return s.Stats().Clients.Streams == 0 })
	close(blocked)
}

// A client announces large frames on all its streams and never sends them. What
// it may hold so is its own share: the large request of another one passes at once.
func TestUnfinishedFramesOfOneClientKeepNobodyOut(t *testing.T) {
	const frame, other = 1 << 20, unknownKey
	s := start(t, 0, 1, nil, func(c *Config) {
		c.Limits.RequestFrame, c.Limits.ClientBytesIn = frame, 2*frame
		c.Admit = func(k crypto.PublicKey) bool { return k == keyOf(clientKey) || k == keyOf(other) }
	})
	rude := rawHost(t, clientKey, s)
	for range 3 {
		stream := rawStream(t, rude, s, kindClient)
		if _, err := stream.Write([]byte{0, frame >> 16, 0, 0, 1}); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the streams to be served", func() bool { return s.Stats().Clients.Streams == 3 })
	await(t, "the first frame to be reserved", func() bool {
		if s.clients.in.TryAcquire(2 * frame) {
			s.clients.in.Release(2 * frame)
			return false
		}
		return true
	})
	honest := call(t, other, s)
	honest.awaitConnect(t, 1)
	began := time.Now()
	honest.Send(0, make([]byte, frame))
	if f := s.in.next(t); len(f.Bytes) != frame || f.From != consensus.ClientPeer(keyOf(other)) {
		t.Fatalf("%d bytes from %v", len(f.Bytes), f.From)
	}
	if took := time.Since(began); took > bodyPatience/2 {
		t.Fatalf("it took %v: the other client's patience had to end first", took)
	}
}

// blockingReceiver takes votes and hangs on everything else until told.
type blockingReceiver struct {
	votes inbox
	free  chan struct{}
}

func (r blockingReceiver) Frames(group []consensus.Frame) {
	for _, f := range group {
		if string(f.Bytes) != "vote" {
			<-r.free
			return
		}
	}
	r.votes.Frames(group)
}

// A receiver that hangs on a snapshot's parts takes votes as before, the sender
// holds a bounded queue, and the stalled stream is reset after its deadline.
func TestStalledBulkDelaysNoVote(t *testing.T) {
	receiver := blockingReceiver{votes: make(inbox, 1024), free: make(chan struct{})}
	b := start(t, 1, 2, nil, func(c *Config) { c.Receiver = receiver })
	a := start(t, 0, 2, []string{"", b.Addr()}, func(c *Config) { c.Limits.WriteTimeout = time.Second })
	a.awaitConnect(t, 1)
	b.awaitConnect(t, 1)
	to, part := consensus.ReplicaPeer(1), make([]byte, consensus.ChunkBytes)
	sent := 0
	for ; a.Send(to, consensus.Bulk, part) || sent == 0; sent++ {
		if sent > 100 {
			t.Fatal("the queue has no end")
		}
	}
	for range 200 {
		a.Send(to, consensus.Votes, []byte("vote"))
		receiver.votes.next(t)
	}
	stats := func() Traffic { return a.Stats().Peers[0].Class[consensus.Bulk] }
	if got := stats(); got.Refused == 0 || got.QueuedBytes > linkLimits[consensus.Bulk].bytes {
		t.Errorf("%+v", got)
	}
	await(t, "the stalled stream to be reset", func() bool { return a.Stats().Peers[0].Resets > 0 })
	a.Send(to, consensus.Votes, []byte("vote"))
	receiver.votes.next(t)
	close(receiver.free)
}

// A member that sends nonsense loses that stream and opens another: it cannot
// be thrown out, but it hurts nobody.
func TestMemberSendsGarbage(t *testing.T) {
	s := start(t, 0, 3, nil, nil)
	honest := start(t, 1, 3, []string{s.Addr()}, nil)
	honest.awaitConnect(t, 1)
	traitor := rawHost(t, 2, s)
	for i := range 10 {
		stream := rawStream(t, traitor, s, consensus.Votes.String())
		if _, err := stream.Write([]byte{0xff, 0xff, 0xff, byte(i)}); err == nil {
			isReset(t, stream)
		}
		ping(t, honest, s)
	}
	stream := rawStream(t, traitor, s, consensus.Votes.String())
	if _, err := fmt.Fprint(stream, "\x00\x00\x00\x02ok"); err != nil {
		t.Fatal(err)
	}
	if f := s.in.next(t); f.From != consensus.ReplicaPeer(2) {
		t.Fatalf("from %v", f.From)
	}
}
