package consensus

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/crypto"
)

// Query is a READ: operations that write nothing, to be answered without being
// ordered (PROTOCOL.md §11). It is authentic by its channel and not signed. Its
// name is unique among all READs that its client ever sends.
type Query struct {
	Client     crypto.PublicKey // whose channel it came by; not encoded
	Name       Sequence         // the session's epoch, and a count
	Floor      Seq              // execute at this height or above
	Operations [][]byte
}

// Lookup is a Query that an engine has noted: the host executes it once it has
// executed up to Due, and says Index with the results.
type Lookup struct {
	Query *Query
	Index Seq // whatever was answered before the READ came was executed at or below it, if this replica helped to commit it
}

// Due is the height at which a lookup may be executed.
func (l *Lookup) Due() Seq { return max(l.Index, l.Query.Floor) }

// Finding answers a Query. Like a reply it is authentic by its channel and
// proves nothing to others.
type Finding struct {
	Client  crypto.PublicKey // whom to send it to; not encoded
	Name    Sequence         // of the Query
	Era     uint64           // the configuration epoch; 0 for as long as memberships do not change
	Index   Seq              // the Lookup's
	Height  Seq              // what the results are read from: the state after executing this
	Results []Result
}

// Size is the length of the frame.
func (q *Query) Size() int {
	size := 1 + 3*8 + 2
	for _, op := range q.Operations {
		size += 3 + len(op)
	}
	return size
}

// Encode returns the frame.
func (q *Query) Encode() []byte {
	b := append(make([]byte, 0, q.Size()), KindRead)
	b = binary.BigEndian.AppendUint64(b, q.Name.Epoch)
	b = binary.BigEndian.AppendUint64(b, q.Name.Counter)
	b = binary.BigEndian.AppendUint64(b, uint64(q.Floor))
	b = binary.BigEndian.AppendUint16(b, uint16(len(q.Operations)))
	for _, op := range q.Operations {
		b = AppendBytes(b, op)
	}
	return b
}

// DecodeQuery reads a READ's frame; the operations alias it.
func DecodeQuery(frame []byte) (*Query, error) {
	q := &Query{}
	s := cryptobyte.String(frame)
	var kind uint8
	var count uint16
	if !s.ReadUint8(&kind) || kind != KindRead || !s.ReadUint64(&q.Name.Epoch) || !s.ReadUint64(&q.Name.Counter) ||
		!s.ReadUint64((*uint64)(&q.Floor)) || q.Floor > MaxSeq || !s.ReadUint16(&count) || count > MaxOperations || int(count)*3 > len(s) {
		return nil, fmt.Errorf("READ: %w", ErrMalformed)
	}
	q.Operations = make([][]byte, count)
	for i := range q.Operations {
		if !ReadBytes(&s, &q.Operations[i]) {
			return nil, fmt.Errorf("READ: operation %d: %w", i, ErrMalformed)
		}
	}
	if !s.Empty() {
		return nil, fmt.Errorf("READ: trailing bytes: %w", ErrMalformed)
	}
	return q, nil
}

// Encode returns the frame.
func (f *Finding) Encode() []byte {
	size := 1 + 5*8 + 2
	for _, res := range f.Results {
		size += 4 + len(res.Data)
	}
	b := append(make([]byte, 0, size), KindFinding)
	for _, v := range [...]uint64{f.Name.Epoch, f.Name.Counter, f.Era, uint64(f.Index), uint64(f.Height)} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return AppendResults(b, f.Results)
}

// DecodeFinding reads the frame of an answer to a READ; the results alias it.
func DecodeFinding(frame []byte) (*Finding, error) {
	f := &Finding{}
	s := cryptobyte.String(frame)
	var kind uint8
	if !s.ReadUint8(&kind) || kind != KindFinding || !s.ReadUint64(&f.Name.Epoch) || !s.ReadUint64(&f.Name.Counter) ||
		!s.ReadUint64(&f.Era) || !s.ReadUint64((*uint64)(&f.Index)) || !s.ReadUint64((*uint64)(&f.Height)) || max(f.Index, f.Height) > MaxSeq {
		return nil, fmt.Errorf("answer to a READ: %w", ErrMalformed)
	}
	var err error
	if f.Results, err = ReadResults(&s); err != nil || !s.Empty() {
		return nil, fmt.Errorf("answer to a READ: %w", ErrMalformed)
	}
	return f, nil
}

// Refuse says why a READ gets no answer. It names the READ where a refused
// request would be named, and no request.
func (q *Query) Refuse(code RefusalCode) Refusal {
	return Refusal{Client: q.Client, Sequence: q.Name, Code: code}
}

// OpenQuery judges a READ, which only its client's channel may bring.
func (d *Door) OpenQuery(f Frame) Opened {
	if f.From.Kind != PeerClient {
		return Opened{Reason: ReasonChannel, Blame: true}
	}
	q, err := DecodeQuery(f.Bytes)
	if err != nil {
		return Opened{Reason: ReasonMalformed, Blame: true, Refusal: &Refusal{Client: f.From.Key, Code: RefusedMalformed}}
	}
	q.Client = f.From.Key
	if code := d.Genesis.CheckRequest(d.Roles, &Request{Client: q.Client, Operations: q.Operations, Raw: f.Bytes}); code != 0 {
		no := q.Refuse(code)
		return Opened{Reason: ReasonRefused, Blame: true, Refusal: &no}
	}
	return Opened{Event: Ask{Query: q}}
}
