package message

import (
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// CertificateKind says what a certificate proves.
type CertificateKind byte

// The certificates of PROTOCOL.md §2.
const (
	PreparedCertificate   CertificateKind = 1 // PRE-PREPARE + q-1 PREPAREs of distinct backups
	CommittedCertificate  CertificateKind = 2 // q COMMITs
	CheckpointCertificate CertificateKind = 3 // q CHECKPOINTs
)

// Certificate is q matching votes of distinct replicas about one slot. All of
// them share view, sequence number and digest, so only the signatures are
// kept, sorted by signer.
type Certificate struct {
	Kind   CertificateKind
	View   consensus.View // 0 for checkpoints
	Seq    consensus.Seq
	Digest crypto.Digest
	Signed []Signed // exactly q, ascending by replica
}

// Signed is one replica's signature in a certificate.
type Signed struct {
	Replica consensus.ReplicaID
	Sig     crypto.Signature
}

const (
	certificateHead = 1 + 8 + 8 + crypto.DigestSize + 2
	signedSize      = 2 + crypto.SignatureSize
)

// certificateSize is the length of a certificate of q signatures, in bytes.
func certificateSize(q int) int { return certificateHead + q*signedSize }

// append appends the certificate's encoding to dst.
func (c *Certificate) append(dst []byte) []byte {
	dst = append(dst, byte(c.Kind))
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.View))
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.Seq))
	dst = append(dst, c.Digest[:]...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(c.Signed)))
	for i := range c.Signed {
		dst = binary.BigEndian.AppendUint16(dst, uint16(c.Signed[i].Replica))
		dst = append(dst, c.Signed[i].Sig[:]...)
	}
	return dst
}

// Encode returns the certificate's encoding.
func (c *Certificate) Encode() []byte {
	return c.append(make([]byte, 0, certificateSize(len(c.Signed))))
}

// readCertificate reads a certificate of the wanted kind from the front of s
// and checks all but its signatures: exactly q distinct members, ascending,
// and a prepared one must have the primary's PRE-PREPARE.
func (r *Rules) readCertificate(s *cryptobyte.String, want CertificateKind) (*Certificate, error) {
	c := &Certificate{}
	var kind uint8
	var view, seq uint64
	var count uint16
	if !s.ReadUint8(&kind) || !s.ReadUint64(&view) || !s.ReadUint64(&seq) || !s.CopyBytes(c.Digest[:]) || !s.ReadUint16(&count) {
		return nil, fmt.Errorf("certificate: %w", consensus.ErrMalformed)
	}
	c.Kind, c.View, c.Seq = CertificateKind(kind), consensus.View(view), consensus.Seq(seq)
	if c.Kind != want || c.Seq == 0 || c.Kind == CheckpointCertificate && c.View != 0 {
		return nil, fmt.Errorf("certificate of kind %d for v=%d n=%d: %w", kind, view, seq, consensus.ErrMalformed)
	}
	if int(count) != r.System.Quorum() {
		return nil, fmt.Errorf("certificate with %d signers, need exactly %d: %w", count, r.System.Quorum(), errNoQuorum)
	}
	c.Signed = make([]Signed, count)
	primary := false
	for i := range c.Signed {
		sg := &c.Signed[i]
		if !s.ReadUint16((*uint16)(&sg.Replica)) || !s.CopyBytes(sg.Sig[:]) {
			return nil, fmt.Errorf("certificate: signer %d: %w", i, consensus.ErrMalformed)
		}
		if !r.member(sg.Replica) || i > 0 && c.Signed[i-1].Replica >= sg.Replica {
			return nil, fmt.Errorf("certificate: signer %d is replica %d: %w", i, sg.Replica, errNoQuorum)
		}
		primary = primary || sg.Replica == r.System.Primary(c.View)
	}
	if c.Kind == PreparedCertificate && !primary {
		return nil, fmt.Errorf("prepared certificate without PRE-PREPARE: %w", errNoQuorum)
	}
	return c, nil
}

// voteKind is what member id said towards c.
func (r *Rules) voteKind(c *Certificate, id consensus.ReplicaID) Kind {
	switch {
	case c.Kind == CommittedCertificate:
		return CommitKind
	case c.Kind == CheckpointCertificate:
		return CheckpointKind
	case id == r.System.Primary(c.View):
		return PrePrepareKind
	}
	return PrepareKind
}

// VoteOf is one signer's vote in c. Of a PRE-PREPARE it is the vote alone,
// without the batch.
func (r *Rules) VoteOf(c *Certificate, s Signed) Vote {
	return Vote{Kind: r.voteKind(c, s.Replica), View: c.View, Seq: c.Seq, Digest: c.Digest, Replica: s.Replica, Sig: s.Sig}
}

// claims appends what has to be verified before c proves anything.
// The bodies that were signed share one allocation: certificates come by the
// dozen, inside of VIEW-CHANGEs.
func (r *Rules) claims(dst []crypto.Claim, c *Certificate) []crypto.Claim {
	dst = slices.Grow(dst, len(c.Signed))
	bodies := make([]byte, 0, voteBody*len(c.Signed))
	for _, s := range c.Signed {
		v := r.VoteOf(c, s)
		from := len(bodies)
		bodies = v.appendBody(bodies)
		dst = append(dst, r.claim(v.Kind, s.Replica, bodies[from:], s.Sig))
	}
	return dst
}

// OpenCertificate decodes and verifies a certificate that stands alone, as one
// kept beside a state on disk.
func (r *Rules) OpenCertificate(v crypto.Verifier, b []byte, want CertificateKind) (*Certificate, error) {
	s := cryptobyte.String(b)
	c, err := r.readCertificate(&s, want)
	if err != nil {
		return nil, err
	}
	if !s.Empty() {
		return nil, fmt.Errorf("certificate: trailing bytes: %w", consensus.ErrMalformed)
	}
	for _, ok := range v.Verify(r.claims(nil, c)) {
		if !ok {
			return nil, fmt.Errorf("certificate for n=%d: %w", c.Seq, errBadSignature)
		}
	}
	return c, nil
}

// DecodeCertificate decodes a certificate that was verified before it was
// recorded.
func (r *Rules) DecodeCertificate(b []byte, want CertificateKind) (*Certificate, error) {
	s := cryptobyte.String(b)
	c, err := r.readCertificate(&s, want)
	if err == nil && !s.Empty() {
		err = fmt.Errorf("certificate: trailing bytes: %w", consensus.ErrMalformed)
	}
	return c, err
}
