package app_test

import (
	"fmt"
	"testing"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
)

// BenchmarkMachine executes batches of 256-byte puts over 100,000 keys, with
// a checkpoint every 64 batches that is kept in memory, and reports the cost
// of one put. One client sends all of them, as the client library does.
func BenchmarkMachine(b *testing.B) {
	for _, shape := range []struct{ requests, operations, clients int }{
		{256, 1, 1}, {256, 1, 256}, {16, 64, 1}, {1, 1, 1},
	} {
		b.Run(fmt.Sprintf("requests=%d/operations=%d/clients=%d", shape.requests, shape.operations, shape.clients), func(b *testing.B) {
			g := consensus.NewGenesis("bench", "pbft", newGenesis().Replicas)
			g.OpenClients = true
			c := newCluster(b, kv.Store{}, g)
			batches := make([]*consensus.Batch, 512)
			counters := make([]uint64, shape.clients)
			key := 0
			for i := range batches {
				batches[i] = &consensus.Batch{Stamp: testStart + consensus.Time(i)}
				for j := range shape.requests {
					ops := make([][]byte, shape.operations)
					for k := range ops {
						key = (key + 48271) % 100_000
						ops[k] = kv.Put(fmt.Appendf(nil, "key/%08d", key), make([]byte, 256))
					}
					who := j % shape.clients
					counters[who]++
					batches[i].Requests = append(batches[i].Requests, request(client(100+who), began, counters[who], ops...))
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			done := 0
			for n := 0; b.Loop(); n++ {
				if n == len(batches) { // a new epoch for the same requests
					b.StopTimer()
					n = 0
					for _, batch := range batches {
						for _, r := range batch.Requests {
							r.Sequence.Epoch++
						}
					}
					b.StartTimer()
				}
				out := c.batch(batches[n])
				done += len(out.Replies) * shape.operations
				if seq := c.m.Applied(); seq%g.CheckpointInterval == 0 {
					c.do(consensus.Stabilize{Seq: seq, Root: c.roots[seq]})
				}
			}
			if want := b.N * shape.requests * shape.operations; done != want {
				b.Fatalf("%d operations executed, want %d", done, want)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(done)/1000, "µs/op-executed")
			b.ReportMetric(0, "ns/op")
		})
	}
}
