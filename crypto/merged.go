package crypto

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// merged verifies claims as one batch in which those of one key share a term:
//
//	Σ z_i R_i + Σ_A (Σ z_i k_i) A - (Σ z_i s_i) B = 0, times the cofactor
//
// with k_i the hash of commitment, key and message. It is the equation of the library,
// which multiplies a key with each of its claims: a multiplication by 253 bits saved for
// each. Encodings are judged as ZIP-215 does: any of a point, the least one of s. It
// reports whether all claims are good; of a batch that fails nothing more is known.
//
// The coefficients z_i, 128 bits, are a hash of all claims. Whoever makes claims whose
// errors make up for each other has other coefficients with each attempt.
func (w *work) merged(indices []int) bool {
	n := len(indices)
	scalars := make([]scalar.Scalar, 1+n, 1+2*n) // of B, of each R, of each key
	points := make([]curve.EdwardsPoint, 1+n, 1+2*n)
	points[0].Set(curve.ED25519_BASEPOINT_POINT)
	hashes, all := make([][sha512.Size]byte, n), sha256.New()
	for j, i := range indices {
		c := &w.claims[i]
		if !unpack(&points[1+j], c.Signature[:32]) || !scalar.ScMinimalVartime(c.Signature[32:]) {
			return false
		}
		h := sha512.New()
		h.Write(c.Signature[:32])
		h.Write(c.Key[:])
		h.Write(w.message(c))
		h.Sum(hashes[j][:0])
		all.Write(hashes[j][:])
		all.Write(c.Signature[32:])
	}
	seed := all.Sum(nil)
	at := map[PublicKey]int{}
	for j, i := range indices {
		c := &w.claims[i]
		a, known := at[c.Key]
		if !known {
			a = len(points)
			at[c.Key], scalars, points = a, append(scalars, scalar.Scalar{}), append(points, curve.EdwardsPoint{})
			if !unpack(&points[a], c.Key[:]) {
				return false
			}
		}
		var s, k scalar.Scalar
		z := &scalars[1+j]
		if !fits(z.SetBits(coefficient(seed, j))) || !fits(s.SetBytesModOrder(c.Signature[32:])) || !fits(k.SetBytesModOrderWide(hashes[j][:])) {
			return false
		}
		scalars[0].Add(&scalars[0], s.Mul(z, &s))
		scalars[a].Add(&scalars[a], k.Mul(z, &k))
	}
	scalars[0].Neg(&scalars[0])
	var sum curve.EdwardsPoint
	return sum.MultiscalarMulVartime(pointers(scalars), pointers(points)).IsSmallOrder()
}

// coefficient is the j-th one that follows from a seed.
func coefficient(seed []byte, j int) []byte {
	sum := sha256.Sum256(binary.BigEndian.AppendUint32(seed[:len(seed):len(seed)], uint32(j)))
	clear(sum[scalar.ScalarSize/2:])
	return sum[:]
}

// unpack reads a point from any of its encodings.
func unpack(p *curve.EdwardsPoint, encoded []byte) bool {
	_, err := p.SetCompressedY((*curve.CompressedEdwardsY)(encoded))
	return err == nil
}

// fits reports whether a scalar was read.
func fits(_ *scalar.Scalar, err error) bool { return err == nil }

func pointers[T any](list []T) []*T {
	out := make([]*T, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}
