package compare

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/testnet"
)

// reading is what one replica's counters say at one moment.
type reading struct {
	applied uint64 // the last sequence number executed
	view    uint64
	leads   bool
	sent    [consensus.Classes]Traffic // to the other members, since its process began
}

// classOf names a class of frames: votes, bodies or bulk.
func classOf(c int) string { return consensus.Class(c).String() }

// parseReading reads a metrics page. A page without the counters is none of a
// replica of ours.
func parseReading(page []byte) (r reading, ok bool) {
	found := testnet.ParseMetrics(page)
	applied, ok := found[`quorate_replica{what="applied"}`]
	r.applied, r.view = uint64(applied), uint64(found[`quorate_replica{what="view"}`])
	r.leads = found[`quorate_state{condition="leading"}`] == 1
	for c := range r.sent {
		frames, there := found[fmt.Sprintf("quorate_frames_sent_total{class=%q}", classOf(c))]
		bytes := found[fmt.Sprintf("quorate_bytes_sent_total{class=%q}", classOf(c))]
		r.sent[c] = Traffic{Messages: uint64(frames), Bytes: uint64(bytes)}
		ok = ok && there
	}
	return r, ok
}

// meter adds up what the replicas of a cluster say, over the lives of their
// processes. Safe for concurrent use.
type meter struct {
	mu      sync.Mutex
	begun   bool
	last    map[int]reading
	sent    [consensus.Classes]Traffic // since begin
	applied uint64                     // the highest of all
	from    uint64                     // ... at begin
	leader  int                        // -1 = nobody says so
	view    uint64
}

func newMeter() *meter { return &meter{last: map[int]reading{}, leader: -1} }

// lookWithin bounds a look: a paused replica does not answer, and its counters
// lose nothing until the next one.
const lookWithin = 250 * time.Millisecond

// look reads the counters of all replicas that answer.
func (m *meter) look(ctx context.Context, c *testnet.Cluster) {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	found := make([]*reading, c.Size())
	var all sync.WaitGroup
	for i := range found {
		all.Go(func() {
			page, err := c.Metrics(ctx, i)
			if err != nil {
				return // down, or paused: its turn comes when it answers
			}
			if r, ok := parseReading(page); ok {
				found[i] = &r
			}
		})
	}
	all.Wait()
	m.take(found)
}

// take adds what one look found; nil for those that did not answer.
func (m *meter) take(found []*reading) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leader = -1
	for i, r := range found {
		if r == nil {
			continue
		}
		before := m.last[i]
		for c := range r.sent {
			m.sent[c].Messages += since(before.sent[c].Messages, r.sent[c].Messages)
			m.sent[c].Bytes += since(before.sent[c].Bytes, r.sent[c].Bytes)
		}
		m.last[i] = *r
		m.applied = max(m.applied, r.applied)
		if r.leads && (m.leader < 0 || r.view >= m.view) {
			m.leader = i
		}
		m.view = max(m.view, r.view)
	}
	if !m.begun {
		m.begun, m.from = true, m.applied
		m.sent = [consensus.Classes]Traffic{}
	}
}

// since is how much a counter has grown; one that is lower than before began
// anew with its process.
func since(before, now uint64) uint64 {
	if now < before {
		return now
	}
	return now - before
}

// read answers what was added up since the first look.
func (m *meter) read() (sent []Traffic, decisions uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	sent = slices.Clone(m.sent[:])
	for c := range sent {
		sent[c].Class = classOf(c)
	}
	return sent, m.applied - m.from
}

// led is who led at the last look, or -1, and the highest view.
func (m *meter) led() (leader int, view uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.leader, m.view
}
