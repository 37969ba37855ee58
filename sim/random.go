package sim

import (
	"encoding/binary"
	"math/rand/v2"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// million is the denominator of all chances: integers give the same decisions
// on every machine.
const million = 1_000_000

// stream is one source of random decisions. Every purpose has a stream of its
// own, so that changing how one thing is drawn leaves all others alone.
type stream struct{ rng *rand.Rand }

// newStream derives the stream of one purpose from the seed.
func newStream(seed uint64, purpose string) *stream {
	d := crypto.Hash(binary.BigEndian.AppendUint64([]byte("quorate/sim/"+purpose+"/"), seed))
	return &stream{rng: rand.New(rand.NewPCG(binary.BigEndian.Uint64(d[:8]), binary.BigEndian.Uint64(d[8:16])))}
}

// upTo returns a number from 0 to n, both included.
func (s *stream) upTo(n int) int {
	if n <= 0 {
		return 0
	}
	return s.rng.IntN(n + 1)
}

// chance reports true with the given number of parts per million.
func (s *stream) chance(ppm int) bool { return ppm > 0 && s.rng.IntN(million) < ppm }

// duration returns a time from 0 to d.
func (s *stream) duration(d consensus.Time) consensus.Time {
	if d <= 0 {
		return 0
	}
	return consensus.Time(s.rng.Int64N(int64(d) + 1))
}

// around returns a time from 1 to 2d: an interval whose mean is d.
func (s *stream) around(d consensus.Time) consensus.Time { return 1 + s.duration(2*d) }

// bytes returns n random bytes.
func (s *stream) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(s.rng.Uint32())
	}
	return b
}

// logUniform returns least shifted left by up to doublings.
func logUniform(s *stream, least consensus.Time, doublings int) consensus.Time {
	return least << s.upTo(doublings)
}

// pick returns one of the choices; naming one twice doubles its chance.
func pick[T any](s *stream, choices ...T) T { return choices[s.upTo(len(choices)-1)] }
