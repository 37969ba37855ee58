package message

import (
	"fmt"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// real is four replicas and a client with keys as in production, and a verifier that
// knows them.
func real(b *testing.B) (*liar, crypto.Verifier) {
	b.Helper()
	l := newLiar(b, func(i int) crypto.Signer { return crypto.NewSigner([32]byte{byte(i + 1)}) })
	return l, crypto.NewVerifier(nil, l.Genesis.Replicas...)
}

// batchOf is so many requests of so many operations, of 256 bytes each.
func batchOf(l *liar, requests, operations int) *consensus.Batch {
	b := &consensus.Batch{Stamp: 1}
	for i := range requests {
		var ops [][]byte
		for k := range operations {
			op := make([]byte, 256)
			op[0], op[1], op[2] = byte(i), byte(k), byte(k>>8)
			ops = append(ops, op)
		}
		b.Requests = append(b.Requests, consensus.SignRequest(l.keys[0], l.Cluster, consensus.Sequence{Epoch: 1, Counter: uint64(i) + 1}, ops))
	}
	return b
}

// shapes are the batches that bench makes: one caller, gathered, each signed.
var shapes = []struct{ requests, operations int }{{1, 1}, {2, 64}, {128, 1}}

// perFrame reports what one of so many costs.
func perFrame(b *testing.B, frames int, what string) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*frames), "ns/"+what)
}

// BenchmarkOpenVotes decodes and verifies COMMITs of three replicas, so many at a time.
func BenchmarkOpenVotes(b *testing.B) {
	for _, n := range []int{1, 3, 12, 48} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, verifier := real(b)
			var frames []consensus.Frame
			for i := range n {
				id := consensus.ReplicaID(1 + i%3)
				v := l.SignVote(l.keys[id], Vote{Kind: CommitKind, Seq: consensus.Seq(1 + i/3), Replica: id})
				frames = append(frames, consensus.Frame{From: consensus.ReplicaPeer(id), Bytes: v.Encode()})
			}
			for b.Loop() {
				for _, o := range l.Open(verifier, nil, frames) {
					if o.Reason != "" {
						b.Fatal(o.Reason)
					}
				}
			}
			perFrame(b, n, "vote")
		})
	}
}

// BenchmarkOpenBatch decodes and verifies a PRE-PREPARE with all its requests.
func BenchmarkOpenBatch(b *testing.B) {
	for _, s := range shapes {
		b.Run(fmt.Sprintf("%dx%d", s.requests, s.operations), func(b *testing.B) {
			l, verifier := real(b)
			batch := batchOf(l, s.requests, s.operations)
			frames := []consensus.Frame{{From: consensus.ReplicaPeer(0), Bytes: l.NewPrePrepare(l.keys[0], Vote{Seq: 1, Digest: batch.Digest()}, batch).Frame}}
			b.ReportAllocs()
			for b.Loop() {
				if o := l.Open(verifier, nil, frames)[0]; o.Reason != "" {
					b.Fatal(o.Reason)
				}
			}
			perFrame(b, s.requests*s.operations, "operation")
		})
	}
}

// BenchmarkBatch is what a primary does with a batch before it is sent: its digest, and
// its PRE-PREPARE, encoded and signed.
func BenchmarkBatch(b *testing.B) {
	for _, s := range shapes {
		l, _ := real(b)
		batch := batchOf(l, s.requests, s.operations)
		b.Run(fmt.Sprintf("digest/%dx%d", s.requests, s.operations), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				batch.Digest()
			}
			perFrame(b, s.requests*s.operations, "operation")
		})
		b.Run(fmt.Sprintf("encode/%dx%d", s.requests, s.operations), func(b *testing.B) {
			vote := Vote{Seq: 1, Digest: batch.Digest()}
			b.ReportAllocs()
			for b.Loop() {
				l.NewPrePrepare(l.keys[0], vote, batch)
			}
			perFrame(b, s.requests*s.operations, "operation")
		})
	}
}
