package node

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/consensus"
)

// A disk hangs: its replica says which, and since when, by every way that tells
// of it; and no more when the disk is back. The picture that it shows meanwhile
// says how old it is.
func TestHangingDiskIsSaid(t *testing.T) {
	c := newCluster(t, 4)
	a := c.dial("client")
	mustPut(a, 4, "before")
	free := make(chan struct{})
	n := c.nodes[3]
	n.journal.append(entry{task: func() error { <-free; return nil }})
	for i := range 6 {
		mustPut(a, 3, fmt.Sprint("meanwhile ", i))
	}
	r := a.statusOf(3, "the stall", func(r consensus.Report) bool { return len(r.Stalled) > 0 })
	if r.Ready || !strings.Contains(strings.Join(r.Unready, "; "), "has lasted") || !strings.Contains(r.Stalled[0].What, "log") {
		t.Errorf("ready %v, %q, stalled %v", r.Ready, r.Unready, r.Stalled)
	}
	if d, err := time.ParseDuration(r.Stalled[0].For); err != nil || d < stallAfter {
		t.Errorf("for %q: %v", r.Stalled[0].For, err)
	}
	close(free)
	a.statusOf(3, "the disk to be back", func(r consensus.Report) bool { return len(r.Stalled) == 0 && r.Ready })
}

// A full backlog keeps the engine from stepping: what it knows is as old as that.
func TestAgeOfWhatTheEngineKnows(t *testing.T) {
	n := &Node{parts: parts{journal: &journal{}, executor: &executor{}, reader: &reader{}, tasks: &background{}}}
	p := &picture{at: time.Now()}
	n.picture.Store(p)
	if n.age(p) > time.Hour || len(n.stalls()) > 0 {
		t.Fatalf("age %v, stalls %v", n.age(p), n.stalls())
	}
	n.held.goesOn("the engine, which waits")
	n.held.since = n.held.since.Add(-time.Hour)
	n.held.goesOn("the engine, which waits for more")
	if got := n.stalls(); n.age(p) < time.Hour || len(got) != 1 || !strings.Contains(got[0].What, "more") {
		t.Errorf("age %v, stalls %v", n.age(p), got)
	}
	n.held.goesOn("")
	if n.age(p) > time.Hour/2 || len(n.stalls()) > 0 {
		t.Errorf("goes on: age %v, stalls %v", n.age(p), n.stalls())
	}
	p.at = p.at.Add(-time.Hour)
	if got := n.stalls(); n.age(p) < time.Hour || len(got) != 1 {
		t.Errorf("a loop that does not turn: age %v, stalls %v", n.age(p), got)
	}
}

// Who cannot be reached is said with the address and the reason.
func TestWhoIsAwayIsSaid(t *testing.T) {
	c := newCluster(t, 4)
	a := c.dial("client")
	a.statusOf(1, "readiness", func(r consensus.Report) bool { return r.Ready && len(r.Away) == 0 })
	where := c.nodes[3].Address()
	c.stop(3)
	r := a.statusOf(1, "the reason", func(r consensus.Report) bool { return len(r.Away) > 0 })
	if away := r.Away[0]; away.Replica != 3 || away.Address != where || !strings.Contains(away.Reason, "refused") {
		t.Errorf("%+v, want replica 3 at %s", away, where)
	}
	c.start(3)
	a.statusOf(1, "replica 3 to be back", func(r consensus.Report) bool { return len(r.Away) == 0 })
}
