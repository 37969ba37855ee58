package sim

import "quorate.dev/quorate/consensus"

// alarm is something that happens at a time. Order breaks ties, so that what
// was scheduled first happens first.
type alarm struct {
	at    consensus.Time
	order uint64
	ring  func()
}

// clock is virtual time: a heap of alarms. Time jumps from one to the next.
type clock struct {
	now   consensus.Time
	order uint64
	heap  []alarm
}

func (a *alarm) before(b *alarm) bool {
	return a.at < b.at || (a.at == b.at && a.order < b.order)
}

// after schedules ring d from now.
func (c *clock) after(d consensus.Time, ring func()) {
	c.order++
	c.heap = append(c.heap, alarm{at: c.now + d, order: c.order, ring: ring})
	for i := len(c.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if c.heap[parent].before(&c.heap[i]) {
			break
		}
		c.heap[parent], c.heap[i] = c.heap[i], c.heap[parent]
		i = parent
	}
}

// advance moves time to the next alarm and rings it; false if there is none.
func (c *clock) advance() bool {
	if len(c.heap) == 0 {
		return false
	}
	first := c.heap[0]
	last := len(c.heap) - 1
	c.heap[0] = c.heap[last]
	c.heap[last] = alarm{}
	c.heap = c.heap[:last]
	c.sink()
	c.now = first.at
	first.ring()
	return true
}

// sink moves the top of the heap down to its place.
func (c *clock) sink() {
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(c.heap) {
			return
		}
		if right := child + 1; right < len(c.heap) && c.heap[right].before(&c.heap[child]) {
			child = right
		}
		if c.heap[i].before(&c.heap[child]) {
			return
		}
		c.heap[i], c.heap[child] = c.heap[child], c.heap[i]
		i = child
	}
}
