package message

import (
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// ViewChange is what a replica that leaves for View can prove: its low water
// mark and, for each slot above it that prepared here, the prepared
// certificate of the highest view (§4.4).
type ViewChange struct {
	View       consensus.View
	Low        consensus.Seq  // h
	Checkpoint *Certificate   // proves Low; nil if Low is 0
	Prepared   []*Certificate // ascending by Seq, at most one per slot
	Replica    consensus.ReplicaID
	Frame      []byte // as signed; re-sent word for word
}

// NewViewChange signs vc and lays out its frame.
func (r *Rules) NewViewChange(s crypto.Signer, vc ViewChange) *ViewChange {
	size := 1 + 8 + 8 + (1+len(vc.Prepared))*certificateSize(r.System.Quorum()) + 2 + 2 + crypto.SignatureSize
	b := make([]byte, 0, size)
	b = append(b, byte(ViewChangeKind))
	b = binary.BigEndian.AppendUint64(b, uint64(vc.View))
	b = binary.BigEndian.AppendUint64(b, uint64(vc.Low))
	if vc.Checkpoint != nil {
		b = vc.Checkpoint.append(b)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(vc.Prepared)))
	for _, c := range vc.Prepared {
		b = c.append(b)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(vc.Replica))
	vc.Frame = r.seal(s, ViewChangeKind, b)
	return &vc
}

// seal appends the signature over all of b.
func (r *Rules) seal(s crypto.Signer, k Kind, b []byte) []byte {
	sig := r.sign(s, k, b)
	return append(b, sig[:]...)
}

// decodeViewChange reads a whole VIEW-CHANGE and checks everything but
// signatures: h is proven, each entry is a certificate with v < v' and
// h < n <= h+L, at most one per n (PROTOCOL.md §6).
func (r *Rules) decodeViewChange(frame []byte) (*ViewChange, error) {
	vc := &ViewChange{Frame: frame}
	if len(frame) < crypto.SignatureSize {
		return nil, fmt.Errorf("VIEW-CHANGE: %w", consensus.ErrMalformed)
	}
	s := cryptobyte.String(frame[:len(frame)-crypto.SignatureSize])
	var kind uint8
	var count uint16
	if !s.ReadUint8(&kind) || Kind(kind) != ViewChangeKind ||
		!s.ReadUint64((*uint64)(&vc.View)) || !s.ReadUint64((*uint64)(&vc.Low)) || vc.View == 0 || vc.View > MaxView {
		return nil, fmt.Errorf("VIEW-CHANGE: %w", consensus.ErrMalformed)
	}
	var err error
	if vc.Low > 0 {
		if vc.Checkpoint, err = r.readCertificate(&s, CheckpointCertificate); err != nil {
			return nil, fmt.Errorf("VIEW-CHANGE: %w", err)
		}
		if vc.Checkpoint.Seq != vc.Low {
			return nil, fmt.Errorf("VIEW-CHANGE: checkpoint %d does not prove h=%d: %w", vc.Checkpoint.Seq, vc.Low, consensus.ErrMalformed)
		}
	}
	if !s.ReadUint16(&count) || int(count)*certificateSize(r.System.Quorum()) > len(s) {
		return nil, fmt.Errorf("VIEW-CHANGE: %w", consensus.ErrMalformed)
	}
	if vc.Prepared, err = r.readPrepared(&s, vc, int(count)); err != nil {
		return nil, fmt.Errorf("VIEW-CHANGE: %w", err)
	}
	if !s.ReadUint16((*uint16)(&vc.Replica)) || !s.Empty() {
		return nil, fmt.Errorf("VIEW-CHANGE: %w", consensus.ErrMalformed)
	}
	if !r.member(vc.Replica) {
		return nil, fmt.Errorf("VIEW-CHANGE by replica %d: %w", vc.Replica, errNotMember)
	}
	return vc, nil
}

func (r *Rules) readPrepared(s *cryptobyte.String, vc *ViewChange, count int) ([]*Certificate, error) {
	prepared := make([]*Certificate, 0, count)
	last := vc.Low
	for range count {
		c, err := r.readCertificate(s, PreparedCertificate)
		if err != nil {
			return nil, err
		}
		if c.View >= vc.View || c.Seq <= last || c.Seq-vc.Low > r.Genesis.Window {
			return nil, fmt.Errorf("entry v=%d n=%d with h=%d: %w", c.View, c.Seq, vc.Low, consensus.ErrMalformed)
		}
		last = c.Seq
		prepared = append(prepared, c)
	}
	return prepared, nil
}

// viewChangeClaims appends what has to be verified before vc counts.
func (r *Rules) viewChangeClaims(dst []crypto.Claim, vc *ViewChange) []crypto.Claim {
	dst = slices.Grow(dst, 1+(1+len(vc.Prepared))*r.System.Quorum())
	dst = append(dst, r.sealClaim(ViewChangeKind, vc.Replica, vc.Frame))
	if vc.Checkpoint != nil {
		dst = r.claims(dst, vc.Checkpoint)
	}
	for _, c := range vc.Prepared {
		dst = r.claims(dst, c)
	}
	return dst
}

// sealClaim is the statement that id sealed frame.
func (r *Rules) sealClaim(k Kind, id consensus.ReplicaID, frame []byte) crypto.Claim {
	end := len(frame) - crypto.SignatureSize
	return r.claim(k, id, frame[:end], crypto.Signature(frame[end:]))
}

