package crypto

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
)

// Keyring is the authority of a simulation's signatures: it knows every secret
// and thereby tells true claims from false ones. Give it to nobody but
// NewSimVerifier. Whoever holds a seed gets its signer and no other, so a
// traitor in a simulation can lie with its own key only, as with Ed25519.
//
// Signers are made before verifiers run; the ring is not guarded.
type Keyring struct {
	secrets map[PublicKey][PrivateKeySize]byte
}

// NewKeyring returns an empty ring.
func NewKeyring() *Keyring {
	return &Keyring{secrets: make(map[PublicKey][PrivateKeySize]byte)}
}

const (
	simPublicTag    = "quorate/1/simulated public key"
	simSignatureTag = "quorate/1/simulated signature"
)

type simSigner struct {
	secret [PrivateKeySize]byte
	public PublicKey
}

// NewSimSigner enters seed into the ring and returns its owner's signer. The
// public key is a hash of the seed and does not give it away. Asked again with
// the same seed, as after a simulated restart, it returns an equal signer.
func NewSimSigner(ring *Keyring, seed [PrivateKeySize]byte) Signer {
	public := PublicKey(sha256.Sum256(append([]byte(simPublicTag), seed[:]...)))
	ring.secrets[public] = seed
	return &simSigner{secret: seed, public: public}
}

// Public returns the key that the ring knows the signer by.
func (s *simSigner) Public() PublicKey { return s.public }

// Sign returns a keyed hash over the domain and the body.
func (s *simSigner) Sign(d Domain, body []byte) Signature {
	return simSign(nil, s.secret, d, body)
}

// simSign hashes secret, length, domain and body, in a buffer of the caller's.
// The length stands first so that no signature can be extended to another. The
// second half of the signature is the first one's complement, so that every
// byte of a signature matters and none is a constant.
func simSign(scratch []byte, secret [PrivateKeySize]byte, d Domain, body []byte) Signature {
	b := append(scratch[:0], simSignatureTag...)
	b = append(b, secret[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(body)))
	sum := sha256.Sum256(d.Append(b, body))
	var sig Signature
	copy(sig[:], sum[:])
	for i, x := range sum {
		sig[len(sum)+i] = ^x
	}
	return sig
}

type simVerifier struct{ ring *Keyring }

// NewSimVerifier returns the verifier of the ring's signatures. Callers: sim
// and tests. It keeps nothing and may be used concurrently once all signers
// are made.
func NewSimVerifier(ring *Keyring) Verifier { return &simVerifier{ring: ring} }

// Verify answers one bool per claim, in order. A key that the ring does not
// know proves nothing.
func (v *simVerifier) Verify(claims []Claim) []bool {
	valid := make([]bool, len(claims))
	scratch := make([]byte, 0, 512)
	for i := range claims {
		c := &claims[i]
		secret, known := v.ring.secrets[c.Key]
		if !known {
			continue
		}
		want := simSign(scratch, secret, c.Domain, c.Body)
		valid[i] = subtle.ConstantTimeCompare(want[:], c.Signature[:]) == 1
	}
	return valid
}
