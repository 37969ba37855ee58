package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"errors"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// PROTOCOL.md §9: each kind of contradiction convicts its signer, whichever of
// the two came first.
func TestContradictionsConvict(t *testing.T) {
	c := newCluster(t)
	for want, pair := range c.contradictions() {
		encoded := pair.Encode()
		got, err := Verify(&c.Genesis, encoded)
		if err != nil || got != want {
			t.Errorf("%s: got %s, %v", want, got, err)
		}
		if turned := (Contradiction{First: pair.Second, Second: pair.First}).Encode(); !bytes.Equal(turned, encoded) {
			t.Errorf("%s: two encodings", want)
		}
		decoded, err := Decode(encoded)
		if err != nil || !bytes.Equal(decoded.Encode(), encoded) {
			t.Errorf("%s: decoded and encoded again differs: %v", want, err)
		}
	}
}

// The batch of a proposal is not kept: the vote alone contradicts.
func TestProposalsAreCutToTheirVotes(t *testing.T) {
	c := newCluster(t)
	big := &consensus.Batch{Requests: []*consensus.Request{{Raw: make([]byte, 1<<20)}}}
	pair := Contradiction{First: c.proposal(1, 5, 3, big), Second: c.proposal(1, 5, 3, &consensus.Batch{})}
	if size := len(pair.Encode()); size != 1+2*(3+message.VoteSize) {
		t.Errorf("%d bytes", size)
	}
	if _, err := Verify(&c.Genesis, pair.Encode()); err != nil {
		t.Error(err)
	}
}

// Whatever an honest replica may have signed convicts nobody.
func TestHonestPairsConvictNobody(t *testing.T) {
	c := newCluster(t)
	vote := func(k message.Kind, id consensus.ReplicaID, view consensus.View, seq consensus.Seq) []byte {
		return c.vote(k, id, view, seq, a)
	}
	other := func(k message.Kind, id consensus.ReplicaID, view consensus.View, seq consensus.Seq) []byte {
		return c.vote(k, id, view, seq, b)
	}
	vc := c.viewChange(2, 5, 0)
	lies := bytes.Clone(other(message.CommitKind, 1, 0, 3))
	lies[voteBody] ^= 1
	for _, tc := range []struct {
		name          string
		first, second []byte
		want          error
	}{
		{"the same vote twice", vote(message.CommitKind, 1, 0, 3), vote(message.CommitKind, 1, 0, 3), consensus.ErrMalformed},
		{"of two replicas", vote(message.CommitKind, 1, 0, 3), other(message.CommitKind, 2, 0, 3), ErrNoContradiction},
		{"in two views", vote(message.CommitKind, 1, 0, 3), other(message.CommitKind, 1, 4, 3), ErrNoContradiction},
		{"for two slots", vote(message.CommitKind, 1, 0, 3), other(message.CommitKind, 1, 0, 4), ErrNoContradiction},
		{"of two kinds", vote(message.PrepareKind, 1, 0, 3), other(message.CommitKind, 1, 0, 3), ErrNoContradiction},
		{"VIEW-CHANGEs for two views", vc.Frame, c.viewChange(2, 6, 2).Frame, ErrNoContradiction},
		{"VIEW-CHANGEs of two replicas", vc.Frame, c.viewChange(3, 5, 2).Frame, ErrNoContradiction},
		{"NEW-VIEWs of two views", c.newView(5, vc), c.newView(9, vc), ErrNoContradiction},
		{"one signature is wrong", vote(message.CommitKind, 1, 0, 3), lies, ErrSignature},
		{"a request", append([]byte{consensus.KindRequest}, make([]byte, 200)...), vc.Frame, consensus.ErrMalformed},
		{"a status", (&message.Status{Slots: make([]message.Progress, 64)}).Encode(), vc.Frame, consensus.ErrMalformed},
		{"nothing", nil, vc.Frame, consensus.ErrMalformed},
		{"a vote at sequence number 0", c.vote(message.CommitKind, 1, 0, 0, a), c.vote(message.CommitKind, 1, 0, 0, b), consensus.ErrMalformed},
		{"a CHECKPOINT with a view", c.vote(message.CheckpointKind, 1, 1, 2, a), c.vote(message.CheckpointKind, 1, 1, 2, b), consensus.ErrMalformed},
		{"a VIEW-CHANGE for view 0", c.viewChange(1, 0, 0).Frame, c.viewChange(1, 0, 2).Frame, consensus.ErrMalformed},
		{"a VIEW-CHANGE too short to have a signer", c.viewChange(1, 1, 0).Frame[:minViewChange-1], vc.Frame, consensus.ErrMalformed},
		{"a vote with something behind it", append(vote(message.CommitKind, 1, 0, 3), 0), other(message.CommitKind, 1, 0, 3), consensus.ErrMalformed},
		{"an outsider", outsider(c, a), outsider(c, b), consensus.ErrMalformed},
	} {
		fault, err := Verify(&c.Genesis, Contradiction{First: tc.first, Second: tc.second}.Encode())
		if !errors.Is(err, tc.want) || fault != (Fault{}) {
			t.Errorf("%s: %v, %v; want %v", tc.name, fault, err, tc.want)
		}
	}
}

