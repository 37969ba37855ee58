package cap

import (
	"fmt"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/leaderless"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// Column is one system under the schedule.
type Column struct {
	ID       string
	Title    string
	Note     string             // what it is, in half a sentence
	Replicas int                // of them, the first Faults are cut off
	Faults   int                // a minority
	Protocol protocol.Protocol  // of an ordered system; without a name otherwise
	Store    *leaderless.Config // of the store; nil for a protocol
	Setting  Setting
	Theory   Theory
}

// Setting is what all columns of a table share.
type Setting struct {
	Replicas      int            // 3 or 5; a protocol that tolerates lies gets as many as that takes
	Whole         bool           // nothing is cut
	Skew          consensus.Time // clocks are off by at most so much
	Rough         bool           // the seed also crashes a replica, and loses and doubles frames
	ForgetDeletes bool           // tombstones are dropped after a while
	Busy          bool           // clients hurry, on two keys alone; one frame in some is late
}

// Sizes are the numbers of replicas that can be chosen.
var Sizes = []int{3, 5}

// Columns are those of the cut: first who keeps an order, then the store.
func Columns(s Setting) []Column {
	n, majority := s.Replicas, s.Replicas/2+1
	all := ordered(s)
	all = append(all,
		s.store("lww-1-1", "lww R=1 W=1", "the larger stamp stays", leaderless.Config{Read: 1, Write: 1}, bothSides),
		s.store("dvv-1-1", "dvv R=1 W=1", "what was not seen together stands side by side", leaderless.Config{Read: 1, Write: 1, Versions: leaderless.Dotted}, keepsBoth),
		s.store(fmt.Sprintf("strict-%d-%d", majority, majority), fmt.Sprintf("strict R=%d W=%d", majority, majority), "R+W>N, the larger stamp stays", leaderless.Config{Read: majority, Write: majority}, overlap),
		s.store(fmt.Sprintf("sloppy-%d-%d", majority, majority), fmt.Sprintf("sloppy R=%d W=%d", majority, majority), "hints count for those out of reach", leaderless.Config{Read: majority, Write: majority, Sloppy: true}, bothSides),
		s.store(fmt.Sprintf("lww-1-%d", n), fmt.Sprintf("lww R=1 W=%d", n), "all must store", leaderless.Config{Read: 1, Write: n}, readsOnly),
		s.store(fmt.Sprintf("lww-%d-1", n), fmt.Sprintf("lww R=%d W=1", n), "all must answer a get", leaderless.Config{Read: n, Write: 1}, writesOnly),
	)
	return all
}

// Whole are the columns of a network that nobody cuts: latency beside consistency.
func Whole(s Setting) []Column {
	s.Whole = true
	majority := s.Replicas/2 + 1
	all := ordered(s)
	return append(all,
		s.store("lww-1-1", "lww R=1 W=1", "", leaderless.Config{Read: 1, Write: 1}, uncertain),
		s.store(fmt.Sprintf("strict-%d-%d", majority, majority), fmt.Sprintf("strict R=%d W=%d", majority, majority), "", leaderless.Config{Read: majority, Write: majority}, uncertain),
		s.store(fmt.Sprintf("abd-%d-%d", majority, majority), fmt.Sprintf("ABD R=%d W=%d", majority, majority), "", leaderless.Config{Read: majority, Write: majority, Atomic: true}, register),
	)
}

// Quorums are the columns of R + W > N without any fault: quorums, and quorums that
// write back before they answer.
func Quorums(s Setting) []Column {
	s.Whole, s.Skew, s.Busy = true, 0, true
	majority := s.Replicas/2 + 1
	return []Column{
		s.store(fmt.Sprintf("strict-%d-%d", majority, majority), fmt.Sprintf("strict R=%d W=%d", majority, majority), "a get answers when R have answered", leaderless.Config{Read: majority, Write: majority}, uncertain),
		s.store(fmt.Sprintf("abd-%d-%d", majority, majority), fmt.Sprintf("ABD R=%d W=%d", majority, majority), "a get writes back what it found, a put reads its stamp first", leaderless.Config{Read: majority, Write: majority, Atomic: true}, register),
	}
}

// ordered are the protocols, each with as many replicas as it takes to stand as many
// faults.
func ordered(s Setting) (all []Column) {
	f := (s.Replicas - 1) / 2
	for _, p := range protocol.All() {
		c := Column{ID: p.Name, Replicas: p.Model.Least(f), Faults: f, Protocol: p, Setting: s, Theory: sideOfQuorum, Note: "one order, kept by a quorum"}
		if s.Whole {
			c.Theory = oneOrder
		}
		c.Title = fmt.Sprintf("%s n=%d", p.Title, c.Replicas)
		all = append(all, c)
	}
	return all
}

// forgetAfter is when --forget-deletes drops a tombstone: a replica may be away for
// longer.
const forgetAfter = 2 * sim.Second

func (s Setting) store(id, title, note string, c leaderless.Config, t Theory) Column {
	if c.Versions == "" {
		c.Versions = leaderless.LastWriter
	}
	if s.ForgetDeletes {
		c.Forget = forgetAfter
		t = t.forgetful(c.Sloppy)
	}
	if s.Rough {
		t = t.rough()
	}
	c.Replicas = s.Replicas
	return Column{ID: id, Title: title, Note: note, Replicas: s.Replicas, Faults: (s.Replicas - 1) / 2, Store: &c, Setting: s, Theory: t}
}

// swaps reports whether the system has a compare-and-swap.
func (c *Column) swaps() bool { return c.Store == nil }

// dotted reports whether a key may hold siblings.
func (c *Column) dotted() bool { return c.Store != nil && c.Store.Versions == leaderless.Dotted }

// The schedule, in time since the start of a run.
const (
	cutAt    = 2 * sim.Second
	cutLasts = 6 * sim.Second
	healedAt = cutAt + cutLasts
	deadline = sim.Second // how long a caller waits
)

// The network and the disks of all columns: a frame takes 1 to 2 ms, and one in some
// takes longer by up to lateBy.
const (
	usualTail = 100_000
	longTail  = 200_000
	lateBy    = 60 * sim.Millisecond
)

func (s Setting) network() sim.NetworkModel {
	n := sim.NetworkModel{Delay: sim.Millisecond, Jitter: sim.Millisecond, Late: usualTail, LateBy: lateBy}
	if s.Busy {
		n.Late = longTail
	}
	if s.Rough {
		n.Loss, n.Duplicate = roughly, roughly
	}
	return n
}

// roughly is the share of frames that a rough network loses, and that it doubles, in
// parts per million.
const roughly = 10_000

func disks() sim.Disks {
	return sim.Disks{Sync: sim.Millisecond / 2, Execute: sim.Millisecond / 10, Segment: 8}
}

// clients are how many: one on each side, or one that writes and three that watch.
func (s Setting) clients() int {
	if s.Busy {
		return 4
	}
	return 2
}

// pace is what clients do when: how long they pause, about, until when they write,
// when they read everything once more, and when all must be equal.
type pace struct{ think, writesTo, closesAt, endsAt consensus.Time }

func (s Setting) pace() pace {
	if s.Busy {
		return pace{10 * sim.Millisecond, 4 * sim.Second, 5 * sim.Second, 8 * sim.Second}
	}
	return pace{sim.Second / 4, 13 * sim.Second, 14 * sim.Second, 17 * sim.Second}
}

// faults are what happens to a column's replicas.
func (c *Column) faults(seed uint64) (all []spec.Fault) {
	s := c.Setting
	if !s.Whole {
		all = append(all, spec.Fault{At: cutAt, Lasts: cutLasts, Kind: spec.Partition, Replicas: c.minority(), Clients: []int{0}})
	}
	if s.Rough {
		dice := diceOf(seed, "crash")
		at := sim.Second + consensus.Time(dice.Int64N(int64(9*sim.Second)))
		who := consensus.ReplicaID(dice.IntN(c.Replicas))
		all = append(all, spec.Fault{At: at, Lasts: sim.Second / 2, Kind: spec.Crash, Replicas: []consensus.ReplicaID{who}})
	}
	return all
}

// minority are the replicas that the cut leaves with client 0.
func (c *Column) minority() (ids []consensus.ReplicaID) {
	for i := range c.Faults {
		ids = append(ids, consensus.ReplicaID(i))
	}
	return ids
}

// side are the replicas that a client is with; all of them, if nothing is cut.
func (c *Column) side(client int) (ids []consensus.ReplicaID) {
	for i := range consensus.ReplicaID(c.Replicas) {
		if c.Setting.Whole || slices.Contains(c.minority(), i) == (client == 0) {
			ids = append(ids, i)
		}
	}
	return ids
}
