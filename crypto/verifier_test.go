package crypto

import (
	stded25519 "crypto/ed25519"
	"crypto/sha512"
	"fmt"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"pgregory.net/rapid"
)

func seedOf(i int) [PrivateKeySize]byte { return [PrivateKeySize]byte{byte(i), byte(i >> 8), 7} }

func testDomain() Domain { return Domain{Tag: "quorate/1/test", Cluster: Hash([]byte("c"))} }

func claimOf(s Signer, d Domain, body []byte) Claim {
	return Claim{Key: s.Public(), Domain: d, Body: body, Signature: s.Sign(d, body)}
}

// verdicts asks for the same claims in every way there is: one by one, as one
// group, and in a group between honest claims of another key. All must agree.
func verdicts(t testing.TB, claims []Claim) []bool {
	t.Helper()
	v := NewVerifier(nil)
	var singles []bool
	var mixed []Claim
	honest := NewSigner(seedOf(999))
	for i, c := range claims {
		singles = append(singles, v.Verify([]Claim{c})...)
		mixed = append(mixed, claimOf(honest, testDomain(), []byte{byte(i)}), c)
	}
	if group := NewVerifier(nil).Verify(claims); !slices.Equal(group, singles) {
		t.Fatalf("as a group %v, one by one %v", group, singles)
	}
	for i, valid := range NewVerifier(nil, claims[0].Key).Verify(mixed) {
		if want := i%2 == 0 || singles[i/2]; valid != want {
			t.Fatalf("claim %d among honest ones is %v, alone %v", i/2, valid, want)
		}
	}
	agree(t, claims, singles)
	return singles
}

// agree holds the merged batch, by itself, against the verdicts on single claims:
// for each of them, all good ones together, and all good ones with each bad one.
func agree(t testing.TB, claims []Claim, singles []bool) {
	t.Helper()
	w := work{verifier: NewVerifier(nil).(*verifier), claims: claims}
	var good, bad []int
	for i, valid := range singles {
		if w.merged([]int{i}) != valid {
			t.Fatalf("claim %d alone is %v, and not so as a merged batch", i, valid)
		}
		if valid {
			good = append(good, i)
		} else {
			bad = append(bad, i)
		}
	}
	if len(good) > 0 && !w.merged(good) {
		t.Fatal("claims that are good alone fail together")
	}
	for _, i := range bad {
		if w.merged(append(slices.Clone(good), i)) {
			t.Fatalf("claim %d is bad, and passes among good ones", i)
		}
	}
}

// Errors of two signatures must not make up for each other, be they of one key or not.
func TestErrorsDoNotCancel(t *testing.T) {
	for _, keys := range []int{1, 2, 8} {
		var claims []Claim
		for i := range 16 {
			claims = append(claims, claimOf(NewSigner(seedOf(i%keys)), testDomain(), []byte{byte(i)}))
		}
		var one scalar.Scalar
		one.One()
		for i, change := range []func(s, t *scalar.Scalar){
			func(s, t *scalar.Scalar) { s.Add(t, &one) }, func(s, t *scalar.Scalar) { s.Sub(t, &one) },
		} {
			var s scalar.Scalar
			if _, err := s.SetCanonicalBytes(claims[i].Signature[32:]); err != nil {
				t.Fatal(err)
			}
			change(&s, &s)
			if err := s.ToBytes(claims[i].Signature[32:]); err != nil {
				t.Fatal(err)
			}
		}
		for i, valid := range verdicts(t, claims) {
			if valid != (i > 1) {
				t.Errorf("of %d keys, claim %d is %v", keys, i, valid)
			}
		}
		w := work{verifier: NewVerifier(nil).(*verifier), claims: claims}
		if w.merged([]int{0, 1}) {
			t.Errorf("of %d keys, two errors make up for each other", keys)
		}
	}
}

