package consensus

import (
	"fmt"
	"testing"

	"quorate.dev/quorate/crypto"
)

// What a request costs: its client to sign, a replica to open as it comes, and a
// replica to meet it once more in a proposal.
func BenchmarkRequest(b *testing.B) {
	for _, size := range []int{256, 64 << 10} {
		ops := [][]byte{make([]byte, size)}
		r := SignRequest(testSigner, testCluster, Sequence{Epoch: 1, Counter: 1}, ops)
		b.Run(fmt.Sprintf("sign/bytes=%d", size), func(b *testing.B) {
			for b.Loop() {
				SignRequest(testSigner, testCluster, r.Sequence, ops)
			}
		})
		opened := func(v crypto.Verifier) func(b *testing.B) {
			return func(b *testing.B) {
				for b.Loop() {
					q, err := DecodeRequest(r.Raw)
					if err != nil || !v.Verify([]crypto.Claim{q.Claim(testCluster)})[0] {
						b.Fatal("refused")
					}
				}
			}
		}
		b.Run(fmt.Sprintf("open/bytes=%d", size), opened(crypto.NewVerifier(nil)))
		b.Run(fmt.Sprintf("again/bytes=%d", size), opened(crypto.NewVerifier(crypto.NewMemory(1000))))
	}
}
