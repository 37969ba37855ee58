package evidence

import (
	"encoding/binary"
	"fmt"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// The kinds of frames that promise something, as they stand on the wire. They
// are written down a second time here, on purpose: see the package's comment.
const (
	kindPrePrepare byte = 0x10
	kindPrepare    byte = 0x11
	kindCommit     byte = 0x12
	kindCheckpoint byte = 0x13
	kindViewChange byte = 0x14
	kindNewView    byte = 0x15
)

// kinds maps a kind to its name and to the domain of its signatures.
var kinds = map[byte]struct{ name, tag string }{
	kindPrePrepare: {"PRE-PREPARE", "quorate/1/pre-prepare"},
	kindPrepare:    {"PREPARE", "quorate/1/prepare"},
	kindCommit:     {"COMMIT", "quorate/1/commit"},
	kindCheckpoint: {"CHECKPOINT", "quorate/1/checkpoint"},
	kindViewChange: {"VIEW-CHANGE", "quorate/1/view-change"},
	kindNewView:    {"NEW-VIEW", "quorate/1/new-view"},
}

// Where things stand in a frame, in bytes. All begin with kind and view and
// end with the signature. A vote has sequence number, digest and signer
// between; a VIEW-CHANGE has its signer last; a NEW-VIEW names none, it is the
// view's primary.
const (
	viewAt   = 1
	seqAt    = 9
	digestAt = 17
	signerAt = 49
	voteBody = 51
	voteSize = voteBody + crypto.SignatureSize

	signerSize    = 2
	minViewChange = 1 + 8 + 8 + 2 + signerSize + crypto.SignatureSize
	minNewView    = 1 + 8 + 2 + 2 + crypto.SignatureSize
)

// place is where an honest replica speaks once.
type place struct {
	kind   byte
	view   consensus.View
	seq    consensus.Seq
	signer consensus.ReplicaID
}

// statement is a signed frame, as far as this package understands it.
type statement struct {
	place
	digest crypto.Digest // what must not differ
	body   []byte        // the signed bytes
	sig    crypto.Signature
}

// frame is a vote as it stands on the wire.
func (s *statement) frame() []byte { return append(slices.Clone(s.body), s.sig[:]...) }

// voteOf is the vote that a signature inside another frame stands for.
func voteOf(p place, said crypto.Digest, sig crypto.Signature) statement {
	b := append(make([]byte, 0, voteBody), p.kind)
	b = binary.BigEndian.AppendUint64(b, uint64(p.view))
	b = binary.BigEndian.AppendUint64(b, uint64(p.seq))
	b = append(b, said[:]...)
	return statement{place: p, digest: said, body: binary.BigEndian.AppendUint16(b, uint16(p.signer)), sig: sig}
}

// read takes a frame apart. The signature is not judged yet.
func read(g *consensus.Genesis, frame []byte) (statement, error) {
	if len(frame) < minNewView || len(frame) > consensus.MaxFrame {
		return statement{}, fmt.Errorf("%d bytes: %w", len(frame), consensus.ErrMalformed)
	}
	end := len(frame) - crypto.SignatureSize
	s := statement{body: frame[:end], sig: crypto.Signature(frame[end:])}
	s.kind = frame[0]
	s.view = consensus.View(binary.BigEndian.Uint64(frame[viewAt:]))
	switch s.kind {
	case kindPrePrepare, kindPrepare, kindCommit, kindCheckpoint:
		return readVote(g, s)
	case kindViewChange:
		if len(frame) < minViewChange {
			return statement{}, fmt.Errorf("VIEW-CHANGE of %d bytes: %w", len(frame), consensus.ErrMalformed)
		}
		s.signer = consensus.ReplicaID(binary.BigEndian.Uint16(s.body[end-signerSize:]))
	case kindNewView:
		s.signer = primaryOf(g, s.view)
	default:
		return statement{}, fmt.Errorf("kind %d promises nothing: %w", s.kind, consensus.ErrMalformed)
	}
	if s.view == 0 {
		return statement{}, fmt.Errorf("%s for view 0: %w", kinds[s.kind].name, consensus.ErrMalformed)
	}
	s.digest = crypto.Hash(s.body)
	return s, member(g, s.signer)
}

func readVote(g *consensus.Genesis, s statement) (statement, error) {
	if len(s.body) != voteBody {
		return statement{}, fmt.Errorf("vote of %d bytes: %w", len(s.body)+crypto.SignatureSize, consensus.ErrMalformed)
	}
	s.seq = consensus.Seq(binary.BigEndian.Uint64(s.body[seqAt:]))
	s.digest = crypto.Digest(s.body[digestAt:signerAt])
	s.signer = consensus.ReplicaID(binary.BigEndian.Uint16(s.body[signerAt:]))
	if s.seq == 0 || s.kind == kindCheckpoint && s.view != 0 {
		return statement{}, fmt.Errorf("%s at v=%d n=%d: %w", kinds[s.kind].name, s.view, s.seq, consensus.ErrMalformed)
	}
	return s, member(g, s.signer)
}

func member(g *consensus.Genesis, id consensus.ReplicaID) error {
	if int(id) >= len(g.Replicas) {
		return fmt.Errorf("replica %d of %d: %w", id, len(g.Replicas), consensus.ErrMalformed)
	}
	return nil
}
