package node

import (
	"sync"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/driver"
	"quorate.dev/quorate/consensus/host"
)

// inbox lets workers, executor and reader share a host.Inbox with the engine's
// loop, and wakes the loop.
type inbox struct {
	wake chan struct{} // capacity 1: there is something to do

	mu      sync.Mutex
	room    sync.Cond // a burst was taken, or closed
	queue   *host.Inbox
	durable driver.Ticket
	closed  bool
}

// newInbox makes an empty inbox.
func newInbox(b host.Bounds) *inbox {
	q := &inbox{queue: host.NewInbox(b), wake: make(chan struct{}, 1)}
	q.room.L = &q.mu
	return q
}

// own queues an event of this replica's executor or reader.
func (q *inbox) own(e consensus.Event) {
	q.mu.Lock()
	q.queue.Own(e)
	q.mu.Unlock()
	q.ring()
}

// offer queues what f was opened as. It waits while that is held, until close.
// False if there is no room for a request, or the inbox is closed.
func (q *inbox) offer(f *consensus.Frame, e consensus.Event) bool {
	q.mu.Lock()
	v := q.queue.Offer(f, e)
	for v == host.Held && !q.closed {
		q.room.Wait()
		v = q.queue.Offer(f, e)
	}
	taken := v == host.Taken && !q.closed
	q.mu.Unlock()
	if taken {
		q.ring()
	}
	return taken
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

// burst takes what the engine is to be stepped with. More says that something
// is left.
func (q *inbox) burst(tick bool) (events []consensus.Event, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	events, more = q.queue.Burst(tick)
	q.room.Broadcast()
	return events, more
}

// depth is how many events wait, for metrics.
func (q *inbox) depth() [host.Classes]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.queue.Depth()
}

// close wakes the workers that wait; nothing is taken any more.
func (q *inbox) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.room.Broadcast()
}
