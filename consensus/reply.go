package consensus

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/crypto"
)

// ErrMalformed is what every decoder here wraps: the bytes are not the one
// encoding of any value.
var ErrMalformed = errors.New("malformed")

// ResultCode says how an operation ended.
type ResultCode uint8

// The result codes. All but OK leave no write of the operation behind.
const (
	ResultOK       ResultCode = 0
	ResultFailed   ResultCode = 1 // the application said no; Data says why
	ResultPanic    ResultCode = 2 // the application panicked
	ResultLimit    ResultCode = 3 // the operation exceeded its step or memory limit
	ResultTooLarge ResultCode = 4 // the result would exceed the genesis limit
)

// Result is what one operation yields, the same at every correct replica.
type Result struct {
	Code ResultCode
	Data []byte
}

// Reply answers one executed request. A client compares Request, Seq and
// Results and believes f+1 equal ones; View and Replica are hints. A reply is
// authentic by its channel and proves nothing to others.
type Reply struct {
	Client   crypto.PublicKey // whom to send it to; not encoded
	Request  crypto.Digest
	Sequence Sequence
	Seq      Seq // where it was executed
	Results  []Result
	View     View
	Replica  ReplicaID
}

// Encode returns the reply's frame.
func (r *Reply) Encode() []byte {
	size := 1 + 32 + 8 + 8 + 8 + 8 + 2 + 2
	for _, res := range r.Results {
		size += 1 + 3 + len(res.Data)
	}
	b := make([]byte, 0, size)
	b = append(b, KindReply)
	b = append(b, r.Request[:]...)
	b = binary.BigEndian.AppendUint64(b, r.Sequence.Epoch)
	b = binary.BigEndian.AppendUint64(b, r.Sequence.Counter)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(r.View))
	b = binary.BigEndian.AppendUint16(b, uint16(r.Replica))
	return AppendResults(b, r.Results)
}

// DecodeReply reads a reply's frame.
func DecodeReply(frame []byte) (*Reply, error) {
	r := &Reply{}
	s := cryptobyte.String(frame)
	var kind uint8
	var seq, view uint64
	var id uint16
	if !s.ReadUint8(&kind) || kind != KindReply || !s.CopyBytes(r.Request[:]) ||
		!s.ReadUint64(&r.Sequence.Epoch) || !s.ReadUint64(&r.Sequence.Counter) ||
		!s.ReadUint64(&seq) || !s.ReadUint64(&view) || !s.ReadUint16(&id) {
		return nil, fmt.Errorf("reply: %w", ErrMalformed)
	}
	r.Seq, r.View, r.Replica = Seq(seq), View(view), ReplicaID(id)
	var err error
	if r.Results, err = ReadResults(&s); err != nil {
		return nil, fmt.Errorf("reply: %w", err)
	}
	if !s.Empty() {
		return nil, fmt.Errorf("reply: trailing bytes: %w", ErrMalformed)
	}
	return r, nil
}

// AppendResults appends a list of results to dst: what replies carry and
// sessions keep.
func AppendResults(dst []byte, results []Result) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(results)))
	for _, res := range results {
		dst = append(dst, byte(res.Code))
		dst = AppendBytes(dst, res.Data)
	}
	return dst
}

// ReadResults reads what AppendResults wrote; the data alias s.
func ReadResults(s *cryptobyte.String) ([]Result, error) {
	var count uint16
	if !s.ReadUint16(&count) || count > MaxOperations || int(count)*4 > len(*s) {
		return nil, fmt.Errorf("results: %w", ErrMalformed)
	}
	results := make([]Result, count)
	for i := range results {
		var code uint8
		if !s.ReadUint8(&code) || code > uint8(ResultTooLarge) || !ReadBytes(s, &results[i].Data) {
			return nil, fmt.Errorf("result %d: %w", i, ErrMalformed)
		}
		results[i].Code = ResultCode(code)
	}
	return results, nil
}

// RefusalCode says why a request was not executed for this client now.
type RefusalCode uint8

// The refusal codes. Final ones can never succeed with this very request;
// after the others the client tries again.
const (
	RefusedMalformed       RefusalCode = 1  // final: the frame is not a request
	RefusedSignature       RefusalCode = 2  // final: bad signature
	RefusedUnknownClient   RefusalCode = 3  // final: the genesis does not admit this key
	RefusedTooLarge        RefusalCode = 4  // final: over a genesis limit
	RefusedStale           RefusalCode = 5  // final: sequence used by another request, below the window, or an older epoch
	RefusedAhead           RefusalCode = 6  // the counter lies beyond the window
	RefusedExpired         RefusalCode = 7  // final: no session, and the epoch is further from executed time than the session idle limit
	RefusedTooManySessions RefusalCode = 8  // the number of sessions is at its limit
	RefusedBusy            RefusalCode = 9  // pools are full
	RefusedRole            RefusalCode = 10 // final: the client's role does not permit it
	RefusedNoLeader        RefusalCode = 11 // crash mode: nobody leads, for want of a majority; the request was not taken
	RefusedUndecided       RefusalCode = 12 // ... but it had been taken before, and may yet be executed
)

