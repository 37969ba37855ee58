package evidence

import (
	"encoding/binary"
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// The kinds of certificates, as they stand on the wire.
const (
	certPrepared   byte = 1
	certCommitted  byte = 2
	certCheckpoint byte = 3
)

const signedSize = 2 + crypto.SignatureSize

// certificate is votes that share view, slot and digest, so that only the
// signatures are kept.
type certificate struct {
	kind   byte
	view   consensus.View
	seq    consensus.Seq
	digest crypto.Digest
	signed []byte // signedSize bytes for each signature
}

// viewChange is the layout of a VIEW-CHANGE; whether it holds is not said.
type viewChange struct {
	view       consensus.View
	low        consensus.Seq
	checkpoint *certificate // nil if low is 0
	prepared   []certificate
	signer     consensus.ReplicaID
}

// newView is the layout of a NEW-VIEW.
type newView struct {
	view        consensus.View
	viewChanges [][]byte // frames
	proposals   []proposal
}

type proposal struct {
	seq    consensus.Seq
	digest crypto.Digest
	sig    crypto.Signature
}

const proposalSize = 8 + crypto.DigestSize + crypto.SignatureSize

// cursor reads from the front of b. Past the end it reads zeros and says so.
type cursor struct {
	b   []byte
	bad bool
}

var nothing [64]byte

func (c *cursor) take(n int) []byte {
	if c.bad || n > len(c.b) {
		c.bad = true
		return nothing[:min(n, len(nothing))]
	}
	head := c.b[:n]
	c.b = c.b[n:]
	return head
}

func (c *cursor) u8() byte    { return c.take(1)[0] }
func (c *cursor) u16() int    { return int(binary.BigEndian.Uint16(c.take(2))) }
func (c *cursor) u64() uint64 { return binary.BigEndian.Uint64(c.take(8)) }

// lengthy reads a byte string behind its three-byte length.
func (c *cursor) lengthy() []byte {
	size := int(c.u8())<<16 | c.u16()
	if c.bad = c.bad || size > consensus.MaxFrame || size > len(c.b); c.bad {
		return nil
	}
	return c.take(size)
}

func (c *cursor) certificate() certificate {
	x := certificate{kind: c.u8(), view: consensus.View(c.u64()), seq: consensus.Seq(c.u64()), digest: crypto.Digest(c.take(crypto.DigestSize))}
	if size := c.u16() * signedSize; !c.bad && size <= len(c.b) {
		x.signed = c.take(size)
	} else {
		c.bad = true
	}
	return x
}

// Certificate is the certificate that a FETCH-REPLY carries; nil if there is none.
func Certificate(frame []byte) []byte {
	if len(frame) < givenHead || frame[0] != kindFetchReply || frame[1] != givenCommitted && frame[1] != givenCheckpoint {
		return nil
	}
	c := cursor{b: frame[givenHead:]}
	if c.certificate(); c.bad {
		return nil
	}
	return frame[givenHead : len(frame)-len(c.b)]
}

// Votes lists the votes of members in the certificate at the front of b.
func Votes(g *consensus.Genesis, b []byte) []Statement {
	c := cursor{b: b}
	if x := c.certificate(); !c.bad {
		return x.votes(g)
	}
	return nil
}

// readViewChange takes a VIEW-CHANGE apart.
func readViewChange(frame []byte) (viewChange, error) {
	if len(frame) < minViewChange {
		return viewChange{}, fmt.Errorf("VIEW-CHANGE of %d bytes: %w", len(frame), consensus.ErrMalformed)
	}
	c := cursor{b: frame[1 : len(frame)-crypto.SignatureSize]}
	vc := viewChange{view: consensus.View(c.u64()), low: consensus.Seq(c.u64())}
	if vc.low > 0 {
		proof := c.certificate()
		vc.checkpoint = &proof
	}
	for count := c.u16(); count > 0 && !c.bad; count-- {
		vc.prepared = append(vc.prepared, c.certificate())
	}
	vc.signer = consensus.ReplicaID(c.u16())
	if c.bad || len(c.b) > 0 {
		return viewChange{}, fmt.Errorf("VIEW-CHANGE: %w", consensus.ErrMalformed)
	}
	return vc, nil
}

// readNewView takes a NEW-VIEW apart, but not the VIEW-CHANGEs in it.
func readNewView(frame []byte) (newView, error) {
	if len(frame) < minNewView {
		return newView{}, fmt.Errorf("NEW-VIEW of %d bytes: %w", len(frame), consensus.ErrMalformed)
	}
	c := cursor{b: frame[1 : len(frame)-crypto.SignatureSize]}
	nv := newView{view: consensus.View(c.u64())}
	for count := c.u16(); count > 0 && !c.bad; count-- {
		nv.viewChanges = append(nv.viewChanges, c.lengthy())
	}
	count := c.u16()
	if c.bad || len(c.b) != count*proposalSize {
		return newView{}, fmt.Errorf("NEW-VIEW: %w", consensus.ErrMalformed)
	}
	nv.proposals = make([]proposal, count)
	for i := range nv.proposals {
		nv.proposals[i] = proposal{consensus.Seq(c.u64()), crypto.Digest(c.take(crypto.DigestSize)), crypto.Signature(c.take(crypto.SignatureSize))}
	}
	return nv, nil
}

// votes lists what the signers of c have said, as far as they are members.
func (x *certificate) votes(g *consensus.Genesis) []Statement {
	out := make([]Statement, 0, len(x.signed)/signedSize)
	for b := x.signed; len(b) >= signedSize; b = b[signedSize:] {
		id := consensus.ReplicaID(binary.BigEndian.Uint16(b))
		if member(g, id) != nil {
			continue
		}
		kind := map[byte]byte{certCommitted: FrameCommit, certCheckpoint: FrameCheckpoint, certPrepared: kindPrepare}[x.kind]
		if kind == kindPrepare && id == primaryOf(g, x.view) {
			kind = kindPrePrepare
		}
		out = append(out, voteOf(Place{kind, x.view, x.seq, id}, x.digest, crypto.Signature(b[2:signedSize])))
	}
	return out
}

// votes lists the PRE-PREPAREs that a NEW-VIEW makes.
func (nv *newView) votes(g *consensus.Genesis) []Statement {
	out := make([]Statement, len(nv.proposals))
	for i, p := range nv.proposals {
		out[i] = voteOf(Place{kindPrePrepare, nv.view, p.seq, primaryOf(g, nv.view)}, p.digest, p.sig)
	}
	return out
}

// omits reports whether a signer that has said COMMIT(v, n, d) cannot honestly
// have said vc.
func (vc *viewChange) omits(v consensus.View, n consensus.Seq, d crypto.Digest) bool {
	if vc.view <= v || vc.low >= n {
		return false
	}
	for i := range vc.prepared {
		p := &vc.prepared[i]
		if p.seq == n && (p.view > v || p.view == v && p.digest == d) {
			return false
		}
	}
	return true
}
