package message

import (
	"bytes"
	"maps"
	"runtime"
	"slices"
	"testing"
)

// A count or a length that promises more than the frame can hold is refused
// before anything is allocated for it: memory follows the bytes received.
func TestAllocationIsBoundedByTheFrame(t *testing.T) {
	c := newCluster(t, 4)
	specimens := c.specimens()
	for _, name := range slices.Sorted(maps.Keys(specimens)) {
		frame := specimens[name]
		from := peerFor(c, frame)
		for at := 1; at+2 <= len(frame); at++ {
			hostile := bytes.Clone(frame)
			hostile[at], hostile[at+1] = 0xff, 0xff
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			c.openAt(nil, from, hostile)
			runtime.ReadMemStats(&after)
			if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(32<<10+64*len(frame)); got > limit {
				t.Errorf("%s with a count of 65535 at byte %d: %d bytes allocated, limit %d", name, at, got, limit)
			}
		}
	}
}
