package pbft

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// picture is what a horizon shows of the slots: drawn once for a view and a floor,
// and then kept up to date. To walk over a window of slots after each step costs more
// than most steps do. What was shown is not changed any more, because workers look at
// it meanwhile.
type picture struct {
	view      consensus.View
	floor     consensus.Seq
	prepared  message.Bits // nil: to be drawn anew
	committed message.Bits
	news      []*slot // that have a new certificate since
}

// fade has the picture drawn anew: a slot has gone.
func (p *picture) fade() { *p = picture{} }

// prepares and commits give a slot its certificate.
func (l *slotLog) prepares(s *slot, c *message.Certificate) {
	s.prepared = c
	l.changed(s)
}

func (l *slotLog) commits(s *slot, c *message.Certificate) {
	s.committed = c
	l.changed(s)
}

func (l *slotLog) changed(s *slot) {
	if l.picture.prepared != nil {
		l.picture.news = append(l.picture.news, s)
	}
}

// settledIn shows which slots above a floor are prepared, and which of these are
// committed too, in a view: bit 0 stands for the slot above the floor, and the last
// one for two windows above it.
func (l *slotLog) settledIn(v consensus.View, floor consensus.Seq) (prepared, committed message.Bits) {
	p := &l.picture
	switch {
	case p.prepared == nil || p.view != v || p.floor != floor:
		*p = l.draw(v, floor)
	case len(p.news) > 0:
		p.prepared, p.committed = slices.Clone(p.prepared), slices.Clone(p.committed)
		for _, s := range p.news {
			p.show(s, 2*l.window)
		}
		p.news = nil
	}
	return p.prepared, p.committed
}

// draw looks at every slot.
func (l *slotLog) draw(v consensus.View, floor consensus.Seq) picture {
	p := picture{view: v, floor: floor, prepared: message.NewBits(2 * l.window), committed: message.NewBits(2 * l.window)}
	for _, s := range l.slots {
		p.show(s, 2*l.window)
	}
	return p
}

// show adds a slot, if it is one of so many above the floor.
func (p *picture) show(s *slot, size int) {
	if s.seq <= p.floor || s.seq-p.floor > consensus.Seq(size) || !s.preparedIn(p.view) {
		return
	}
	i := int(s.seq - p.floor - 1)
	p.prepared.Set(i)
	if s.committed != nil {
		p.committed.Set(i)
	}
}
