package crypto

import (
	"slices"
	"testing"
)

func TestSimulatedSignaturesProveTheirSigner(t *testing.T) {
	ring := NewKeyring()
	a, b := NewSimSigner(ring, seedOf(1)), NewSimSigner(ring, seedOf(2))
	if a.Public() == b.Public() {
		t.Fatal("two seeds, one key")
	}
	good := claimOf(a, testDomain(), []byte("body"))
	spoil := func(change func(*Claim)) Claim {
		c := good
		change(&c)
		return c
	}
	claims := []Claim{
		good,
		spoil(func(c *Claim) { c.Key = b.Public() }),
		spoil(func(c *Claim) { c.Key = PublicKey{} }),
		spoil(func(c *Claim) { c.Body = []byte("other") }),
		spoil(func(c *Claim) { c.Domain.Epoch++ }),
		spoil(func(c *Claim) { c.Domain.Tag = "" }),
		spoil(func(c *Claim) { c.Domain.Cluster[0]++ }),
		spoil(func(c *Claim) { c.Signature[0]++ }),
		spoil(func(c *Claim) { c.Signature[SignatureSize-1]++ }),
		good,
	}
	want := make([]bool, len(claims))
	want[0], want[len(want)-1] = true, true
	if got := NewSimVerifier(ring).Verify(claims); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if NewSimVerifier(NewKeyring()).Verify([]Claim{good})[0] {
		t.Error("a ring that does not know the signer believes it")
	}
	if NewVerifier(nil).Verify([]Claim{good})[0] {
		t.Error("a simulated signature passes for a real one")
	}
}

// A restarted replica asks for its signer again and must be able to say word
// for word what it said before.
func TestSimulatedSignerIsAFunctionOfItsSeed(t *testing.T) {
	ring := NewKeyring()
	first, again := NewSimSigner(ring, seedOf(1)), NewSimSigner(ring, seedOf(1))
	if first.Public() != again.Public() || first.Sign(testDomain(), nil) != again.Sign(testDomain(), nil) {
		t.Error("the second signer of one seed differs from the first")
	}
}
