package pending

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Key names a request whatever its digest.
type Key struct {
	client crypto.PublicKey
	seq    consensus.Sequence
}

// KeyOf is the name of q.
func KeyOf(q *consensus.Request) Key { return Key{q.Client, q.Sequence} }

// recent remembers, as a hint, what was executed lately of each client, so that
// a retransmitted request is answered from the state instead of being ordered
// again. The session table in the state decides; this one may forget.
type recent struct {
	clients map[crypto.PublicKey]*window
	order   []crypto.PublicKey // oldest first: who is forgotten next
}

// maxRecent bounds the clients that are remembered.
const maxRecent = 1 << 14

type window struct {
	epoch   uint64
	highest uint64
	bits    [consensus.SessionWindow / 64]uint64 // of the counters (highest-256, highest], by counter mod 256
}

func newRecent() recent { return recent{clients: map[crypto.PublicKey]*window{}} }

// standing says how a request's sequence relates to what was executed lately.
type standing int

// The standings.
const (
	fresh  standing = iota // to be ordered, as far as is known here
	done                   // executed, or too old: the session table answers
	beyond                 // ahead of the window
)

func (m *recent) standing(q *consensus.Request) standing {
	w := m.clients[q.Client]
	if w == nil || q.Sequence.Epoch > w.epoch {
		return fresh
	}
	c := q.Sequence.Counter
	switch {
	case q.Sequence.Epoch < w.epoch:
		return done
	case c > w.highest+consensus.SessionWindow:
		return beyond
	case c > w.highest:
		return fresh
	case c+consensus.SessionWindow <= w.highest || w.has(c):
		return done
	}
	return fresh
}

func (w *window) has(c uint64) bool {
	i := c % consensus.SessionWindow
	return w.bits[i/64]>>(i%64)&1 == 1
}

// executed notes that a request of this client and sequence was executed.
func (m *recent) executed(q *consensus.Request) {
	w := m.clients[q.Client]
	if w == nil {
		m.forget()
		w = &window{epoch: q.Sequence.Epoch}
		m.clients[q.Client] = w
		m.order = append(m.order, q.Client)
	}
	if q.Sequence.Epoch > w.epoch {
		*w = window{epoch: q.Sequence.Epoch}
	}
	c := q.Sequence.Counter
	if q.Sequence.Epoch < w.epoch || c+consensus.SessionWindow <= w.highest {
		return
	}
	// What is agreed beyond the window was missed on the way there: this replica
	// began, or got a state, in the middle of the session. To stay behind would be
	// to refuse the client for the rest of its session. Only a client that signs
	// what it may not can be wronged by this, and only in what it asks itself.
	if c > w.highest+consensus.SessionWindow {
		*w = window{epoch: w.epoch, highest: c}
	}
	for w.highest < c {
		w.highest++
		i := w.highest % consensus.SessionWindow
		w.bits[i/64] &^= 1 << (i % 64)
	}
	i := c % consensus.SessionWindow
	w.bits[i/64] |= 1 << (i % 64)
}

// drop forgets what was executed of a client. Its place in the order stays.
func (m *recent) drop(client crypto.PublicKey) {
	if w := m.clients[client]; w != nil {
		*w = window{}
	}
}

func (m *recent) forget() {
	if len(m.order) < maxRecent {
		return
	}
	delete(m.clients, m.order[0])
	m.order = append(m.order[:0], m.order[1:]...)
}