// NewView is how the primary of View opens it: the q VIEW-CHANGEs that entitle
// it, and its PRE-PREPAREs for the slots that follow from them.
type NewView struct {
	View        consensus.View
	ViewChanges []*ViewChange // exactly q, ascending by replica
	Proposals   []Vote        // O: ascending by Seq without gaps, kind PRE-PREPARE, view View
	Replica     consensus.ReplicaID
	Frame       []byte
}

const proposalSize = 8 + crypto.DigestSize + crypto.SignatureSize

// NewNewView signs nv and lays out its frame. The proposals are already signed.
func (r *Rules) NewNewView(s crypto.Signer, nv NewView) *NewView {
	b := append([]byte{}, byte(NewViewKind))
	b = binary.BigEndian.AppendUint64(b, uint64(nv.View))
	b = binary.BigEndian.AppendUint16(b, uint16(len(nv.ViewChanges)))
	for _, vc := range nv.ViewChanges {
		b = consensus.AppendBytes(b, vc.Frame)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(nv.Proposals)))
	for i := range nv.Proposals {
		p := &nv.Proposals[i]
		b = binary.BigEndian.AppendUint64(b, uint64(p.Seq))
		b = append(append(b, p.Digest[:]...), p.Sig[:]...)
	}
	nv.Replica = r.System.Primary(nv.View)
	nv.Frame = r.seal(s, NewViewKind, b)
	return &nv
}

// MaxFrame is the length of the largest frame of views that this configuration
// can need, in bytes: a REJOIN-ANSWER with a NEW-VIEW and a VIEW-CHANGE in it.
// A configuration in which it exceeds consensus.MaxFrame is refused at start.
func (r *Rules) MaxFrame() int {
	q, l := r.System.Quorum(), int(r.Genesis.Window)
	viewChange := 1 + 8 + 8 + (1+l)*certificateSize(q) + 2 + 2 + crypto.SignatureSize
	newView := 1 + 8 + 2 + q*(3+viewChange) + 2 + 2*l*proposalSize + crypto.SignatureSize
	return 64 + certificateSize(q) + newView + viewChange
}

// decodeNewView reads a whole NEW-VIEW but leaves the signatures, and the
// comparison of O with what follows from V, to others.
func (r *Rules) decodeNewView(frame []byte) (*NewView, error) {
	nv := &NewView{Frame: frame}
	if len(frame) < crypto.SignatureSize {
		return nil, fmt.Errorf("NEW-VIEW: %w", consensus.ErrMalformed)
	}
	s := cryptobyte.String(frame[:len(frame)-crypto.SignatureSize])
	var kind uint8
	var count uint16
	if !s.ReadUint8(&kind) || Kind(kind) != NewViewKind || !s.ReadUint64((*uint64)(&nv.View)) || nv.View == 0 || nv.View > MaxView || !s.ReadUint16(&count) {
		return nil, fmt.Errorf("NEW-VIEW: %w", consensus.ErrMalformed)
	}
	nv.Replica = r.System.Primary(nv.View)
	if int(count) != r.System.Quorum() {
		return nil, fmt.Errorf("NEW-VIEW with %d VIEW-CHANGEs, need exactly %d: %w", count, r.System.Quorum(), errNoQuorum)
	}
	for i := range int(count) {
		var b []byte
		if !consensus.ReadBytes(&s, &b) {
			return nil, fmt.Errorf("NEW-VIEW: %w", consensus.ErrMalformed)
		}
		vc, err := r.decodeViewChange(b)
		if err != nil {
			return nil, fmt.Errorf("NEW-VIEW: %w", err)
		}
		if vc.View != nv.View || i > 0 && nv.ViewChanges[i-1].Replica >= vc.Replica {
			return nil, fmt.Errorf("NEW-VIEW %d holds VIEW-CHANGE %d of replica %d: %w", nv.View, vc.View, vc.Replica, errNoQuorum)
		}
		nv.ViewChanges = append(nv.ViewChanges, vc)
	}
	if err := r.readProposals(&s, nv); err != nil {
		return nil, err
	}
	return nv, nil
}

func (r *Rules) readProposals(s *cryptobyte.String, nv *NewView) error {
	var count uint16
	if !s.ReadUint16(&count) || len(*s) != int(count)*proposalSize {
		return fmt.Errorf("NEW-VIEW: %w", consensus.ErrMalformed)
	}
	nv.Proposals = make([]Vote, count)
	for i := range nv.Proposals {
		p := Vote{Kind: PrePrepareKind, View: nv.View, Replica: nv.Replica}
		s.ReadUint64((*uint64)(&p.Seq)) // lengths were checked above
		s.CopyBytes(p.Digest[:])
		s.CopyBytes(p.Sig[:])
		if p.Seq == 0 || i > 0 && p.Seq != nv.Proposals[i-1].Seq+1 {
			return fmt.Errorf("NEW-VIEW: proposals with a gap at n=%d: %w", p.Seq, consensus.ErrMalformed)
		}
		nv.Proposals[i] = p
	}
	return nil
}

// newViewClaims appends what has to be verified before nv can be judged.
func (r *Rules) newViewClaims(dst []crypto.Claim, nv *NewView) []crypto.Claim {
	count := 1 + len(nv.Proposals)
	for _, vc := range nv.ViewChanges {
		count += 1 + (1+len(vc.Prepared))*r.System.Quorum()
	}
	dst = slices.Grow(dst, count)
	dst = append(dst, r.sealClaim(NewViewKind, nv.Replica, nv.Frame))
	for i := range nv.Proposals {
		dst = append(dst, r.Claim(&nv.Proposals[i]))
	}
	for _, vc := range nv.ViewChanges {
		dst = r.viewChangeClaims(dst, vc)
	}
	return dst
}
