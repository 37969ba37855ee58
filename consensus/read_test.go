package consensus

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/crypto"
)

// What is asked and what is found arrive as they left, and in one encoding only.
func TestReadRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := Sequence{Epoch: rapid.Uint64().Draw(t, "epoch"), Counter: rapid.Uint64().Draw(t, "counter")}
		q := &Query{Name: name, Floor: Seq(rapid.Uint64Max(uint64(MaxSeq)-1).Draw(t, "floor")), Operations: drawOperations(t)}
		got, err := DecodeQuery(q.Encode())
		if err != nil || got.Name != q.Name || got.Floor != q.Floor || len(got.Operations) != len(q.Operations) {
			t.Fatalf("%+v became %+v: %v", q, got, err)
		}
		f := &Finding{Name: name, Index: q.Floor, Height: q.Floor + 1, Results: []Result{{Code: ResultFailed, Data: q.Operations[0]}, {Data: []byte{}}}}
		if found, err := DecodeFinding(f.Encode()); err != nil || found.Index != f.Index || found.Height != f.Height || !reflect.DeepEqual(found.Results[0].Code, f.Results[0].Code) || !bytes.Equal(found.Results[0].Data, f.Results[0].Data) {
			t.Fatalf("%+v became %+v: %v", f, found, err)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add((&Query{Name: Sequence{1, 2}, Floor: 3, Operations: [][]byte{{1}, nil}}).Encode())
	f.Add((&Finding{Name: Sequence{1, 2}, Index: 3, Height: 4, Results: []Result{{Data: []byte("x")}}}).Encode())
	f.Fuzz(func(t *testing.T, frame []byte) {
		if q, err := DecodeQuery(frame); err == nil && !bytes.Equal(q.Encode(), frame) {
			t.Error("a READ has two encodings")
		} else if err != nil && !errors.Is(err, ErrMalformed) {
			t.Error(err)
		}
		if x, err := DecodeFinding(frame); err == nil && !bytes.Equal(x.Encode(), frame) {
			t.Error("an answer has two encodings")
		}
	})
}

// A READ comes by its client's own channel, from one whom the genesis admits,
// and within its limits.
func TestOpenQuery(t *testing.T) {
	member, stranger := crypto.PublicKey{1}, crypto.PublicKey{2}
	g := NewGenesis("door", "any", []crypto.PublicKey{{9}})
	g.Clients = []ClientEntry{{Key: member, Role: RoleReader}}
	g.Limits.OperationBytes, g.Limits.RequestOperations = 4, 2
	door := NewDoor(&g)
	read := func(ops ...string) []byte {
		q := &Query{Name: Sequence{1, 5}}
		for _, op := range ops {
			q.Operations = append(q.Operations, []byte(op))
		}
		return q.Encode()
	}
	for name, test := range map[string]struct {
		from  Peer
		frame []byte
		why   Reason
		code  RefusalCode
	}{
		"a reader's":     {ClientPeer(member), read("get"), "", 0},
		"an index":       {ClientPeer(member), read(), "", 0},
		"a stranger's":   {ClientPeer(stranger), read("get"), ReasonRefused, RefusedUnknownClient},
		"too long":       {ClientPeer(member), read("a get"), ReasonRefused, RefusedTooLarge},
		"too many":       {ClientPeer(member), read("a", "b", "c"), ReasonRefused, RefusedTooLarge},
		"malformed":      {ClientPeer(member), append(read("get"), 0), ReasonMalformed, RefusedMalformed},
		"passed on":      {ReplicaPeer(1), read("get"), ReasonChannel, 0},
		"from the topic": {Peer{Kind: Topic}, read("get"), ReasonChannel, 0},
		"an observer's":  {Peer{Kind: PeerObserver, Key: member}, read("get"), ReasonChannel, 0},
	} {
		o := door.OpenQuery(Frame{From: test.from, Bytes: test.frame})
		switch {
		case o.Reason != test.why || (o.Event != nil) != (test.why == "") || (o.Refusal != nil) != (test.code != 0):
			t.Errorf("%s: %+v", name, o)
		case test.code != 0 && (o.Refusal.Code != test.code || o.Refusal.Client != test.from.Key || test.code != RefusedMalformed && o.Refusal.Sequence.Counter != 5):
			t.Errorf("%s: %+v", name, o.Refusal)
		case o.Event != nil && o.Event.(Ask).Query.Client != member:
			t.Errorf("%s: asked by another", name)
		}
	}
}

// Nobody is told of a height that no cluster comes to.
func TestReadsBoundHeights(t *testing.T) {
	for n, fits := range map[Seq]bool{MaxSeq: true, MaxSeq + 1: false, math.MaxUint64: false} {
		if _, err := DecodeQuery((&Query{Floor: n}).Encode()); (err == nil) != fits {
			t.Errorf("a floor of %d: %v", n, err)
		}
		for _, f := range []Finding{{Index: n}, {Height: n}} {
			if _, err := DecodeFinding(f.Encode()); (err == nil) != fits {
				t.Errorf("an answer of %d at %d: %v", f.Index, f.Height, err)
			}
		}
	}
}
