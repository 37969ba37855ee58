package crypto

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

// Sizes of the fixed-length values, in bytes.
const (
	DigestSize     = 32
	PublicKeySize  = 32
	PrivateKeySize = 32
	SignatureSize  = 64
)

// Digest is a SHA-256 hash. The zero Digest is never the hash of anything
// we know and stands for "none".
type Digest [DigestSize]byte

// PublicKey is an Ed25519 public key: the identity of a replica or a client.
type PublicKey [PublicKeySize]byte

// Signature is an Ed25519 signature.
type Signature [SignatureSize]byte

// Hash returns the SHA-256 digest of b.
func Hash(b []byte) Digest { return sha256.Sum256(b) }

// Hasher hashes bytes as they come, and says the digest of all so far.
type Hasher struct {
	h   hash.Hash
	sum Digest // here, so that a digest costs no allocation
}

// NewHasher returns a Hasher of nothing yet.
func NewHasher() *Hasher { return &Hasher{h: sha256.New()} }

// Add hashes b behind what came before and returns the digest of all of it.
func (h *Hasher) Add(b []byte) Digest {
	h.h.Write(b) // never fails
	h.h.Sum(h.sum[:0])
	return h.sum
}

// IsZero reports whether d is the digest that stands for "none".
func (d Digest) IsZero() bool { return d == Digest{} }

// String returns d in lower-case hexadecimal, 64 characters.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Short returns the first eight hexadecimal characters of d, for people.
func (d Digest) Short() string { return hex.EncodeToString(d[:4]) }

// String returns k in lower-case hexadecimal, 64 characters.
func (k PublicKey) String() string { return hex.EncodeToString(k[:]) }

// Short returns the first eight hexadecimal characters of k, for people.
func (k PublicKey) Short() string { return hex.EncodeToString(k[:4]) }

// ParsePublicKey reads the form that PublicKey.String writes.
func ParsePublicKey(s string) (PublicKey, error) {
	var k PublicKey
	if err := parseHex(k[:], s); err != nil {
		return PublicKey{}, fmt.Errorf("public key %q: %w", s, err)
	}
	return k, nil
}

func parseHex(dst []byte, s string) error {
	if len(s) != hex.EncodedLen(len(dst)) {
		return fmt.Errorf("want %d hexadecimal characters, got %d", hex.EncodedLen(len(dst)), len(s))
	}
	_, err := hex.Decode(dst, []byte(s))
	return err
}

// Domain says what a signature is about, so that a signature made for one
// purpose, cluster or configuration epoch proves nothing in another
// (PROTOCOL.md §1).
type Domain struct {
	Tag     string // protocol version and message kind, such as "quorate/1/prepare"
	Cluster Digest // the cluster id: hash of the canonical genesis
	Epoch   uint64 // configuration epoch
}

// Append appends to dst the exact bytes that are signed for body in domain d:
// tag length (1 byte), tag, cluster (32), epoch (8, big endian), body.
func (d Domain) Append(dst, body []byte) []byte {
	dst = append(dst, byte(len(d.Tag)))
	dst = append(dst, d.Tag...)
	dst = append(dst, d.Cluster[:]...)
	for shift := 56; shift >= 0; shift -= 8 {
		dst = append(dst, byte(d.Epoch>>shift))
	}
	return append(dst, body...)
}

// Signer signs with one private key. Signing is a pure function of key,
// domain and body: the engine signs inside a step.
type Signer interface {
	Public() PublicKey
	Sign(d Domain, body []byte) Signature
}

// Claim is the statement that Key signed Body in Domain.
type Claim struct {
	Key       PublicKey
	Domain    Domain
	Body      []byte
	Signature Signature
}

// Verifier checks claims as one group. It answers one bool per claim, in
// order; a false one is a claim whose signature is bad. It never panics.
type Verifier interface {
	Verify(claims []Claim) []bool
}
