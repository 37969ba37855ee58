package host

import (
	"encoding/binary"
	"fmt"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// roomy leaves room for what is measured.
func roomy() Bounds {
	return Bounds{
		GroupFrames: 128, PeerFrames: 4096, PeerBytes: 64 << 20, ClientFrames: 256, ClientBytes: 64 << 20,
		InboxEvents: 4096, InboxBytes: 64 << 20, Jobs: 64, Answers: 64, Reads: 64,
	}
}

// BenchmarkIntake takes frames in and out again: votes of three replicas, and requests
// of many clients.
func BenchmarkIntake(b *testing.B) {
	votes := func(n int) (all []consensus.Frame) {
		for i := range n {
			all = append(all, consensus.Frame{From: consensus.ReplicaPeer(consensus.ReplicaID(1 + i%3)), Bytes: make([]byte, 200)})
		}
		return all
	}
	requests := func(n int) (all []consensus.Frame) {
		for i := range n {
			var key crypto.PublicKey
			binary.BigEndian.PutUint32(key[:], uint32(i))
			all = append(all, consensus.Frame{From: consensus.ClientPeer(key), Bytes: make([]byte, 400)})
		}
		return all
	}
	for name, frames := range map[string][]consensus.Frame{"a vote": votes(1), "96 votes": votes(96), "256 clients": requests(256)} {
		b.Run(name, func(b *testing.B) {
			q := NewIntake(roomy())
			var g Group
			b.ReportAllocs()
			for b.Loop() {
				for i := range frames {
					if q.Offer(&frames[i]) != Taken {
						b.Fatal("refused")
					}
				}
				for q.Ready() {
					q.Take(&g)
					q.Done(&g)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(frames)), "ns/frame")
		})
	}
}

// BenchmarkInbox takes opened frames in, and out in bursts.
func BenchmarkInbox(b *testing.B) {
	for _, n := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			q := NewInbox(roomy())
			event := consensus.Event(consensus.Receive{})
			b.ReportAllocs()
			for b.Loop() {
				for range n {
					q.Offer(&vote, event)
				}
				for more := true; more; {
					_, more = q.Burst(false)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
		})
	}
}