func outsider(c *cluster, d crypto.Digest) []byte {
	v := c.SignVote(c.signers[1], message.Vote{Kind: message.CommitKind, Seq: 3, Digest: d, Replica: 4})
	return v.Encode()
}

// The same frames prove nothing under another genesis.
func TestAnotherClusterConvictsNobody(t *testing.T) {
	c := newCluster(t)
	for fault, pair := range c.proofs() {
		elsewhere := c.Genesis
		elsewhere.Name = "elsewhere"
		later := c.Genesis
		later.Epoch++
		for _, g := range []consensus.Genesis{elsewhere, later} {
			if got, err := Verify(&g, pair.Encode()); !errors.Is(err, ErrSignature) {
				t.Errorf("%s: %v, %v", fault, got, err)
			}
		}
		if got, err := Verify(&consensus.Genesis{}, pair.Encode()); err == nil {
			t.Errorf("%s, without members: %v", fault, got)
		}
	}
}

// One flipped bit anywhere, one byte less, one more: no evidence.
func TestEveryFlippedByteIsRejected(t *testing.T) {
	c := newCluster(t)
	for fault, pair := range c.proofs() {
		good := pair.Encode()
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			if got, err := Verify(&c.Genesis, bad); err == nil {
				t.Errorf("%s: accepted with byte %d of %d flipped: %s", fault, i, len(good), got)
			}
			if _, err := Decode(good[:i]); err == nil {
				t.Errorf("%s: its first %d bytes decode", fault, i)
			}
		}
		if _, err := Decode(append(bytes.Clone(good), 0)); err == nil {
			t.Errorf("%s: decodes with a trailing byte", fault)
		}
	}
}

// A liar that adds a point of small order to its signatures is believed by the
// replicas, whose rule is cofactored, and refused by the standard library. It
// is convicted all the same.
func TestCraftedSignaturesConvictTheirMaker(t *testing.T) {
	c := newCluster(t)
	craft := func(d crypto.Digest) []byte {
		frame := c.vote(message.CommitKind, 1, 0, 3, d)
		body := frame[:voteBody]
		sig := torsion(t, [32]byte{7: 2}, commits(c), body)
		public := c.Genesis.Replicas[1]
		if ed25519.Verify(public[:], commits(c).Append(nil, body), sig) {
			t.Fatal("the standard library accepts it: nothing is tested here")
		}
		return append(bytes.Clone(body), sig...)
	}
	want := Fault{Replica: 1, What: "COMMIT", Seq: 3}
	if got, err := Verify(&c.Genesis, Contradiction{First: craft(a), Second: craft(b)}.Encode()); got != want {
		t.Errorf("got %s, %v", got, err)
	}
}

