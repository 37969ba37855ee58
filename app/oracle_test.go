package app_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// oracle is the session table as a child would write it: everything in maps,
// nothing bounded but by the rules themselves, recomputed from scratch.
type oracle struct {
	g        consensus.Genesis
	now      consensus.Time
	sessions map[crypto.PublicKey]*oracleSession
	ever     map[crypto.PublicKey]map[consensus.Sequence]bool // executed, ever
}

type oracleSession struct {
	epoch    uint64
	used     consensus.Time
	executed map[uint64]*oracleReply
}

type oracleReply struct {
	request crypto.Digest
	results crypto.Digest
	size    int
	kept    bool
}

func (o *oracle) listed(k crypto.PublicKey) bool {
	return slices.ContainsFunc(o.g.Clients, func(e consensus.ClientEntry) bool { return e.Key == k })
}

// expect says what must become of a request: executed, answered with the
// results of an earlier execution, or refused.
func (o *oracle) expect(r *consensus.Request) (fresh bool, cached *oracleReply, code consensus.RefusalCode) {
	s, limit := o.sessions[r.Client], o.g.Limits.SessionIdle
	distance := consensus.Time(r.Sequence.Epoch) - o.now
	counters, replies := []uint64{0}, map[uint64]*oracleReply{}
	if s != nil && r.Sequence.Epoch < s.epoch {
		return false, nil, consensus.RefusedStale
	}
	if distance > limit && (s == nil || s.epoch != r.Sequence.Epoch) || s == nil && -distance > limit {
		return false, nil, consensus.RefusedExpired
	}
	if s != nil && s.epoch == r.Sequence.Epoch {
		replies = s.executed
		for c := range replies {
			counters = append(counters, c)
		}
	}
	counter, highest := int64(r.Sequence.Counter), int64(slices.Max(counters))
	known := replies[r.Sequence.Counter]
	switch {
	case counter > highest+256:
		return false, nil, consensus.RefusedAhead
	case counter <= highest-256, known != nil && (!known.kept || known.request != r.Digest):
		return false, nil, consensus.RefusedStale
	case known != nil:
		return false, known, 0
	case s == nil && !o.room(r.Client):
		return false, nil, consensus.RefusedTooManySessions
	}
	return true, nil, 0
}

func (o *oracle) room(k crypto.PublicKey) bool {
	strangers := 0
	for c := range o.sessions {
		if !o.listed(c) {
			strangers++
		}
	}
	if o.listed(k) {
		return len(o.sessions) < o.g.Limits.Sessions
	}
	return strangers < o.g.Limits.Sessions-len(o.g.Clients)
}

// record notes an execution, and forgets what exceeds the client's bytes.
func (o *oracle) record(r *consensus.Request, results []consensus.Result) {
	s := o.sessions[r.Client]
	if s == nil || s.epoch != r.Sequence.Epoch {
		s = &oracleSession{epoch: r.Sequence.Epoch, executed: map[uint64]*oracleReply{}}
		o.sessions[r.Client] = s
	}
	s.used = o.now
	s.executed[r.Sequence.Counter] = &oracleReply{
		request: r.Digest, results: digestOf(results), size: len(consensus.AppendResults(nil, results)), kept: true,
	}
	var window []uint64
	highest := uint64(0)
	for c := range s.executed {
		highest = max(highest, c)
	}
	total := 0
	for c, e := range s.executed {
		if c+256 > highest && e.kept {
			window = append(window, c)
			total += e.size
		}
	}
	slices.Sort(window)
	for _, c := range window {
		if total > o.g.Limits.SessionBytes && c != r.Sequence.Counter {
			s.executed[c].kept = false
			total -= s.executed[c].size
		}
	}
}

func (o *oracle) checkpoint() {
	for c, s := range o.sessions {
		if o.now-s.used > 2*o.g.Limits.SessionIdle {
			delete(o.sessions, c)
		}
	}
}

