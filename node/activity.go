package node

import (
	"fmt"
	"sync"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/p2p"
)

// activity is what a goroutine is at, so that others can see when it does not
// get on. The zero value is at nothing.
type activity struct {
	mu    sync.Mutex
	what  string
	since time.Time
}

// does says what the goroutine begins; "" is nothing.
func (a *activity) does(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.what, a.since = what, time.Now()
}

// goesOn is does for what may have begun before.
func (a *activity) goesOn(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.what == "" || what == "" {
		a.since = time.Now()
	}
	a.what = what
}

// lasts is what the goroutine is at, and for how long.
func (a *activity) lasts() (what string, d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.what == "" {
		return "", 0
	}
	return a.what, time.Since(a.since)
}

// stallAfter is how long one thing may take before it is said. Slow disks sync in
// tenths of a second, and the largest batch is executed in less.
const stallAfter = 3 * time.Second

// stalls lists what stands still: the cause before what waits for it.
func (n *Node) stalls() (list []consensus.Stall) {
	for _, p := range n.places() {
		if what, d := p.doing.lasts(); d > stallAfter {
			list = append(list, consensus.Stall{What: what, For: d.Round(time.Second).String()})
		}
	}
	if p := n.picture.Load(); p != nil && time.Since(p.at) > stallAfter {
		list = append(list, consensus.Stall{What: "a step of the engine", For: time.Since(p.at).Round(time.Second).String()})
	}
	return list
}

// place is where something may stand still.
type place struct {
	name  string // for metrics
	doing *activity
}

// places are all of them, causes before what waits for them.
func (n *Node) places() []place {
	return []place{{"log", &n.journal.doing}, {"checkpoints", &n.tasks.doing}, {"execution", &n.executor.doing}, {"reads", &n.reader.doing}, {"engine", &n.held}}
}

// age is for how long the engine has heard nothing: since the picture, or since
// it is kept from stepping.
func (n *Node) age(p *picture) time.Duration {
	_, held := n.held.lasts()
	return max(held, time.Since(p.at))
}

// hold says, after each look of the loop, what keeps the engine from stepping, or
// that nothing does. It reports whether it may step.
func (n *Node) hold() bool {
	why := ""
	switch {
	case n.driver.Full():
		why = fmt.Sprintf("the engine, which waits for the disk: %d appends are not durable", n.journal.depth())
	case n.executor.behind():
		jobs, _, _ := n.executor.depth()
		why = fmt.Sprintf("the engine, which waits for the execution of %d jobs", jobs)
	}
	n.held.goesOn(why)
	return why == ""
}

// away and twice are what the network knows of members.
func away(peers []p2p.PeerStats) (list []consensus.Away) {
	for i := range peers {
		if a := peers[i].Away; a.Unreachable != nil {
			list = append(list, consensus.Away{Replica: a.Replica, Address: a.Address, Reason: a.Reason, For: time.Since(a.Since).Round(time.Second).String()})
		}
	}
	return list
}

func twice(peers []p2p.PeerStats) (list []consensus.Twice) {
	for i := range peers {
		if t := peers[i].Twice; t.Now() {
			list = append(list, consensus.Twice{Replica: peers[i].Replica, From: t.From})
		}
	}
	return list
}

// jobName is what the executor is at.
func jobName(j consensus.Job) string {
	switch j.(type) {
	case consensus.Commit:
		return "the execution of a batch"
	}
	return "work on the state"
}
