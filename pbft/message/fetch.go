package message

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
	"quorate.dev/quorate/crypto"
)

// What says what a FETCH asks for and a FETCH-REPLY holds.
type What byte

// What can be fetched. Every answer proves itself.
const (
	WhatBatch      What = 1 // the batch with Digest, wanted at Seq
	WhatCommitted  What = 2 // the slot Seq: its committed certificate and batch
	WhatCheckpoint What = 3 // the highest checkpoint certificate at or above Seq
	WhatParts      What = 4 // parts of the state at Seq with root Digest
	WhatView       What = 5 // the NEW-VIEW of a view at or above Seq; answered by its own frame
)

var whatNames = [...]string{"?", "batch", "committed", "checkpoint", "parts", "view"}

// String names it.
func (w What) String() string {
	if int(w) < len(whatNames) {
		return whatNames[w]
	}
	return whatNames[0]
}

// Fetch asks for something that proves itself. Members and admitted observers
// may ask (thesis §5.3).
type Fetch struct {
	What   What
	Seq    consensus.Seq
	Digest crypto.Digest
	Items  []consensus.Item // WhatParts: at most consensus.MaxItemsPerFetch
}

// Encode returns the frame.
func (f *Fetch) Encode() []byte {
	b := append([]byte{byte(FetchKind)}, byte(f.What))
	b = binary.BigEndian.AppendUint64(b, uint64(f.Seq))
	b = append(b, f.Digest[:]...)
	if f.What == WhatParts {
		b = transfer.AppendItems(b, f.Items)
	}
	return b
}

func decodeFetch(frame []byte) (*Fetch, error) {
	f := &Fetch{}
	s := cryptobyte.String(frame[1:])
	var what uint8
	if !s.ReadUint8(&what) || !s.ReadUint64((*uint64)(&f.Seq)) || !s.CopyBytes(f.Digest[:]) || what == 0 || What(what) > WhatView {
		return nil, fmt.Errorf("FETCH: %w", consensus.ErrMalformed)
	}
	f.What = What(what)
	if f.What == WhatParts {
		var err error
		if f.Items, err = transfer.ReadItems(&s); err != nil {
			return nil, fmt.Errorf("FETCH: %w", err)
		}
	}
	if !s.Empty() {
		return nil, fmt.Errorf("FETCH: trailing bytes: %w", consensus.ErrMalformed)
	}
	return f, nil
}

// FetchReply answers a FETCH, or helps a replica whose STATUS lacks something.
type FetchReply struct {
	What        What
	Seq         consensus.Seq
	Digest      crypto.Digest    // of the batch; root of the state for WhatParts
	Batch       *consensus.Batch // WhatBatch, WhatCommitted; nil for the null batch
	Certificate *Certificate     // WhatCommitted, WhatCheckpoint
	Parts       []consensus.Part // WhatParts
	Gone        bool             // WhatParts: this snapshot is not servable here any more
}

// Encode returns the frame.
func (g *FetchReply) Encode() []byte {
	size := 64
	if g.Batch != nil {
		size += g.Batch.Size() + 1024
	}
	b := append(make([]byte, 0, size), byte(FetchReplyKind), byte(g.What))
	b = binary.BigEndian.AppendUint64(b, uint64(g.Seq))
	b = append(b, g.Digest[:]...)
	switch g.What {
	case WhatBatch:
		b = g.Batch.Append(b)
	case WhatCommitted:
		b = g.Certificate.append(b)
		if g.Batch != nil {
			b = g.Batch.Append(b)
		}
	case WhatCheckpoint:
		b = g.Certificate.append(b)
	case WhatParts:
		var gone byte
		if g.Gone {
			gone = 1
		}
		b = transfer.AppendParts(append(b, gone), g.Parts)
	}
	return b
}

// decodeFetchReply reads an answer and what must be verified of it. A batch proves
// itself by its digest; that its requests are authentic follows from the
// certificate that names the digest, or is checked like a proposal's.
func (r *Rules) decodeFetchReply(frame []byte) (*FetchReply, []crypto.Claim, error) {
	g := &FetchReply{}
	s := cryptobyte.String(frame[1:])
	var what uint8
	if !s.ReadUint8(&what) || !s.ReadUint64((*uint64)(&g.Seq)) || !s.CopyBytes(g.Digest[:]) {
		return nil, nil, fmt.Errorf("FETCH-REPLY: %w", consensus.ErrMalformed)
	}
	g.What = What(what)
	var claims []crypto.Claim
	err := consensus.ErrMalformed
	switch g.What {
	case WhatBatch:
		g.Batch, err = r.readGivenBatch(&s, g.Digest)
		if err == nil {
			claims = r.batchClaims(claims, g.Batch)
		}
	case WhatCommitted:
		claims, err = r.readCommitted(&s, g)
	case WhatCheckpoint:
		if g.Certificate, err = r.readCertificate(&s, CheckpointCertificate); err == nil {
			claims = r.claims(claims, g.Certificate)
			err = g.agrees()
		}
	case WhatParts:
		var gone uint8
		if s.ReadUint8(&gone) && gone <= 1 {
			g.Gone = gone == 1
			g.Parts, err = transfer.ReadParts(&s)
		}
	}
	if err == nil && !s.Empty() {
		err = fmt.Errorf("trailing bytes: %w", consensus.ErrMalformed)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("FETCH-REPLY %s: %w", g.What, err)
	}
	return g, claims, nil
}

func (r *Rules) readCommitted(s *cryptobyte.String, g *FetchReply) (claims []crypto.Claim, err error) {
	if g.Certificate, err = r.readCertificate(s, CommittedCertificate); err != nil {
		return nil, err
	}
	if err := g.agrees(); err != nil {
		return nil, err
	}
	if g.Digest != consensus.NullDigest {
		// q replicas committed this digest, so a correct one has
		// checked the requests in it: the certificate vouches for them.
		if g.Batch, err = r.readGivenBatch(s, g.Digest); err != nil {
			return nil, err
		}
	}
	return r.claims(nil, g.Certificate), nil
}

func (g *FetchReply) agrees() error {
	if g.Certificate.Seq != g.Seq || g.Certificate.Digest != g.Digest {
		return fmt.Errorf("certificate is for another slot: %w", consensus.ErrMalformed)
	}
	return nil
}

func (r *Rules) readGivenBatch(s *cryptobyte.String, want crypto.Digest) (*consensus.Batch, error) {
	b, err := consensus.ReadBatch(s)
	if err != nil {
		return nil, err
	}
	if b.Digest() != want {
		return nil, errWrongDigest
	}
	return b, nil
}
