package message

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// encoder is a message that lays out its own frame; the others keep theirs.
type encoder interface{ Encode() []byte }

// reencode returns the frame of a decoded message, put together anew where the
// message does not carry it.
func (c *cluster) reencode(t rapid.TB, m any) []byte {
	t.Helper()
	switch m := m.(type) {
	case *consensus.Request:
		return m.Raw
	case *PrePrepare:
		return Reframe(m.Vote, m.Batch).Frame
	case *ViewChange:
		return relaid(c.NewViewChange(c.replicas[m.Replica], *m).Frame, m.Frame)
	case *NewView:
		return relaid(c.NewNewView(c.replicas[m.Replica], *m).Frame, m.Frame)
	case encoder:
		return m.Encode()
	}
	t.Fatalf("no encoding for %T", m)
	return nil
}

// relaid puts the signature of the old frame under the new body.
func relaid(fresh, old []byte) []byte {
	body := fresh[:len(fresh)-crypto.SignatureSize]
	return append(bytes.Clone(body), old[len(old)-crypto.SignatureSize:]...)
}

// PROTOCOL.md §2: one value has one encoding, and decoding refuses every other.
func TestEverySpecimenIsItsOwnEncoding(t *testing.T) {
	c := newCluster(t, 4)
	for name, frame := range c.specimens() {
		m, err := c.Decode(frame)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if again := c.reencode(t, m); !bytes.Equal(again, frame) {
			t.Errorf("%s: decoded and encoded again it is\n%x, was\n%x", name, again, frame)
		}
		for size := range frame {
			if _, err := c.Decode(frame[:size:size]); err == nil {
				t.Errorf("%s: its first %d of %d bytes decode", name, size, len(frame))
			}
		}
		if _, err := c.Decode(append(bytes.Clone(frame), 0)); err == nil {
			t.Errorf("%s: decodes with a trailing byte", name)
		}
		if o := c.openAt(nil, peerFor(c, frame), frame); o.Event == nil {
			t.Errorf("%s: refused: %s", name, o.Reason)
		}
		if text := c.Describe(frame); text == "" || bytes.ContainsAny([]byte(text), "\n?") {
			t.Errorf("%s: described as %q", name, text)
		}
	}
}

// peerFor is a channel over which the frame may come.
func peerFor(c *cluster, frame []byte) consensus.Peer {
	if consensus.IsRequest(frame) {
		return consensus.ClientPeer(crypto.PublicKey(frame[1:33]))
	}
	return consensus.ReplicaPeer(3)
}

