package p2p

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"

	"quorate.dev/quorate/consensus"
)

// Bounds of the queues to one member.
var linkLimits = [consensus.Classes]queueLimit{
	consensus.Votes:  {frames: 16384, bytes: 8 << 20, policy: dropOldest},
	consensus.Bodies: {frames: 4096, bytes: 32 << 20, policy: dropOldest},
	consensus.Bulk:   {frames: 256, bytes: 8 << 20, policy: refuseNew},
}

// dialGrace is how long the replica with the lower id leaves the dialling to
// the other: then mostly there is one connection and not two. Two do no harm,
// because every stream belongs to the side that opened it.
const dialGrace = 300 * time.Millisecond

// redialAge is the age from which a connection is believed dead when its peer
// makes another one. A member dials only when it sees no connection, so that one
// of two is dead, unless both sides dialled at the same time.
const redialAge = 2 * dialTimeout

// readBuffer is what the reader of a member's stream gathers at once, bytes.
const readBuffer = 64 << 10

// link is the way to one other member: a connection that is dialled again
// whenever it breaks, and for each class one stream out, opened again whenever
// it breaks, and at most one stream in. Streams carry frames one way only, so
// that it does not matter who dialled.
type link struct {
	net    *Network
	member member
	boxes  [consensus.Classes]*outbox
	look   chan struct{} // capacity 1: connectedness may have changed

	mu  sync.Mutex
	out [consensus.Classes]openStream
	in  [consensus.Classes]inbound
	// away is why there is no connection, as far as dialling tells.
	away Away

	received           [consensus.Classes]meter
	arriving           atomic.Int64
	reconnects, resets atomic.Uint64
	lines              lines
}

// lines bounds what is logged of a member that comes and goes: it does so as often
// as it likes, and must not fill the disk with what we say about it.
type lines struct {
	allowed  *rate.Limiter
	withheld int
}

func newLines() lines { return lines{allowed: rate.NewLimiter(rate.Every(time.Second), 16)} }

// say logs one line about the member, if there is room for it.
func (l *lines) say(log *slog.Logger, text string, who consensus.ReplicaID) {
	if !l.allowed.Allow() {
		l.withheld++
		return
	}
	if l.withheld == 0 {
		log.Info(text, "replica", who)
		return
	}
	log.Info(text, "replica", who, "not_shown", l.withheld)
	l.withheld = 0
}

// openStream is a stream out with what makes its writer give it up.
type openStream struct {
	conn network.Conn
	stop context.CancelFunc
}

// inbound is the stream in of one class.
type inbound struct {
	stream  network.Stream
	readers int // goroutines, those of replaced streams too
}

// maxReaders bounds the readers of one class: the one that serves, and those
// that wait for the receiver to let go of their last frames. A member that
// cycles streams meanwhile gets no more.
const maxReaders = 4

func newLink(n *Network, m member) *link {
	l := &link{net: n, member: m, look: make(chan struct{}, 1), lines: newLines()}
	for class := range l.boxes {
		var critical func([]byte) bool
		if consensus.Class(class) == consensus.Votes {
			critical = n.config.Critical
		}
		l.boxes[class] = newOutbox(linkLimits[class], nil, critical)
	}
	return l
}

func (n *Network) linkOf(id peer.ID) *link {
	m, ok := n.who.members[id]
	if !ok {
		return nil
	}
	return n.linkTo(m.replica)
}

// connChanged is told of every connection that comes or goes. A writer whose
// connection is gone would notice only with its next frame, and lose it.
func (l *link) connChanged(c network.Conn) {
	switch {
	case c.IsClosed():
		l.mu.Lock()
		for _, o := range l.out {
			if o.conn == c {
				o.stop()
			}
		}
		l.mu.Unlock()
	case c.Stat().Direction == network.DirInbound:
		l.supersede(c)
	}
	select {
	case l.look <- struct{}{}:
	default:
	}
}

// supersede closes the old connections of a peer that made a new one. After a
// power loss, or a partition that heals, nothing else says for many seconds
// that the other end of the old one is gone.
func (l *link) supersede(c network.Conn) {
	for _, old := range l.net.host.Network().ConnsToPeer(l.member.id) {
		if old != c && c.Stat().Opened.Sub(old.Stat().Opened) > l.net.config.redialAge {
			go closeConn(old)
		}
	}
}

func (l *link) connected() bool {
	return l.net.host.Network().Connectedness(l.member.id) == network.Connected
}

// run keeps the link up until ctx ends. It is the only goroutine that dials, so
// that a peer that is away costs one attempt at a time.
func (l *link) run(ctx context.Context) {
	for b := (backoff{}); l.connect(ctx, &b); {
		began := time.Now()
		l.reconnects.Add(1)
		l.lines.say(l.net.log, "connected", l.member.replica)
		l.session(ctx)
		l.lines.say(l.net.log, "disconnected", l.member.replica)
		if time.Since(began) > backoffMost {
			b = backoff{} // it worked for a while: otherwise it lets us in only to hang up
		}
	}
}

// connect returns true once there is a connection, whoever made it, and false
// when ctx ends.
func (l *link) connect(ctx context.Context, b *backoff) bool {
	wait := time.Duration(0)
	if l.net.who.replica < l.member.replica {
		wait = dialGrace
	}
	if b.last > 0 {
		wait = b.next()
	}
	for ; ; wait = b.next() {
		for deadline := time.Now().Add(wait); !l.connected(); {
			if !l.pause(ctx, time.Until(deadline)) {
				break
			}
		}
		if ctx.Err() != nil || l.connected() {
			l.noteReach(nil)
			return ctx.Err() == nil
		}
		if why := l.dial(ctx); ctx.Err() == nil {
			l.noteReach(why)
		}
	}
}

