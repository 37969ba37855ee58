package p2p

import (
	"bufio"
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/consensus"
)

// countingReceiver counts frames and says when there were enough, n times.
type countingReceiver struct {
	want int
	got  int // by one reader goroutine only
	done chan struct{}

	other func(frame []byte) // counts instead, if not nil
}

func (r *countingReceiver) Frames(group []consensus.Frame) {
	if r.other != nil {
		for _, f := range group {
			r.other(f.Bytes)
		}
		return
	}
	if r.got += len(group); r.got >= r.want {
		r.got -= r.want
		r.done <- struct{}{}
	}
}

// cpu is the processor time of this process: both ends.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// pair is two connected replicas, of which the second counts.
func pair(b *testing.B, window int) (*Network, *countingReceiver, func()) {
	b.Helper()
	receiver := &countingReceiver{want: window, done: make(chan struct{}, 1)}
	connected := make(chan consensus.Peer, 2)
	config := func(r int, addr string) Config {
		return Config{
			Key: seedOf(r), Cluster: testCluster, Listen: "127.0.0.1:0", Receiver: receiver,
			Members:   []Member{memberOf(0, addr), memberOf(1, "")},
			OnConnect: func(p consensus.Peer) { connected <- p },
		}
	}
	first, err := Listen(config(0, ""))
	if err != nil {
		b.Fatal(err)
	}
	second, err := Listen(config(1, first.Addr()))
	if err != nil {
		b.Fatal(err)
	}
	<-connected
	<-connected
	return first, receiver, func() { _, _ = first.Close(), second.Close() }
}

// BenchmarkVotes: frames of 200 bytes in windows of some. The metrics are
// messages per second and processor time of both ends.
func BenchmarkVotes(b *testing.B) {
	for _, window := range []int{1, 16, 1024} {
		b.Run(fmt.Sprintf("window %d", window), func(b *testing.B) {
			n, receiver, stop := pair(b, window)
			defer stop()
			vote := make([]byte, 200)
			to := consensus.ReplicaPeer(1)
			began := cpu()
			b.ResetTimer()
			sent := 0
			for ; sent < b.N; sent += window {
				for range window {
					n.Send(to, consensus.Votes, vote)
				}
				<-receiver.done
			}
			b.StopTimer()
			b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "msg/s")
			b.ReportMetric(float64((cpu()-began).Nanoseconds())/1000/float64(sent), "cpu-µs/msg")
		})
	}
}

// BenchmarkBulk: frames of 1 MiB, a few in flight.
func BenchmarkBulk(b *testing.B) {
	const window = 4
	n, receiver, stop := pair(b, window)
	defer stop()
	part := make([]byte, 1<<20)
	b.SetBytes(1 << 20)
	began := cpu()
	b.ResetTimer()
	sent := 0
	for ; sent < b.N; sent += window {
		for range window {
			n.Send(consensus.ReplicaPeer(1), consensus.Bulk, part)
		}
		<-receiver.done
	}
	b.StopTimer()
	b.ReportMetric(float64((cpu()-began).Microseconds())/float64(sent), "cpu-µs/MiB")
}

// BenchmarkVoteBesideBulk: how long a vote takes, there only, while parts of a
// state travel as fast as they can. Compare with window 1 above.
func BenchmarkVoteBesideBulk(b *testing.B) {
	n, receiver, stop := pair(b, 1)
	votes := make(chan struct{}, 1)
	receiver.other = func(frame []byte) {
		if len(frame) == 200 {
			votes <- struct{}{}
		}
	}
	to, part, vote := consensus.ReplicaPeer(1), make([]byte, 1<<20), make([]byte, 200)
	ended, quit := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-quit:
				return
			case <-time.After(time.Millisecond):
				for n.Send(to, consensus.Bulk, part) {
				}
			}
		}
	}()
	for b.Loop() {
		n.Send(to, consensus.Votes, vote)
		<-votes
	}
	close(quit)
	<-ended
	stop()
}

// BenchmarkOutbox puts votes into the queue of a stream and takes them out as its writer
// does, into one buffer: what a message costs without the stream.
func BenchmarkOutbox(b *testing.B) {
	for _, window := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("window %d", window), func(b *testing.B) {
			q := up(queueLimit{frames: 1 << 10, bytes: 1 << 20, policy: dropOldest}, nil)
			vote, out, batch := make([]byte, 200), bufio.NewWriterSize(io.Discard, writeBuffer), make([][]byte, 0, takeFrames)
			b.ReportAllocs()
			for b.Loop() {
				for range window {
					q.put(vote)
				}
				batch = q.take(batch[:0])
				if err := q.write(out, batch); err != nil {
					b.Fatal(err)
				}
				q.landed()
				if err := out.Flush(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*window), "ns/frame")
		})
	}
}
