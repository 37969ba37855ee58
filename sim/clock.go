package sim

import (
	"container/heap"

	"quorate.dev/quorate/consensus"
)

// alarm is something that happens at a time. Order breaks ties, so that what
// was scheduled first happens first.
type alarm struct {
	at    consensus.Time
	order uint64
	ring  func()
}

// alarms are a heap, the next one on top.
type alarms []alarm

func (a alarms) Len() int      { return len(a) }
func (a alarms) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *alarms) Push(x any)   { *a = append(*a, x.(alarm)) }

func (a alarms) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].order < a[j].order
}

func (a *alarms) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = alarm{}
	*a = (*a)[:last]
	return x
}

// clock is virtual time. It jumps from one alarm to the next.
type clock struct {
	now    consensus.Time
	order  uint64
	alarms alarms
}

// after schedules ring d from now.
func (c *clock) after(d consensus.Time, ring func()) {
	c.order++
	heap.Push(&c.alarms, alarm{at: c.now + d, order: c.order, ring: ring})
}

// advance moves time to the next alarm and rings it; false if there is none.
func (c *clock) advance() bool {
	if len(c.alarms) == 0 {
		return false
	}
	first := heap.Pop(&c.alarms).(alarm)
	c.now = first.at
	first.ring()
	return true
}
