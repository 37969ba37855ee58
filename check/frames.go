package check

import (
	"bytes"
	"encoding/binary"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/protocol"
)

// The frames of PBFT that the judges read, as they stand on the wire. They are
// written down once more here, on purpose: the reading of those who are judged
// is no measure for what they say.
const (
	kindPrePrepare byte = 0x10
	kindPrepare    byte = 0x11
	kindCommit     byte = 0x12
	kindCheckpoint byte = 0x13
	kindViewChange byte = 0x14
	kindNewView    byte = 0x15
	kindFetchReply byte = 0x18
	kindAnswer     byte = 0x1a

	voteBody = 1 + 8 + 8 + crypto.DigestSize + 2
	voteSize = voteBody + crypto.SignatureSize

	givenHead = 1 + 1 + 8 + crypto.DigestSize
	given     = 2 // what a FETCH-REPLY holds: a committed certificate
	givenBase = 3 // ... a checkpoint certificate

	certificateHead = 1 + 8 + 8 + crypto.DigestSize + 2
	signedSize      = 2 + crypto.SignatureSize
	committedProof  = 2 // kinds of certificates
	checkpointProof = 3
)

// heard reads a frame of PBFT: the promise that it makes, and the votes in it.
func (j *Judge) heard(at consensus.Time, by consensus.ReplicaID, frame []byte) {
	switch frame[0] {
	case kindAnswer:
		j.transcript.keep(j, evidenceItem{bytes: frame})
	case kindPrePrepare, kindPrepare, kindCommit, kindCheckpoint:
		v, ok := readVote(frame)
		if !ok {
			return
		}
		if frame[0] == kindPrePrepare {
			frame = bytes.Clone(frame[:voteSize]) // and not the batch
		}
		j.transcript.keep(j, evidenceItem{bytes: frame})
		j.promised(at, by, protocol.Promise{Signer: v.signer, Kind: frame[0], View: v.view, Seq: v.seq, Content: v.digest})
		if v.kind == kindCommit || v.kind == kindCheckpoint {
			j.cast(at, by, &v)
		}
	case kindViewChange, kindNewView:
		j.transcript.keep(j, evidenceItem{bytes: frame})
		if p, ok := j.readView(frame); ok && j.honest(p.Signer) && j.honest(by) {
			p.Content = crypto.Hash(frame)
			j.promised(at, by, p)
		}
	case kindFetchReply:
		if len(frame) > givenHead && (frame[1] == given || frame[1] == givenBase) {
			j.proven(at, by, certificateAt(frame[givenHead:]))
		}
	}
}

// readVote reads a vote, or the vote at the front of a proposal.
func readVote(frame []byte) (v vote, ok bool) {
	if len(frame) < voteSize || frame[0] != kindPrePrepare && len(frame) != voteSize {
		return vote{}, false
	}
	return vote{
		box:    box{kind: frame[0], seq: consensus.Seq(binary.BigEndian.Uint64(frame[9:]))},
		view:   consensus.View(binary.BigEndian.Uint64(frame[1:])),
		digest: crypto.Digest(frame[17:49]),
		signer: consensus.ReplicaID(binary.BigEndian.Uint16(frame[49:])),
		sig:    crypto.Signature(frame[voteBody:voteSize]),
	}, true
}

// readView finds the view and the signer of a VIEW-CHANGE, which stands at its
// end, or of a NEW-VIEW, which is the view's primary.
func (j *Judge) readView(frame []byte) (p protocol.Promise, ok bool) {
	end := len(frame) - crypto.SignatureSize
	if end < 1+8+2 || len(j.cfg.Genesis.Replicas) == 0 {
		return protocol.Promise{}, false
	}
	p.Kind, p.View = frame[0], consensus.View(binary.BigEndian.Uint64(frame[1:]))
	p.Signer = consensus.ReplicaID(uint64(p.View) % uint64(len(j.cfg.Genesis.Replicas)))
	if p.Kind == kindViewChange {
		p.Signer = consensus.ReplicaID(binary.BigEndian.Uint16(frame[end-2:]))
	}
	return p, true
}

// certificateAt cuts the certificate off the front of b; nil if there is none.
func certificateAt(b []byte) []byte {
	if len(b) < certificateHead {
		return nil
	}
	count := int(binary.BigEndian.Uint16(b[certificateHead-2:]))
	if count > (len(b)-certificateHead)/signedSize {
		return nil
	}
	return bytes.Clone(b[:certificateHead+count*signedSize])
}

// certified casts the votes of a certificate of commits or checkpoints.
func (j *Judge) certified(at consensus.Time, by consensus.ReplicaID, b []byte) {
	if !j.convicts || len(b) < certificateHead || b[0] != committedProof && b[0] != checkpointProof {
		return
	}
	v := vote{
		box:    box{kind: kindCommit, seq: consensus.Seq(binary.BigEndian.Uint64(b[9:]))},
		view:   consensus.View(binary.BigEndian.Uint64(b[1:])),
		digest: crypto.Digest(b[17:49]),
	}
	if b[0] == checkpointProof {
		v.kind = kindCheckpoint
	}
	count := int(binary.BigEndian.Uint16(b[49:]))
	if b = b[certificateHead:]; count > len(b)/signedSize {
		return
	}
	for range count {
		v.signer, v.sig = consensus.ReplicaID(binary.BigEndian.Uint16(b)), crypto.Signature(b[2:signedSize])
		j.cast(at, by, &v)
		b = b[signedSize:]
	}
}

// proven hears of a certificate that stands alone.
func (j *Judge) proven(at consensus.Time, by consensus.ReplicaID, certificate []byte) {
	if j.convicts && len(certificate) > 0 {
		j.transcript.keep(j, evidenceItem{bytes: certificate, alone: true})
		j.certified(at, by, certificate)
	}
}
