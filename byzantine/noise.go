package byzantine

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// noises send what means nothing.
func noises() []Profile {
	return []Profile{
		{
			Name: "garbage", Aliases: []string{"corrupt"}, Group: "V-GARBAGE", AtF: SafeLive, AtF1: MayStop, AtCrash: MayFork,
			Sentence: "corrupts the frames that it sends: bits, lengths, kinds",
			Params:   []Param{share("100%"), {"how", "any", OneOf(Breakages)}},
			Drawn:    []string{"", "20%"}, Intercept: newGarbage,
		},
		{
			Name: "sign", Aliases: []string{"signature", "bad-sign"}, Group: "V-FORGE", AtF: SafeLive, AtF1: SafeStopped, AtCrash: MayStop,
			Sentence:  "corrupts the signature of everything that it signs",
			Intercept: newSign,
		},
		{
			Name: "flood", Group: "FLOOD", AtF: SafeSlow, AtF1: MayStop, AtCrash: MayFork,
			Sentence: "sends far more than anybody asked for",
			Params:   []Param{{"rate", "50", "frames in a tick, for each victim, up to 1000"}, {"of", "all", OneOf(floods)}},
			Drawn:    []string{"2", "2", "30 of=future"}, Intercept: newFlood,
		},
	}
}

// Breakages are the ways in which a frame may be corrupt; "any" draws one.
var Breakages = []string{"any", "flip", "truncate", "extend", "kind", "random", "huge"}

// newGarbage sends frames that are corrupt in one way or in any.
func newGarbage(e *Env, s Spec) (Interceptor, error) {
	share, err := s.share("")
	if err != nil {
		return nil, err
	}
	how, err := s.Word("how", Breakages...)
	dice := e.Rand("garbage " + s.String())
	return outgoing(func(_ *consensus.Burst, o *Outbox) {
		for i := range o.Messages {
			if dice.IntN(million) < share {
				o.Messages[i].Bytes = Spoil(dice, how, o.Messages[i].Bytes)
			}
		}
	}), err
}

// Spoil returns a corrupt copy of a frame.
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

// Huge is a copy of a frame, as long as frames may be.
func Huge(frame []byte) []byte {
	b := make([]byte, consensus.MaxFrame)
	copy(b, frame)
	return b
}

// RandomBytes draws n bytes.
func RandomBytes(dice *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(dice.Uint32())
	}
	return b
}

// newSign spoils the signatures of what it sends.
func newSign(e *Env, _ Spec) (Interceptor, error) {
	p, _ := protocol.Of(e.Genesis)
	where := p.Codec(e.Genesis).Signature
	return outgoing(func(_ *consensus.Burst, o *Outbox) {
		for i := range o.Messages {
			frame := o.Messages[i].Bytes
			if len(frame) == 0 {
				continue
			}
			if at := where(frame); at >= 0 {
				b := slices.Clone(frame)
				b[at] ^= 0xff
				o.Messages[i].Bytes = b
			}
		}
	}), nil
}

// flood sends much more than anybody asked for, at each tick.
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
