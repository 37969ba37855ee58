package pbft

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/viewchange"
)

// slotLog holds the slots above the low water mark, and a little below it for
// those who are catching up.
type slotLog struct {
	n       int                     // replicas
	window  int                     // L
	slots   map[consensus.Seq]*slot // (executed or h, h+L]
	history []settled               // executed slots at or below h, ascending
	bytes   int                     // of the history
	floor   consensus.Seq           // and the low mark, when slots were dropped last
	low     consensus.Seq
	picture picture // of the slots, for the horizon
}

// settled is an executed slot that a stable checkpoint covers, kept for a while
// so that a replica a little behind need not take a whole state.
type settled struct {
	certificate *message.Certificate
	batch       *consensus.Batch
}

func (s settled) size() int {
	if s.batch == nil {
		return 256
	}
	return 256 + s.batch.Size()
}

// maxHistoryBytes bounds what is kept of executed slots below the low mark.
const maxHistoryBytes = 16 << 20

func newSlotLog(g *consensus.Genesis) slotLog {
	return slotLog{n: len(g.Replicas), window: int(g.Window), slots: map[consensus.Seq]*slot{}}
}

// slot returns the slot n, which must lie where slots are kept.
func (l *slotLog) slot(n consensus.Seq) *slot {
	s := l.slots[n]
	if s == nil {
		s = newSlot(n, l.n)
		l.slots[n] = s
	}
	return s
}

// numbers lists the slots, ascending.
func (l *slotLog) numbers() []consensus.Seq {
	out := make([]consensus.Seq, 0, len(l.slots))
	for n := range l.slots {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// committed returns the slot n if it is committed and its batch is here.
func (l *slotLog) committed(n consensus.Seq) (*slot, *consensus.Batch, bool) {
	s := l.slots[n]
	if s == nil || s.committed == nil {
		return nil, nil, false
	}
	b, here := s.body(s.committed.Digest)
	return s, b, here
}

// executable is the last slot that can be executed after n from what is here.
func (l *slotLog) executable(n consensus.Seq) consensus.Seq {
	for {
		if _, _, ok := l.committed(n + 1); !ok {
			return n
		}
		n++
	}
}

// decided returns the committed certificate and batch of an executed slot, if
// they are still here.
func (l *slotLog) decided(n consensus.Seq) (*message.Certificate, *consensus.Batch, bool) {
	if s := l.slots[n]; s != nil && s.committed != nil {
		b, here := s.body(s.committed.Digest)
		return s.committed, b, here
	}
	if len(l.history) > 0 {
		i := int64(n) - int64(l.history[0].certificate.Seq)
		if i >= 0 && i < int64(len(l.history)) {
			return l.history[i].certificate, l.history[i].batch, true
		}
	}
	return nil, nil, false
}

// body finds a batch by slot and digest; nil if it is not here.
func (l *slotLog) body(n consensus.Seq, d crypto.Digest) *consensus.Batch {
	if s := l.slots[n]; s != nil {
		b, _ := s.body(d)
		return b
	}
	if c, b, ok := l.decided(n); ok && c.Digest == d {
		return b
	}
	return nil
}

// prepared lists the prepared certificate of the highest view of each slot
// above h.
func (l *slotLog) prepared(low consensus.Seq) []*message.Certificate {
	var out []*message.Certificate
	for _, n := range l.numbers() {
		if s := l.slots[n]; s.prepared != nil && n > low {
			out = append(out, s.prepared)
		}
	}
	return out
}

// dropped lists the batches of slots under way that a NEW-VIEW did not choose.
func (l *slotLog) dropped(chosen []viewchange.Chosen) []*consensus.Batch {
	digests := map[consensus.Seq]crypto.Digest{}
	for _, c := range chosen {
		digests[c.Seq] = c.Digest
	}
	var out []*consensus.Batch
	for _, n := range l.numbers() {
		s := l.slots[n]
		for _, b := range s.bodies {
			if s.committed == nil && b.digest != digests[n] {
				out = append(out, b.batch)
			}
		}
	}
	return out
}

// beyond reports whether anything is known of a slot after n.
func (l *slotLog) beyond(n consensus.Seq) bool {
	for at := range l.slots {
		if at > n {
			return true
		}
	}
	return false
}

// reset forgets the votes of the view that is over.
func (l *slotLog) reset() {
	for _, s := range l.slots {
		s.reset()
	}
}

// restored: a state stands for all slots up to n.
func (l *slotLog) restored(n consensus.Seq) {
	l.history, l.bytes = nil, 0
	l.picture.fade()
	for _, at := range l.numbers() {
		if at <= n {
			delete(l.slots, at)
		}
	}
}

// forget drops the slots that are out of reach; false if neither the floor nor
// the low mark has moved. Those that were executed here go to the history, which is cut to
// its bounds: a replica a little behind is helped from there.
func (l *slotLog) forget(floor, low, handed consensus.Seq, inReach func(consensus.Seq) bool) bool {
	if floor == l.floor && low == l.low {
		return false
	}
	l.floor, l.low = floor, low
	for _, n := range l.numbers() {
		if !inReach(n) {
			l.settle(l.slots[n], handed)
		}
	}
	for len(l.history) > 0 && (len(l.history) > l.window || l.bytes > maxHistoryBytes) {
		l.bytes -= l.history[0].size()
		l.history[0] = settled{}
		l.history = l.history[1:]
	}
	return true
}

// settle moves a slot to the history. One that was never executed here is
// dropped: the state came, or will come, by transfer.
func (l *slotLog) settle(s *slot, handed consensus.Seq) {
	delete(l.slots, s.seq)
	l.picture.fade()
	if s.seq > handed || s.committed == nil {
		return
	}
	if k := len(l.history); k > 0 && l.history[k-1].certificate.Seq+1 != s.seq {
		l.history, l.bytes = nil, 0
	}
	b, _ := s.body(s.committed.Digest)
	done := settled{s.committed, b}
	l.history = append(l.history, done)
	l.bytes += done.size()
}
