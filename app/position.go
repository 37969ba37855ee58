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
	sessions uint64         // how many sessions there are
	foreign  uint64         // how many of them are not listed clients'
}

// positionVersion is the version of the whole layout of the keyspace.
const positionVersion = 1

func (p *position) encode() []byte {
	b := append([]byte{positionVersion}, p.cluster[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(p.seq))
	b = binary.BigEndian.AppendUint64(b, uint64(p.time))
	b = append(b, p.history[:]...)
	b = binary.BigEndian.AppendUint64(b, p.order)
	b = binary.BigEndian.AppendUint64(b, p.sessions)
	return binary.BigEndian.AppendUint64(b, p.foreign)
}

func decodePosition(b []byte) (p position, err error) {
	s := cryptobyte.String(b)
	var version uint8
	var seq, time uint64
	if !s.ReadUint8(&version) || version != positionVersion {
		return p, fmt.Errorf("the state has layout %d, this program knows %d: %w", version, positionVersion, errRecord)
	}
	if !s.CopyBytes(p.cluster[:]) || !s.ReadUint64(&seq) || !s.ReadUint64(&time) || time > 1<<63-1 || !s.CopyBytes(p.history[:]) ||
		!s.ReadUint64(&p.order) || !s.ReadUint64(&p.sessions) || !s.ReadUint64(&p.foreign) || !s.Empty() {
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
