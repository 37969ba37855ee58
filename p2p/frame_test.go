package p2p

import (
	"context"
	"encoding/binary"
	"io"
	"sync/atomic"
	"testing"
	"time"
)

// piped is a stream that a test writes to.
type piped struct{ io.Reader }

func (piped) SetReadDeadline(time.Time) error { return nil }

// What has come of a larger frame counts while it is on its way, and what has come
// whole does not.
func TestLargeFrameIsCountedOnItsWay(t *testing.T) {
	in, out := io.Pipe()
	var partial atomic.Int64
	r := newFrameReader(piped{in}, readBuffer, 1<<20)
	r.partial = &partial
	frames := make(chan []byte)
	go func() {
		defer close(frames)
		for {
			group, err := r.group(context.Background())
			if err != nil {
				return
			}
			for _, f := range group {
				frames <- f
			}
		}
	}()
	send := func(b []byte) {
		if _, err := out.Write(b); err != nil {
			t.Error(err)
		}
	}
	head := func(size int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(size)) }
	send(append(head(100), make([]byte, 100)...))
	<-frames
	if n := partial.Load(); n != 0 {
		t.Errorf("%d bytes of a small frame count", n)
	}
	const size = 5 * smallFrame
	send(head(size))
	send(make([]byte, 3*smallFrame))
	send(make([]byte, 1)) // what was sent before is read now
	if n := partial.Load(); n < 2*smallFrame || n > 3*smallFrame {
		t.Errorf("%d bytes count of %d that have come", n, 3*smallFrame)
	}
	send(make([]byte, 2*smallFrame-1))
	if f := <-frames; len(f) != size {
		t.Errorf("%d bytes came, want %d", len(f), size)
	}
	_ = out.Close()
	<-frames
}
