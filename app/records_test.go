package app

import (
	"bytes"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// The records of the replicated state have one encoding each, and reading one
// that a damaged disk invented neither panics nor allocates beyond its size.
func FuzzRecords(f *testing.F) {
	s := &session{epoch: 7, used: 9}
	for _, counter := range []uint64{1, 2, 5, 200, 300} {
		s.record(counter, 9, encodeReply(counter, crypto.Hash(nil), 3, []consensus.Result{{Data: make([]byte, counter)}}), 400)
	}
	p := position{cluster: crypto.Hash(nil), seq: 3, time: 4, order: 5, sessions: 6, foreign: 2}
	f.Add(s.encode())
	f.Add(p.encode())
	p.counted, p.changes = true, 4
	f.Add(p.encode())
	f.Add(encodeReply(1, crypto.Hash(nil), 2, []consensus.Result{{Data: []byte("x")}, {Code: consensus.ResultLimit}}))
	f.Add(append(make([]byte, 16), 0x80, 0x00, 1)) // a varint longer than need be
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := decodeSession(b); err == nil {
			if again := s.encode(); !bytes.Equal(again, b) {
				t.Fatalf("session %x encodes to %x", b, again)
			}
			if len(s.executed) > len(b) {
				t.Fatalf("%d counters from %d bytes", len(s.executed), len(b))
			}
		}
		if p, err := decodePosition(b); err == nil && !bytes.Equal(p.encode(), b) {
			t.Fatalf("position %x encodes to %x", b, p.encode())
		}
		if r, err := decodeReply(b); err == nil {
			if again := encodeReply(r.Sequence.Counter, r.Request, r.Seq, r.Results); !bytes.Equal(again, b) {
				t.Fatalf("reply %x encodes to %x", b, again)
			}
		}
	})
}

// A state that an older program kept has no count, whatever the genesis says: it
// goes on without, as the other replicas do.
func TestPositionWithoutACount(t *testing.T) {
	g := consensus.NewGenesis("test", "pbft", []crypto.PublicKey{{1}})
	if at := beginning(&g); at.revision() != 0 {
		t.Errorf("without a nonce the first change has revision %d", at.revision())
	}
	g.Nonce[15] = 1
	at := beginning(&g)
	at.changed(false)
	at.changed(true)
	for want, p := range map[uint64]position{0: {order: 5}, 2: at} {
		again, err := decodePosition(p.encode())
		if err != nil || again != p || again.revision() != want {
			t.Errorf("%+v is read as %+v, revision %d, %v", p, again, again.revision(), err)
		}
		again.changed(true)
		if want > 0 {
			want++
		}
		if again.revision() != want {
			t.Errorf("after a change: revision %d, want %d", again.revision(), want)
		}
	}
	for _, version := range []byte{0, positionVersion + 1} {
		b := at.encode()
		b[0] = version
		if _, err := decodePosition(b); err == nil {
			t.Errorf("read a position of layout %d", version)
		}
	}
}

// A session survives being written and read, bytes and slots included.
func TestSessionRecord(t *testing.T) {
	s := &session{epoch: 1 << 60}
	for i := range uint64(600) {
		s.record(1+i*2, consensus.Time(i), encodeReply(1+i*2, crypto.Hash(nil), 1, nil), 100)
	}
	got, err := decodeSession(s.encode())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.executed) != 128 || len(got.executed) != 128 || got.cached != s.cached || got.cached != 100 ||
		got.stored != s.wanted() || got.used != 599 || got.highest() != 1199 {
		t.Errorf("read back %d counters, %d bytes, used %d, highest %d", len(got.executed), got.cached, got.used, got.highest())
	}
}
