package bounds

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// sectionBoth is the section in which the protocols meet the same faults.
const sectionBoth = "the same faults: 2f+1 and 3f+1 replicas"

// sizes are the columns of that section: f = 1 and f = 2 of either protocol.
var sizes = []struct {
	protocol string
	replicas int
}{{protocol.Raft, 3}, {protocol.Raft, 5}, {protocol.Paxos, 3}, {protocol.Paxos, 5}, {protocol.PBFT, 4}, {protocol.PBFT, 7}}

// column is what a fault does to one protocol: how theory says it ends, and why.
type column struct {
	theory, why, source string
	behaviour           string // what its traitors do
	names               bool   // a fork convicts f+1
}

// fault is a row of that section.
type fault struct {
	row               string
	raft, paxos, pbft column // one without a theory has no cell
	change            func(s *spec.Spec, f int, behaviour string)
	except            func(c *Cell) // where theory says something else of one size; may be nil
}

// bothCells are the rows that every protocol has a column for.
func bothCells() []Cell {
	var all []Cell
	for _, x := range bothFaults() {
		for _, size := range sizes {
			if column := of(size.protocol, x.raft, x.paxos, x.pbft); column.theory != "" {
				all = append(all, x.cell(column, size.protocol, size.replicas))
			}
		}
	}
	return all
}

// cell is the fault as one protocol of one size meets it.
func (x *fault) cell(column column, name string, n int) Cell {
	c := Cell{
		Section: sectionBoth, Row: x.row, Real: true,
		Spec: spec.Spec{
			Name: x.row, Protocol: name, Replicas: n, Clients: 2, Invoked: 16, Think: 40 * sim.Millisecond, Seed: 1, RealKeys: true,
			Forward: first(1), // replica 0 leads first, as it does in PBFT
		},
	}
	c.Theory, c.Why, c.Source = []string{column.theory}, column.why, column.source
	f := c.Spec.System().Faults()
	if column.names {
		c.Culprits = f + 1
	}
	x.change(&c.Spec, f, column.behaviour)
	if x.except != nil {
		x.except(&c)
	}
	return c
}

// of is what holds of a protocol, by how it comes by its leaders.
func of[T any](name string, byVote, byPromise, byTurn T) T {
	p, _ := protocol.Lookup(name)
	return map[protocol.Leading]T{protocol.ByVote: byVote, protocol.ByPromise: byPromise, protocol.ByTurn: byTurn}[p.Leads]
}

// When faults begin: by then there is a leader, and clients are at work. A
// protocol that elects needs longer for that.
const (
	faultAt    = 600 * sim.Millisecond
	faultLasts = 1500 * sim.Millisecond // so much later what was cut off or crashed is back
)

// Where theory stands.
const (
	sourceRaft  = "Ongaro & Ousterhout 2014, §5"
	sourcePaxos = "Lamport 2001, §2, §3"
	sourceCut   = "Gilbert & Lynch 2002; ADVERSARIES.md §5 CAP"
)

// cutOff splits off a side: its replicas and clients hear and reach each other only.
func cutOff(replicas []consensus.ReplicaID, clients []int, at, lasts consensus.Time) spec.Fault {
	return spec.Fault{At: at, Lasts: lasts, Kind: spec.Partition, Replicas: replicas, Clients: clients}
}

// evenly splits so that no side has a quorum: in two, or in three where two would
// leave a majority. The third part has no client.
func evenly(s *spec.Spec, lasts consensus.Time) {
	half := s.Replicas / 2
	s.Faults = append(s.Faults, cutOff(between(0, half), []int{0}, faultAt, lasts))
	if s.Replicas%2 == 1 && s.UnderTest().Model == quorum.Crash {
		s.Faults = append(s.Faults, cutOff(between(half, 2*half), []int{1}, faultAt, lasts))
	}
}

