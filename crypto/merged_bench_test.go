package crypto

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// BenchmarkBatches is what a signature of a batch costs: by the library's equation, and
// with one term for each key.
func BenchmarkBatches(b *testing.B) {
	for _, size := range []int{16, 170} {
		for _, keys := range []int{1, size / 4, size} {
			v := NewVerifier(nil).(*verifier)
			w := work{verifier: v, claims: make([]Claim, size)}
			indices := make([]int, size)
			for i := range size {
				indices[i] = i
				w.claims[i] = claimOf(NewSigner(seedOf(i%keys)), testDomain(), binary.BigEndian.AppendUint64(make([]byte, 24), uint64(i)))
			}
			for _, way := range []struct {
				name   string
				verify func() bool
			}{
				{"library", func() bool { return w.batch(indices).VerifyBatchOnly(nil) }},
				{"merged", func() bool { return w.merged(indices) }},
			} {
				b.Run(fmt.Sprintf("%s/%d of %d keys", way.name, size, keys), func(b *testing.B) {
					for range b.N {
						if !way.verify() {
							b.Fatal("a good batch fails")
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/float64(b.N*size), "µs/signature")
				})
			}
		}
	}
}
