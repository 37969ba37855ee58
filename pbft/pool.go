package pbft

import (
	"quorate/consensus"
	"quorate/crypto"
)

// pool holds the requests that wait here: admitted and not yet executed. Each
// replica that forwards has a lane of its own beside the lane of the clients
// who come directly; lanes, and clients within them, are served in turn, so
// that neither a flood nor a forwarder starves the others (PROTOCOL.md §3).
type pool struct {
	lanes    []lane // by forwarding replica; the last one is for clients
	byKey    map[requestKey]*pending
	order    []*pending // by admission; gone ones are dropped when they reach the front
	turn     int        // the lane to serve next
	dead     int        // gone ones that still stand in lanes: a backup takes nothing from them
	maxCount int        // per lane
	maxBytes int        // per lane
	recent   recent
}

// pending is one request that waits.
type pending struct {
	request  *consensus.Request
	lane     int
	since    int  // tick at which its clock started: admission, or the entry into this view
	told     int  // tick at which the primary was last told of it
	times    int  // how often it was told
	asked    int  // tick at which the session table was asked of it; -1 never
	proposed bool // in a slot of this view
	queued   bool // in its lane
	gone     bool
}

// lane is a ring of clients with their requests in order.
type lane struct {
	ring  []crypto.PublicKey
	of    map[crypto.PublicKey][]*pending
	count int
	bytes int
}

func newPool(n, count, bytes int) *pool {
	p := &pool{lanes: make([]lane, n+1), byKey: map[requestKey]*pending{}, maxCount: count, maxBytes: bytes, recent: newRecent()}
	for i := range p.lanes {
		p.lanes[i].of = map[crypto.PublicKey][]*pending{}
	}
	return p
}

// laneOf is the lane of what comes by this channel.
func (p *pool) laneOf(via consensus.Peer) int {
	if via.Kind == consensus.PeerReplica {
		return int(via.Replica)
	}
	return len(p.lanes) - 1
}

// full reports whether the lane has no room for size more bytes.
func (p *pool) full(lane, size int) bool {
	l := &p.lanes[lane]
	return l.count >= p.maxCount || l.count > 0 && l.bytes+size > p.maxBytes
}

func (p *pool) find(k requestKey) *pending { return p.byKey[k] }

// add admits a request; the caller has checked that there is room and that it
// is not there yet.
func (p *pool) add(q *consensus.Request, lane, tick int) *pending {
	e := &pending{request: q, lane: lane, since: tick, told: tick, asked: -1}
	p.byKey[keyOf(q)] = e
	p.order = append(p.order, e)
	p.lanes[lane].count++
	p.lanes[lane].bytes += len(q.Raw)
	p.lanes[lane].push(e)
	return e
}

func (l *lane) push(e *pending) {
	c := e.request.Client
	if _, ok := l.of[c]; !ok {
		l.ring = append(l.ring, c)
	}
	l.of[c] = append(l.of[c], e)
	e.queued = true
}

// pop takes the next request in turn; nil if the lane has none.
func (l *lane) pop() *pending {
	for len(l.ring) > 0 {
		c := l.ring[0]
		waiting := l.of[c]
		l.ring = l.ring[1:]
		var e *pending
		for len(waiting) > 0 && e == nil {
			if !waiting[0].gone && !waiting[0].proposed {
				e = waiting[0]
			}
			waiting[0].queued = false
			waiting = waiting[1:]
		}
		if len(waiting) > 0 {
			l.of[c] = waiting
			l.ring = append(l.ring, c)
		} else {
			delete(l.of, c)
		}
		if e != nil {
			return e
		}
	}
	return nil
}

// unpop puts back what pop returned, to the front.
func (l *lane) unpop(e *pending) {
	c := e.request.Client
	if waiting, ok := l.of[c]; ok {
		l.of[c] = append([]*pending{e}, waiting...)
		for i, other := range l.ring {
			if other == c {
				l.ring = append(l.ring[:i], l.ring[i+1:]...)
				break
			}
		}
	} else {
		l.of[c] = []*pending{e}
	}
	l.ring = append([]crypto.PublicKey{c}, l.ring...)
	e.queued = true
}

// remove takes away the request with this key, if it is there.
func (p *pool) remove(k requestKey) {
	e := p.byKey[k]
	if e == nil {
		return
	}
	e.gone = true
	if e.queued {
		p.dead++
	}
	delete(p.byKey, k)
	p.lanes[e.lane].count--
	p.lanes[e.lane].bytes -= len(e.request.Raw)
	for len(p.order) > 0 && p.order[0].gone {
		p.order[0] = nil
		p.order = p.order[1:]
	}
	if len(p.order) > 64 && len(p.order) > 4*len(p.byKey) {
		p.compact()
	}
	if p.dead > 64 && p.dead > len(p.byKey) {
		p.relane()
	}
}

func (p *pool) compact() {
	kept := p.order[:0]
	for _, e := range p.order {
		if !e.gone {
			kept = append(kept, e)
		}
	}
	clear(p.order[len(kept):])
	p.order = kept
}

// oldest is the request whose clock has run longest; nil if none waits.
func (p *pool) oldest() *pending {
	if len(p.order) == 0 {
		return nil
	}
	return p.order[0]
}

// take removes from the lanes, in turn, what fits one batch: at least one
// request if any waits. They stay pending until they are executed.
func (p *pool) take(l *consensus.Limits) []*consensus.Request {
	var out []*consensus.Request
	size := 10 // stamp and count
	empty := 0
	for empty < len(p.lanes) && len(out) < l.BatchRequests {
		lane := &p.lanes[p.turn%len(p.lanes)]
		e := lane.pop()
		if e == nil {
			empty++
			p.turn++
			continue
		}
		if len(out) > 0 && size+3+len(e.request.Raw) > l.BatchBytes {
			lane.unpop(e)
			break
		}
		empty = 0
		p.turn++
		size += 3 + len(e.request.Raw)
		e.proposed = true
		out = append(out, e.request)
	}
	return out
}

// waiting reports whether there is something to propose.
func (p *pool) waiting() bool {
	for i := range p.lanes {
		if len(p.lanes[i].ring) > 0 {
			return true
		}
	}
	return false
}

// stands says that these requests stand in a slot of this view already.
func (p *pool) stands(b *consensus.Batch) {
	if b == nil {
		return
	}
	for _, q := range b.Requests {
		if e := p.byKey[keyOf(q)]; e != nil {
			e.proposed = true
		}
	}
}

// restart begins a view: all clocks start anew, and whatever was proposed in
// the old view waits again (§6).
func (p *pool) restart(tick int) {
	p.compact()
	for _, e := range p.order {
		e.since, e.told, e.times, e.proposed = tick, tick, 0, false
	}
	p.relane()
}

// relane fills the lanes anew with what is neither gone nor proposed.
func (p *pool) relane() {
	p.dead = 0
	for i := range p.lanes {
		p.lanes[i].ring = nil
		clear(p.lanes[i].of)
	}
	for _, e := range p.order {
		e.queued = false
		if !e.gone && !e.proposed {
			p.lanes[e.lane].push(e)
		}
	}
}
