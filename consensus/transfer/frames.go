package transfer

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// The two messages of a transfer, for protocols whose members are believed: a state
// is named by a handle, and nothing proves it. Their first byte is the protocol's.

// Fetch asks for parts of the state at Seq with Root.
type Fetch struct {
	Seq   consensus.Seq
	Root  crypto.Digest
	Items []consensus.Item // at most consensus.MaxItemsPerFetch
}

// FetchReply answers a Fetch.
type FetchReply struct {
	Seq   consensus.Seq
	Root  crypto.Digest
	Parts []consensus.Part
	Gone  bool // this state is not servable here any more
}

// Framed are the words of a protocol that has given these kinds to them.
func Framed(fetch, reply byte) Words {
	return Words{
		Fetch: func(a Ask) []byte {
			f := Fetch{Seq: a.Seq, Root: a.Root, Items: a.Items}
			return f.Encode(fetch)
		},
		Reply: func(c consensus.Chunk) []byte {
			g := FetchReply{Seq: c.Read.Seq, Root: c.Read.Root, Parts: c.Parts, Gone: c.Gone}
			return g.Encode(reply)
		},
	}
}

// Encode returns the frame.
func (f *Fetch) Encode(kind byte) []byte {
	return AppendItems(AppendHandle([]byte{kind}, f.Seq, f.Root), f.Items)
}

// Encode returns the frame.
func (g *FetchReply) Encode(kind byte) []byte {
	b := AppendHandle([]byte{kind}, g.Seq, g.Root)
	var gone byte
	if g.Gone {
		gone = 1
	}
	return AppendParts(append(b, gone), g.Parts)
}

// String describes the message on one line.
func (f *Fetch) String() string {
	return fmt.Sprintf("FETCH n=%d root=%s [%d items]", f.Seq, f.Root.Short(), len(f.Items))
}

// String describes the message on one line.
func (g *FetchReply) String() string {
	return fmt.Sprintf("FETCH-REPLY n=%d root=%s [%d parts]", g.Seq, g.Root.Short(), len(g.Parts))
}

// AppendHandle names a state: where it stands (8 bytes), and its root.
func AppendHandle(b []byte, n consensus.Seq, root crypto.Digest) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(n)), root[:]...)
}

// ReadHandle reads what AppendHandle wrote. There is no state at 0.
func ReadHandle(s *cryptobyte.String) (n consensus.Seq, root crypto.Digest, ok bool) {
	ok = s.ReadUint64((*uint64)(&n)) && s.CopyBytes(root[:]) && n > 0
	return n, root, ok
}

// DecodeFetch reads a Fetch, whatever its kind is. Errors wrap consensus.ErrMalformed.
func DecodeFetch(frame []byte) (*Fetch, error) {
	f := &Fetch{}
	s := cryptobyte.String(frame)
	var ok bool
	if !s.Skip(1) {
		return nil, fmt.Errorf("FETCH: %w", consensus.ErrMalformed)
	}
	if f.Seq, f.Root, ok = ReadHandle(&s); !ok {
		return nil, fmt.Errorf("FETCH: %w", consensus.ErrMalformed)
	}
	var err error
	if f.Items, err = ReadItems(&s); err != nil || !s.Empty() {
		return nil, fmt.Errorf("FETCH: %w", consensus.ErrMalformed)
	}
	return f, nil
}

// DecodeFetchReply reads a FetchReply, whatever its kind is; its parts alias the
// frame. Errors wrap consensus.ErrMalformed.
func DecodeFetchReply(frame []byte) (*FetchReply, error) {
	g := &FetchReply{}
	s := cryptobyte.String(frame)
	var ok bool
	var gone uint8
	if !s.Skip(1) {
		return nil, fmt.Errorf("FETCH-REPLY: %w", consensus.ErrMalformed)
	}
	if g.Seq, g.Root, ok = ReadHandle(&s); !ok || !s.ReadUint8(&gone) || gone > 1 {
		return nil, fmt.Errorf("FETCH-REPLY: %w", consensus.ErrMalformed)
	}
	g.Gone = gone == 1
	var err error
	if g.Parts, err = ReadParts(&s); err != nil || !s.Empty() {
		return nil, fmt.Errorf("FETCH-REPLY: %w", consensus.ErrMalformed)
	}
	return g, nil
}
