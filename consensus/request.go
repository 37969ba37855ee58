package consensus

import (
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/crypto"
)

// Kinds of frames that every protocol shares: the first byte of a frame.
// Kinds below 0x10 belong to this package, the others to the protocols.
const (
	KindOldRequest  byte = 0x01 // as KindRequest, its signature over all its bytes: of clients of before
	KindReply       byte = 0x02 // replica → client
	KindRefusal     byte = 0x03 // replica → client
	KindStatusQuery byte = 0x04 // client → replica, answered by the host
	KindStatusReply byte = 0x05 // replica → client: JSON of Status
	KindExplained   byte = 0x06 // replica → client: a refusal with its Times
	KindClock       byte = 0x07 // replica → replica: what its clock shows
	KindRead        byte = 0x08 // client → replica: a Query
	KindFinding     byte = 0x09 // replica → client: a Finding
	KindRequest     byte = 0x0a // client → replica, replica → replica, topic

	FirstProtocolKind byte = 0x10
)

// The domain tags of a client's signature. Under requestTag it is over the
// digest of the frame before it, kind included, which costs nothing beside the
// request's own digest. Under oldRequestTag it is over those bytes themselves,
// without the kind: Ed25519 hashes them once more to verify, and twice to sign.
const (
	requestTag    = "quorate/2/request"
	oldRequestTag = "quorate/1/request"
)

// IsRequest tells whether a frame is a request, of either kind.
func IsRequest(frame []byte) bool {
	return len(frame) > 0 && (frame[0] == KindRequest || frame[0] == KindOldRequest)
}

// MaxOperations bounds the operations in one request, whatever the genesis says.
const MaxOperations = 4096

// Sequence orders the requests of one client. Epoch is the client's start
// time in nanoseconds; a higher epoch opens a fresh window (PROTOCOL.md §3).
type Sequence struct {
	Epoch   uint64
	Counter uint64 // from 1
}

// Request is one or more operations of a client under one signature, executed
// in order. Its fields alias Raw and are never written to.
type Request struct {
	Client     crypto.PublicKey
	Sequence   Sequence
	Operations [][]byte
	Digest     crypto.Digest // of Raw, signature included
	Raw        []byte        // the frame: signed = sent = recorded
	signed     crypto.Digest // of Raw up to the signature
}

const requestOverhead = 1 + crypto.PublicKeySize + 8 + 8 + 2 + crypto.SignatureSize

// SignRequest builds the request frame of the client with key s.
// Callers: client/session and tests.
func SignRequest(s crypto.Signer, cluster crypto.Digest, seq Sequence, operations [][]byte) *Request {
	return signRequest(KindRequest, s, cluster, seq, operations)
}

// SignOldRequest builds the frame that clients of before send.
// Callers: package byzantine/client and tests.
func SignOldRequest(s crypto.Signer, cluster crypto.Digest, seq Sequence, operations [][]byte) *Request {
	return signRequest(KindOldRequest, s, cluster, seq, operations)
}

func signRequest(kind byte, s crypto.Signer, cluster crypto.Digest, seq Sequence, operations [][]byte) *Request {
	size := requestOverhead
	for _, op := range operations {
		size += 3 + len(op)
	}
	pub := s.Public()
	raw := make([]byte, 0, size)
	raw = append(raw, kind)
	raw = append(raw, pub[:]...)
	raw = binary.BigEndian.AppendUint64(raw, seq.Epoch)
	raw = binary.BigEndian.AppendUint64(raw, seq.Counter)
	raw = binary.BigEndian.AppendUint16(raw, uint16(len(operations)))
	for _, op := range operations {
		raw = AppendBytes(raw, op)
	}
	h := crypto.NewHasher()
	r := &Request{Client: pub, Sequence: seq, Operations: operations, signed: h.Add(raw)}
	domain, body := r.statement(cluster, raw)
	sig := s.Sign(domain, body)
	r.Raw, r.Digest = append(raw, sig[:]...), h.Add(sig[:])
	return r
}

// DecodeRequest decodes a request frame without judging its signature: Claim
// says what has to be verified. One value has one encoding; every other is refused.
func DecodeRequest(raw []byte) (*Request, error) {
	r := &Request{Raw: raw}
	s := cryptobyte.String(raw)
	var kind uint8
	var count uint16
	if !s.ReadUint8(&kind) || !IsRequest(raw) || !s.CopyBytes(r.Client[:]) ||
		!s.ReadUint64(&r.Sequence.Epoch) || !s.ReadUint64(&r.Sequence.Counter) || !s.ReadUint16(&count) {
		return nil, fmt.Errorf("request: %w", ErrMalformed)
	}
	if count == 0 || count > MaxOperations || r.Sequence.Counter == 0 || int(count)*3 > len(s) {
		return nil, fmt.Errorf("request: %d operations, counter %d: %w", count, r.Sequence.Counter, ErrMalformed)
	}
	r.Operations = make([][]byte, count)
	for i := range r.Operations {
		if !ReadBytes(&s, &r.Operations[i]) {
			return nil, fmt.Errorf("request: operation %d: %w", i, ErrMalformed)
		}
	}
	if len(s) != crypto.SignatureSize {
		return nil, fmt.Errorf("request: %d bytes after the operations, want a signature: %w", len(s), ErrMalformed)
	}
	h := crypto.NewHasher()
	r.signed, r.Digest = h.Add(raw[:len(raw)-len(s)]), h.Add(s)
	return r, nil
}

