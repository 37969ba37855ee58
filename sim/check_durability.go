package sim

import (
	"fmt"

	"quorate/consensus"
	"quorate/crypto"
)

// durability judges that what a client believed stays: it keeps its place in
// the common history whatever crashes, and whoever asks later comes after it.
type durability struct {
	highest  consensus.Seq // of all believed results
	believed map[crypto.Digest]consensus.Seq
}

func newDurability() durability { return durability{believed: map[crypto.Digest]consensus.Seq{}} }

// believe enters a result, and judges real time: the request began after
// everything up to a.after had been answered, so it must stand behind it.
// With agreement on one order this is linearizability.
func (d *durability) believe(a *attempt, r *consensus.Reply) string {
	d.believed[r.Request] = r.Seq
	d.highest = max(d.highest, r.Seq)
	if r.Seq < a.after {
		return fmt.Sprintf("request #%d began after height %d was answered and is executed at %d", a.request.Sequence.Counter, a.after, r.Seq)
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

// kept judges that every believed result is that of an agreed height.
func (d *durability) kept(a *agreement, v *validity) string {
	for _, request := range sortedDigests(d.believed) {
		n := d.believed[request]
		if _, known := a.batches[n]; !known {
			return fmt.Sprintf("a result of height %d was believed, which nobody executed", n)
		}
		if v.requests[request] == nil {
			return fmt.Sprintf("a result of height %d was believed for a request that nobody issued", n)
		}
	}
	return ""
}
