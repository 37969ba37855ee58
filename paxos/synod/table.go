package synod

import "quorate.dev/quorate/consensus"

// table has an entry for each slot of a window that moves up, in the same memory
// again and again.
type table[T any] struct {
	base    consensus.Seq // the window is (base, base + its size]
	entries []T
}

func newTable[T any](base consensus.Seq, window int) table[T] {
	return table[T]{base: base, entries: make([]T, window)}
}

// place says whether slot is in the window, Settled or Beyond.
func (t *table[T]) place(slot consensus.Seq) Effect {
	switch {
	case slot <= t.base:
		return Settled
	case slot > t.end():
		return Beyond
	}
	return 0
}

// end is the last slot of the window.
func (t *table[T]) end() consensus.Seq { return t.base + consensus.Seq(len(t.entries)) }

// at is the entry of slot; of one outside of the window there is none.
func (t *table[T]) at(slot consensus.Seq) *T {
	if t.place(slot) != 0 {
		return nil
	}
	return &t.entries[slot%consensus.Seq(len(t.entries))]
}

// drop forgets the entries at or below base and keeps those above it. The window
// never moves down.
func (t *table[T]) drop(base consensus.Seq) {
	for slot := t.base + 1; slot <= min(base, t.end()); slot++ {
		var none T
		t.entries[slot%consensus.Seq(len(t.entries))] = none
	}
	t.base = max(t.base, base)
}
