package sim

import (
	"fmt"

	"quorate/consensus"
)

// durability judges that what a client believed stays: it keeps its place in
// the common history whatever crashes, and whoever asks later comes after it.
type durability struct {
	highest consensus.Seq // of all believed results
	count   map[consensus.Seq]int
}

func newDurability() durability { return durability{count: map[consensus.Seq]int{}} }

// believe enters a result, and judges real time: the operation began after
// everything up to c.after had been answered, so it must stand behind it.
// With agreement on one order this is linearizability.
func (d *durability) believe(c call, n consensus.Seq) string {
	d.count[n]++
	d.highest = max(d.highest, n)
	if n < c.after {
		return fmt.Sprintf("%v began after height %d was answered and is executed at %d", c.token, c.after, n)
	}
	return ""
}

// present judges that a replica of the healed core has everything answered.
func (d *durability) present(r *replica, n consensus.Seq) string {
	if n < d.highest {
		return fmt.Sprintf("LOST: %v is at height %d, and a result of height %d was believed", r, n, d.highest)
	}
	return ""
}

// kept judges that every believed result belongs to a batch that the core
// executed: a height that was believed and then given to others would show as
// a fork, one that nobody executed shows here.
func (d *durability) kept(a *agreement) string {
	for n := consensus.Seq(0); n <= d.highest; n++ {
		if _, known := a.batches[n]; d.count[n] > 0 && !known {
			return fmt.Sprintf("%d results of height %d were believed, which nobody executed", d.count[n], n)
		}
	}
	return ""
}
