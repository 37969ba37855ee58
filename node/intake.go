package node

import (
	"sync"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/host"
)

// intake lets streams and verifying workers share a host.Intake, and wait.
type intake struct {
	mu     sync.Mutex
	work   sync.Cond // a queue became ready, or closed
	room   sync.Cond // large frames were taken, or closed
	queue  *host.Intake
	closed bool
}

// newIntake makes an empty intake.
func newIntake(b host.Bounds) *intake {
	q := &intake{queue: host.NewIntake(b)}
	q.work.L, q.room.L = &q.mu, &q.mu
	return q
}

// offer takes in the frames of one stream and answers those that it has no
// room for. It waits while a replica's larger frames are held, until close.
func (q *intake) offer(group []consensus.Frame) (refused []consensus.Frame) {
	q.mu.Lock()
	defer q.mu.Unlock()
	defer q.wake()
	for i := range group {
		v := q.queue.Offer(&group[i])
		for v == host.Held && !q.closed {
			q.wake()
			q.room.Wait()
			v = q.queue.Offer(&group[i])
		}
		if v != host.Taken || q.closed {
			refused = append(refused, group[i])
		}
	}
	return refused
}

// wake wakes one worker if there is work; that one wakes the next. Called with
// mu held.
func (q *intake) wake() {
	if q.queue.Ready() {
		q.work.Signal()
	}
}

// take waits for work and moves it to g. False after close.
func (q *intake) take(g *host.Group) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && !q.queue.Ready() {
		q.work.Wait()
	}
	if q.closed {
		return false
	}
	q.queue.Take(g)
	if g.Priority == host.Large {
		q.room.Broadcast()
	}
	q.wake()
	return true
}

// done gives a group back after its frames were passed on.
func (q *intake) done(g *host.Group) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue.Done(g)
	q.wake()
}

// close wakes everybody who waits; nothing goes in or out any more.
func (q *intake) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.work.Broadcast()
	q.room.Broadcast()
}

// depth is the number of frames that wait, and of those dropped, for metrics.
func (q *intake) depth() (frames int, dropped [host.Priorities]uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.queue.Depth()
}
