package leaderless

import (
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Kinds of frames between replicas, and of answers to clients. Clients send
// requests as they do everywhere (consensus.Request).
const (
	kindStore   = consensus.FirstProtocolKind + iota // merge this cell, and tell when it is durable
	kindStored                                       // it is
	kindFetch                                        // what do you hold of a key?
	kindFetched                                      // this
	kindBeat                                         // I am within reach
	kindTree                                         // hashes of what I hold: the root, or what is below it
	kindCells                                        // what I hold where our hashes differ
	kindAnswer                                       // replica → client
)

var kindNames = []string{"STORE", "STORED", "FETCH", "FETCHED", "BEAT", "TREE", "CELLS", "ANSWER"}

// keyed is a key with what it holds.
type keyed struct {
	key  string
	cell Cell
}

// message is a frame between replicas. Which fields count depends on its kind.
type message struct {
	kind    byte
	id      uint64 // STORE, STORED, FETCH, FETCHED: of the call; 0 = nobody waits for an answer
	cells   []keyed
	hashes  []crypto.Digest // TREE
	buckets uint16          // CELLS: those that they are from, if the receiver's are wanted in turn
}

// maxCells bounds the cells of one frame.
const maxCells = 128

// encode is the message's frame.
func (m *message) encode() []byte {
	b := binary.BigEndian.AppendUint64([]byte{m.kind}, m.id)
	b = binary.BigEndian.AppendUint16(b, m.buckets)
	b = append(b, byte(len(m.hashes)))
	for _, h := range m.hashes {
		b = append(b, h[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.cells)))
	for i := range m.cells {
		b = consensus.AppendBytes(b, []byte(m.cells[i].key))
		b = m.cells[i].cell.append(b)
	}
	return b
}

// decode reads a frame between replicas. The error wraps consensus.ErrMalformed.
func decode(frame []byte) (*message, error) {
	m := &message{}
	s := cryptobyte.String(frame)
	var hashes uint8
	var cells uint16
	ok := s.ReadUint8(&m.kind) && m.kind >= kindStore && m.kind < kindAnswer && s.ReadUint64(&m.id) && s.ReadUint16(&m.buckets) && s.ReadUint8(&hashes)
	for range hashes {
		var h crypto.Digest
		ok = ok && s.CopyBytes(h[:])
		m.hashes = append(m.hashes, h)
	}
	ok = ok && s.ReadUint16(&cells) && cells <= maxCells
	for i := 0; ok && i < int(cells); i++ {
		var k keyed
		var key []byte
		ok = consensus.ReadBytes(&s, &key) && readCell(&s, &k.cell)
		k.key = string(key)
		m.cells = append(m.cells, k)
	}
	alone := m.kind == kindStore || m.kind == kindFetch || m.kind == kindFetched
	if !ok || !s.Empty() || alone && len(m.cells) != 1 {
		return nil, fmt.Errorf("frame between replicas: %w", consensus.ErrMalformed)
	}
	return m, nil
}

// Outcome says how a call ended.
type Outcome uint8

// The outcomes.
const (
	Done    Outcome = iota
	Refused         // nothing of it was done, nor ever will be
	Unknown         // of a write: some replicas have it, too few of them have said so in time
)

// Answer is what a client gets for a request.
type Answer struct {
	Request crypto.Digest
	Outcome Outcome
	Why     string   // unless it is Done
	Seen    []Stamp  // of a get, with Dotted: what a write that replaces Values hands back (Operations)
	Values  [][]byte // of a get: what was found; none = nothing
}

// Encode is the answer's frame.
func (a *Answer) Encode() []byte {
	b := append(append([]byte{kindAnswer}, a.Request[:]...), byte(a.Outcome))
	b = appendSeen(consensus.AppendBytes(b, []byte(a.Why)), a.Seen)
	b = binary.BigEndian.AppendUint16(b, uint16(len(a.Values)))
	for _, v := range a.Values {
		b = consensus.AppendBytes(b, v)
	}
	return b
}

// DecodeAnswer reads an answer's frame. Values alias it. The error wraps
// consensus.ErrMalformed.
func DecodeAnswer(frame []byte) (*Answer, error) {
	a := &Answer{}
	s := cryptobyte.String(frame)
	var kind, outcome uint8
	var why []byte
	var n uint16
	ok := s.ReadUint8(&kind) && kind == kindAnswer && s.CopyBytes(a.Request[:]) && s.ReadUint8(&outcome) && outcome <= uint8(Unknown) &&
		consensus.ReadBytes(&s, &why) && readSeen(&s, &a.Seen) && s.ReadUint16(&n) && n <= 2*maxSiblings
	for i := 0; ok && i < int(n); i++ {
		var v []byte
		ok = consensus.ReadBytes(&s, &v)
		a.Values = append(a.Values, v)
	}
	if !ok || !s.Empty() {
		return nil, fmt.Errorf("answer: %w", consensus.ErrMalformed)
	}
	a.Outcome, a.Why = Outcome(outcome), string(why)
	return a, nil
}

// Operations are those of a request: an operation of the store (app/kv), and with
// Dotted what its caller has seen of the key, which a write replaces.
func Operations(op []byte, seen []Stamp) [][]byte {
	if len(seen) == 0 {
		return [][]byte{op}
	}
	return [][]byte{op, appendSeen(nil, seen)}
}

// Describe is a frame for people.
func Describe(frame []byte) string {
	if consensus.IsRequest(frame) {
		if r, err := consensus.DecodeRequest(frame); err == nil {
			return fmt.Sprintf("REQUEST #%d", r.Sequence.Counter)
		}
	}
	if a, err := DecodeAnswer(frame); err == nil {
		return "ANSWER " + a.String()
	}
	m, err := decode(frame)
	if err != nil {
		return fmt.Sprintf("frame of %d bytes", len(frame))
	}
	text := kindNames[m.kind-kindStore]
	for i := range m.cells {
		text += " " + m.cells[i].key
		if m.kind != kindFetch {
			text += " = " + m.cells[i].cell.String()
		}
	}
	if len(m.hashes) > 0 {
		text += " " + m.hashes[0].Short()
	}
	return text
}

// String is the answer for people.
func (a *Answer) String() string {
	switch a.Outcome {
	case Refused:
		return "refused: " + a.Why
	case Unknown:
		return "unknown: " + a.Why
	}
	texts := make([]string, len(a.Values))
	for i, v := range a.Values {
		texts[i] = "“" + string(v) + "”"
	}
	if len(texts) == 0 {
		return "done"
	}
	return strings.Join(texts, " | ")
}