// Final reports whether trying again with the same request is useless.
func (c RefusalCode) Final() bool {
	switch c {
	case RefusedBusy, RefusedAhead, RefusedTooManySessions, RefusedNoLeader, RefusedUndecided:
		return false
	}
	return true
}

var refusalTexts = [...]string{
	"unknown refusal", "malformed request", "bad signature", "unknown client", "too large", "stale sequence",
	"sequence ahead of the window", "session expired", "too many sessions", "busy", "not permitted for this role",
	"no leader: no majority of the members is within reach", "not decided: no majority of the members is within reach",
}

// String is the fixed text of the code.
func (c RefusalCode) String() string {
	if int(c) < len(refusalTexts) {
		return refusalTexts[c]
	}
	return refusalTexts[0]
}

// Refusal is an answer to a client that is not a result. It is authentic by
// its channel only, and one replica's refusal is one replica's word: a client
// believes a final one from f+1 replicas.
type Refusal struct {
	Client   crypto.PublicKey // whom to send it to; not encoded
	Request  crypto.Digest    // zero if the frame did not decode
	Sequence Sequence
	Code     RefusalCode
	View     View
	Primary  ReplicaID // where the primary is, as this replica sees it
	Times    Times     // zero if the refusal has nothing to do with time
}

// Times is what stands behind a refusal by the session table: with it a client
// whose clock is not the cluster's finds the epoch that it may use.
type Times struct {
	Epoch    uint64 // of the client's session; 0 = it has none
	Unused   bool   // nothing of the refused request's epoch was executed, nor ever will be
	Executed Time   // executed time
	Clock    Time   // this replica's own clock, which its host fills in
}

// Encode returns the refusal's frame; with Times it is one that clients of
// before do not know (Plain).
func (r *Refusal) Encode() []byte {
	if r.Times == (Times{}) {
		return r.Plain()
	}
	b := append(r.Plain(), 0)
	b[0] = KindExplained
	if r.Times.Unused {
		b[len(b)-1] = 1
	}
	b = binary.BigEndian.AppendUint64(b, r.Times.Epoch)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Times.Executed))
	return binary.BigEndian.AppendUint64(b, uint64(r.Times.Clock))
}

// Plain returns the frame without Times.
func (r *Refusal) Plain() []byte {
	b := make([]byte, 0, 1+32+8+8+1+8+2+1+8+8+8)
	b = append(b, KindRefusal)
	b = append(b, r.Request[:]...)
	b = binary.BigEndian.AppendUint64(b, r.Sequence.Epoch)
	b = binary.BigEndian.AppendUint64(b, r.Sequence.Counter)
	b = append(b, byte(r.Code))
	b = binary.BigEndian.AppendUint64(b, uint64(r.View))
	return binary.BigEndian.AppendUint16(b, uint16(r.Primary))
}

// DecodeRefusal reads a refusal's frame.
func DecodeRefusal(frame []byte) (*Refusal, error) {
	r := &Refusal{}
	s := cryptobyte.String(frame)
	var kind, code uint8
	var view uint64
	var primary uint16
	if !s.ReadUint8(&kind) || kind != KindRefusal && kind != KindExplained || !s.CopyBytes(r.Request[:]) ||
		!s.ReadUint64(&r.Sequence.Epoch) || !s.ReadUint64(&r.Sequence.Counter) || !s.ReadUint8(&code) ||
		!s.ReadUint64(&view) || !s.ReadUint16(&primary) || code == 0 || int(code) >= len(refusalTexts) ||
		kind == KindExplained && !r.Times.read(&s) || !s.Empty() {
		return nil, fmt.Errorf("refusal: %w", ErrMalformed)
	}
	r.Code, r.View, r.Primary = RefusalCode(code), View(view), ReplicaID(primary)
	return r, nil
}

// read reads times that are not zero from the front of s.
func (t *Times) read(s *cryptobyte.String) bool {
	var unused uint8
	var executed, clock uint64
	if !s.ReadUint8(&unused) || unused > 1 || !s.ReadUint64(&t.Epoch) || !s.ReadUint64(&executed) || !s.ReadUint64(&clock) || executed|clock > 1<<63-1 {
		return false
	}
	t.Unused, t.Executed, t.Clock = unused == 1, Time(executed), Time(clock)
	return *t != Times{}
}
