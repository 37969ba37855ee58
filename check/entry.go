package check

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// EntryKind says what an entry of a log tells.
type EntryKind uint8

// The kinds of entries, with the fields that they fill beside At.
const (
	EntryStarted   EntryKind = iota + 1 // a process runs, its state at Seq
	EntrySent                           // a frame in Bytes is about to go to Peer
	EntryReceived                       // ... has come from Peer
	EntryCommitted                      // Seq, View, Digest, Batch (nil is the null batch, or not told) and the certificate in Bytes
	EntryRoot                           // executed Seq, and Digest is the root after it
	EntryRestored                       // restored Seq, and Digest is the root
	EntryNote                           // Note
	EntryInvoked                        // a call with Number is made; Bytes is the operation
	EntryReturned                       // ... and its caller believes Result, executed at Seq
	EntryFound                          // ... and its caller believes Result, read without an order from a state of height Seq or above
	lastEntry      = EntryFound
)

// Entry is one fact of a log.
type Entry struct {
	Kind   EntryKind
	At     consensus.Time // of the process's clock
	Peer   consensus.Peer
	Seq    consensus.Seq
	View   consensus.View
	Digest crypto.Digest
	Batch  *consensus.Batch
	Bytes  []byte
	Note   *consensus.Note
	Number uint64 // of a call; no two of one log have the same
	Result consensus.Result
}

// Matters reports whether a note is a fact that judges look at.
func Matters(k consensus.NoteKind) bool {
	switch k {
	case consensus.EvidenceNote, consensus.BadPart, consensus.Diverged, consensus.Alarm, consensus.Rejoined, consensus.EnteredView:
		return true
	}
	return false
}

// maxNote bounds the texts of a note in a log, in bytes; longer ones are cut.
const maxNote = 1024

// appendBody appends kind, time and what the kind has.
func (e *Entry) appendBody(b []byte) ([]byte, error) {
	if e.At < 0 || e.Kind == 0 || e.Kind > lastEntry {
		return b, fmt.Errorf("%w: no entry has kind %d and time %d", ErrLog, e.Kind, e.At)
	}
	if len(e.Bytes) > maxEntry || len(e.Result.Data) > maxEntry {
		return b, fmt.Errorf("%w: an entry of %d bytes, at most %d are possible", ErrLog, max(len(e.Bytes), len(e.Result.Data)), maxEntry)
	}
	b = binary.BigEndian.AppendUint64(append(b, byte(e.Kind)), uint64(e.At))
	switch e.Kind {
	case EntryStarted:
		b = binary.BigEndian.AppendUint64(b, uint64(e.Seq))
	case EntrySent, EntryReceived:
		if e.Peer.Kind < consensus.PeerReplica || e.Peer.Kind > consensus.Topic {
			return b, fmt.Errorf("%w: a frame to or from nobody", ErrLog)
		}
		b = append(appendPeer(b, e.Peer), e.Bytes...)
	case EntryCommitted:
		b = binary.BigEndian.AppendUint64(b, uint64(e.Seq))
		b = binary.BigEndian.AppendUint64(b, uint64(e.View))
		b = consensus.AppendBytes(append(b, e.Digest[:]...), e.Bytes)
		if e.Batch != nil {
			b = e.Batch.Append(b)
		}
	case EntryRoot, EntryRestored:
		b = binary.BigEndian.AppendUint64(b, uint64(e.Seq))
		b = append(b, e.Digest[:]...)
	case EntryNote:
		b = appendNote(b, e.Note)
	case EntryInvoked:
		b = binary.BigEndian.AppendUint64(b, e.Number)
		b = append(b, e.Bytes...)
	case EntryReturned, EntryFound:
		b = binary.BigEndian.AppendUint64(b, e.Number)
		b = binary.BigEndian.AppendUint64(b, uint64(e.Seq))
		b = append(append(b, byte(e.Result.Code)), e.Result.Data...)
	}
	return b, nil
}

func appendPeer(b []byte, p consensus.Peer) []byte {
	b = append(b, byte(p.Kind))
	switch p.Kind {
	case consensus.PeerReplica:
		return binary.BigEndian.AppendUint16(b, uint16(p.Replica))
	case consensus.PeerClient, consensus.PeerObserver:
		return append(b, p.Key[:]...)
	}
	return b
}

