package pbft

import (
	"math/rand/v2"
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// A horizon shows what a look at every slot would, whatever has happened to them since
// the one before; and what was shown stays as it was.
func TestPictureIsOfAllSlots(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		l := newSlotLog(&consensus.Genesis{Replicas: make([]crypto.PublicKey, 4), Window: 8})
		view, low := consensus.View(0), consensus.Seq(0)
		type shown struct{ is, was message.Bits }
		var earlier []shown
		for range 400 {
			n := low + 1 + consensus.Seq(rng.IntN(18)) // some beyond what a horizon shows
			switch rng.IntN(12) {
			case 0, 1, 2, 3:
				l.prepares(l.slot(n), &message.Certificate{View: view, Seq: n})
			case 4, 5, 6:
				l.commits(l.slot(n), &message.Certificate{View: view, Seq: n})
			case 7:
				view += consensus.View(rng.IntN(2))
				l.reset()
			case 8:
				low += consensus.Seq(rng.IntN(4))
				l.forget(low, low, low, func(n consensus.Seq) bool { return n > low && n != low+2 })
			case 9:
				l.restored(low + consensus.Seq(rng.IntN(3)))
			default:
				prepared, committed := l.settledIn(view, low)
				earlier = append(earlier, shown{prepared, slices.Clone(prepared)}, shown{committed, slices.Clone(committed)})
				if drawn := l.draw(view, low); !slices.Equal(prepared, drawn.prepared) || !slices.Equal(committed, drawn.committed) {
					t.Fatalf("seed %d: view %d above %d: shown are %b and %b, there are %b and %b",
						seed, view, low, prepared, committed, drawn.prepared, drawn.committed)
				}
			}
		}
		for _, s := range earlier {
			if !slices.Equal(s.is, s.was) {
				t.Fatalf("seed %d: what was shown as %b is %b", seed, s.was, s.is)
			}
		}
	}
}

// BenchmarkHorizon is the horizon of a window that is half decided, after a step in
// which a slot was certified and after one in which nothing was.
func BenchmarkHorizon(b *testing.B) {
	r := newAccuser(b).replica
	for n := consensus.Seq(1); n <= r.rules.Genesis.Window/2; n++ {
		s := r.log.slot(n)
		s.prepared, s.committed = &message.Certificate{Seq: n}, &message.Certificate{Seq: n}
	}
	b.Run("news", func(b *testing.B) {
		s := r.log.slot(1)
		for b.Loop() {
			r.log.prepares(s, s.prepared)
			r.Horizon()
		}
	})
	b.Run("none", func(b *testing.B) {
		for b.Loop() {
			r.Horizon()
		}
	})
}