// craft signs with the private scalar of seed, but with a public key and a
// commitment that are off by points of small order. The signature is one that
// only the cofactored equation accepts, unless the two cancel out.
func craft(t testing.TB, i, torsionA, torsionR int, d Domain, body []byte) Claim {
	t.Helper()
	h := sha512.Sum512(slices.Concat([]byte("scalars"), []byte{byte(i)}))
	var a, r, k, s scalar.Scalar
	if _, err := a.SetBytesModOrder(h[:32]); err != nil {
		t.Fatal(err)
	}
	if _, err := r.SetBytesModOrder(h[32:]); err != nil {
		t.Fatal(err)
	}
	point := func(x *scalar.Scalar, torsion int) (c curve.CompressedEdwardsY) {
		var p curve.EdwardsPoint
		p.MulBasepoint(curve.ED25519_BASEPOINT_TABLE, x)
		c.SetEdwardsPoint(p.Add(&p, curve.EIGHT_TORSION[torsion]))
		return c
	}
	A, R := point(&a, torsionA), point(&r, torsionR)
	wide := sha512.Sum512(slices.Concat(R[:], A[:], d.Append(nil, body)))
	if _, err := k.SetBytesModOrderWide(wide[:]); err != nil {
		t.Fatal(err)
	}
	s.Mul(&k, &a)
	s.Add(&s, &r)
	c := Claim{Key: PublicKey(A), Domain: d, Body: body}
	copy(c.Signature[:], R[:])
	if err := s.ToBytes(c.Signature[32:]); err != nil {
		t.Fatal(err)
	}
	return c
}

func standard(c Claim) bool {
	return stded25519.Verify(c.Key[:], c.Domain.Append(nil, c.Body), c.Signature[:])
}

// PROTOCOL.md §3: one verification rule for Ed25519 at all replicas, single or
// batched. On most of these signatures the standard library's cofactorless
// rule says no; a replica that used it here and a batch there would fork.
func TestCofactoredSignaturesMeanTheSameAloneAndInGroups(t *testing.T) {
	var claims []Claim
	for torsionA := range 8 {
		for torsionR := range 8 {
			claims = append(claims, craft(t, torsionA, torsionA, torsionR, testDomain(), []byte{byte(torsionR)}))
		}
	}
	differ := 0
	for i, valid := range verdicts(t, claims) {
		if !valid {
			t.Errorf("claim with torsion %d in A and %d in R is refused, ZIP-215 accepts it", i/8, i%8)
		}
		if !standard(claims[i]) {
			differ++
		}
	}
	if differ < 32 {
		t.Errorf("the cofactorless rule refuses only %d of %d: this test does not test what it says", differ, len(claims))
	}
	for i := range claims {
		claims[i].Signature[40] ^= 1
	}
	if slices.Contains(verdicts(t, claims), true) {
		t.Error("a changed signature passes")
	}
}

// A key of small order proves nothing: under the cofactored rule one constant
// is everyone's signature for everything. It must at least be the same for all
// who check it, and Weak must tell such a key.
func TestSmallOrderKeys(t *testing.T) {
	var claims []Claim
	for torsion := range 8 {
		var c Claim
		var p curve.CompressedEdwardsY
		p.SetEdwardsPoint(curve.EIGHT_TORSION[torsion])
		c.Key, c.Domain, c.Body = PublicKey(p), testDomain(), []byte("anything")
		copy(c.Signature[:], p[:]) // R of small order, s = 0
		claims = append(claims, c)
		if !c.Key.Weak() {
			t.Errorf("small-order key %s is not called weak", c.Key)
		}
	}
	if slices.Contains(verdicts(t, claims), false) {
		t.Error("ZIP-215 accepts small-order keys, this verifier does not")
	}
	if PublicOf(seedOf(1)).Weak() {
		t.Error("an honest key is called weak")
	}
	if !(PublicKey{2}).Weak() {
		t.Error("a key that is no point of the curve is not called weak")
	}
}

