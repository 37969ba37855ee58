package crypto

import (
	stded25519 "crypto/ed25519"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// signer keeps the 64-byte private key, so that signing does not derive the
// public half anew.
type signer struct {
	private ed25519.PrivateKey
	public  PublicKey
}

// NewSigner makes the Ed25519 signer of a seed. It is immutable and safe for
// concurrent use. Its signatures are those of RFC 8032, deterministic.
func NewSigner(seed [PrivateKeySize]byte) Signer {
	s := &signer{private: ed25519.NewKeyFromSeed(seed[:])}
	copy(s.public[:], s.private[PrivateKeySize:])
	return s
}

// Public returns the key that proves the signatures.
func (s *signer) Public() PublicKey { return s.public }

// Sign signs body in domain d.
func (s *signer) Sign(d Domain, body []byte) Signature {
	message := d.Append(make([]byte, 0, d.size()+len(body)), body)
	return Signature(ed25519.Sign(s.private, message))
}

// size is the number of bytes that Append puts before the body.
func (d Domain) size() int { return 1 + len(d.Tag) + DigestSize + 8 }

// ed25519Key returns the 64-byte private key of a seed (seed, then public
// key) in the standard library's type. Callers: p2p, which makes a host's
// identity of it, so that a replica and its peer id are one key.
func ed25519Key(seed [PrivateKeySize]byte) stded25519.PrivateKey {
	return stded25519.NewKeyFromSeed(seed[:])
}

// PublicOf returns the public key of a seed.
func PublicOf(seed [PrivateKeySize]byte) PublicKey {
	return PublicKey(ed25519Key(seed)[PrivateKeySize:])
}

// Weak reports whether k proves nothing: it is no point of the curve, so that
// nobody can sign for it, or a point of small order, so that everybody can.
// ZIP-215 accepts signatures of the latter kind by design, hence whoever
// admits keys (a genesis, a client list) must refuse weak ones.
func (k PublicKey) Weak() bool {
	var p curve.EdwardsPoint
	var compressed curve.CompressedEdwardsY
	if _, err := compressed.SetBytes(k[:]); err != nil {
		return true
	}
	if _, err := p.SetCompressedY(&compressed); err != nil {
		return true
	}
	return p.IsSmallOrder()
}
