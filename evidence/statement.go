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
	kindPrePrepare  byte = 0x10
	kindPrepare     byte = 0x11
	FrameCommit     byte = 0x12
	FrameCheckpoint byte = 0x13
	kindViewChange  byte = 0x14
	kindNewView     byte = 0x15
)

// The kinds of frames that carry what others have signed.
const (
	kindFetchReply   byte = 0x18
	kindRejoinAnswer byte = 0x1a
)

// What a FETCH-REPLY may hold that proves something.
const (
	givenCommitted  byte = 2
	givenCheckpoint byte = 3
	givenHead            = 1 + 1 + 8 + crypto.DigestSize
)

// kinds maps a kind to its name and to the domain of its signatures.
var kinds = map[byte]struct{ name, tag string }{
	kindPrePrepare:  {"PRE-PREPARE", "quorate/1/pre-prepare"},
	kindPrepare:     {"PREPARE", "quorate/1/prepare"},
	FrameCommit:     {"COMMIT", "quorate/1/commit"},
	FrameCheckpoint: {"CHECKPOINT", "quorate/1/checkpoint"},
	kindViewChange:  {"VIEW-CHANGE", "quorate/1/view-change"},
	kindNewView:     {"NEW-VIEW", "quorate/1/new-view"},
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

// Place is where an honest replica speaks once.
type Place struct {
	Kind   byte // of the frame
	View   consensus.View
	Seq    consensus.Seq // 0 of a VIEW-CHANGE and a NEW-VIEW
	Signer consensus.ReplicaID
}

// Statement is a signed frame, or a vote within one, as far as this package
// understands it. Its signature is not judged yet: see Claim.
type Statement struct {
	Place
	Digest crypto.Digest // what must not differ
	body   []byte        // the signed bytes
	sig    crypto.Signature
}

// frame is a vote as it stands on the wire.
func (s *Statement) frame() []byte { return append(slices.Clone(s.body), s.sig[:]...) }

// voteOf is the vote that a signature inside another frame stands for.
func voteOf(p Place, said crypto.Digest, sig crypto.Signature) Statement {
	b := append(make([]byte, 0, voteBody), p.Kind)
	b = binary.BigEndian.AppendUint64(b, uint64(p.View))
	b = binary.BigEndian.AppendUint64(b, uint64(p.Seq))
	b = append(b, said[:]...)
	return Statement{Place: p, Digest: said, body: binary.BigEndian.AppendUint16(b, uint16(p.Signer)), sig: sig}
}

// Relevant is as much of a frame as an Investigator reads; nil if that is
// nothing.
func Relevant(frame []byte) []byte {
	switch frame[0] {
	case kindPrePrepare, kindPrepare, FrameCommit, FrameCheckpoint:
		return essence(frame)
	case kindViewChange, kindNewView, kindRejoinAnswer:
		return frame
	case kindFetchReply:
		if c := Certificate(frame); c != nil {
			return frame[:givenHead+len(c)]
		}
	}
	return nil
}

// Read takes a frame apart. The signature is not judged yet.
func Read(g *consensus.Genesis, frame []byte) (Statement, error) {
	if len(frame) < minNewView || len(frame) > consensus.MaxFrame {
		return Statement{}, fmt.Errorf("%d bytes: %w", len(frame), consensus.ErrMalformed)
	}
	end := len(frame) - crypto.SignatureSize
	s := Statement{body: frame[:end], sig: crypto.Signature(frame[end:])}
	s.Kind = frame[0]
	s.View = consensus.View(binary.BigEndian.Uint64(frame[viewAt:]))
	switch s.Kind {
	case kindPrePrepare, kindPrepare, FrameCommit, FrameCheckpoint:
		return readVote(g, s)
	case kindViewChange:
		if len(frame) < minViewChange {
			return Statement{}, fmt.Errorf("VIEW-CHANGE of %d bytes: %w", len(frame), consensus.ErrMalformed)
		}
		s.Signer = consensus.ReplicaID(binary.BigEndian.Uint16(s.body[end-signerSize:]))
	case kindNewView:
		s.Signer = primaryOf(g, s.View)
	default:
		return Statement{}, fmt.Errorf("kind %d promises nothing: %w", s.Kind, consensus.ErrMalformed)
	}
	if s.View == 0 {
		return Statement{}, fmt.Errorf("%s for view 0: %w", kinds[s.Kind].name, consensus.ErrMalformed)
	}
	s.Digest = crypto.Hash(s.body)
	return s, member(g, s.Signer)
}

func readVote(g *consensus.Genesis, s Statement) (Statement, error) {
	if len(s.body) != voteBody {
		return Statement{}, fmt.Errorf("vote of %d bytes: %w", len(s.body)+crypto.SignatureSize, consensus.ErrMalformed)
	}
	s.Seq = consensus.Seq(binary.BigEndian.Uint64(s.body[seqAt:]))
	s.Digest = crypto.Digest(s.body[digestAt:signerAt])
	s.Signer = consensus.ReplicaID(binary.BigEndian.Uint16(s.body[signerAt:]))
	if s.Seq == 0 || s.Kind == FrameCheckpoint && s.View != 0 {
		return Statement{}, fmt.Errorf("%s at v=%d n=%d: %w", kinds[s.Kind].name, s.View, s.Seq, consensus.ErrMalformed)
	}
	return s, member(g, s.Signer)
}

func member(g *consensus.Genesis, id consensus.ReplicaID) error {
	if int(id) >= len(g.Replicas) {
		return fmt.Errorf("replica %d of %d: %w", id, len(g.Replicas), consensus.ErrMalformed)
	}
	return nil
}
