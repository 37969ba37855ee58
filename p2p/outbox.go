package p2p

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// policy says what gives way when a queue is full.
type policy uint8

const (
	dropOldest policy = iota // what is newer is worth more: votes, bodies, replies
	refuseNew                // what was promised first is finished first: parts of a state
)

// queueLimit bounds one queue. One frame larger than bytes travels alone.
type queueLimit struct {
	frames int
	bytes  int
	policy policy
}

// Bounds of what a writer takes from its queue at once. They bound what is in
// flight beyond the queue's own limit.
const (
	takeFrames  = 256
	takeBytes   = 256 << 10
	writeBuffer = 64 << 10
)

// criticalScan bounds the search for a frame that is not critical, so that an
// overflow costs the same however many critical ones lie in front.
const criticalScan = 256

// downGrace is how long a queue outlives its stream. After a short break the
// frames still help; after a long one they are stale, STATUS says what is
// missing, and memory kept for a dead peer would only grow.
const downGrace = 2 * time.Second

// outbox is the bounded queue of one stream: many put, one writer drains.
type outbox struct {
	limit    queueLimit
	critical func([]byte) bool // nil: nothing is
	pool     *atomic.Int64     // bytes waiting in all queues of a kind; may be nil
	wake     chan struct{}     // capacity 1: something was put

	mu    sync.Mutex
	queue [][]byte
	head  int // queue[:head] is taken
	bytes int
	// flying is what the writer has taken and not yet written, bytes. It
	// stays in the pool: a stream whose reader is slow holds on to it.
	flying int
	down   time.Time // since when no stream drains it; zero while one does

	sent             meter
	dropped, refused atomic.Uint64
}

func newOutbox(limit queueLimit, pool *atomic.Int64, critical func([]byte) bool) *outbox {
	return &outbox{limit: limit, pool: pool, critical: critical, wake: make(chan struct{}, 1), down: time.Now()}
}

// put queues a frame, which nobody writes to any more, and never waits. It
// reports whether the frame was queued.
func (b *outbox) put(frame []byte) bool {
	b.mu.Lock()
	if !b.down.IsZero() && time.Since(b.down) > downGrace {
		b.clear()
		b.mu.Unlock()
		b.dropped.Add(1)
		return false
	}
	if b.full(len(frame)) && !b.giveWay(len(frame)) {
		b.mu.Unlock()
		b.refused.Add(1)
		return false
	}
	b.queue = append(b.queue, frame)
	b.add(len(frame))
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return true
}

// The methods down to add are called with mu held.

func (b *outbox) waiting() int { return len(b.queue) - b.head }

func (b *outbox) full(more int) bool {
	n := b.waiting()
	return n > 0 && (n >= b.limit.frames || b.bytes+more > b.limit.bytes)
}

// giveWay drops the oldest frames until there is room; critical ones only when
// nothing else is left among the oldest criticalScan.
func (b *outbox) giveWay(more int) bool {
	if b.limit.policy == refuseNew {
		return false
	}
	for b.full(more) {
		victim := b.head
		for i := b.head; b.critical != nil && i < min(len(b.queue), b.head+criticalScan); i++ {
			if !b.critical(b.queue[i]) {
				victim = i
				break
			}
		}
		b.add(-len(b.queue[victim]))
		copy(b.queue[b.head+1:victim+1], b.queue[b.head:victim])
		b.pop()
		b.dropped.Add(1)
	}
	return true
}

// pop forgets the head. The slice is moved down when half of it is history, so
// that its cost stays constant per frame.
func (b *outbox) pop() {
	b.queue[b.head] = nil
	if b.head++; b.head*2 >= len(b.queue) {
		n := copy(b.queue, b.queue[b.head:])
		clear(b.queue[n:])
		b.queue, b.head = b.queue[:n], 0
	}
}

// clear drops everything that waits, and counts it.
func (b *outbox) clear() {
	b.dropped.Add(uint64(b.waiting()))
	b.add(-b.bytes)
	b.queue, b.head = nil, 0
}

func (b *outbox) add(bytes int) {
	b.bytes += bytes
	if b.pool != nil {
		b.pool.Add(int64(bytes))
	}
}

// take moves a bounded number of frames to dst.
func (b *outbox) take(dst [][]byte) [][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	for size := 0; b.waiting() > 0 && len(dst) < takeFrames && size < takeBytes; {
		f := b.queue[b.head]
		dst, size = append(dst, f), size+len(f)
		b.bytes -= len(f)
		b.flying += len(f)
		b.pop()
	}
	return dst
}

// landed says that what was taken is written, or given up.
func (b *outbox) landed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.land()
}

// land is landed with mu held.
func (b *outbox) land() {
	if b.pool != nil {
		b.pool.Add(-int64(b.flying))
	}
	b.flying = 0
}

// setUp says that a stream drains the queue now. What waited too long is gone.
func (b *outbox) setUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.down.IsZero() && time.Since(b.down) > downGrace {
		b.clear()
	}
	b.down = time.Time{}
}

// setDown says that nothing drains the queue any more.
func (b *outbox) setDown() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down.IsZero() {
		b.down = time.Now()
	}
}

// discard empties the queue for good. What the writer holds ends with its
// stream, soon: it counts no more, so that nobody else is made to pay for it.
func (b *outbox) discard() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	b.land()
}

// held is what the queue and its writer keep in memory, bytes.
func (b *outbox) held() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes + b.flying
}

// depth is what waits: frames and bytes.
func (b *outbox) depth() (frames, bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiting(), b.bytes
}

// drain writes the queue to w until ctx ends or w fails. Frames are gathered in
// one buffer and flushed when the queue is empty: yamux makes a frame, an
// encrypted record and a system call of every write, so that gathering is worth more than
// ten times the messages per second.
func (b *outbox) drain(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriterSize(w, writeBuffer)
	batch := make([][]byte, 0, takeFrames)
	defer b.landed()
	for {
		if batch = b.take(batch[:0]); len(batch) > 0 {
			if err := b.write(out, batch); err != nil {
				return err
			}
			clear(batch)
			b.landed()
			continue
		}
		if err := out.Flush(); err != nil {
			return err
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// write puts frames behind their lengths into the buffer; a frame larger than
// the buffer goes straight through it, uncopied.
func (b *outbox) write(out *bufio.Writer, batch [][]byte) error {
	var header [headerSize]byte
	for _, f := range batch {
		binary.BigEndian.PutUint32(header[:], uint32(len(f)))
		if _, err := out.Write(header[:]); err != nil {
			return err
		}
		if _, err := out.Write(f); err != nil {
			return err
		}
	}
	b.sent.count(batch)
	return nil
}

// sink is what a writer needs of a stream.
type sink interface {
	io.Writer
	SetWriteDeadline(time.Time) error
}

// patientWriter gives every write a deadline: a peer that accepts and never
// reads blocks its stream's writer no longer than patience, and is then reset.
// The deadline is moved only when a quarter of it is used up, because a timer
// for every vote would be a cost of its own.
type patientWriter struct {
	stream   sink
	patience time.Duration
	moved    time.Time
}

func (w *patientWriter) Write(p []byte) (int, error) {
	if now := time.Now(); now.Sub(w.moved) > w.patience/4 {
		if err := w.stream.SetWriteDeadline(now.Add(w.patience)); err != nil {
			return 0, err
		}
		w.moved = now
	}
	return w.stream.Write(p)
}
