package message

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Progress is what a STATUS says of one slot.
type Progress byte

// The flags of a slot's progress.
const (
	HasBody Progress = 1 << iota // the proposal of this view and its batch are here
	HasPrepared
	HasCommitted
	allProgress = HasBody | HasPrepared | HasCommitted
)

// MaxStatusSlots bounds the slots that one STATUS speaks of.
const MaxStatusSlots = 64

// Status is a replica's word on where it stands: a hint for those who can help
// it, never a proof. By channel, unsigned (thesis §5.2).
type Status struct {
	View      consensus.View
	Changing  bool          // between views, going for View
	Rejoining bool          // amnesiac, asleep until Target is stable
	Slow      bool          // the primary of View keeps requests waiting for much longer than another one did
	Target    consensus.Seq // with Rejoining; 0 while not known yet
	Low       consensus.Seq // h
	Executed  consensus.Seq // last slot executed
	Slots     []Progress    // of Executed+1, Executed+2, ...
}

// Encode returns the frame.
func (st *Status) Encode() []byte {
	b := make([]byte, 0, 1+8+1+8+8+8+1+len(st.Slots))
	b = append(b, byte(StatusKind))
	b = binary.BigEndian.AppendUint64(b, uint64(st.View))
	var flags byte
	if st.Changing {
		flags |= 1
	}
	if st.Rejoining {
		flags |= 2
	}
	if st.Slow {
		flags |= 4
	}
	b = append(b, flags)
	b = binary.BigEndian.AppendUint64(b, uint64(st.Low))
	b = binary.BigEndian.AppendUint64(b, uint64(st.Executed))
	b = binary.BigEndian.AppendUint64(b, uint64(st.Target))
	b = append(b, byte(len(st.Slots)))
	for _, p := range st.Slots {
		b = append(b, byte(p))
	}
	return b
}

func decodeStatus(frame []byte) (*Status, error) {
	st := &Status{}
	s := cryptobyte.String(frame)
	var kind, flags, count uint8
	if !s.ReadUint8(&kind) || Kind(kind) != StatusKind || !s.ReadUint64((*uint64)(&st.View)) || !s.ReadUint8(&flags) || flags > 7 ||
		!s.ReadUint64((*uint64)(&st.Low)) || !s.ReadUint64((*uint64)(&st.Executed)) || !s.ReadUint64((*uint64)(&st.Target)) ||
		!s.ReadUint8(&count) || count > MaxStatusSlots || len(s) != int(count) {
		return nil, fmt.Errorf("STATUS: %w", consensus.ErrMalformed)
	}
	st.Changing, st.Rejoining, st.Slow = flags&1 != 0, flags&2 != 0, flags&4 != 0
	if !st.Rejoining && st.Target != 0 {
		return nil, fmt.Errorf("STATUS: %w", consensus.ErrMalformed)
	}
	for _, p := range []byte(s) {
		if Progress(p) > allProgress {
			return nil, fmt.Errorf("STATUS: %w", consensus.ErrMalformed)
		}
		st.Slots = append(st.Slots, Progress(p))
	}
	return st, nil
}

// Rejoin is an amnesiac's question to all: how far has the cluster come, and
// what have I said in views to come? Nonce ties the answers to this life of
// the asker (PROTOCOL.md §8).
type Rejoin struct{ Nonce uint64 }

// Encode returns the frame.
func (m *Rejoin) Encode() []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(RejoinKind)}, m.Nonce)
}

// RejoinAnswer proves the answerer's highest checkpoint and the view it last
// entered, and says which view it is in or goes for. Yours is the latest
// VIEW-CHANGE of the asker that the answerer holds: what the asker forgot it
// said.
type RejoinAnswer struct {
	Nonce      uint64
	Amnesiac   bool // the answerer itself cannot count
	View       consensus.View
	Checkpoint *Certificate // nil at h = 0
	NewView    *NewView     // nil in view 0
	Yours      *ViewChange  // or nil
}

// Encode returns the frame.
func (m *RejoinAnswer) Encode() []byte {
	b := binary.BigEndian.AppendUint64([]byte{byte(RejoinAnswerKind)}, m.Nonce)
	var flag byte
	if m.Amnesiac {
		flag = 1
	}
	b = binary.BigEndian.AppendUint64(append(b, flag), uint64(m.View))
	var checkpoint, view, yours []byte
	if m.Checkpoint != nil {
		checkpoint = m.Checkpoint.Encode()
	}
	if m.NewView != nil {
		view = m.NewView.Frame
	}
	if m.Yours != nil {
		yours = m.Yours.Frame
	}
	b = consensus.AppendBytes(b, checkpoint)
	b = consensus.AppendBytes(b, view)
	return consensus.AppendBytes(b, yours)
}

func decodeRejoin(frame []byte) (*Rejoin, error) {
	if len(frame) != 9 {
		return nil, fmt.Errorf("REJOIN: %w", consensus.ErrMalformed)
	}
	return &Rejoin{Nonce: binary.BigEndian.Uint64(frame[1:])}, nil
}

// decodeRejoinAnswer reads an answer to the member asker.
func (r *Rules) decodeRejoinAnswer(frame []byte) (*RejoinAnswer, []crypto.Claim, error) {
	m := &RejoinAnswer{}
	s := cryptobyte.String(frame)
	var kind, flag uint8
	var checkpoint, view, yours []byte
	if !s.ReadUint8(&kind) || !s.ReadUint64(&m.Nonce) || !s.ReadUint8(&flag) || flag > 1 || !s.ReadUint64((*uint64)(&m.View)) || m.View > MaxView ||
		!consensus.ReadBytes(&s, &checkpoint) || !consensus.ReadBytes(&s, &view) || !consensus.ReadBytes(&s, &yours) || !s.Empty() {
		return nil, nil, fmt.Errorf("REJOIN-ANSWER: %w", consensus.ErrMalformed)
	}
	m.Amnesiac = flag == 1
	var claims []crypto.Claim
	var err error
	if len(checkpoint) > 0 {
		if m.Checkpoint, err = r.DecodeCertificate(checkpoint, CheckpointCertificate); err != nil {
			return nil, nil, fmt.Errorf("REJOIN-ANSWER: %w", err)
		}
		claims = r.claims(claims, m.Checkpoint)
	}
	if len(view) > 0 {
		if m.NewView, err = r.decodeNewView(view); err != nil {
			return nil, nil, fmt.Errorf("REJOIN-ANSWER: %w", err)
		}
		claims = r.newViewClaims(claims, m.NewView)
	}
	if len(yours) > 0 {
		if m.Yours, err = r.decodeViewChange(yours); err != nil {
			return nil, nil, fmt.Errorf("REJOIN-ANSWER: %w", err)
		}
		claims = r.viewChangeClaims(claims, m.Yours)
	}
	return m, claims, nil
}