// Whatever the field values, a message comes back as it was.
func TestDecodeInvertsEncode(t *testing.T) {
	c := newCluster(t, 4)
	digest := rapid.Custom(func(t *rapid.T) (d crypto.Digest) {
		copy(d[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
		return d
	})
	seq := rapid.Map(rapid.Uint64Min(1), func(n uint64) consensus.Seq { return consensus.Seq(n) })
	view := rapid.Map(rapid.Uint64(), func(v uint64) consensus.View { return consensus.View(v) })
	rapid.Check(t, func(t *rapid.T) {
		var m encoder
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			v := Vote{Kind: CommitKind, View: view.Draw(t, "v"), Seq: seq.Draw(t, "n"), Digest: digest.Draw(t, "d"), Replica: consensus.ReplicaID(rapid.IntRange(0, 3).Draw(t, "i"))}
			v = c.SignVote(c.replicas[v.Replica], v)
			m = &v
		case 1:
			m = &Status{
				View: view.Draw(t, "v"), Changing: rapid.Bool().Draw(t, "changing"), Rejoining: rapid.Bool().Draw(t, "rejoining"), Low: seq.Draw(t, "h"), Executed: seq.Draw(t, "executed"),
				Slots: rapid.SliceOfN(rapid.Map(rapid.ByteMax(byte(allProgress)), func(b byte) Progress { return Progress(b) }), 1, MaxStatusSlots).Draw(t, "slots"),
			}
		case 2:
			m = &Fetch{What: What(rapid.SampledFrom([]byte{1, 2, 3, 5}).Draw(t, "what")), Seq: seq.Draw(t, "n"), Digest: digest.Draw(t, "d")}
		case 3:
			m = &Rejoin{Nonce: rapid.Uint64().Draw(t, "nonce")}
		case 4:
			d, n := digest.Draw(t, "d"), seq.Draw(t, "n")
			m = &FetchReply{What: WhatCheckpoint, Seq: n, Digest: d, Certificate: c.certificate(CheckpointCertificate, 0, n, d)}
		}
		got, err := c.Decode(m.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, m) {
			t.Fatalf("got %+v, want %+v", got, m)
		}
	})
}

func TestCertificateDecodesAlone(t *testing.T) {
	c := newCluster(t, 4)
	want := c.certificate(CheckpointCertificate, 0, 2, crypto.Hash([]byte("root")))
	b := want.Encode()
	if len(b) != certificateSize(c.System.Quorum()) {
		t.Fatalf("encoded in %d bytes, certificateSize says %d", len(b), certificateSize(c.System.Quorum()))
	}
	got, err := c.OpenCertificate(c.verifier, b, CheckpointCertificate)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if _, err := c.OpenCertificate(c.verifier, bad, CheckpointCertificate); err == nil {
			t.Errorf("accepted with byte %d flipped", i)
		}
	}
	if _, err := c.DecodeCertificate(append(bytes.Clone(b), 0), CheckpointCertificate); !errors.Is(err, consensus.ErrMalformed) {
		t.Errorf("trailing byte: %v", err)
	}
	if _, err := c.OpenCertificate(c.verifier, append(bytes.Clone(b), 0), CheckpointCertificate); !errors.Is(err, consensus.ErrMalformed) {
		t.Errorf("trailing byte: %v", err)
	}
	if _, err := c.OpenCertificate(c.verifier, b, CommittedCertificate); !errors.Is(err, consensus.ErrMalformed) {
		t.Errorf("taken for another kind: %v", err)
	}
}

// A promise is what must not be said twice: the same for two encodings of one
// vote, another for another content.
func TestPromised(t *testing.T) {
	c := newCluster(t, 4)
	a, b := crypto.Hash([]byte("a")), crypto.Hash([]byte("b"))
	first, _ := c.Promised(encoded(c.vote(CommitKind, 1, 0, 1, a)))
	again, _ := c.Promised(encoded(c.vote(CommitKind, 1, 0, 1, a)))
	other, ok := c.Promised(encoded(c.vote(CommitKind, 1, 0, 1, b)))
	if !ok || first != again || first == other {
		t.Errorf("promises %v, %v, %v", first, again, other)
	}
	first.Content, other.Content = "", ""
	if first != other {
		t.Errorf("places differ: %v and %v", first, other)
	}
	for name, promises := range map[string]bool{"pre-prepare": true, "view-change": true, "new-view": true, "status": false, "request": false, "given parts": false} {
		if _, ok := c.Promised(c.specimens()[name]); ok != promises {
			t.Errorf("%s promises: %v", name, ok)
		}
	}
	if _, ok := c.Promised(nil); ok {
		t.Error("nothing promises something")
	}
}

// The largest NEW-VIEW that a configuration can need is as long as announced,
// and the true one never longer.
func TestMaxFrameBoundsTheLargest(t *testing.T) {
	c := newCluster(t, 4)
	d := crypto.Hash([]byte("d"))
	var prepared []*Certificate
	for n := range c.Genesis.Window {
		prepared = append(prepared, c.certificate(PreparedCertificate, 0, 4+n+1, d))
	}
	var vcs []*ViewChange
	var slots []Vote
	for id := range consensus.ReplicaID(3) {
		vcs = append(vcs, c.viewChange(id, 1, 4, prepared...))
	}
	for _, p := range prepared {
		slots = append(slots, Vote{Seq: p.Seq, Digest: d})
	}
	nv := c.newView(1, vcs, slots...)
	if o := c.open(1, nv.Frame); o.Event == nil {
		t.Fatalf("refused: %s", o.Reason)
	}
	if len(nv.Frame) > c.MaxFrame() {
		t.Errorf("%d bytes, MaxFrame says %d", len(nv.Frame), c.MaxFrame())
	}
}
