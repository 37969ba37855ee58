package p2p

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// up returns a queue that a stream drains.
func up(limit queueLimit, critical func([]byte) bool) *outbox {
	b := newOutbox(limit, nil, critical)
	b.setUp()
	return b
}

// all takes everything that waits, joined.
func (b *outbox) all() string {
	var out []byte
	for {
		batch := b.take(nil)
		if len(batch) == 0 {
			return string(out)
		}
		out = append(out, bytes.Join(batch, nil)...)
	}
}

func TestOverflow(t *testing.T) {
	upper := func(f []byte) bool { return f[0] < 'a' }
	for name, c := range map[string]struct {
		limit    queueLimit
		critical func([]byte) bool
		put      []string
		want     string
		dropped  uint64
		refused  uint64
	}{
		"fits":                  {queueLimit{3, 10, dropOldest}, nil, []string{"a", "b", "c"}, "abc", 0, 0},
		"oldest by count":       {queueLimit{3, 10, dropOldest}, nil, []string{"a", "b", "c", "d", "e"}, "cde", 2, 0},
		"oldest by bytes":       {queueLimit{9, 4, dropOldest}, nil, []string{"aa", "bb", "ccc"}, "ccc", 2, 0},
		"critical outlive":      {queueLimit{3, 10, dropOldest}, upper, []string{"A", "b", "C", "d", "e"}, "ACe", 2, 0},
		"critical only":         {queueLimit{2, 10, dropOldest}, upper, []string{"A", "B", "C"}, "BC", 1, 0},
		"refuse":                {queueLimit{2, 10, refuseNew}, nil, []string{"a", "b", "c"}, "ab", 0, 1},
		"larger than all alone": {queueLimit{9, 4, refuseNew}, nil, []string{"aaaaaaa"}, "aaaaaaa", 0, 0},
		"larger than all last":  {queueLimit{9, 4, refuseNew}, nil, []string{"b", "aaaaaaa"}, "b", 0, 1},
	} {
		b := up(c.limit, c.critical)
		for _, f := range c.put {
			b.put([]byte(f))
		}
		if got := b.all(); got != c.want || b.dropped.Load() != c.dropped || b.refused.Load() != c.refused {
			t.Errorf("%s: %q, %d dropped, %d refused", name, got, b.dropped.Load(), b.refused.Load())
		}
	}
}

// Against a plain slice: the queue is in order, within its bounds, counts
// every frame exactly once, and keeps its pool's sum.
func TestOutboxAgainstSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var pool atomic.Int64
		limit := queueLimit{frames: rapid.IntRange(1, 8).Draw(t, "frames"), bytes: rapid.IntRange(1, 64).Draw(t, "bytes"), policy: dropOldest}
		b := newOutbox(limit, &pool, nil)
		b.setUp()
		var model [][]byte
		size := func() (n int) {
			for _, f := range model {
				n += len(f)
			}
			return n
		}
		var put, took, dropped int
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				f := make([]byte, rapid.IntRange(1, 40).Draw(t, "size"))
				f[0] = byte(put)
				for len(model) > 0 && (len(model) >= limit.frames || size()+len(f) > limit.bytes) {
					model, dropped = model[1:], dropped+1
				}
				model, put = append(model, f), put+1
				if !b.put(f) {
					t.Fatal("refused")
				}
			},
			"take": func(t *rapid.T) {
				got := b.take(nil)
				if !bytes.Equal(bytes.Join(got, nil), bytes.Join(model, nil)) {
					t.Fatalf("took %v, want %v", got, model)
				}
				if int(pool.Load()) != size() {
					t.Fatalf("%d in the pool while %d are written", pool.Load(), size())
				}
				b.landed()
				took, model = took+len(got), nil
			},
			"": func(t *rapid.T) {
				frames, bytes := b.depth()
				if frames != len(model) || bytes != size() || int(pool.Load()) != bytes || int(b.dropped.Load()) != dropped ||
					put != took+dropped+frames {
					t.Fatalf("%d frames of %d bytes, pool %d, %d dropped", frames, bytes, pool.Load(), b.dropped.Load())
				}
			},
		})
	})
}

// A queue without a stream keeps what is young and forgets what is stale, so
// that a peer that is down for long costs nothing.
func TestQueueOfDeadPeer(t *testing.T) {
	b := newOutbox(queueLimit{10, 100, dropOldest}, nil, nil)
	if !b.put([]byte("young")) {
		t.Fatal("a short break loses nothing")
	}
	b.down = time.Now().Add(-2 * downGrace)
	if b.put([]byte("late")) || b.all() != "" || b.dropped.Load() != 2 {
		t.Fatal("stale frames were kept")
	}
	b.down = time.Now()
	b.put([]byte("young"))
	b.down = time.Now().Add(-2 * downGrace)
	if b.setUp(); b.all() != "" {
		t.Fatal("stale frames were sent")
	}
	if !b.put([]byte("fresh")) || b.all() != "fresh" {
		t.Fatal("an open queue takes frames")
	}
}

