package pending

import "quorate.dev/quorate/consensus"

// Elected is a Pool at a replica that follows whoever leads, if anybody does. What
// clients ask here is passed on to the leader, and again while it waits. A replica
// that has been without a leader for long says so: it takes nothing more from
// clients, who are to hear that there is no majority.
type Elected struct {
	*Pool
	self     consensus.ReplicaID
	patience int // ticks without a leader within which a majority finds one
	out      *consensus.Outbox
}

// Led is who leads, as a replica knows it now.
type Led struct {
	Leader      // itself, if it knows nobody
	Lost   bool // nobody has led for so long that a majority should have found somebody
}

// NewElected makes the pool of a replica that puts out into the outbox of its
// engine. It says nothing again within half of patience, in ticks; Retell and Ask
// of the configuration follow from that.
func NewElected(self consensus.ReplicaID, patience int, c Config, out *consensus.Outbox) *Elected {
	c.Retell, c.Ask = max(1, patience/2), 2*patience
	return &Elected{Pool: New(c), self: self, patience: patience, out: out}
}

// Submit admits an authentic request of a permitted client (PROTOCOL §3):
// answered from its session if it was executed, refused with a reason if there is
// no room or no leader, else it waits until it is executed.
func (p *Elected) Submit(s consensus.Submit, tick int, led Led) {
	q := s.Request
	if led.Lost && s.Via.Kind == consensus.PeerClient && p.standingOf(q) == fresh && p.find(KeyOf(q)) == nil {
		decline(p.out, s.Via, q, consensus.RefusedNoLeader, led.Leader)
		return
	}
	switch e, fate := p.Pool.Submit(p.out, s, tick, led.Leader); {
	case fate == Waited && led.Lost:
		decline(p.out, s.Via, q, consensus.RefusedUndecided, led.Leader)
	case fate == Waits:
		p.forward(e, tick, led)
	}
}

// forward hands a client's request to the leader. What came from another
// replica is that one's to forward: two that take each other for the leader
// would send it round and round.
func (p *Elected) forward(e *Entry, tick int, led Led) {
	e.Told = tick
	e.Times++
	if e.Lane != p.ClientLane() || led.Primary == p.self {
		return
	}
	p.out.SendEarly(consensus.ReplicaPeer(led.Primary), consensus.Bodies, e.Request.Raw)
}

// Begin begins anew under another leader, who is told of what waits longest. The
// rest follows as time passes.
func (p *Elected) Begin(tick int, led Led) {
	p.Restart(tick)
	if led.Primary == p.self {
		return
	}
	for e := range p.Due(tick, 0, MaxForwards) {
		p.forward(e, tick, led)
	}
}

// Tick tells the leader again of what it leaves waiting, asks the session table of
// what waits long, and forgets what has become stale. While the state is about to be
// another one the table is not asked, and nothing is told a third time: what was
// executed or refused meanwhile is not known here, and what is refused is ordered
// anew each time that it is told. E.g. a client's requests of false epochs wait at a
// replica that fetches the state, and by telling of them it moves all others on
// faster than it fetches.
func (p *Elected) Tick(tick int, led Led, restoring bool) {
	for e := range p.Due(tick, p.cfg.Retell, MaxForwards) {
		p.undecided(e, led)
		if e.Told = tick; !restoring || e.Times < 2 {
			p.forward(e, tick, led)
		}
		if !restoring && tick-e.Since >= p.patience {
			p.AskSession(p.out, e, tick)
		}
	}
	p.DropStale(p.out)
}

// undecided lets a client know that what it asked for is not decided: its
// request waits here, and may stand in a log, and there is no majority.
func (p *Elected) undecided(e *Entry, led Led) {
	if led.Lost && e.Lane == p.ClientLane() {
		decline(p.out, consensus.ClientPeer(e.Request.Client), e.Request, consensus.RefusedUndecided, led.Leader)
	}
}

// Batch closes a batch of what waits; nil if nothing does, or so little beside what
// is under way that it had better wait for more.
func (p *Elected) Batch(l *consensus.Limits, stamp consensus.Time, underWay bool) *consensus.Batch {
	if underWay && p.Little(l) {
		return nil
	}
	requests := p.Take(l)
	if len(requests) == 0 {
		return nil
	}
	return &consensus.Batch{Stamp: stamp, Requests: requests}
}
