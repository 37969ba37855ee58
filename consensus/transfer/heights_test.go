package transfer

import (
	"testing"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// What is kept is what was executed, and a state in its place ends all that was
// above it.
func TestHeights(t *testing.T) {
	var h Heights
	h.Handed = 6
	if !h.Executed(4) || h.Executed(4) || h.Executed(3) || h.Applied != 4 {
		t.Errorf("%+v", h)
	}
	if !h.Due(4) || h.Due(6) {
		t.Error("a state is due that was not executed, or none is")
	}
	root := crypto.Hash([]byte("4"))
	h.Keep(Handle{4, root})
	if h.Stable != 4 || h.Kept != 0 || h.Last.Root != root {
		t.Errorf("%+v", h)
	}
	if got, known, news := h.OnKept(4); got != root || !known || !news || h.Due(4) || len(h.Roots) != 0 {
		t.Errorf("kept: %s %v %v, %+v", got, known, news, h)
	}
	if _, _, news := h.OnKept(4); news {
		t.Error("the same is news twice")
	}
	if h.FallBack(); h.Handed != 4 || h.Applied != 4 || h.Last.Seq != 4 {
		t.Errorf("%+v", h)
	}
	if h.Settle(Handle{8, root}); h.Handed != 8 || h.Applied != 8 || h.Kept != 8 || h.Stable != 8 || h.Last.Seq != 8 {
		t.Errorf("%+v", h)
	}
}

// The two messages come back as they were, and every change of their length is
// refused.
func TestFrames(t *testing.T) {
	root := crypto.Hash([]byte("root"))
	f := Fetch{Seq: 4, Root: root, Items: []consensus.Item{{ID: "a", Hash: crypto.Hash(nil)}}}
	if got, err := DecodeFetch(f.Encode(9)); err != nil || got.String() != f.String() || f.Encode(9)[0] != 9 {
		t.Errorf("%v, %v", got, err)
	}
	g := FetchReply{Seq: 4, Root: root, Gone: true, Parts: []consensus.Part{{ID: "a", Bytes: []byte{1}}}}
	if got, err := DecodeFetchReply(g.Encode(9)); err != nil || got.String() != g.String() || !got.Gone {
		t.Errorf("%v, %v", got, err)
	}
	for n := range len(f.Encode(9)) {
		if _, err := DecodeFetch(f.Encode(9)[:n]); err == nil {
			t.Errorf("FETCH of %d bytes", n)
		}
	}
	for n := range len(g.Encode(9)) {
		if _, err := DecodeFetchReply(g.Encode(9)[:n]); err == nil {
			t.Errorf("FETCH-REPLY of %d bytes", n)
		}
	}
	s := cryptobyte.String(AppendHandle(nil, 0, root))
	if _, _, ok := ReadHandle(&s); ok {
		t.Error("there is a state at 0")
	}
}
