package message

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// authentic checks an opened event by other means than Open did: every layer's
// claims again, one at a time, and the encoding. Whatever bytes came in, an
// event that fails here could move an engine by a lie.
func (c *cluster) authentic(t rapid.TB, frame []byte, e consensus.Event) {
	t.Helper()
	var claims []crypto.Claim
	var message any
	switch e := e.(type) {
	case consensus.Submit:
		claims, message = []crypto.Claim{e.Request.Claim(c.Cluster)}, e.Request
	case consensus.Receive:
		message = e.Message
	}
	switch m := message.(type) {
	case *Vote:
		claims = append(claims, c.Claim(m))
	case *PrePrepare:
		claims = append(claims, c.Claim(&m.Vote))
		for _, r := range m.Batch.Requests {
			claims = append(claims, r.Claim(c.Cluster))
		}
	case *ViewChange:
		claims = c.viewChangeClaims(nil, m)
	case *NewView:
		claims = c.newViewClaims(nil, m)
	case *FetchReply:
		if m.Certificate != nil {
			claims = c.claims(nil, m.Certificate)
		}
		if m.Batch != nil && m.Batch.Digest() != m.Digest {
			t.Fatalf("a batch with digest %s was opened as %s", m.Batch.Digest(), m.Digest)
		}
	case *RejoinAnswer:
		if m.NewView != nil {
			claims = c.newViewClaims(nil, m.NewView)
		}
	}
	for _, claim := range claims {
		if !c.verifier.Verify([]crypto.Claim{claim})[0] {
			t.Fatalf("opened, though a signature is wrong: %s", c.Describe(frame))
		}
	}
	if again := c.reencode(t, message); !bytes.Equal(again, frame) {
		t.Fatalf("opened a second encoding of %s:\n%x, proper is\n%x", c.Describe(frame), frame, again)
	}
}

// Arbitrary bytes on any channel: nothing panics, and an event is authentic.
func FuzzOpen(f *testing.F) {
	c := newCluster(f, 4)
	for _, name := range slices.Sorted(maps.Keys(c.specimens())) {
		f.Add(c.specimens()[name], uint8(0))
	}
	f.Add([]byte{byte(NewViewKind)}, uint8(1))
	f.Add(bytes.Repeat([]byte{0xff}, 200), uint8(2))
	h := &Horizon{View: 1, Low: 2, High: 6, Prepared: NewBits(4), Committed: NewBits(4)}
	f.Fuzz(func(t *testing.T, frame []byte, channel uint8) {
		peers := []consensus.Peer{
			consensus.ReplicaPeer(consensus.ReplicaID(channel % 4)), consensus.ClientPeer(c.clients[0].Public()),
			{Kind: consensus.PeerObserver}, {Kind: consensus.Topic}, {},
		}
		from := peers[int(channel)%len(peers)]
		for _, h := range []*Horizon{nil, h} {
			o := c.openAt(h, from, frame)
			if (o.Event == nil) == (o.Reason == "") {
				t.Fatalf("event %v with reason %q", o.Event, o.Reason)
			}
			if o.Event != nil {
				c.authentic(t, frame, o.Event)
			}
		}
		c.Describe(frame)
	})
}

// True frames with something changed in them, which is where arbitrary bytes
// seldom come: parts swapped between frames, runs overwritten, cut, doubled.
func TestMutatedFramesAreNotBelieved(t *testing.T) {
	c := newCluster(t, 4)
	specimens := c.specimens()
	names := slices.Sorted(maps.Keys(specimens))
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "specimen")
		frame := bytes.Clone(specimens[name])
		for range rapid.IntRange(1, 3).Draw(t, "mutations") {
			at := rapid.IntRange(0, len(frame)-1).Draw(t, "at")
			size := rapid.IntRange(1, min(70, len(frame)-at)).Draw(t, "size")
			switch rapid.IntRange(0, 4).Draw(t, "mutation") {
			case 0:
				frame[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			case 1:
				copy(frame[at:at+size], rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "bytes"))
			case 2:
				other := specimens[rapid.SampledFrom(names).Draw(t, "other")]
				from := rapid.IntRange(0, len(other)-1).Draw(t, "from")
				copy(frame[at:], other[from:min(len(other), from+size)])
			case 3:
				frame = slices.Insert(frame, at, frame[at:at+size]...)
			case 4:
				frame = slices.Delete(frame, at, at+size)
			}
			if len(frame) == 0 {
				return
			}
		}
		o := c.openAt(nil, consensus.ReplicaPeer(3), frame)
		if o.Event == nil {
			return
		}
		c.authentic(t, frame, o.Event)
		if signed(frame[0]) && !slices.ContainsFunc(names, func(n string) bool { return bytes.Equal(specimens[n], frame) }) {
			t.Fatalf("%s: nobody signed this: %s", name, c.Describe(frame))
		}
	})
}

// signed reports whether frames of the kind carry their author's signature.
func signed(kind byte) bool {
	return consensus.IsRequest([]byte{kind}) || Kind(kind) >= PrePrepareKind && Kind(kind) <= NewViewKind
}
