package protocol

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/paxos"
	"quorate.dev/quorate/paxos/synod"
)

// TestReadsPaxos: what members say is read for the slot that it is about, and what
// nobody says is none of the protocol.
func TestReadsPaxos(t *testing.T) {
	p, err := Lookup(Paxos)
	if err != nil {
		t.Fatal(err)
	}
	c := p.Codec(genesis(Paxos, 3))
	q := consensus.SignRequest(crypto.NewSigner([32]byte{1}), crypto.Digest{}, consensus.Sequence{Epoch: 1, Counter: 1}, [][]byte{{1}})
	b := &consensus.Batch{Requests: []*consensus.Request{q}}
	accept := (&paxos.Accept{Ballot: 4, Slot: 7, Batch: b}).Encode()
	s, ok := c.Summary(accept)
	if !ok || s.Seq != 7 || s.View != 4 || s.Signer != 1 || s.Topic != Proposal || !s.Valued || s.Value != b.Digest() || len(s.Request) != 1 || s.Request[0] != q.Digest {
		t.Errorf("ACCEPT is read as %+v", s)
	}
	if at := c.Signature(accept); at != len(accept)-crypto.SignatureSize {
		t.Errorf("its last client's signature is at %d of %d", at, len(accept))
	}
	if said, ok := c.Promise(accept); !ok || said.Signer != 1 || said.View != 4 || said.Seq != 7 || said.Content != b.Digest() {
		t.Errorf("it promises %+v", said)
	}
	null := (&paxos.Accept{Ballot: 4, Slot: 7}).Encode()
	if c.Signature(null) >= 0 {
		t.Error("the null batch has a signature")
	}
	promise := paxos.EncodePromise(&paxos.Promise{Ballot: 4, Base: 2, Votes: []synod.Vote{{Slot: 3, Ballot: 1, Digest: b.Digest()}}})
	if s, ok := c.Summary(promise); !ok || s.Topic != Succession || len(s.Slots) != 1 || s.Slots[0] != 3 || s.Values[0] != b.Digest() {
		t.Errorf("PROMISE is read as %+v", s)
	}
	if s, ok := c.Summary(paxos.EncodeState(paxos.State{Seq: 8})); !ok || s.Topic != State || s.Decided != 8 {
		t.Errorf("STATE is read as %+v", s)
	}
	for kind, frame := range map[string][]byte{
		"COMMIT": (&paxos.Commit{Ballot: 4, UpTo: 7}).Encode(), "HEARTBEAT": (&paxos.Heartbeat{Ballot: 4, UpTo: 7}).Encode(),
		"LEARN": (&paxos.Learn{From: 7, To: 9}).Encode(), "VALUE": (&paxos.Value{Slot: 7, Ballot: 4, Batch: b}).Encode(),
	} {
		s, ok := c.Summary(frame)
		if !ok || s.Kind != kind || s.Decided != 7 && s.Seq != 7 && len(s.Slots) != 1 {
			t.Errorf("%s is read as %+v", kind, s)
		}
		if _, promises := c.Promise(frame); promises {
			t.Errorf("%s promises something", kind)
		}
	}
	for _, bad := range [][]byte{nil, {paxos.AcceptKind}, accept[:len(accept)-1], {255}} {
		if s, ok := c.Summary(bad); ok {
			t.Errorf("%x is read as %+v", bad, s)
		}
	}
}