// Claim is the statement that the request's client signed it for cluster.
func (r *Request) Claim(cluster crypto.Digest) crypto.Claim {
	end := len(r.Raw) - crypto.SignatureSize
	domain, body := r.statement(cluster, r.Raw[:end])
	return crypto.Claim{Key: r.Client, Domain: domain, Body: body, Signature: crypto.Signature(r.Raw[end:])}
}

// statement is what is signed of a request whose frame begins with unsigned.
func (r *Request) statement(cluster crypto.Digest, unsigned []byte) (d crypto.Domain, body []byte) {
	if unsigned[0] == KindOldRequest {
		return crypto.Domain{Tag: oldRequestTag, Cluster: cluster}, unsigned[1:]
	}
	return crypto.Domain{Tag: requestTag, Cluster: cluster}, r.signed[:]
}

// Batch is what one sequence number executes: requests in order, and the
// primary's clock when it closed the batch. It may be empty; the null batch of
// a NEW-VIEW is a nil *Batch.
type Batch struct {
	Stamp    Time
	Requests []*Request
}

// NullDigest is the digest of the null batch, which has no body and no stamp.
var NullDigest = crypto.Hash([]byte("quorate/1/null batch"))

// MaxBatchRequests bounds the requests in one batch, whatever the genesis says.
const MaxBatchRequests = 8192

// Digest covers the stamp and the requests' digests, not the view: proposed
// again in a later view, a batch has the same digest.
func (b *Batch) Digest() crypto.Digest {
	if b == nil {
		return NullDigest
	}
	buf := make([]byte, 0, len(batchTag)+8+4+len(b.Requests)*crypto.DigestSize)
	buf = append(buf, batchTag...)
	buf = binary.BigEndian.AppendUint64(buf, uint64(b.Stamp))
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(b.Requests)))
	for _, r := range b.Requests {
		buf = append(buf, r.Digest[:]...)
	}
	return crypto.Hash(buf)
}

const batchTag = "quorate/1/batch"

// Size is the length of Append's output, in bytes.
func (b *Batch) Size() int {
	size := 8 + 2
	for _, r := range b.Requests {
		size += 3 + len(r.Raw)
	}
	return size
}

// Describe says how much is in the batch, for notes.
func (b *Batch) Describe() string {
	return fmt.Sprintf("%d requests, %d bytes", len(b.Requests), b.Size())
}

// Append appends the batch's encoding to dst. Not for the null batch.
func (b *Batch) Append(dst []byte) []byte {
	dst = slices.Grow(dst, b.Size())
	dst = binary.BigEndian.AppendUint64(dst, uint64(b.Stamp))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(b.Requests)))
	for _, r := range b.Requests {
		dst = AppendBytes(dst, r.Raw)
	}
	return dst
}

// ReadBatch reads what Append wrote from the front of s. The requests alias s;
// their signatures are not yet judged.
func ReadBatch(s *cryptobyte.String) (*Batch, error) {
	b := &Batch{}
	var stamp uint64
	var count uint16
	if !s.ReadUint64(&stamp) || stamp > 1<<63-1 || !s.ReadUint16(&count) || count > MaxBatchRequests ||
		int(count)*requestOverhead > len(*s) {
		return nil, fmt.Errorf("batch: %w", ErrMalformed)
	}
	b.Stamp = Time(stamp)
	if count > 0 {
		b.Requests = make([]*Request, count)
	}
	for i := range b.Requests {
		var raw []byte
		if !ReadBytes(s, &raw) {
			return nil, fmt.Errorf("batch: request %d: %w", i, ErrMalformed)
		}
		r, err := DecodeRequest(raw)
		if err != nil {
			return nil, fmt.Errorf("batch: request %d: %w", i, err)
		}
		b.Requests[i] = r
	}
	return b, nil
}

// MaxBytes is the longest byte string that AppendBytes can carry.
const MaxBytes = 1<<24 - 1

// AppendBytes appends b behind its length in three bytes, big endian. A b
// longer than MaxBytes is a mistake of the caller's.
func AppendBytes(dst, b []byte) []byte {
	if len(b) > MaxBytes {
		panic(fmt.Sprintf("consensus: byte string of %d bytes, limit %d", len(b), MaxBytes))
	}
	dst = append(dst, byte(len(b)>>16), byte(len(b)>>8), byte(len(b)))
	return append(dst, b...)
}

// ReadBytes reads what AppendBytes wrote; out aliases s.
func ReadBytes(s *cryptobyte.String, out *[]byte) bool {
	var v cryptobyte.String
	if !s.ReadUint24LengthPrefixed(&v) {
		return false
	}
	*out = v
	return true
}
