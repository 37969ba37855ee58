package pbft

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/pending"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/viewchange"
)

// position is where the replica stands among the views, how long it has
// patience, and what was newly proposed in this view.
type position struct {
	cfg        *Config
	system     quorum.System
	number     consensus.View
	changing   bool                          // between views, going for number
	newView    *message.NewView              // what opened the current (or last entered) view; nil in view 0
	level      int                           // patience is base << level
	joined     bool                          // the last change was a join, which counts once in a chain
	waitSince  int                           // tick since which q replicas go for number or later; -1 while they do not
	again      repetition                    // of this replica's VIEW-CHANGE for number
	next       consensus.Seq                 // primary: the next sequence number to propose
	stamp      consensus.Time                // primary: of the last batch
	entered    int                           // tick at which this replica entered it
	opened     consensus.Seq                 // first slot of new proposals in this view
	courtesy   int                           // tick of the last view change for the sake of one replica
	recordedAt consensus.Seq                 // log slot under which the view's records were last written
	proposed   map[pending.Key]consensus.Seq // requests in this view's new proposals, by slot
}

func newPosition(cfg *Config, system quorum.System) position {
	return position{cfg: cfg, system: system, waitSince: -1, next: 1, proposed: map[pending.Key]consensus.Seq{}}
}

// primary is the primary of the view that this replica is in or going for.
func (p *position) primary() consensus.ReplicaID { return p.system.Primary(p.number) }

// leads reports whether this replica is the primary of the view that it is in.
func (p *position) leads() bool { return p.primary() == p.cfg.Self && !p.changing }

// leave goes for view v.
func (p *position) leave(v consensus.View) {
	p.number, p.changing, p.waitSince, p.again = v, true, -1, repetition{}
}

// begin is in the view that nv opens.
func (p *position) begin(nv *message.NewView, start viewchange.Start) {
	p.number, p.changing, p.newView, p.waitSince = start.View, false, nv, -1
	p.opened, p.next = start.Max()+1, start.Max()+1
	clear(p.proposed)
}

// patience is how many ticks a request, or a view change, may take now: the
// base doubled with each view change in a row, capped (§6).
func (p *position) patience() int {
	ticks := p.cfg.Patience
	for range p.level {
		if ticks >= p.cfg.PatienceCap/2 {
			return p.cfg.PatienceCap
		}
		ticks *= 2
	}
	return min(ticks, p.cfg.PatienceCap)
}

// settled reports whether the view has lasted so long that it may be left for the
// sake of one replica that left alone. Whoever waits for something in it has lost patience by then,
// so a liar that asks for one view after the other keeps nobody from deciding, nor
// from waiting longer in the next one (§6).
func (p *position) settled(tick int) bool {
	return !p.changing && tick-p.entered > max(2*p.patience(), p.cfg.RejoinEvery/farRejoin)
}

// double doubles patience, up to the cap. A level beyond the first that reaches
// it would lengthen nothing, and would have to be worn off by a checkpoint each
// before patience fell again.
func (p *position) double() {
	if p.patience() < p.cfg.PatienceCap {
		p.level++
	}
}

// timedOut doubles patience.
func (p *position) timedOut() {
	p.double()
	p.joined = false
}

// joins doubles patience, once in a chain of joins.
func (p *position) joins() {
	if !p.joined {
		p.joined = true
		p.double()
	}
}

// progressed halves patience, in a view.
func (p *position) progressed() {
	if p.level > 0 && !p.changing {
		p.level--
	}
	p.joined = false
}

// assign gives a primary's next batch its slot and its stamp: the clock, never
// going back by less than clocks may differ. If it was set back further, backups
// would hold a stamp that does not follow it until their clocks get there.
// Executed time goes on from the last batch in any case.
func (p *position) assign(now consensus.Time) (consensus.Seq, consensus.Time) {
	n := p.next
	p.next++
	if p.stamp-now <= p.cfg.Genesis.Skew {
		now = max(now, p.stamp+1)
	}
	p.stamp = now
	return n, p.stamp
}

// assigned is what assign gave in an earlier life.
func (p *position) assigned(n consensus.Seq, stamp consensus.Time) {
	p.next, p.stamp = max(p.next, n+1), max(p.stamp, stamp)
}

// mark remembers the requests of a new proposal. What a NEW-VIEW chose is not
// marked: it may rightly hold a request that another slot also holds.
func (p *position) mark(b *consensus.Batch, n consensus.Seq) {
	for _, q := range b.Requests {
		p.proposed[pending.KeyOf(q)] = n
	}
}

// elsewhere reports whether a request of a proposal for slot n stands in another
// new proposal of this view.
func (p *position) elsewhere(b *consensus.Batch, n consensus.Seq) bool {
	for _, q := range b.Requests {
		if at, twice := p.proposed[pending.KeyOf(q)]; twice && at != n {
			return true
		}
	}
	return false
}

// unmarked drops what stands in a slot of this view already: backups would
// refuse the whole batch for it.
func (p *position) unmarked(requests []*consensus.Request) []*consensus.Request {
	kept := requests[:0]
	for _, q := range requests {
		if _, twice := p.proposed[pending.KeyOf(q)]; !twice {
			kept = append(kept, q)
		}
	}
	return kept
}

// forget drops the marks at and below a slot.
func (p *position) forget(floor consensus.Seq) {
	for k, n := range p.proposed {
		if n <= floor {
			delete(p.proposed, k)
		}
	}
}
