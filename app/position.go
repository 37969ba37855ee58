package app

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// position is where the replicated history stands: all that the state holds
// beside the application and its clients' sessions.
type position struct {
	cluster  crypto.Digest  // the genesis whose history this is
	seq      consensus.Seq  // n of the last batch executed
	time     consensus.Time // executed time
	history  crypto.Digest  // running hash of the executed batches
	order    uint64         // operations executed since the genesis
	counted  bool           // changes are counted: false in clusters that were made before they were
	changes  uint64         // operations that wrote since the genesis; 0 if they are not counted
	sessions uint64         // how many sessions there are
	foreign  uint64         // how many of them are not listed clients'
}

// The versions of the whole layout of the keyspace. A cluster keeps the one that
// it began with, for its replicas must hold the same bytes, whichever of them run
// a newer program.
const (
	positionUncounted = 1 // changes are not counted
	positionVersion   = 2
)

// beginning is where a history begins. A genesis without a nonce may be that of a
// cluster which began before changes were counted, and whose log is executed again.
func beginning(g *consensus.Genesis) position {
	return position{counted: g.Nonce != [16]byte{}}
}

// revision is the Context's: what the next operation that writes is counted as.
func (p *position) revision() uint64 {
	if !p.counted {
		return 0
	}
	return p.changes + 1
}

// changed counts an operation that was done, if it wrote.
func (p *position) changed(wrote bool) {
	if p.counted && wrote {
		p.changes++
	}
}

func (p *position) encode() []byte {
	version := byte(positionUncounted)
	if p.counted {
		version = positionVersion
	}
	b := append([]byte{version}, p.cluster[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(p.seq))
	b = binary.BigEndian.AppendUint64(b, uint64(p.time))
	b = append(b, p.history[:]...)
	b = binary.BigEndian.AppendUint64(b, p.order)
	b = binary.BigEndian.AppendUint64(b, p.sessions)
	b = binary.BigEndian.AppendUint64(b, p.foreign)
	if p.counted {
		b = binary.BigEndian.AppendUint64(b, p.changes)
	}
	return b
}

func decodePosition(b []byte) (p position, err error) {
	s := cryptobyte.String(b)
	var version uint8
	var seq, time uint64
	if !s.ReadUint8(&version) || version < positionUncounted || version > positionVersion {
		return p, fmt.Errorf("the state has layout %d, this program knows %d to %d: %w", version, positionUncounted, positionVersion, errRecord)
	}
	p.counted = version == positionVersion
	if !s.CopyBytes(p.cluster[:]) || !s.ReadUint64(&seq) || !s.ReadUint64(&time) || time > 1<<63-1 || !s.CopyBytes(p.history[:]) ||
		!s.ReadUint64(&p.order) || !s.ReadUint64(&p.sessions) || !s.ReadUint64(&p.foreign) ||
		p.counted && !s.ReadUint64(&p.changes) || !s.Empty() {
		return p, fmt.Errorf("position of %d bytes: %w", len(b), errRecord)
	}
	p.seq, p.time = consensus.Seq(seq), consensus.Time(time)
	return p, nil
}

// advance moves to the batch that a commit carries: the executed time is
// max(stamp, previous + 1 ns), and the null batch leaves it as it is
// (PROTOCOL.md §4).
func (p *position) advance(c *consensus.Commit) {
	p.seq = c.Seq
	if c.Batch != nil {
		p.time = max(c.Batch.Stamp, p.time+1)
	}
	b := append([]byte(historyTag), p.history[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Seq))
	p.history = crypto.Hash(append(b, c.Digest[:]...))
}

const historyTag = "quorate/1/history"

// readPosition reads the position that the state holds; found is false in one
// that has never reached a checkpoint.
func readPosition(st *state.State) (p position, found bool, err error) {
	b, found, err := st.Get(positionKey)
	if err != nil || !found {
		return position{}, false, err
	}
	p, err = decodePosition(b)
	return p, true, err
}
