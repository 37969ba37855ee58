package sim

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/driver"
)

// bounds judges that nothing grows without end: the log, the queues, and the
// distance between the water marks.
type bounds struct {
	window  consensus.Seq
	most    int // records in one log
	records int // ... seen most
	steps   int
}

// recordsPerSlot is how many records one slot may leave in the log before it
// is forgotten. Several views may pass over one slot, each leaving its votes,
// so this is generous; what it must catch is growth without end.
const recordsPerSlot = 100

func newBounds(c *Config) bounds {
	return bounds{window: c.Window, most: 1000 + 4*c.Disk.Segment + recordsPerSlot*int(c.Window+c.Interval)}
}

// stepped judges one replica after a step; what costs more, now and then.
func (b *bounds) stepped(r *replica) string {
	if n := r.driver.Backlog(); n > driver.MaxBacklog {
		return fmt.Sprintf("%v holds back %d outputs", r, n)
	}
	b.steps++
	if b.steps%32 != 0 {
		return ""
	}
	count := 0
	for _, s := range r.disk.segments {
		count += len(s)
	}
	b.records = max(b.records, count)
	if count > b.most {
		return fmt.Sprintf("%v has %d records in its log, with window %d", r, count, b.window)
	}
	s := r.driver.Status()
	// Others may make a height stable that this replica has yet to execute.
	if s.High > s.Stable+b.window || s.InFlight > 6*int(b.window) {
		return fmt.Sprintf("%v reaches from %d to %d with %d slots in flight, window %d", r, s.Stable, s.High, s.InFlight, b.window)
	}
	return ""
}