// crashFaults are the rows in which nobody lies.
func crashFaults() []fault {
	return []fault{
		{row: "nobody is faulty",
			raft:   column{theory: spec.Live, why: "The normal case: the leader appends, a majority stores, the leader decides.", source: sourceRaft},
			paxos:  column{theory: spec.Live, why: "The normal case: the leader proposes, a majority accepts, and the leader says that it is chosen.", source: sourcePaxos},
			pbft:   column{theory: spec.Live, why: "The normal case: three phases, no view change.", source: sourcePaper},
			change: func(*spec.Spec, int, string) {}},
		{row: "f crashed",
			raft:   column{theory: spec.Live, why: "f+1 of 2f+1 are a majority, and any majority has somebody who stored what another one decided. The leader is among the crashed, so that an election must come first.", source: sourceRaft},
			paxos:  column{theory: spec.Live, why: "f+1 of 2f+1 are a majority, and any majority has somebody who accepted what another one chose. The leader is among the crashed, so that another one must prepare a ballot first.", source: sourcePaxos},
			pbft:   column{theory: spec.Live, why: "A quorum of 2f+1 is left. The primary is among the crashed, so that a view change must come first.", source: sourcePaper},
			change: func(s *spec.Spec, f int, _ string) { s.Faults = crashed(first(f), faultAt, 0) }},
		{row: "f crashed and returned",
			raft:   column{theory: spec.Live, why: "What they had acknowledged is on their disks, and the leader sends them what they missed.", source: sourceRaft},
			paxos:  column{theory: spec.Live, why: "What they had promised and accepted is on their disks, and they ask for what they missed.", source: sourcePaxos},
			pbft:   column{theory: spec.Live, why: "What they had signed is on their disks, so that they do not contradict it, and the others send them what they missed.", source: sourcePaper},
			change: func(s *spec.Spec, f int, _ string) { s.Faults = crashed(first(f), faultAt, faultLasts) }},
		{row: "f+1 crashed",
			raft:   column{theory: spec.Stopped, why: "f replicas are no majority. Nothing is decided, and nothing that was decided is lost: it is on f+1 disks.", source: sourceRaft},
			paxos:  column{theory: spec.Stopped, why: "f replicas are no majority. Nothing is chosen, and nothing that was chosen is lost: it is on f+1 disks.", source: sourcePaxos},
			pbft:   column{theory: spec.Stopped, why: "2f replicas are no quorum. Nothing is decided, and nothing that was decided is lost.", source: sourcePaper},
			change: func(s *spec.Spec, f int, _ string) { s.Faults = crashed(last(s.Replicas, f+1), faultAt, 0) }},
		{row: "f+1 crashed, one returned",
			raft:  column{theory: spec.Live, why: "It stands still while f+1 are away and goes on as soon as a majority is there: crashes cost time, not safety.", source: sourceRaft},
			paxos: column{theory: spec.Live, why: "It stands still while f+1 are away and goes on as soon as a majority is there: crashes cost time, not safety.", source: sourcePaxos},
			pbft:  column{theory: spec.Live, why: "It stands still while f+1 are away and goes on as soon as 2f+1 are there: crashes cost time, not safety.", source: sourcePaper},
			change: func(s *spec.Spec, f int, _ string) {
				away := last(s.Replicas, f+1)
				s.Faults = append(crashed(away[:1], faultAt, 2*faultLasts), crashed(away[1:], faultAt, 0)...)
			}},
		{row: "one wiped disk, all others up",
			raft:  column{theory: spec.Live, why: "All others still have what it had acknowledged. It gets a snapshot and votes on as if nothing had been: this time it does no harm.", source: "ADVERSARIES.md R7 control"},
			paxos: column{theory: spec.Live, why: "All others still have what it had accepted. It gets a state and votes on as if nothing had been: this time it does no harm.", source: "ADVERSARIES.md R7 control"},
			pbft:  column{theory: spec.Live, why: "It has forgotten what it signed, so it rejoins without voting, until a checkpoint is stable that lies above all of it.", source: "PROTOCOL.md §7; ADVERSARIES.md P7 control"},
			change: func(s *spec.Spec, _ int, _ string) {
				s.Faults = []spec.Fault{{At: faultAt, Lasts: 100 * sim.Millisecond, Kind: spec.Wipe, Replicas: first(2)[1:]}}
			}},
		{row: "one wiped disk while others are behind",
			raft:   column{theory: spec.Forked, why: "An answered write stood on f+1 disks, and one of these is wiped. It votes for a replica that never had the write, and this one leads with the others who were behind: the write is lost. Whoever forgets what it acknowledged is a liar against its will.", source: "ADVERSARIES.md R7"},
			paxos:  column{theory: spec.Forked, why: "An answered write was accepted by f+1, and one of these is wiped. It promises a ballot and names nothing, and the others of that quorum never had the write: the leader proposes something else in its place. Whoever forgets what it accepted is a liar against its will.", source: "ADVERSARIES.md R7"},
			pbft:   column{theory: spec.Live, why: "The same schedule. Who was wiped has no vote, so nobody leads without the others who had the write: it waits until they are back.", source: "ADVERSARIES.md P7 control 3"},
			change: wipedAndBehind},
	}
}

