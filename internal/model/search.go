package model

import (
	"quorate.dev/quorate/viewchange"
)

// report is what a search found.
type report struct {
	States   int      // different ones, up to the end or to the fork
	Plans    int      // different V for which Select was asked
	Executes bool     // something can be executed at all
	Fork     []string // the shortest execution to one, line by line; nil if there is none
	Steps    int      // of honest replicas, in Fork
	Lost     []string // the shortest one after which a V forgets what was committed
}

// node is a state and how it was reached.
type node struct {
	state  state
	parent int32
	cost   int
	by     step
}

// step is what led to a node: the outcome of a view's votes, or the entry into
// a view.
type step struct {
	outcome *outcome
	entry   entry
	wipe    bool // the disk was lost in this view
}

// search is one walk through a cluster, cheapest executions first.
type search struct {
	cluster
	cast
	nodes []node
	best  map[state]int // cost, by key
	queue [][]int32     // nodes by cost
	votes map[situation][]outcome
	plans map[said]plan
	twins [maxViews + 2][]bool
	found report
}

// explore looks at every execution of s, and stops at the first fork. Memory
// grows with the number of states, some 100 bytes each.
func explore(s cluster) report {
	if s.Weakness.Select == nil {
		s.Weakness.Select = viewchange.Select
	}
	h := &search{cluster: s, cast: s.newCast(), best: map[state]int{}, votes: map[situation][]outcome{}, plans: map[said]plan{}}
	h.push(node{state: state{allowed: bothValues}, parent: -1})
	for cost := 0; cost < len(h.queue) && h.found.Fork == nil; cost++ {
		for i := 0; i < len(h.queue[cost]) && h.found.Fork == nil; i++ {
			h.visit(h.queue[cost][i])
		}
	}
	h.found.States, h.found.Plans = len(h.best), len(h.plans)
	return h.found
}

// push enters a node unless its state was reached as cheaply.
func (h *search) push(n node) {
	key := h.key(n.state)
	if cost, known := h.best[key]; known && cost <= n.cost {
		return
	}
	h.best[key] = n.cost
	for len(h.queue) <= n.cost {
		h.queue = append(h.queue, nil)
	}
	h.queue[n.cost] = append(h.queue[n.cost], int32(len(h.nodes)))
	h.nodes = append(h.nodes, n)
}

// visit goes on from a node, unless a cheaper way there was found meanwhile.
func (h *search) visit(i int32) {
	n := h.nodes[i]
	switch {
	case h.best[h.key(n.state)] < n.cost:
	case n.state.forked():
		h.found.Fork, h.found.Steps = h.tell(i), n.cost
	case n.state.ended:
		h.change(i, n)
	default:
		h.vote(i, n, false)
		if h.first >= 0 && !n.state.wiped {
			h.vote(i, n, true)
		}
	}
}

// vote goes through all outcomes of a view.
func (h *search) vote(i int32, n node, wipe bool) {
	from, cost := n.state, n.cost
	if wipe {
		from.wiped = true
		cost++
	}
	outcomes := h.outcomes(situation{int(from.view), from.allowed, h.open(&from, wipe)})
	for o := range outcomes {
		after, more := h.apply(from, &outcomes[o])
		h.settle(after, 0, cost+more, func(s state, cost int) {
			h.found.Executes = h.found.Executes || s.executed != 0
			h.push(node{state: s, parent: i, cost: cost, by: step{outcome: &outcomes[o], wipe: wipe}})
		})
	}
}

// change goes into the next view, if there is one in which votes are cast.
func (h *search) change(i int32, n node) {
	entries, lost := h.entries(&n.state)
	if lost && h.found.Lost == nil {
		h.found.Lost = h.tell(i)
	}
	if int(n.state.view) == h.Views-1 {
		return
	}
	for _, e := range entries {
		s := n.state
		s.view, s.ended, s.allowed = s.view+1, false, e.allowed
		h.push(node{state: s, parent: i, cost: n.cost + e.cost, by: step{entry: e}})
	}
}
