package crypto

import (
	"fmt"
	"testing"
)

func BenchmarkSign(b *testing.B) {
	s, body := NewSigner(seedOf(1)), make([]byte, 200)
	b.ReportAllocs()
	for b.Loop() {
		s.Sign(testDomain(), body)
	}
}

func group(newSigner func(i int) Signer, n, keys int) []Claim {
	claims := make([]Claim, n)
	for i := range claims {
		body := make([]byte, 200)
		body[0], body[1] = byte(i), byte(i>>8)
		claims[i] = claimOf(newSigner(i%keys), testDomain(), body)
	}
	return claims
}

func ed25519Signer(i int) Signer { return NewSigner(seedOf(i)) }

// perClaim runs v over claims and reports the cost of one.
func perClaim(b *testing.B, v Verifier, claims []Claim, want bool) {
	b.Helper()
	for b.Loop() {
		if v.Verify(claims)[0] != want {
			b.Fatal("wrong verdict")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(claims)), "ns/claim")
}

func BenchmarkVerify(b *testing.B) {
	for _, n := range []int{1, 2, 4, 16, 64, 256} {
		for _, keys := range []int{4, 256} {
			if keys > n && n != 256 && n != 64 {
				continue
			}
			b.Run(fmt.Sprintf("group=%d/keys=%d", n, min(n, keys)), func(b *testing.B) {
				perClaim(b, NewVerifier(nil), group(ed25519Signer, n, keys), true)
			})
		}
	}
	b.Run("group=1/keys=1", func(b *testing.B) { perClaim(b, NewVerifier(nil), group(ed25519Signer, 1, 1), true) })
}

func BenchmarkVerifyOneBad(b *testing.B) {
	for _, keys := range []int{1, 4, 64} {
		b.Run(fmt.Sprintf("group=64/keys=%d", keys), func(b *testing.B) {
			claims := group(ed25519Signer, 64, keys)
			claims[0].Signature[40] ^= 1
			perClaim(b, NewVerifier(nil), claims, false)
		})
	}
}

func BenchmarkVerifyRemembered(b *testing.B) {
	perClaim(b, NewVerifier(NewMemory(1000)), group(ed25519Signer, 64, 4), true)
}

func BenchmarkSimulated(b *testing.B) {
	ring := NewKeyring()
	newSigner := func(i int) Signer { return NewSimSigner(ring, seedOf(i)) }
	b.Run("sign", func(b *testing.B) {
		s, body := newSigner(0), make([]byte, 200)
		for b.Loop() {
			s.Sign(testDomain(), body)
		}
	})
	b.Run("verify/group=16", func(b *testing.B) {
		perClaim(b, NewSimVerifier(ring), group(newSigner, 16, 4), true)
	})
}
