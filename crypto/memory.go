package crypto

// BoundedMemory remembers the claims that were proven last, in two
// generations: when the young one is full it becomes the old one, and the old
// one is dropped whole. That costs no bookkeeping per entry, and what is
// forgotten too early is merely verified again.
//
// It is not safe for concurrent use: callers that share it put a lock around it.
// Proven does not write, so readers may share a read lock.
type BoundedMemory struct {
	generation int // entries at which the young generation is full
	young, old map[Digest]struct{}
}

// NewMemory returns a memory of at most size claims, at least the last half of
// them. An entry costs about 50 bytes. A size below 2 counts as 2.
func NewMemory(size int) *BoundedMemory {
	return &BoundedMemory{generation: max(size/2, 1), young: make(map[Digest]struct{})}
}

// Proven reports whether d was remembered and not yet forgotten.
func (m *BoundedMemory) Proven(d Digest) bool {
	if _, ok := m.young[d]; ok {
		return true
	}
	_, ok := m.old[d]
	return ok
}

// Remember keeps d. Callers: a Verifier, for what it has just proven.
func (m *BoundedMemory) Remember(d Digest) {
	if len(m.young) >= m.generation {
		m.old, m.young = m.young, make(map[Digest]struct{}, m.generation)
	}
	m.young[d] = struct{}{}
}

// size is the number of claims remembered; one that was remembered again in a
// later generation counts twice.
func (m *BoundedMemory) size() int { return len(m.young) + len(m.old) }
