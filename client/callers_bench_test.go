package client

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
)

// echo is a Network whose replicas answer all requests alike, one after the other, each
// after some time: what remains is what a client costs.
type echo struct {
	d        Delivery
	takes    time.Duration
	requests chan []byte
	work     sync.WaitGroup
	count    int
}

func (e *echo) connect(_ context.Context, d Delivery) (Network, error) {
	e.d, e.requests = d, make(chan []byte, 4096)
	for i := range consensus.ReplicaID(replicas) {
		d.Connected(i)
	}
	e.work.Go(func() {
		for frame := range e.requests {
			time.Sleep(e.takes)
			e.answer(frame)
		}
	})
	return e, nil
}

// answer executes a request.
func (e *echo) answer(frame []byte) {
	r, err := consensus.DecodeRequest(frame)
	if err != nil {
		panic(err)
	}
	e.count++
	reply := consensus.Reply{Sequence: r.Sequence, Request: r.Digest, Seq: consensus.Seq(e.count), Results: make([]consensus.Result, len(r.Operations))}
	for i := range reply.Results {
		reply.Results[i].Data = []byte("12345678")
	}
	for id := range consensus.ReplicaID(replicas) {
		reply.Replica = id
		e.d.Frames(id, [][]byte{reply.Encode()})
	}
}

func (e *echo) Send(to consensus.ReplicaID, frame []byte) bool {
	if to != 0 {
		return true // the primary orders, and passes on to nobody
	}
	select {
	case e.requests <- frame:
		return true
	default:
		return false
	}
}

func (e *echo) Connected(consensus.ReplicaID) bool { return true }

func (e *echo) Close() error {
	close(e.requests)
	e.work.Wait()
	return nil
}

// processor is the processor time that this process has used.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCallers is what an operation costs the process of many callers, who share a
// client, and how many operations share a signature.
func BenchmarkCallers(b *testing.B) {
	for _, callers := range []int{1, 1000} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) {
			e := &echo{takes: 2 * time.Millisecond}
			c := dial(b, newCluster(b), func(cfg *Config) { cfg.Connect = e.connect })
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			before := processor(b)
			b.ResetTimer()
			var all sync.WaitGroup
			for i := range callers {
				all.Go(func() {
					for n := i; n < b.N; n += callers {
						if _, err := c.Invoke(ctx, kv.Put(fmt.Appendf(nil, "%d/%d", i, n), make([]byte, 256))); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(processor(b)-before)/1e3/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(b.N)/float64(e.count), "op/request")
		})
	}
}
