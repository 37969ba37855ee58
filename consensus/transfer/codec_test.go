package transfer

import (
	"errors"
	"testing"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

func FuzzItems(f *testing.F) {
	f.Add(AppendItems(nil, []consensus.Item{{ID: "a", Hash: crypto.Hash(nil)}, {ID: ""}}))
	f.Add([]byte{0, 0})
	f.Add([]byte{0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		s := cryptobyte.String(in)
		items, err := ReadItems(&s)
		if err != nil {
			if !errors.Is(err, consensus.ErrMalformed) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if got := AppendItems(nil, items); string(got) != string(in[:len(in)-len(s)]) {
			t.Fatalf("%x was read and written as %x", in, got)
		}
	})
}

func FuzzParts(f *testing.F) {
	f.Add(AppendParts(nil, []consensus.Part{{ID: "a", Bytes: []byte("b")}, {ID: ""}}))
	f.Add([]byte{0, 0})
	f.Add([]byte{1, 0, 1, 2, 3})
	f.Fuzz(func(t *testing.T, in []byte) {
		s := cryptobyte.String(in)
		parts, err := ReadParts(&s)
		if err != nil {
			if !errors.Is(err, consensus.ErrMalformed) {
				t.Fatalf("error %v", err)
			}
			return
		}
		got := AppendParts(nil, parts)
		if string(got) != string(in[:len(in)-len(s)]) || len(got) != partsSize(parts) {
			t.Fatalf("%x was read and written as %x", in, got)
		}
	})
}
