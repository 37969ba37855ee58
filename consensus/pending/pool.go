package pending

import (
	"iter"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Pool holds the requests that wait here: admitted and not yet executed. Each
// replica that forwards has a lane of its own beside the lane of the clients
// who come directly; lanes, and clients within them, are served in turn, so
// that neither a flood nor a forwarder starves the others (PROTOCOL.md §3). Of
// the room of a lane one client gets a part: a flood would else leave the others
// none, and turns are for those who are in.
type Pool struct {
	lanes    []lane // by forwarding replica; the last one is for clients
	byKey    map[Key]*Entry
	order    []*Entry // by admission; gone ones are dropped when they reach the front
	turn     int      // the lane to serve next
	dead     int      // gone ones that still stand in lanes: a backup takes nothing from them
	cfg      Config
	recent   recent
	ordered  ordered
	standing map[Key]bool          // what stands in a slot of this view and is not executed, whether it waits here or not
	retold   map[crypto.Digest]int // executed requests, and the tick of their last answer
	refused  map[crypto.Digest]verdict
	work     work
}

// Config sizes a pool and says how often, in ticks, it lets the same thing be
// said again.
type Config struct {
	Replicas int // of the cluster; each has a lane
	Count    int // of the requests that wait in a lane
	Bytes    int // of these together; one larger request has room in an empty lane
	Retell   int // between two answers to a request that was executed
	Ask      int // between two questions to the session table about one request
	Patience int // ticks that a request may wait; 0 = nobody loses patience
	Speed    int // bytes that even a slow machine executes in a tick
}

// Entry is one request that waits. Callers keep their clocks in it, in ticks.
type Entry struct {
	Request  *consensus.Request
	Lane     int
	Since    int  // when its clock started: admission, or the entry into this view
	Told     int  // when the primary was last told of it
	Times    int  // how often it was told
	Asked    int  // when the session table was asked of it; -1 never
	clock    int  // of work, at Since
	silence  int  // ... or when it was proposed since
	spared   int  // ticks that what was on its way had accounted for then
	proposed bool // in a slot of this view
	queued   bool // in its lane
	gone     bool
}

// lane is a ring of clients with their requests in order.
type lane struct {
	ring []crypto.PublicKey
	of   map[crypto.PublicKey][]*Entry
	load
	loads map[crypto.PublicKey]load // by client; none is zero
}

// load is requests that wait, whether they are proposed or not.
type load struct{ count, bytes int }

// put adds a request, or takes it away with sign -1.
func (l *lane) put(q *consensus.Request, sign int) {
	size := sign * len(q.Raw)
	l.count += sign
	l.bytes += size
	if c := (load{l.loads[q.Client].count + sign, l.loads[q.Client].bytes + size}); c.count > 0 {
		l.loads[q.Client] = c
	} else {
		delete(l.loads, q.Client)
	}
}

// clientShare divides the room of a lane: one client gets one part of it.
const clientShare = 4

// New makes a pool.
func New(c Config) *Pool {
	p := &Pool{lanes: make([]lane, c.Replicas+1), byKey: map[Key]*Entry{}, standing: map[Key]bool{}, cfg: c, recent: newRecent(), ordered: newOrdered(), work: work{of: map[crypto.PublicKey]int{}}}
	for i := range p.lanes {
		p.lanes[i].of, p.lanes[i].loads = map[crypto.PublicKey][]*Entry{}, map[crypto.PublicKey]load{}
	}
	return p
}

// laneOf is the lane of what comes by this channel.
func (p *Pool) laneOf(via consensus.Peer) int {
	if via.Kind == consensus.PeerReplica {
		return int(via.Replica)
	}
	return len(p.lanes) - 1
}

// full reports whether the lane has no room for q, or its client has its share.
func (p *Pool) full(lane int, q *consensus.Request) bool {
	l := &p.lanes[lane]
	return l.full(len(q.Raw), p.cfg.Count, p.cfg.Bytes) ||
		l.loads[q.Client].full(len(q.Raw), max(1, p.cfg.Count/clientShare), p.cfg.Bytes/clientShare)
}

func (l load) full(size, count, bytes int) bool {
	return l.count >= count || l.count > 0 && l.bytes+size > bytes
}

// find answers the request with this key; nil if it does not wait here.
func (p *Pool) find(k Key) *Entry { return p.byKey[k] }

// add admits a request; the caller has checked that there is room and that it
// is not there yet.
func (p *Pool) add(q *consensus.Request, lane, tick int) *Entry {
	e := &Entry{Request: q, Lane: lane, Since: tick, Told: tick, Asked: -1, clock: p.work.clock, silence: p.work.clock, spared: p.work.spared, proposed: p.standing[KeyOf(q)]}
	p.work.holds(q, 1)
	if e.proposed {
		p.work.under += cost(q)
	}
	p.byKey[KeyOf(q)] = e
	p.order = append(p.order, e)
	p.lanes[lane].put(q, 1)
	if !e.proposed {
		p.lanes[lane].push(e)
	}
	return e
}

func (l *lane) push(e *Entry) {
	c := e.Request.Client
	if _, ok := l.of[c]; !ok {
		l.ring = append(l.ring, c)
	}
	l.of[c] = append(l.of[c], e)
	e.queued = true
}

// pop takes the next request in turn; nil if the lane has none.
func (l *lane) pop() *Entry {
	for len(l.ring) > 0 {
		c := l.ring[0]
		waiting := l.of[c]
		l.ring = l.ring[1:]
		var e *Entry
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
func (l *lane) unpop(e *Entry) {
	c := e.Request.Client
	if waiting, ok := l.of[c]; ok {
		l.of[c] = append([]*Entry{e}, waiting...)
		for i, other := range l.ring {
			if other == c {
				l.ring = append(l.ring[:i], l.ring[i+1:]...)
				break
			}
		}
	} else {
		l.of[c] = []*Entry{e}
	}
	l.ring = append([]crypto.PublicKey{c}, l.ring...)
	e.queued = true
}

// Remove takes away the request with this key, if it is there.
func (p *Pool) Remove(k Key) {
	e := p.byKey[k]
	if e == nil {
		return
	}
	e.gone = true
	if e.queued {
		p.dead++
	}
	delete(p.byKey, k)
	p.stand(e, false)
	p.work.holds(e.Request, -1)
	p.lanes[e.Lane].put(e.Request, -1)
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

func (p *Pool) compact() {
	kept := p.order[:0]
	for _, e := range p.order {
		if !e.gone {
			kept = append(kept, e)
		}
	}
	clear(p.order[len(kept):])
	p.order = kept
}

// Oldest is the request whose clock has run longest; nil if none waits.
func (p *Pool) Oldest() *Entry {
	if len(p.order) == 0 {
		return nil
	}
	return p.order[0]
}

// Take removes from the lanes, in turn, what fits one batch: at least one
// request if any waits. They stay pending until they are executed.
func (p *Pool) Take(l *consensus.Limits) []*consensus.Request {
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
		if len(out) > 0 && size+3+len(e.Request.Raw) > l.BatchBytes {
			lane.unpop(e)
			break
		}
		empty = 0
		p.turn++
		size += 3 + len(e.Request.Raw)
		p.stand(e, true)
		out = append(out, e.Request)
	}
	return out
}

// Waiting reports whether there is something to propose.
func (p *Pool) Waiting() bool {
	for i := range p.lanes {
		if len(p.lanes[i].ring) > 0 {
			return true
		}
	}
	return false
}

// gatherShare decides when a batch is closed although others are under way: when it
// carries at least one part in gatherShare of what they carry.
const gatherShare = 2

// Little reports whether what may be proposed is so little beside what is under way
// already that it had better wait for more: a batch costs all replicas the same,
// however little is in it (PROTOCOL.md §4).
func (p *Pool) Little(l *consensus.Limits) bool {
	waits := p.work.held - p.work.under
	return waits*gatherShare < p.work.under && waits < l.BatchBytes
}

// Stands says that these requests stand in a slot of this view already, so that
// they are not proposed, also if they are handed in only later.
func (p *Pool) Stands(b *consensus.Batch) {
	if b == nil {
		return
	}
	for _, q := range b.Requests {
		k := KeyOf(q)
		p.standing[k] = true
		if e := p.byKey[k]; e != nil {
			p.stand(e, true)
		}
	}
}

// stand notes whether an entry stands in a slot of this view.
func (p *Pool) stand(e *Entry, proposed bool) {
	switch {
	case proposed && !e.proposed:
		p.work.under += cost(e.Request)
	case e.proposed && !proposed:
		p.work.under -= cost(e.Request)
	}
	e.proposed = proposed
}

// Restart begins a view: all clocks start anew, and whatever was proposed in
// the old view waits again (§6).
func (p *Pool) Restart(tick int) {
	p.compact()
	clear(p.standing)
	for _, e := range p.order {
		p.stand(e, false)
		e.Since, e.Told, e.Times, e.clock, e.silence = tick, tick, 0, p.work.clock, p.work.clock
		e.spared = p.work.spared
	}
	p.work.credit, p.work.coming = 0, 0
	p.relane()
}

// relane fills the lanes anew with what is neither gone nor proposed.
func (p *Pool) relane() {
	p.dead = 0
	for i := range p.lanes {
		p.lanes[i].ring = nil
		clear(p.lanes[i].of)
	}
	for _, e := range p.order {
		e.queued = false
		if !e.gone && !e.proposed {
			p.lanes[e.Lane].push(e)
		}
	}
}

// ClientLane is the lane of clients who come directly.
func (p *Pool) ClientLane() int { return len(p.lanes) - 1 }

// Len is the number of requests that wait.
func (p *Pool) Len() int { return len(p.byKey) }

// byAge walks through what waits, oldest clock first. What is added or removed
// meanwhile may or may not be seen.
func (p *Pool) byAge() iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		for _, e := range p.order {
			if !e.gone && !yield(e) {
				return
			}
		}
	}
}
