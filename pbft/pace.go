package pbft

import (
	"slices"

	"quorate.dev/quorate/consensus"
)

// pace judges a primary by how long requests wait under it, and demands that it
// keep them waiting no longer than twice as long as an earlier primary did
// (PROTOCOL.md §6). Patience alone would let a primary stay that is always a
// little quicker than that, for ever.
//
// A window is a stretch of time in which something was executed or waited; what
// counts of it is the longest wait. A primary is known by the median of its last
// windows, so that no single stall of a machine makes it slow, and no single
// quick answer makes it quick.
//
// If all are equally slow, it is the machine: each is left once, and then the
// best of them stays. Now and then, ever more seldom, another one is tried all
// the same, because what the others did may be out of date.
type pace struct {
	span    int                         // ticks of a window, and of patience
	floor   int                         // who keeps requests waiting no longer than twice this is never slow
	known   map[consensus.ReplicaID]int // the wait under each when it was primary last; who is not there may be quick
	windows [paceWindows]int            // of this view, as a ring
	count   int                         // of them so far
	ticks   int                         // of the window at hand
	longest int                         // wait in it
	served  bool                        // something was executed or waited in it
	slow    bool                        // as of the last window
	daring  bool                        // whatever the others did, another one is tried
	rest    int                         // windows that the best of the slow stays until then
	left    int                         // ... of them
}

const (
	paceWindows = 5
	paceKnown   = 3                // windows after which a primary is known
	paceFloor   = 16               // divides patience
	restWindows = 64               // that the best of all slow primaries stays at first
	restMost    = 32 * restWindows // ... and at most
)

func newPace(patience int) pace {
	return pace{
		span: patience, floor: max(1, patience/paceFloor), known: map[consensus.ReplicaID]int{},
		rest: restWindows, left: restWindows,
	}
}

// now is the median wait of the last windows of this view. Those that are yet to
// come count as quick.
func (p *pace) now() int {
	sorted := p.windows
	slices.Sort(sorted[:])
	return sorted[paceWindows/2]
}

// saw takes in how long something waited that was executed now, or waits.
func (p *pace) saw(wait int) {
	p.longest = max(p.longest, wait)
	p.served = true
}

// tick lets time pass under a primary, one of n replicas.
func (p *pace) tick(primary consensus.ReplicaID, n int) {
	if p.ticks++; p.ticks < p.span {
		return
	}
	if p.served {
		p.windows[p.count%paceWindows] = p.longest
		p.count++
		p.judge(primary, n)
	}
	p.ticks, p.longest, p.served = 0, 0, false
}

// judge says whether the primary is slow, after a window.
func (p *pace) judge(primary consensus.ReplicaID, n int) {
	wait := p.now()
	if wait <= 2*p.floor {
		p.slow, p.daring = false, false
		if p.count >= paceWindows {
			p.rest, p.left = restWindows, restWindows
		}
		return
	}
	p.slow = p.daring || wait > 2*p.best(primary, n)
	if p.slow {
		return
	}
	if p.left--; p.left <= 0 {
		p.daring = true
	}
}

// best is how long requests waited under the best of the others.
func (p *pace) best(primary consensus.ReplicaID, n int) int {
	best := p.span
	for i := range n {
		if id := consensus.ReplicaID(i); id != primary {
			best = min(best, p.known[id])
		}
	}
	return max(best, p.floor)
}

// leave notes how the primary of a view was that is left, or did not begin. Of one
// that nobody could get to know nothing good is assumed, lest the slow be left in
// turns for one that never comes.
func (p *pace) leave(primary consensus.ReplicaID, began bool) {
	switch {
	case began && p.count >= paceKnown:
		seen := p.windows[:min(p.count, paceWindows)]
		slices.Sort(seen)
		p.known[primary] = seen[len(seen)/2]
		p.known[primary] = max(p.known[primary], p.longest) // who ends in silence was not quick
	default:
		p.known[primary] = max(p.known[primary], p.span)
	}
	if p.daring {
		p.rest = min(2*p.rest, restMost)
	}
	p.enter()
}

// enter begins a view.
func (p *pace) enter() {
	p.windows, p.count, p.ticks, p.longest = [paceWindows]int{}, 0, 0, 0
	p.served, p.slow, p.daring, p.left = false, false, false, p.rest
}
