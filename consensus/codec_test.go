package consensus

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"pgregory.net/rapid"

	"quorate.dev/quorate/crypto"
)

var (
	testCluster = crypto.Hash([]byte("cluster"))
	testSigner  = crypto.NewSigner([32]byte{1})
)

func drawOperations(t *rapid.T) [][]byte {
	return rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 40), 1, 5).Draw(t, "operations")
}

func drawRequest(t *rapid.T) *Request {
	seq := Sequence{Epoch: rapid.Uint64().Draw(t, "epoch"), Counter: rapid.Uint64Min(1).Draw(t, "counter")}
	sign := SignRequest
	if rapid.Bool().Draw(t, "old") {
		sign = SignOldRequest
	}
	return sign(testSigner, testCluster, seq, drawOperations(t))
}

// One value, one encoding: what was signed decodes to what was meant, and its
// claim is the one that was signed.
func TestRequestRoundTrip(t *testing.T) {
	v := crypto.NewVerifier(nil)
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		got, err := DecodeRequest(r.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if got.Client != r.Client || got.Sequence != r.Sequence || got.Digest != r.Digest || len(got.Operations) != len(r.Operations) {
			t.Fatalf("%+v became %+v", r, got)
		}
		for i := range r.Operations {
			if !bytes.Equal(got.Operations[i], r.Operations[i]) {
				t.Fatalf("operation %d differs", i)
			}
		}
		if !v.Verify([]crypto.Claim{got.Claim(testCluster)})[0] || v.Verify([]crypto.Claim{got.Claim(crypto.Digest{9})})[0] {
			t.Fatal("the claim must hold for this cluster and for no other")
		}
	})
}

// Every change of one byte makes another request, or none: it never keeps both
// digest and signature.
func TestRequestMutated(t *testing.T) {
	for _, sign := range []signing{SignRequest, SignOldRequest} {
		mutated(t, sign(testSigner, testCluster, Sequence{Epoch: 7, Counter: 3}, [][]byte{[]byte("put"), {}}))
	}
}

type signing = func(crypto.Signer, crypto.Digest, Sequence, [][]byte) *Request

func mutated(t *testing.T, r *Request) {
	v := crypto.NewVerifier(nil)
	for i := range r.Raw {
		raw := bytes.Clone(r.Raw)
		raw[i] ^= 1
		got, err := DecodeRequest(raw)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("byte %d: %v", i, err)
			}
			continue
		}
		if got.Digest == r.Digest || v.Verify([]crypto.Claim{got.Claim(testCluster)})[0] {
			t.Errorf("byte %d changed, and the request is still authentic", i)
		}
	}
	for n := range len(r.Raw) {
		if _, err := DecodeRequest(r.Raw[:n]); !errors.Is(err, ErrMalformed) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	if _, err := DecodeRequest(append(bytes.Clone(r.Raw), 0)); !errors.Is(err, ErrMalformed) {
		t.Errorf("trailing byte: %v", err)
	}
}

func TestRequestRefused(t *testing.T) {
	for name, r := range map[string]*Request{
		"no operation":   SignRequest(testSigner, testCluster, Sequence{Epoch: 1, Counter: 1}, nil),
		"counter 0":      SignRequest(testSigner, testCluster, Sequence{Epoch: 1}, [][]byte{{1}}),
		"too many":       SignRequest(testSigner, testCluster, Sequence{Epoch: 1, Counter: 1}, make([][]byte, MaxOperations+1)),
		"another's kind": {Raw: append([]byte{KindReply}, SignRequest(testSigner, testCluster, Sequence{Epoch: 1, Counter: 1}, [][]byte{{1}}).Raw[1:]...)},
	} {
		if _, err := DecodeRequest(r.Raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A batch's digest depends on the stamp and on each request in its place, and
// the null batch has its own.
func TestBatchDigest(t *testing.T) {
	a := SignRequest(testSigner, testCluster, Sequence{Epoch: 1, Counter: 1}, [][]byte{{1}})
	b := SignRequest(testSigner, testCluster, Sequence{Epoch: 1, Counter: 2}, [][]byte{{1}})
	seen := map[crypto.Digest]int{}
	for i, batch := range []*Batch{
		nil, {}, {Stamp: 1}, {Requests: []*Request{a}}, {Stamp: 1, Requests: []*Request{a}},
		{Requests: []*Request{a, b}}, {Requests: []*Request{b, a}}, {Requests: []*Request{b}},
	} {
		d := batch.Digest()
		if j, twice := seen[d]; twice {
			t.Errorf("batches %d and %d have one digest", i, j)
		}
		seen[d] = i
	}
	if (*Batch)(nil).Digest() != NullDigest {
		t.Error("the null batch does not have the null digest")
	}
}

func TestBatchRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &Batch{Stamp: Time(rapid.Int64Min(0).Draw(t, "stamp"))}
		for range rapid.IntRange(0, 4).Draw(t, "requests") {
			b.Requests = append(b.Requests, drawRequest(t))
		}
		raw := b.Append(nil)
		if len(raw) != b.Size() {
			t.Fatalf("%d bytes, Size says %d", len(raw), b.Size())
		}
		s := cryptobyte.String(append(raw, 42))
		got, err := ReadBatch(&s)
		if err != nil || len(s) != 1 {
			t.Fatalf("%v, %d bytes left", err, len(s))
		}
		if got.Digest() != b.Digest() || !bytes.Equal(got.Append(nil), raw) {
			t.Fatal("another batch came back")
		}
	})
}

func TestReplyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &Reply{
			Request: crypto.Hash(rapid.SliceOf(rapid.Byte()).Draw(t, "request")), Sequence: Sequence{Epoch: rapid.Uint64().Draw(t, "epoch"), Counter: rapid.Uint64().Draw(t, "counter")},
			Seq: Seq(rapid.Uint64().Draw(t, "seq")), View: View(rapid.Uint64().Draw(t, "view")), Replica: ReplicaID(rapid.Uint16().Draw(t, "replica")), Results: []Result{},
		}
		for range rapid.IntRange(0, 4).Draw(t, "results") {
			r.Results = append(r.Results, Result{Code: ResultCode(rapid.IntRange(0, int(ResultTooLarge)).Draw(t, "code")), Data: rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "data")})
		}
		got, err := DecodeReply(r.Encode())
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("%+v became %+v: %v", r, got, err)
		}
		if _, err := DecodeReply(append(r.Encode(), 0)); !errors.Is(err, ErrMalformed) {
			t.Fatalf("trailing byte: %v", err)
		}
	})
}

func TestRefusalRoundTrip(t *testing.T) {
	for code := RefusedMalformed; code <= RefusedUndecided; code++ {
		r := &Refusal{Request: crypto.Digest{1}, Sequence: Sequence{Epoch: 2, Counter: 3}, Code: code, View: 4, Primary: 5}
		got, err := DecodeRefusal(r.Encode())
		if err != nil || *got != *r {
			t.Errorf("%+v became %+v: %v", r, got, err)
		}
		if code.String() == RefusalCode(0).String() {
			t.Errorf("code %d has no text", code)
		}
	}
	for _, code := range []RefusalCode{0, RefusedUndecided + 1, 255} {
		r := &Refusal{Code: code}
		if _, err := DecodeRefusal(r.Encode()); !errors.Is(err, ErrMalformed) {
			t.Errorf("code %d: %v", code, err)
		}
	}
}

