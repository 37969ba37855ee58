package p2p

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// A frame on a stream is its length, four bytes big endian, and its bytes.
const headerSize = 4

// Bounds of one group: what a reader hands over at once.
const (
	groupFrames = 256
	groupBytes  = 256 << 10
	// smallFrame is what a reader may allocate without asking: the number of
	// streams is bounded, so this is too.
	smallFrame = 64 << 10
)

// A frame once begun must end: bodyPatience, and a second more for each
// bodyRate bytes. Between frames a stream may be silent for as long as it likes.
const (
	bodyPatience = 10 * time.Second
	bodyRate     = 1 << 20
)

// errFrame says that the peer does not keep to the framing. The stream is reset.
var errFrame = errors.New("bad frame length")

// source is what a reader needs of a stream.
type source interface {
	io.Reader
	SetReadDeadline(time.Time) error
}

// frameReader takes a stream apart. One goroutine uses it.
type frameReader struct {
	stream  source
	in      *bufio.Reader
	max     int                   // bytes in one frame
	budgets []*semaphore.Weighted // a client's own, then that of all; none for members, whose number is small
	held    int64                 // of each budget, by the group last returned
	partial *atomic.Int64         // counts what has come of larger frames; may be nil
}

// newFrameReader reads frames of at most limit bytes through a buffer.
func newFrameReader(s source, buffer, limit int, budgets ...*semaphore.Weighted) *frameReader {
	return &frameReader{stream: s, in: bufio.NewReaderSize(s, buffer), max: limit, budgets: budgets}
}

// group waits for one frame and takes the whole frames that arrived with it,
// so that a thousand small frames cost a few wake-ups. Every frame is an
// allocation of its own, because decoders alias them and keep some. Asking for
// the next group says that the last one is delivered.
func (r *frameReader) group(ctx context.Context) ([][]byte, error) {
	r.release()
	first, err := r.frame(ctx)
	if err != nil {
		return nil, err
	}
	frames, size := [][]byte{first}, len(first)
	for len(frames) < groupFrames && size < groupBytes && r.whole() {
		f, err := r.frame(ctx)
		if err != nil {
			return frames, err
		}
		frames, size = append(frames, f), size+len(f)
	}
	return frames, nil
}

// whole reports whether the buffer holds a complete frame (or a bad one):
// reading it will not wait.
func (r *frameReader) whole() bool {
	if r.in.Buffered() < headerSize {
		return false
	}
	header, err := r.in.Peek(headerSize)
	return err == nil && int64(binary.BigEndian.Uint32(header)) <= int64(r.in.Buffered()-headerSize)
}

// frame reads one frame. The length is judged before a byte of it is allocated.
func (r *frameReader) frame(ctx context.Context) ([]byte, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r.in, header[:]); err != nil {
		return nil, err
	}
	// Compared as int64: a length over 2 GiB is not negative anywhere.
	size := int64(binary.BigEndian.Uint32(header[:]))
	if size == 0 || size > int64(r.max) {
		return nil, fmt.Errorf("%w: %d bytes, limit %d", errFrame, size, r.max)
	}
	if err := r.reserve(ctx, size); err != nil {
		return nil, err
	}
	frame := make([]byte, size)
	if size <= int64(r.in.Buffered()) {
		_, err := io.ReadFull(r.in, frame)
		return frame, err
	}
	patience := bodyPatience + time.Duration(size)*time.Second/bodyRate
	if err := r.stream.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if err := r.body(frame); err != nil {
		return nil, err
	}
	return frame, r.stream.SetReadDeadline(time.Time{})
}

// body reads a frame that has not come whole yet, and counts what comes.
func (r *frameReader) body(frame []byte) error {
	for len(frame) > 0 {
		n, err := io.ReadFull(r.in, frame[:min(len(frame), smallFrame)])
		if err != nil {
			return err
		}
		if frame = frame[n:]; r.partial != nil && len(frame) > 0 {
			r.partial.Add(int64(n))
		}
	}
	return nil
}

// reserve takes a large frame from the budgets before it is allocated, all at
// once: two readers that each hold half of what they need would wait for ever.
// Budgets are taken in one order everywhere, for the same reason, and the
// client's own comes first: who waits for itself keeps nothing from others.
func (r *frameReader) reserve(ctx context.Context, size int64) error {
	if len(r.budgets) == 0 || size <= smallFrame {
		return nil
	}
	for i, b := range r.budgets {
		if err := b.Acquire(ctx, size); err != nil {
			for _, taken := range r.budgets[:i] {
				taken.Release(size)
			}
			return err
		}
	}
	r.held += size
	return nil
}

// release gives what the last group took of the budgets back.
func (r *frameReader) release() {
	if r.held == 0 {
		return
	}
	for _, b := range r.budgets {
		b.Release(r.held)
	}
	r.held = 0
}
