package pending

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Fate is what becomes of a request that is handed in.
type Fate int

// The fates.
const (
	Waits    Fate = iota // it waits here from now on
	Waited               // it waited here before
	Executed             // it was executed, or is too old: its session answers
	Refused              // there is a reason why not
)

// admit lets an authentic request of a permitted client wait here, unless it
// was executed, is there already, or has to be refused (PROTOCOL.md §3). The
// entry belongs to Waits and Waited, the code to Refused. Of two requests of
// one client under one sequence the first stays; whichever is ordered is
// executed, and the other is stale then.
func (p *Pool) admit(q *consensus.Request, via consensus.Peer, tick int) (*Entry, Fate, consensus.RefusalCode) {
	switch p.standingOf(q) {
	case done:
		return nil, Executed, 0
	case beyond:
		return nil, Refused, consensus.RefusedAhead
	}
	if e := p.find(KeyOf(q)); e != nil {
		if e.Request.Digest != q.Digest {
			return nil, Refused, consensus.RefusedStale
		}
		return e, Waited, 0
	}
	if v, known := p.refused[q.Digest]; known && tick-v.tick < p.cfg.Retell {
		return nil, Refused, v.refusal.Code
	}
	lane := p.laneOf(via)
	if p.full(lane, q) || lane == p.ClientLane() && p.overloaded(q) {
		return nil, Refused, consensus.RefusedBusy
	}
	return p.add(q, lane, tick), Waits, 0
}

// maxRetold bounds the requests that are remembered to have been answered again.
const maxRetold = 4096

// retell reports whether an executed request is to be answered again now: once
// in so many ticks, however often and by whomever it is handed in. Each new
// primary makes all others tell again what they wait for, and answers stand in
// the one queue in which batches wait to be executed.
func (p *Pool) retell(q *consensus.Request, tick int) bool {
	if at, known := p.retold[q.Digest]; known && tick-at < p.cfg.Retell {
		return false
	}
	if p.retold == nil || len(p.retold) >= maxRetold {
		p.retold = map[crypto.Digest]int{}
	}
	p.retold[q.Digest] = tick
	return true
}