// drawRequest draws a request near every border of the rules.
func drawRequest(t *rapid.T, o *oracle) *consensus.Request {
	k := client(rapid.SampledFrom([]int{1, 2, 100, 101, 102, 103}).Draw(t, "client"))
	idle := o.g.Limits.SessionIdle
	epoch := rapid.SampledFrom([]consensus.Time{testStart, testStart + 1, o.now, o.now - idle, o.now + idle, o.now + idle + 1, o.now + 3*idle}).Draw(t, "epoch")
	if s := o.sessions[k]; s != nil && rapid.IntRange(0, 3).Draw(t, "other epoch") > 0 {
		epoch = consensus.Time(s.epoch)
	}
	counter := rapid.SampledFrom([]uint64{1, 2, 3, 255, 256, 257, 258, 300, 512, 513, 600}).Draw(t, "counter")
	size := rapid.SampledFrom([]uint32{0, 10, 50, 94, 95}).Draw(t, "size")
	return request(k, uint64(epoch), counter, binary.BigEndian.AppendUint32([]byte("z"), size))
}

// The session table does what the oracle does, whatever comes, and nothing is
// executed twice under one sequence, also across restarts.
func TestSessionsAgreeWithTheOracle(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := newGenesis()
		g.OpenClients = true
		g.Limits.Sessions, g.Limits.SessionIdle = 6, 10*second
		g.Limits.ResultBytes, g.Limits.SessionBytes = 100, 200
		c, calm := newCluster(t, script{}, g), newCluster(t, script{}, g)
		o := &oracle{g: g, now: testStart, sessions: map[crypto.PublicKey]*oracleSession{}, ever: map[crypto.PublicKey]map[consensus.Sequence]bool{}}
		for range rapid.IntRange(1, 40).Draw(rt, "batches") {
			o.now = max(c.now+rapid.SampledFrom([]consensus.Time{0, second, 10 * second, 20 * second, 21 * second}).Draw(rt, "step"), o.now+1)
			c.now = o.now
			batch := &consensus.Batch{Stamp: c.now}
			for range rapid.IntRange(0, 6).Draw(rt, "requests") {
				batch.Requests = append(batch.Requests, drawRequest(rt, o))
			}
			compare(rt, o, c, batch)
			calm.batch(batch)
			if n := c.m.Applied(); c.roots[n] != calm.roots[n] {
				rt.Fatalf("a restart changed the root at %d", n)
			}
			if n := c.m.Applied(); n%g.CheckpointInterval == 0 {
				o.checkpoint()
				if rapid.Bool().Draw(rt, "keep") {
					c.do(consensus.Stabilize{Seq: n, Root: c.roots[n]})
				}
			}
			if rapid.IntRange(0, 5).Draw(rt, "restart") == 0 {
				c.reopen()
			}
			if c.m.Sessions() != len(o.sessions) {
				rt.Fatalf("%d sessions, the oracle has %d", c.m.Sessions(), len(o.sessions))
			}
		}
	})
}

// compare executes the batch and holds its outcome against the oracle, which
// expects replies and refusals each in the order of the requests.
func compare(t *rapid.T, o *oracle, c *cluster, batch *consensus.Batch) {
	out := c.batch(batch)
	for i, r := range batch.Requests {
		fresh, cached, code := o.expect(r)
		if code != 0 {
			if len(out.Refusals) == 0 || out.Refusals[0].Request != r.Digest || out.Refusals[0].Code != code {
				t.Fatalf("request %d %+v: want %v, got %+v", i, r.Sequence, code, out.Refusals)
			}
			out.Refusals = out.Refusals[1:]
			continue
		}
		if len(out.Replies) == 0 || out.Replies[0].Request != r.Digest || out.Replies[0].Client != r.Client {
			t.Fatalf("request %d %+v: want a reply, got %+v", i, r.Sequence, out.Refusals)
		}
		reply := out.Replies[0]
		out.Replies = out.Replies[1:]
		if cached != nil && digestOf(reply.Results) != cached.results {
			t.Fatalf("request %d %+v: answered with other results", i, r.Sequence)
		}
		if fresh {
			done := o.ever[r.Client]
			if done == nil {
				done = map[consensus.Sequence]bool{}
				o.ever[r.Client] = done
			}
			if done[r.Sequence] {
				t.Fatalf("request %d %+v: executed twice", i, r.Sequence)
			}
			done[r.Sequence] = true
			o.record(r, reply.Results)
		}
	}
	if len(out.Replies)+len(out.Refusals) != 0 {
		t.Fatalf("%d replies and %d refusals too many", len(out.Replies), len(out.Refusals))
	}
}
