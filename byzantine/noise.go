package byzantine

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// garbage says frames that are broken in one way or in any.
type garbage struct {
	passIn
	share int
	how   string
	dice  *rand.Rand
}

// breakages are the ways in which a frame may be broken; "any" draws one.
var Breakages = []string{"any", "flip", "truncate", "extend", "kind", "random", "huge"}

func newGarbage(e *Env, s Spec) (Interceptor, error) {
	share, err := s.Share("")
	if err != nil {
		return nil, err
	}
	how, err := s.Word("how", Breakages...)
	return &garbage{share: share, how: how, dice: e.Rand("garbage " + s.String())}, err
}

func (g *garbage) Outgoing(_ *consensus.Burst, m *Outbox) {
	for i := range m.Messages {
		if g.dice.IntN(million) < g.share {
			m.Messages[i].Bytes = Spoil(g.dice, g.how, m.Messages[i].Bytes)
		}
	}
}

// spoil returns a broken copy of a frame.
func Spoil(dice *rand.Rand, how string, frame []byte) []byte {
	if how == "any" {
		// Huge frames are left to those who ask for them.
		how = Breakages[1+dice.IntN(len(Breakages)-2)]
	}
	b := slices.Clone(frame)
	if len(b) == 0 {
		how = "random"
	}
	switch how {
	case "flip":
		b[dice.IntN(len(b))] ^= 1 << dice.IntN(8)
	case "truncate":
		b = b[:dice.IntN(len(b))]
	case "extend":
		b = append(b, RandomBytes(dice, 1+dice.IntN(64))...)
	case "kind":
		b[0] = byte(dice.IntN(0x20))
	case "random":
		b = RandomBytes(dice, 1+dice.IntN(max(64, min(len(frame), 4096))))
	case "huge":
		b = Huge(b)
	}
	return b
}

// huge is a copy of a frame, as long as frames may be.
func Huge(frame []byte) []byte {
	b := make([]byte, consensus.MaxFrame)
	copy(b, frame)
	return b
}

func RandomBytes(dice *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(dice.Uint32())
	}
	return b
}

// sign spoils the signatures of what it says.
type sign struct {
	passIn
	where func(frame []byte) int
}

func newSign(e *Env, _ Spec) (Interceptor, error) {
	where := signatureAtEnd
	switch e.Genesis.Protocol {
	case quorum.PBFT:
		where = signatureOfPBFT
	case quorum.Raft:
		where = signatureOfRaft
	}
	return &sign{where: where}, nil
}

// signatureOfPBFT finds where a frame's own signature begins; -1 = it has none.
func signatureOfPBFT(frame []byte) int {
	if len(frame) == 0 {
		return -1
	}
	switch message.Kind(frame[0]) {
	case message.PrePrepareKind:
		if len(frame) < message.VoteSize {
			return -1
		}
		return message.VoteSize - crypto.SignatureSize
	case message.PrepareKind, message.CommitKind, message.CheckpointKind, message.ViewChangeKind, message.NewViewKind,
		message.Kind(consensus.KindRequest):
		return signatureAtEnd(frame)
	}
	return -1
}

// signatureOfRaft finds a client's signature: that of a request, or the last one
// in an append. Members sign nothing.
func signatureOfRaft(frame []byte) int {
	if len(frame) > 0 && frame[0] == consensus.KindRequest {
		return signatureAtEnd(frame)
	}
	m := message1(frame)
	if m == nil || len(m.Entries) == 0 {
		return -1
	}
	data := m.Entries[len(m.Entries)-1].Data
	if len(data) <= crypto.SignatureSize {
		return -1 // a batch without a request, or none
	}
	return bytes.LastIndex(frame, data) + len(data) - crypto.SignatureSize
}

func signatureAtEnd(frame []byte) int { return len(frame) - crypto.SignatureSize }

func (s *sign) Outgoing(_ *consensus.Burst, m *Outbox) {
	for i := range m.Messages {
		if at := s.where(m.Messages[i].Bytes); at >= 0 {
			b := slices.Clone(m.Messages[i].Bytes)
			b[at] ^= 0xff
			m.Messages[i].Bytes = b
		}
	}
}

// flood says much more than anybody asked for, at each tick.
type flood struct {
	passIn
	rate int
	of   string
	seen recent
	dice *rand.Rand
	huge []byte // made once: it is shared
}

// maxFlood bounds the frames of one step.
const maxFlood = 4096

var floods = []string{"all", "valid", "garbage", "future", "huge"}

func newFlood(e *Env, s Spec) (Interceptor, error) {
	rate, err := s.Number("", 1, 1000)
	if err != nil {
		return nil, err
	}
	of, err := s.Word("of", floods...)
	return &flood{rate: rate, of: of, dice: e.Rand("flood " + s.String())}, err
}

func (f *flood) Outgoing(b *consensus.Burst, m *Outbox) {
	for _, l := range m.Messages {
		f.seen.add(l.Bytes)
	}
	ticks := ticksIn(b)
	if !m.Act || ticks == 0 {
		return
	}
	sent := 0
	for range f.rate * ticks {
		for _, to := range m.Victims {
			if sent++; sent > maxFlood {
				return
			}
			m.Add(to, consensus.Class(f.dice.IntN(int(consensus.Classes))), f.draw(sent))
		}
	}
}

// draw makes the n-th frame of a step. Of huge ones there is at most one.
func (f *flood) draw(n int) []byte {
	of := f.of
	if of == "all" {
		of = floods[1+f.dice.IntN(3)]
	}
	frame := f.seen.pick(f.dice)
	switch {
	case frame == nil:
		return RandomBytes(f.dice, 1+f.dice.IntN(512))
	case of == "valid":
		return frame
	case of == "future":
		return future(f.dice, frame)
	case of == "huge" && n == 1:
		if f.huge == nil {
			f.huge = Huge(frame)
		}
		return f.huge
	}
	return Spoil(f.dice, "any", frame)
}

// future is a copy with a number near its front raised: where protocols keep
// their views and sequence numbers.
func future(dice *rand.Rand, frame []byte) []byte {
	b := slices.Clone(frame)
	if len(b) < 17 {
		return b
	}
	at := 1 + 8*dice.IntN(2)
	binary.BigEndian.PutUint64(b[at:], binary.BigEndian.Uint64(b[at:])+1<<dice.IntN(63))
	return b
}
