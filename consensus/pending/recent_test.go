package pending

import (
	"math"
	"testing"

	"quorate.dev/quorate/consensus"
)

// What a pool remembers of a client that it comes to know in the middle of its
// session, as after a restart, and after a state was fetched that went past
// what it had seen. To believe the session behind would be to refuse the client
// for good: as a primary, to stop the service for it.
func TestJoiningASession(t *testing.T) {
	const window = consensus.SessionWindow
	p := New(Config{Replicas: 4, Count: 8, Bytes: 1 << 20, Retell: 5, Ask: 10})
	executed := func(counter uint64) {
		execute(p, poolRequest(1, counter, 1))
	}
	holds := func(when string, want map[uint64]standing) {
		t.Helper()
		for counter, standing := range want {
			if got := p.standingOf(poolRequest(1, counter, 1)); got != standing {
				t.Errorf("%s: counter %d stands %d, want %d", when, counter, got, standing)
			}
		}
	}
	holds("before anything", map[uint64]standing{1: fresh, 5000: fresh})
	executed(1000)
	holds("after the first seen", map[uint64]standing{
		1000: done, 999: fresh, 1001: fresh, 1000 + window: fresh, 1001 + window: beyond, 1000 - window: done, 1001 - window: fresh,
	})
	executed(1001)
	executed(3000)
	holds("after some were missed", map[uint64]standing{1001: done, 2999: fresh, 3000: done, 3001: fresh, 3001 + window: beyond})
	executed(1002)
	holds("after one that is too old", map[uint64]standing{3000: done, 3001: fresh})

	e := p.add(poolRequest(1, 3001, 1), p.laneOf(consensus.Peer{Kind: consensus.PeerClient}), 1)
	e.Asked = 9
	p.Restored()
	holds("after a state was fetched", map[uint64]standing{1: fresh, 3000: fresh, 9000: fresh})
	if e.Asked != -1 || p.Len() != 1 {
		t.Errorf("what waits was not to be asked for again: asked at %d, %d wait", e.Asked, p.Len())
	}
	executed(9000)
	holds("after the first seen then", map[uint64]standing{9001: fresh, 9000: done})

	// Counters at the end of their range neither hang nor panic.
	for _, c := range []uint64{math.MaxUint64 - 300, math.MaxUint64 - 100, math.MaxUint64, 7} {
		executed(c)
		p.standingOf(poolRequest(1, c, 1))
	}
}