func appendNote(b []byte, n *consensus.Note) []byte {
	if n == nil {
		n = &consensus.Note{}
	}
	b = binary.BigEndian.AppendUint64(b, uint64(n.View))
	b = binary.BigEndian.AppendUint64(b, uint64(n.Seq))
	b = binary.BigEndian.AppendUint16(b, uint16(n.Replica))
	b = append(b, n.Digest[:]...)
	for _, text := range []string{string(n.Kind), string(n.Reason), n.Text} {
		b = consensus.AppendBytes(b, []byte(text[:min(len(text), maxNote)]))
	}
	return append(b, n.Bytes...)
}

// decodeEntry reads what appendBody wrote and refuses every other encoding.
// What it returns aliases body.
func decodeEntry(body []byte) (Entry, error) {
	var e Entry
	s := cryptobyte.String(body)
	var kind uint8
	var at uint64
	ok := s.ReadUint8(&kind) && s.ReadUint64(&at) && at <= 1<<63-1
	e.Kind, e.At = EntryKind(kind), consensus.Time(at)
	switch e.Kind {
	case EntryStarted:
		ok = ok && s.ReadUint64((*uint64)(&e.Seq))
	case EntrySent, EntryReceived:
		ok = ok && readPeer(&s, &e.Peer)
		e.Bytes, s = s, nil
	case EntryCommitted:
		ok = ok && e.readCommitted(&s)
	case EntryRoot, EntryRestored:
		ok = ok && s.ReadUint64((*uint64)(&e.Seq)) && s.CopyBytes(e.Digest[:])
	case EntryNote:
		e.Note = &consensus.Note{}
		ok = ok && readNote(&s, e.Note)
	case EntryInvoked:
		ok = ok && s.ReadUint64(&e.Number)
		e.Bytes, s = s, nil
	case EntryReturned, EntryFound:
		var code uint8
		ok = ok && s.ReadUint64(&e.Number) && s.ReadUint64((*uint64)(&e.Seq)) && s.ReadUint8(&code) && code <= uint8(consensus.ResultTooLarge)
		e.Result = consensus.Result{Code: consensus.ResultCode(code), Data: s}
		s = nil
	default:
		ok = false
	}
	if !ok || !s.Empty() {
		return Entry{}, fmt.Errorf("%w: an entry of kind %d: %w", ErrLog, kind, consensus.ErrMalformed)
	}
	return e, nil
}

func (e *Entry) readCommitted(s *cryptobyte.String) bool {
	if !s.ReadUint64((*uint64)(&e.Seq)) || !s.ReadUint64((*uint64)(&e.View)) || !s.CopyBytes(e.Digest[:]) || !consensus.ReadBytes(s, &e.Bytes) {
		return false
	}
	if s.Empty() {
		return true
	}
	var err error
	e.Batch, err = consensus.ReadBatch(s)
	return err == nil
}

func readPeer(s *cryptobyte.String, p *consensus.Peer) bool {
	var kind uint8
	if !s.ReadUint8(&kind) {
		return false
	}
	switch p.Kind = consensus.PeerKind(kind); p.Kind {
	case consensus.PeerReplica:
		return s.ReadUint16((*uint16)(&p.Replica))
	case consensus.PeerClient, consensus.PeerObserver:
		return s.CopyBytes(p.Key[:])
	}
	return p.Kind == consensus.Everyone || p.Kind == consensus.Topic
}

func readNote(s *cryptobyte.String, n *consensus.Note) bool {
	if !s.ReadUint64((*uint64)(&n.View)) || !s.ReadUint64((*uint64)(&n.Seq)) || !s.ReadUint16((*uint16)(&n.Replica)) || !s.CopyBytes(n.Digest[:]) {
		return false
	}
	var texts [3][]byte
	for i := range texts {
		if !consensus.ReadBytes(s, &texts[i]) || len(texts[i]) > maxNote {
			return false
		}
	}
	n.Kind, n.Reason, n.Text = consensus.NoteKind(texts[0]), consensus.Reason(texts[1]), string(texts[2])
	n.Bytes, *s = *s, nil
	return true
}