// wipedAndBehind wipes one of those who decided a write that others missed.
func wipedAndBehind(s *spec.Spec, f int, _ string) {
	turn := behind(s, f)
	s.Faults = append(s.Faults, spec.Fault{At: turn, Lasts: 50 * sim.Millisecond, Kind: spec.Wipe, Replicas: overlap(s, f)})
}

// behind: writes are decided by the first replicas while the last f are cut off;
// then those who were behind return, and as many of the others are cut off in
// their turn. It answers when that is: all depends on what the overlap then says.
func behind(s *spec.Spec, f int) (turn consensus.Time) {
	s.Invoked, turn = 40, faultAt+400*sim.Millisecond
	s.Faults = []spec.Fault{
		cutOff(last(s.Replicas, f), nil, faultAt, turn-faultAt),
		cutOff(first(f), nil, turn, 2*faultLasts),
	}
	return turn
}

// overlap is the one who decided those writes and is not cut off: of Raft the only
// one.
func overlap(s *spec.Spec, f int) []consensus.ReplicaID {
	return between(s.Replicas-f-1, s.Replicas-f)
}

// netFaults are the rows in which the network splits.
func netFaults() []fault {
	return []fault{
		{row: "a minority cut off, with the leader",
			raft:  column{theory: spec.Live, why: "The others are a majority and elect another leader. The one that was cut off steps down; what it appended alone nobody acknowledged, and it is replaced.", source: sourceCut},
			paxos: column{theory: spec.Live, why: "The others are a majority, and one of them prepares a higher ballot. The leader that was cut off hears no majority and steps down; what it accepted alone is replaced.", source: sourceCut},
			pbft:  column{theory: spec.Live, why: "The others are a quorum and change the view. Who was cut off decides nothing alone.", source: sourceCut},
			change: func(s *spec.Spec, f int, _ string) {
				s.Faults = []spec.Fault{cutOff(first(f), []int{0}, faultAt, faultLasts)}
			}},
		{row: "an even split, for good",
			raft:   column{theory: spec.Stopped, why: "No side has a majority (among an odd number it takes three sides). All stop, and nothing is decided twice.", source: sourceCut},
			paxos:  column{theory: spec.Stopped, why: "No side has a majority (among an odd number it takes three sides). All stop, and nothing is chosen twice.", source: sourceCut},
			pbft:   column{theory: spec.Stopped, why: "No side has a quorum. Both halves stop, and nothing is decided twice.", source: sourceCut},
			change: func(s *spec.Spec, _ int, _ string) { evenly(s, 0) }},
		{row: "an even split, healed",
			raft:   column{theory: spec.Live, why: "It resumes when the network is whole: what either side held back is decided once.", source: sourceCut},
			paxos:  column{theory: spec.Live, why: "It resumes when the network is whole: what either side held back is chosen once.", source: sourceCut},
			pbft:   column{theory: spec.Live, why: "It resumes when the network is whole, in a view that both halves enter.", source: sourceCut},
			change: func(s *spec.Spec, _ int, _ string) { evenly(s, faultLasts) }},
	}
}

// bothFaults are all rows.
func bothFaults() []fault {
	return slices.Concat(crashFaults(), netFaults(), oneLiar(), manyLiars())
}