// A refusal with times is one that clients of before do not know; what they do
// know says the same without the times.
func TestExplainedRefusal(t *testing.T) {
	for _, times := range []Times{{Epoch: 7}, {Unused: true}, {Executed: 8}, {Clock: 9}, {Epoch: 1 << 63, Unused: true, Executed: 1<<63 - 1, Clock: 1<<63 - 1}} {
		r := &Refusal{Request: crypto.Digest{1}, Sequence: Sequence{Epoch: 2, Counter: 3}, Code: RefusedStale, View: 4, Primary: 5, Times: times}
		b := r.Encode()
		if got, err := DecodeRefusal(b); err != nil || *got != *r || b[0] != KindExplained {
			t.Errorf("%+v: got %+v, %v", r, got, err)
		}
		for _, bad := range [][]byte{b[:len(b)-1], append(b, 0)} {
			if _, err := DecodeRefusal(bad); !errors.Is(err, ErrMalformed) {
				t.Errorf("%d bytes: %v", len(bad), err)
			}
		}
		plain, err := DecodeRefusal(r.Plain())
		if r.Times = (Times{}); err != nil || *plain != *r {
			t.Errorf("plain: %+v, %v", plain, err)
		}
	}
	for _, bad := range []Times{{}, {Clock: -1}, {Executed: -1}} {
		r := &Refusal{Code: RefusedStale, Times: Times{Epoch: 1}}
		b := r.Encode()
		b = binary.BigEndian.AppendUint64(b[:len(b)-24], bad.Epoch)
		b = binary.BigEndian.AppendUint64(b, uint64(bad.Executed))
		if _, err := DecodeRefusal(binary.BigEndian.AppendUint64(b, uint64(bad.Clock))); !errors.Is(err, ErrMalformed) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// statement is what the signature of a request's frame has to be over.
func statement(b []byte) []byte {
	unsigned := b[:len(b)-crypto.SignatureSize]
	if b[0] == 0x01 {
		return unsigned[1:]
	}
	d := crypto.Hash(unsigned)
	return d[:]
}

// What clients of before have sent, and logs hold, means what it meant: these
// are the bytes that one of them made.
func TestOldRequests(t *testing.T) {
	raw, err := hex.DecodeString("01a2fa2f4a355ba2e907a53009e9e37caddf7ac7e66a08ba07631f553072b3f24c" +
		"000000000000000500000000000000030002000003707574000000" +
		"ae142cd0442836edc85c930f9094bcc5a742e0d9c8c0b35e04f83caa9f416d8b90b0bb1d0ed336ce94006707f831f6e618ec8e29f542fa6a50cd673336caa902")
	if err != nil {
		t.Fatal(err)
	}
	r, err := DecodeRequest(raw)
	if err != nil {
		t.Fatal(err)
	}
	if want := "c2ec452310a7719de288c3dad3cab028145050d0455842f08910fc543aaa5748"; r.Digest.String() != want {
		t.Errorf("its digest is %s, was %s", r.Digest, want)
	}
	v := crypto.NewVerifier(nil)
	if !v.Verify([]crypto.Claim{r.Claim(testCluster)})[0] {
		t.Error("its signature does not hold")
	}
	again := SignOldRequest(crypto.NewSigner([32]byte{7}), testCluster, r.Sequence, r.Operations)
	if !bytes.Equal(again.Raw, raw) {
		t.Error("the same request is signed otherwise")
	}
	// A signature of one form is none of the other, and not the same request.
	for _, sign := range []signing{SignRequest, SignOldRequest} {
		raw := sign(testSigner, testCluster, r.Sequence, r.Operations).Raw
		raw[0] ^= KindRequest ^ KindOldRequest
		if other, err := DecodeRequest(raw); err != nil || v.Verify([]crypto.Claim{other.Claim(testCluster)})[0] {
			t.Errorf("as kind %d the signature holds: %v", raw[0], err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add((&Refusal{Code: RefusedStale, Times: Times{Epoch: 1, Clock: 2}}).Encode())
	r := SignRequest(testSigner, testCluster, Sequence{Epoch: 1, Counter: 1}, [][]byte{[]byte("a"), {}})
	f.Add(r.Raw)
	f.Add(SignOldRequest(testSigner, testCluster, r.Sequence, r.Operations).Raw)
	f.Add((&Batch{Stamp: 3, Requests: []*Request{r}}).Append(nil))
	f.Add((&Reply{Results: []Result{{Data: []byte("x")}}}).Encode())
	f.Add((&Refusal{Code: RefusedBusy}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if q, err := DecodeRequest(b); err == nil && (q.Digest != crypto.Hash(b) || !bytes.Equal(q.Claim(testCluster).Body, statement(b))) {
			t.Error("a decoded request is not its bytes")
		}
		if p, err := DecodeReply(b); err == nil && !bytes.Equal(p.Encode(), b) {
			t.Error("a reply has two encodings")
		}
		if p, err := DecodeRefusal(b); err == nil && !bytes.Equal(p.Encode(), b) {
			t.Error("a refusal has two encodings")
		}
		s := cryptobyte.String(b)
		if p, err := ReadBatch(&s); err == nil && !bytes.Equal(p.Append(nil), b[:len(b)-len(s)]) {
			t.Error("a batch has two encodings")
		}
	})
}
