package node

import (
	"sync"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/driver"
)

// lot is a class of events that wait for the engine, in the order in which a
// burst takes them.
type lot uint8

const (
	own      lot = iota // what this replica's executor and reader report
	votes               // opened small frames of replicas
	bodies              // opened larger frames of replicas
	requests            // requests, whoever brought them
	lots
)

var lotNames = [lots]string{"own", "votes", "bodies", "requests"}

// inbox holds what waits for the engine's loop. Own events always find room:
// their number is bounded by the jobs and reads that are under way. When votes
// or bodies are at their bound, the worker that brings more waits, and with it
// the streams behind it; for requests the answer is no.
type inbox struct {
	events int // bounds of one lot
	bytes  int
	wake   chan struct{} // capacity 1: there is something to do

	mu      sync.Mutex
	room    sync.Cond
	lots    [lots]queue[waiting]
	held    [lots]int // bytes
	durable driver.Ticket
	closed  bool
}

// waiting is an event and the bytes of the frame that it aliases.
type waiting struct {
	event consensus.Event
	bytes int
}

// newInbox makes an empty inbox.
func newInbox(b Bounds) *inbox {
	q := &inbox{events: b.InboxEvents, bytes: b.InboxBytes, wake: make(chan struct{}, 1)}
	q.room.L = &q.mu
	return q
}

// put queues one event. False if there is no room for a request, or the inbox
// is closed.
func (q *inbox) put(l lot, e consensus.Event, bytes int) bool {
	q.mu.Lock()
	for l != own && l != requests && q.full(l, bytes) && !q.closed {
		q.room.Wait()
	}
	ok := !q.closed && (l == own || !q.full(l, bytes))
	if ok {
		q.lots[l].push(waiting{event: e, bytes: bytes})
		q.held[l] += bytes
	}
	q.mu.Unlock()
	if ok {
		q.ring()
	}
	return ok
}

// full reports whether a lot has no room for one more. One larger event than
// the bound travels alone.
func (q *inbox) full(l lot, bytes int) bool {
	n := q.lots[l].len()
	return n >= q.events || n > 0 && q.held[l]+bytes > q.bytes
}

// ring wakes the loop.
func (q *inbox) ring() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// synced says that everything up to ticket t is durable.
func (q *inbox) synced(t driver.Ticket) {
	q.mu.Lock()
	q.durable = max(q.durable, t)
	q.mu.Unlock()
	q.ring()
}

// upTo is the newest durable ticket.
func (q *inbox) upTo() driver.Ticket {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.durable
}

// lotShare divides a burst: each lot that has something to say gets at least
// one part of it. Without, a replica that sends votes, or STATUS, faster than
// the engine takes them would keep every batch and every request out.
const lotShare = 8

// take moves what waits to dst, own events first, then votes, bodies and
// requests, at most room events. More says that something is left.
func (q *inbox) take(dst []consensus.Event, room int) (events []consensus.Event, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	share := room / lotShare
	for l := range lots {
		later := 0
		for k := l + 1; k < lots; k++ {
			later += min(q.lots[k].len(), share)
		}
		for q.lots[l].len() > 0 && room > later {
			w := q.lots[l].pop()
			q.held[l] -= w.bytes
			dst = append(dst, w.event)
			room--
		}
		more = more || q.lots[l].len() > 0
	}
	q.room.Broadcast()
	return dst, more
}

// depth is how many events wait, for metrics.
func (q *inbox) depth() (n [lots]int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for l := range lots {
		n[l] = q.lots[l].len()
	}
	return n
}

// close wakes the workers that wait; nothing is taken any more.
func (q *inbox) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.room.Broadcast()
}