// A signer can put many valid signatures under the same words. That is odd, and
// contradicts nothing.
func TestTwoSignaturesUnderTheSameWordsConvictNobody(t *testing.T) {
	c := newCluster(t)
	frame := c.vote(message.CommitKind, 1, 0, 3, a)
	body := frame[:voteBody]
	again := append(bytes.Clone(body), torsion(t, [32]byte{7: 2}, commits(c), body)...)
	if fault, err := Verify(&c.Genesis, Contradiction{First: frame, Second: again}.Encode()); !errors.Is(err, ErrNoContradiction) {
		t.Errorf("%v, %v", fault, err)
	}
}

func commits(c *cluster) crypto.Domain {
	return crypto.Domain{Tag: "quorate/1/commit", Cluster: c.Cluster, Epoch: c.Genesis.Epoch}
}

// torsion signs as RFC 8032 does, but adds a point of order 8 to R.
func torsion(t *testing.T, seed [32]byte, d crypto.Domain, body []byte) []byte {
	t.Helper()
	h := sha512.Sum512(seed[:])
	h[0], h[31] = h[0]&248, h[31]&63|64
	message := d.Append(nil, body)
	nonce := sha512.Sum512(append(bytes.Clone(h[32:]), message...))
	var secret, r, k, s scalar.Scalar
	var R curve.EdwardsPoint
	var encoded curve.CompressedEdwardsY
	if _, err := secret.SetBits(h[:32]); err != nil {
		t.Fatal(err)
	}
	if _, err := r.SetBytesModOrderWide(nonce[:]); err != nil {
		t.Fatal(err)
	}
	R.MulBasepoint(curve.ED25519_BASEPOINT_TABLE, &r)
	R.Add(&R, curve.EIGHT_TORSION[1])
	encoded.SetEdwardsPoint(&R)
	public := crypto.PublicOf(seed)
	hash := sha512.Sum512(append(append(bytes.Clone(encoded[:]), public[:]...), message...))
	if _, err := k.SetBytesModOrderWide(hash[:]); err != nil {
		t.Fatal(err)
	}
	s.Mul(&k, &secret)
	s.Add(&s, &r)
	var tail [32]byte
	if err := s.ToBytes(tail[:]); err != nil {
		t.Fatal(err)
	}
	return append(encoded[:], tail[:]...)
}

// For a key of small order anybody can sign, so it proves nothing against its
// bearer.
func TestWeakKeysConvictNobody(t *testing.T) {
	c := newCluster(t)
	g := c.Genesis
	g.Replicas = append([]crypto.PublicKey{}, g.Replicas...)
	g.Replicas[1] = crypto.PublicKey{1} // the neutral point
	frame := func(d crypto.Digest) []byte {
		body := c.vote(message.CommitKind, 1, 0, 3, d)[:voteBody]
		sig := crypto.Signature{1} // R neutral, s = 0
		return append(bytes.Clone(body), sig[:]...)
	}
	encoded := Contradiction{First: frame(a), Second: frame(b)}.Encode()
	if _, err := VerifyWith(crypto.NewVerifier(nil), &g, encoded); err != nil {
		t.Fatalf("the rule of the replicas refuses it, so nothing is tested here: %v", err)
	}
	if fault, err := Verify(&g, encoded); !errors.Is(err, ErrSignature) {
		t.Errorf("%v, %v", fault, err)
	}
}

// Arbitrary bytes: nothing panics, and what is accepted is what somebody signed.
func FuzzVerify(f *testing.F) {
	c := newCluster(f)
	known := map[string]bool{}
	for _, pair := range c.proofs() {
		f.Add(pair.Encode())
		known[string(pair.Encode())] = true
	}
	f.Add([]byte{formatContradiction, 0, 0, 1, 1, 0, 0, 1, 2})
	f.Add([]byte{formatOmission, 0, 0, 1, 1, 0, 0, 1, 2})
	f.Add([]byte{formatUnfounded, 0, 0, 1, kindNewView})
	f.Add([]byte{formatContradiction, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, encoded []byte) {
		pair, err := Decode(encoded)
		if err == nil && !bytes.Equal(pair.Encode(), encoded) {
			t.Fatal("decodes from a second encoding")
		}
		if fault, err := Verify(&c.Genesis, encoded); err == nil && !known[string(encoded)] {
			t.Fatalf("nobody signed this: %s", fault)
		}
	})
}