// noteReach keeps why the member is not reached, nil if it is, and says it once
// for each change.
func (l *link) noteReach(why *Unreachable) {
	l.mu.Lock()
	before := l.away.Unreachable
	changed := (before == nil) != (why == nil) || why != nil && before.Reason != why.Reason
	if before == nil || why == nil {
		l.away.Since = time.Now()
	}
	l.away.Unreachable = why
	l.mu.Unlock()
	switch {
	case why == nil:
	case changed:
		l.net.log.Info("a member is not reached", "replica", why.Replica, "address", why.Address, "reason", why.Reason)
	default:
		l.net.log.Debug("dial failed", "replica", why.Replica, "error", why.Err)
	}
}

// Away is why a member is not reached, and since when.
type Away struct {
	*Unreachable
	Since time.Time
}

// pause waits for d (a negative one has passed), or for news of a connection: then it returns true.
func (l *link) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-l.look:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (l *link) dial(ctx context.Context) *Unreachable {
	if l.member.addr == nil {
		return nil // it dials us
	}
	return dial(ctx, l.net.host, l.member)
}

// session runs the writers while there is a connection. A class whose stream
// breaks is opened again by its own writer: a stalled snapshot does not take the votes
// down with it.
func (l *link) session(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var writers sync.WaitGroup
	for class := range l.boxes {
		writers.Go(func() { l.write(ctx, consensus.Class(class)) })
	}
	for ctx.Err() == nil && l.connected() {
		select {
		case <-l.look:
		case <-ctx.Done():
		}
	}
	cancel()
	writers.Wait()
}

// write keeps one class's stream out open and drains its queue into it.
func (l *link) write(ctx context.Context, class consensus.Class) {
	for b := (backoff{}); ctx.Err() == nil; b.sleep(ctx) {
		began := time.Now()
		if err := l.writeStream(ctx, class); err != nil && ctx.Err() == nil {
			l.resets.Add(1)
			l.net.log.Debug("stream broke", "replica", l.member.replica, "class", class, "error", err)
		}
		if time.Since(began) > backoffMost {
			b = backoff{} // it worked for a while
		}
	}
}

func (l *link) writeStream(ctx context.Context, class consensus.Class) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	open, cancel := context.WithTimeout(network.WithNoDial(ctx, "the link dials"), openTimeout)
	s, err := l.net.host.NewStream(open, l.member.id, protocolID(l.net.config.Cluster, class.String()))
	cancel()
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	l.mu.Lock()
	l.out[class] = openStream{conn: s.Conn(), stop: stop}
	l.mu.Unlock()
	box := l.boxes[class]
	box.setUp()
	defer box.setDown()
	if class == consensus.Votes && l.net.config.OnConnect != nil {
		l.net.config.OnConnect(consensus.ReplicaPeer(l.member.replica))
	}
	if s.Conn().IsClosed() {
		stop() // closed before connChanged could find it
	}
	err = box.drain(ctx, &patientWriter{stream: s, patience: l.net.config.Limits.WriteTimeout})
	_ = s.Reset()
	return err
}

// reset ends a stream. It may wait for as long as the connection's write timeout
// when nothing is read at the other end, so whoever holds a lock, or must not
// wait, gives it a goroutine. That a stream has ended already is no news.
func reset(s network.Stream) { _ = s.Reset() }

// fromMember reads one class of one member's frames until the stream ends.
func (n *Network) fromMember(class consensus.Class, s network.Stream) {
	l := n.linkOf(s.Conn().RemotePeer())
	if l == nil || !l.enter(class, s) {
		_ = s.Reset()
		return
	}
	err := l.read(n.ctx, class, s)
	n.log.Debug("stream ended", "replica", l.member.replica, "class", class, "error", err)
	_ = s.Reset()
	l.leave(class, s)
}

// enter makes s the stream in. A newer one takes the place of an older one,
// whose end may be long dead.
func (l *link) enter(class consensus.Class, s network.Stream) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := &l.in[class]
	if in.readers >= maxReaders {
		return false
	}
	if in.stream != nil {
		go reset(in.stream)
	}
	in.stream = s
	in.readers++
	return true
}

func (l *link) leave(class consensus.Class, s network.Stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := &l.in[class]
	in.readers--
	if in.stream == s {
		in.stream = nil
	}
}

func (l *link) read(ctx context.Context, class consensus.Class, s network.Stream) error {
	r := newFrameReader(s, readBuffer, consensus.MaxFrame)
	r.partial = &l.arriving
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	return l.net.deliver(ctx, r, consensus.ReplicaPeer(l.member.replica), &l.received[class])
}

// deliver hands a stream's frames to the receiver until the stream ends.
func (n *Network) deliver(ctx context.Context, r *frameReader, from consensus.Peer, received *meter) error {
	defer r.release()
	for {
		frames, err := r.group(ctx)
		if len(frames) > 0 {
			group := make([]consensus.Frame, len(frames))
			for i, f := range frames {
				group[i] = consensus.Frame{From: from, Bytes: f}
			}
			received.count(frames)
			n.config.Receiver.Frames(group)
		}
		if err != nil {
			return err
		}
	}
}
