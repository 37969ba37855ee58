package message

import (
	"encoding/binary"
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// VoteSize is the length of every vote's encoding, in bytes: kind 1, view 8,
// sequence number 8, digest 32, signer 2, signature 64.
const VoteSize = voteBody + crypto.SignatureSize

const voteBody = 1 + 8 + 8 + crypto.DigestSize + 2

// Vote is what one replica says about one slot: a PRE-PREPARE without its
// batch, a PREPARE, a COMMIT, or a CHECKPOINT (whose view is 0 and whose
// digest is the state root).
type Vote struct {
	Kind    Kind
	View    consensus.View
	Seq     consensus.Seq
	Digest  crypto.Digest
	Replica consensus.ReplicaID
	Sig     crypto.Signature
}

// SignVote makes the vote of the replica with key s.
func (r *Rules) SignVote(s crypto.Signer, v Vote) Vote {
	var buf [voteBody]byte
	v.Sig = r.sign(s, v.Kind, v.appendBody(buf[:0]))
	return v
}

func (v *Vote) appendBody(dst []byte) []byte {
	dst = append(dst, byte(v.Kind))
	dst = binary.BigEndian.AppendUint64(dst, uint64(v.View))
	dst = binary.BigEndian.AppendUint64(dst, uint64(v.Seq))
	dst = append(dst, v.Digest[:]...)
	return binary.BigEndian.AppendUint16(dst, uint16(v.Replica))
}

// append appends the vote's encoding to dst.
func (v *Vote) append(dst []byte) []byte {
	return append(v.appendBody(dst), v.Sig[:]...)
}

// Encode returns the vote's frame.
func (v *Vote) Encode() []byte { return v.append(make([]byte, 0, VoteSize)) }

// Claim is the statement that the vote's replica signed it. The replica must
// be a member.
func (r *Rules) Claim(v *Vote) crypto.Claim {
	return r.claim(v.Kind, v.Replica, v.appendBody(make([]byte, 0, voteBody)), v.Sig)
}

// decodeVote reads a vote from the front of b.
func (r *Rules) decodeVote(b []byte) (Vote, error) {
	if len(b) < VoteSize {
		return Vote{}, fmt.Errorf("vote of %d bytes: %w", len(b), consensus.ErrMalformed)
	}
	v := Vote{
		Kind:    Kind(b[0]),
		View:    consensus.View(binary.BigEndian.Uint64(b[1:])),
		Seq:     consensus.Seq(binary.BigEndian.Uint64(b[9:])),
		Digest:  crypto.Digest(b[17:49]),
		Replica: consensus.ReplicaID(binary.BigEndian.Uint16(b[49:])),
		Sig:     crypto.Signature(b[voteBody:VoteSize]),
	}
	if v.Kind < PrePrepareKind || v.Kind > CheckpointKind {
		return Vote{}, fmt.Errorf("vote of kind %d: %w", v.Kind, consensus.ErrMalformed)
	}
	if v.Seq == 0 || v.Kind == CheckpointKind && v.View != 0 {
		return Vote{}, fmt.Errorf("%s of v=%d n=%d: %w", v.Kind, v.View, v.Seq, consensus.ErrMalformed)
	}
	if !r.member(v.Replica) {
		return Vote{}, fmt.Errorf("%s by replica %d: %w", v.Kind, v.Replica, errNotMember)
	}
	primary := r.System.Primary(v.View) == v.Replica
	if v.Kind == PrePrepareKind && !primary || v.Kind == PrepareKind && primary {
		return Vote{}, fmt.Errorf("%s by replica %d in view %d: %w", v.Kind, v.Replica, v.View, errWrongRole)
	}
	return v, nil
}

// String prints the vote on one line, for traces.
func (v Vote) String() string {
	if v.Kind == CheckpointKind {
		return fmt.Sprintf("%s n=%d root=%s R%d", v.Kind, v.Seq, v.Digest.Short(), v.Replica)
	}
	return fmt.Sprintf("%s v=%d n=%d d=%s R%d", v.Kind, v.View, v.Seq, short(v.Digest), v.Replica)
}

func short(d crypto.Digest) string {
	if d == consensus.NullDigest {
		return "null"
	}
	return d.Short()
}

// PrePrepare is the primary's proposal: its vote and the batch. A PRE-PREPARE
// for the null batch stands only inside a NEW-VIEW and has no body.
type PrePrepare struct {
	Vote
	Batch *consensus.Batch
	Frame []byte // as sent, batch included
}

// NewPrePrepare signs a proposal and lays out its frame: the vote, then the batch.
func (r *Rules) NewPrePrepare(s crypto.Signer, v Vote, b *consensus.Batch) *PrePrepare {
	v.Kind = PrePrepareKind
	v = r.SignVote(s, v)
	frame := b.Append(v.append(make([]byte, 0, VoteSize+b.Size())))
	return &PrePrepare{Vote: v, Batch: b, Frame: frame}
}

// Reframe lays out the frame of a proposal whose batch came from elsewhere, as
// after a NEW-VIEW.
func Reframe(v Vote, b *consensus.Batch) *PrePrepare {
	return &PrePrepare{Vote: v, Batch: b, Frame: b.Append(v.append(make([]byte, 0, VoteSize+b.Size())))}
}
