package node

import (
	"testing"

	"quorate.dev/quorate/crypto"
)

// asked counts what a memory knew.
type asked struct {
	*Memory
	known int
}

func (a *asked) Proven(d crypto.Digest) bool {
	known := a.Memory.Proven(d)
	if known {
		a.known++
	}
	return known
}

// What one verifier has proven another one with the same memory does not verify
// again; what has failed it does.
func TestVerifiersShareAMemory(t *testing.T) {
	s := crypto.NewSigner([crypto.PrivateKeySize]byte{1})
	domain := crypto.Domain{}
	good := crypto.Claim{Key: s.Public(), Domain: domain, Body: []byte("good"), Signature: s.Sign(domain, []byte("good"))}
	bad := good
	bad.Body = []byte("bad")
	memory := &asked{Memory: NewMemory(100)}
	for i, known := range []int{0, 1, 2} {
		if valid := crypto.NewVerifier(memory).Verify([]crypto.Claim{good, bad}); !valid[0] || valid[1] || memory.known != known {
			t.Errorf("verifier %d: verdicts %v, %d claims were known, want %d", i, valid, memory.known, known)
		}
	}
}