// The edges of ZIP-215: other encodings of a point are accepted, another
// encoding of s never is.
func TestEncodingEdges(t *testing.T) {
	identity := Claim{Domain: testDomain(), Body: []byte("x")}
	identity.Key[0], identity.Signature[0] = 1, 1 // y = 1, s = 0
	nonCanonicalA, nonCanonicalR := identity, identity
	// y = p + 1 encodes the same point a second time.
	overflow := mustHex(t, "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")
	copy(nonCanonicalA.Key[:], overflow)
	copy(nonCanonicalR.Signature[:], overflow)

	honest := claimOf(NewSigner(seedOf(5)), testDomain(), []byte("x"))
	noPoint := honest
	noPoint.Key = PublicKey{2}
	noCommitment := honest
	copy(noCommitment.Signature[:32], noPoint.Key[:])
	overS := identity // s = L, the group order, is 0 once more
	copy(overS.Signature[32:], mustHex(t, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"))

	got := verdicts(t, []Claim{identity, nonCanonicalA, nonCanonicalR, honest, noPoint, noCommitment, overS, {}})
	// The last is all zero: a point of order 4 as key and commitment, s = 0.
	if want := []bool{true, true, true, true, false, false, false, true}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// drawClaim draws an honest claim and, perhaps, one way to spoil it.
func drawClaim(t *rapid.T, keys int, label string) (c Claim, honest bool) {
	s := NewSigner(seedOf(rapid.IntRange(0, keys-1).Draw(t, label+" key")))
	c = claimOf(s, testDomain(), rapid.SliceOfN(rapid.ByteRange(0, 1), 0, 3).Draw(t, label+" body"))
	switch rapid.IntRange(0, 9).Draw(t, label+" fault") {
	case 0:
		c.Body = append([]byte{9}, c.Body...)
	case 1:
		c.Signature[rapid.IntRange(0, SignatureSize-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	case 2:
		c.Key = PublicOf(seedOf(keys))
	case 3:
		c.Domain.Tag += "/"
	case 4:
		c.Domain.Cluster[3] ^= 1
	case 5:
		c.Domain.Epoch++
	default:
		return c, true
	}
	return c, false
}

// TestGroupsAreJudgedClaimByClaim: in any mixture of honest, spoiled and
// repeated claims, with and without a memory, again and again, the honest ones
// are true and the others false.
func TestGroupsAreJudgedClaimByClaim(t *testing.T) {
	memory := NewMemory(64)
	v := NewVerifier(memory, PublicOf(seedOf(0)))
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.IntRange(1, 6).Draw(t, "keys")
		var claims []Claim
		var want []bool
		for i := range rapid.IntRange(0, 12).Draw(t, "claims") {
			c, honest := drawClaim(t, keys, fmt.Sprint(i))
			for range rapid.IntRange(1, 2).Draw(t, "times") {
				claims, want = append(claims, c), append(want, honest)
			}
		}
		for round, verifier := range []Verifier{v, v, NewVerifier(nil)} {
			if got := verifier.Verify(claims); !slices.Equal(got, want) {
				t.Fatalf("round %d: got %v, want %v", round, got, want)
			}
		}
		if memory.size() > 64 {
			t.Fatalf("the memory holds %d claims, at most 64 were allowed", memory.size())
		}
	})
}

// A group may be as large as a NEW-VIEW with all that it nests; it is verified
// in batches of bounded size, and no claim gets lost between two of them.
func TestLargeGroups(t *testing.T) {
	var claims []Claim
	var want []bool
	for i := range 2*maxBatch + 1 {
		c := claimOf(NewSigner(seedOf(i%40)), testDomain(), []byte{byte(i), byte(i >> 8)})
		if i%(maxBatch/2) == 1 {
			c.Signature[50] ^= 1
		}
		claims, want = append(claims, c), append(want, i%(maxBatch/2) != 1)
	}
	if got := NewVerifier(NewMemory(len(claims))).Verify(claims); !slices.Equal(got, want) {
		t.Error("verdicts of a large group differ from what its claims deserve")
	}
}

func TestOnlyProvenClaimsAreRemembered(t *testing.T) {
	memory := NewMemory(100)
	s := NewSigner(seedOf(1))
	good, bad := claimOf(s, testDomain(), []byte("good")), claimOf(s, testDomain(), []byte("bad"))
	large := claimOf(s, testDomain(), make([]byte, rememberBytes+1))
	bad.Signature[0] ^= 1
	v := NewVerifier(memory)
	if got := v.Verify([]Claim{good, bad, large, good, large}); !slices.Equal(got, []bool{true, false, true, true, true}) {
		t.Fatalf("got %v", got)
	}
	var w work
	if memory.size() != 1 || !memory.Proven(w.name(&good)) {
		t.Errorf("%d claims are remembered, want the good small one alone", memory.size())
	}
	// What is remembered is not verified again: a memory that has a claim is believed.
	memory.Remember(w.name(&bad))
	if got := v.Verify([]Claim{bad}); !got[0] {
		t.Error("a remembered claim was verified again")
	}
}

// Workers share one verifier; under the race detector this test is the proof
// that they may.
func TestVerifierIsSafeForConcurrentUse(t *testing.T) {
	v := NewVerifier(nil, PublicOf(seedOf(0)))
	done := make(chan []bool)
	for worker := range 4 {
		go func() {
			var claims []Claim
			for i := range 8 {
				claims = append(claims, claimOf(NewSigner(seedOf((worker+i)%6)), testDomain(), []byte{byte(i)}))
			}
			claims[worker].Body = []byte("spoiled")
			done <- v.Verify(claims)
		}()
	}
	for range 4 {
		got := <-done
		if n := len(slices.DeleteFunc(got, func(ok bool) bool { return !ok })); n != 7 {
			t.Errorf("%d of 8 claims are true, want 7", n)
		}
	}
}

func TestMemoryForgetsTheOldest(t *testing.T) {
	m := NewMemory(10)
	for i := range 100 {
		m.Remember(Hash([]byte{byte(i)}))
		if m.size() > 10 {
			t.Fatalf("%d claims after %d, at most 10 were allowed", m.size(), i+1)
		}
	}
	for i := range 100 {
		if known := m.Proven(Hash([]byte{byte(i)})); known != (i >= 90) {
			t.Errorf("claim %d is known: %v", i, known)
		}
	}
	tiny := NewMemory(0)
	if tiny.Remember(Hash(nil)); !tiny.Proven(Hash(nil)) {
		t.Error("the smallest memory does not hold one claim")
	}
}

// FuzzVerify: arbitrary keys and signatures never panic, and mean the same
// alone, twice in a group, and among honest claims.
func FuzzVerify(f *testing.F) {
	honest := claimOf(NewSigner(seedOf(1)), testDomain(), []byte("body"))
	f.Add(honest.Key[:], honest.Signature[:], []byte("body"))
	crafted := craft(f, 1, 3, 5, testDomain(), []byte("body"))
	f.Add(crafted.Key[:], crafted.Signature[:], []byte("body"))
	f.Add(make([]byte, PublicKeySize), make([]byte, SignatureSize), []byte{})
	f.Fuzz(func(t *testing.T, key, signature, body []byte) {
		c := Claim{Domain: testDomain(), Body: body}
		copy(c.Key[:], key)
		copy(c.Signature[:], signature)
		other := c
		other.Body = append([]byte("not "), body...)
		got := verdicts(t, []Claim{c, other, c})
		if got[0] != got[2] {
			t.Fatalf("one claim, two verdicts: %v", got)
		}
		if !got[0] && standard(c) {
			t.Fatal("the standard library accepts what this verifier refuses")
		}
	})
}