// countingWriter counts writes: each would be a system call.
type countingWriter struct {
	bytes.Buffer
	writes int
	fail   error
}

func (w *countingWriter) Write(p []byte) (int, error) {
	if w.writes++; w.fail != nil {
		return 0, w.fail
	}
	return w.Buffer.Write(p)
}

func TestDrainGathers(t *testing.T) {
	b := up(queueLimit{1000, 1 << 20, dropOldest}, nil)
	for i := range 1000 {
		b.put([]byte{byte(i)})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := &countingWriter{}
	if err := b.drain(ctx, w); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if w.writes != 1 || w.Len() != 1000*(headerSize+1) || b.sent.frames.Load() != 1000 {
		t.Fatalf("%d writes of %d bytes, %d sent", w.writes, w.Len(), b.sent.frames.Load())
	}
	b.put([]byte("lost"))
	if err := b.drain(ctx, &countingWriter{fail: io.ErrClosedPipe}); !errors.Is(err, io.ErrClosedPipe) {
		t.Fatal(err)
	}
}

// memorySource is a stream that ends.
type memorySource struct{ io.Reader }

func (memorySource) SetReadDeadline(time.Time) error { return nil }

// FuzzFrames: whatever arrives, the reader returns exactly the frames that are
// there, never holds more than the limit, and ends with an error.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 'a', 0, 0, 0, 2, 'b', 'c'}, byte(3))
	f.Add([]byte{0, 0, 0, 0}, byte(1))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1}, byte(2))
	f.Add([]byte{0, 0, 0, 9, 'c', 'u', 't'}, byte(1))
	f.Fuzz(func(t *testing.T, in []byte, chunk byte) {
		const limit = 64
		r := newFrameReader(memorySource{&chunked{in, int(chunk)%7 + 1}}, 32, limit)
		var back []byte
		var err error
		for err == nil {
			var frames [][]byte
			frames, err = r.group(context.Background())
			for _, frame := range frames {
				if len(frame) == 0 || len(frame) > limit {
					t.Fatalf("a frame of %d bytes", len(frame))
				}
				back = append(binary.BigEndian.AppendUint32(back, uint32(len(frame))), frame...)
			}
		}
		if !bytes.HasPrefix(in, back) {
			t.Fatalf("%x became %x", in, back)
		}
		rest := in[len(back):]
		whole := len(rest) >= headerSize && int64(binary.BigEndian.Uint32(rest)) <= int64(len(rest)-headerSize)
		if bad := errors.Is(err, errFrame); whole && !bad {
			t.Fatalf("a whole frame was left over: %x, %v", rest, err)
		}
	})
}

// chunked gives a few bytes at a time.
type chunked struct {
	rest []byte
	most int
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.rest[:min(len(c.rest), c.most)])
	c.rest = c.rest[n:]
	return n, nil
}

// stuckWriter takes a frame and does not come back with it.
type stuckWriter struct{ entered, free chan struct{} }

func (w stuckWriter) Write(p []byte) (int, error) {
	w.entered <- struct{}{}
	<-w.free
	return len(p), errors.New("reset")
}

// What a slow reader's writer holds counts until it is written or given up:
// megabytes for each stream would otherwise be held beyond every bound.
func TestFramesBeingWrittenCount(t *testing.T) {
	const size = 1 << 20
	var pool atomic.Int64
	b := newOutbox(queueLimit{4, 4 * size, dropOldest}, &pool, nil)
	b.setUp()
	b.put(make([]byte, size))
	w := stuckWriter{make(chan struct{}), make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- b.drain(context.Background(), w) }()
	<-w.entered
	if _, waiting := b.depth(); waiting != 0 || pool.Load() != size || b.held() != size {
		t.Errorf("%d wait, %d held, %d in the pool", waiting, b.held(), pool.Load())
	}
	b.put(make([]byte, size))
	b.discard()
	if pool.Load() != 0 {
		t.Errorf("%d in the pool of a stream that was given up", pool.Load())
	}
	close(w.free)
	if err := <-done; err == nil || pool.Load() != 0 || b.held() != 0 {
		t.Errorf("%v, %d in the pool, %d held", err, pool.Load(), b.held())
	}
}
