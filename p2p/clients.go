package p2p

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"golang.org/x/sync/semaphore"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Bounds of one client's stream.
const (
	clientBuffer = 32 << 10 // what the reader gathers at once, bytes
	guestFrame   = 64 << 10 // what a guest's question may measure, bytes
	guestRead    = 2 * time.Second
)

// clientLimit bounds the answers that wait for one stream. The oldest gives
// way: a client that misses a reply asks again and gets it from its session.
var clientLimit = queueLimit{frames: 4096, bytes: 16 << 20, policy: dropOldest}

// clients are the open request streams, by key. One key may have several: the
// commands of one user at the same time, or a dead connection and its
// successor. An answer goes to all of them; who did not ask ignores it.
type clients struct {
	net     *Network
	in      *semaphore.Weighted // large frames in delivery, bytes
	waiting atomic.Int64        // bytes in all queues out

	mu  sync.RWMutex
	all map[crypto.PublicKey][]*clientStream

	received         meter
	gone             Traffic // of streams that have ended; guarded by mu
	evicted, refused atomic.Uint64
}

// clientStream is one open request stream.
type clientStream struct {
	stream  network.Stream
	box     *outbox
	yielded bool // given up; guarded by clients.mu
	// share bounds the large frames of one key in delivery, bytes; all its
	// streams have the same one.
	share *semaphore.Weighted
}

// shares divides the budget for large frames: one key gets one part of it, or
// one frame. A client may announce a frame and take many seconds to send it;
// without shares, two keys that do so keep out everybody else's.
const shares = 8

func newClients(n *Network) *clients {
	return &clients{
		net: n, in: semaphore.NewWeighted(int64(n.config.Limits.ClientBytesIn)),
		all: make(map[crypto.PublicKey][]*clientStream),
	}
}

// serve reads requests from one stream, beside a writer for the answers. Either
// ends the other by resetting the stream, because half a stream serves nobody.
func (c *clients) serve(s network.Stream) {
	from, code := c.net.gate.caller(s.Conn())
	if code != 0 {
		c.refuse(s, code)
		return
	}
	me := &clientStream{stream: s, box: newOutbox(clientLimit, &c.waiting, nil)}
	me.box.setUp()
	if !c.add(from.Key, me) {
		_ = s.Reset()
		return
	}
	ctx, cancel := context.WithCancel(c.net.ctx)
	var writer sync.WaitGroup
	writer.Go(func() {
		err := me.box.drain(ctx, &patientWriter{stream: s, patience: c.net.config.Limits.WriteTimeout})
		c.net.log.Debug("answers ended", "client", from.Key.Short(), "error", err)
		_ = s.Reset()
	})
	r := newFrameReader(s, clientBuffer, c.net.config.Limits.RequestFrame, me.share, c.in)
	err := c.net.deliver(ctx, r, from, &c.received)
	c.net.log.Debug("requests ended", "client", from.Key.Short(), "error", err)
	cancel()
	_ = s.Reset()
	writer.Wait()
	c.remove(from.Key, me)
}

// add makes a stream known. The oldest of a key with too many yields. A stream
// that yielded lives until the receiver lets go of its last frames; a key with
// too many of those gets no more: cycling streams must not gather readers.
func (c *clients) add(key crypto.PublicKey, s *clientStream) bool {
	limit := c.net.config.Limits.StreamsPerClient
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.all[key]
	if len(list) >= 2*limit {
		return false
	}
	serving := slices.DeleteFunc(slices.Clone(list), func(o *clientStream) bool { return o.yielded })
	if len(serving) >= limit {
		serving[0].yield()
	}
	if len(list) > 0 {
		s.share = list[0].share
	} else {
		l := &c.net.config.Limits
		s.share = semaphore.NewWeighted(int64(max(l.RequestFrame, l.ClientBytesIn/shares)))
	}
	c.all[key] = append(list, s)
	return true
}

// remove forgets a stream and keeps its counts: what was sent stays sent.
func (c *clients) remove(key crypto.PublicKey, s *clientStream) {
	c.mu.Lock()
	list := slices.DeleteFunc(c.all[key], func(o *clientStream) bool { return o == s })
	if c.all[key] = list; len(list) == 0 {
		delete(c.all, key)
	}
	s.box.discard()
	c.gone.addSent(s.box)
	c.mu.Unlock()
}

// send queues a frame for every stream of a key. It reports whether any took it:
// a client that is gone asks again when it is back, and is answered from its
// session.
func (c *clients) send(key crypto.PublicKey, frame []byte) bool {
	c.mu.RLock()
	took := false
	for _, s := range c.all[key] {
		took = !s.yielded && s.box.put(frame) || took
	}
	c.mu.RUnlock()
	if c.waiting.Load() > int64(c.net.config.Limits.ClientBytesOut) {
		c.evict()
	}
	return took
}

// evict resets the stream with the most bytes waiting: when all queues together
// hold too much, the slowest reader pays and not whoever comes last.
func (c *clients) evict() {
	var slowest *clientStream
	most := 0
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, list := range c.all {
		for _, s := range list {
			if bytes := s.box.held(); !s.yielded && bytes > most {
				slowest, most = s, bytes
			}
		}
	}
	if slowest != nil {
		c.evicted.Add(1)
		slowest.yield()
	}
}

// yield gives a stream up: its reader ends, and it takes no more answers. It is
// called with clients.mu held.
func (s *clientStream) yield() {
	s.yielded = true
	s.box.discard()
	go reset(s.stream)
}

// refuse answers a guest's first frame and ends its stream. The answer names
// the request if the frame is one, so that the caller's bookkeeping fits.
func (c *clients) refuse(s network.Stream, code consensus.RefusalCode) {
	c.refused.Add(1)
	defer func() { _ = s.Reset() }()
	if s.SetDeadline(time.Now().Add(guestRead)) != nil {
		return
	}
	refusal := consensus.Refusal{Code: code}
	frames, err := newFrameReader(noDeadline{s}, 4<<10, guestFrame).group(c.net.ctx)
	if err == nil {
		if r, err := consensus.DecodeRequest(frames[0]); err == nil {
			refusal.Request, refusal.Sequence = r.Digest, r.Sequence
		}
	}
	answer := refusal.Encode()
	answer = append(binary.BigEndian.AppendUint32(nil, uint32(len(answer))), answer...)
	if _, err := s.Write(answer); err == nil && s.CloseWrite() == nil {
		// Wait for the guest to hang up: a reset at once could overtake the
		// answer. Two bytes of it suffice to say that it does not.
		_, _ = s.Read(make([]byte, 2))
	}
}

// noDeadline keeps the frame reader from lifting the guest's deadline.
type noDeadline struct{ network.Stream }

func (noDeadline) SetReadDeadline(time.Time) error { return nil }
