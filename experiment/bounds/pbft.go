package bounds

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// pbftCells are the rows that only PBFT has columns for.
func pbftCells() []Cell {
	all := append(tolerated(4), tolerated(7)...)
	slices.SortStableFunc(all, inOrder(tolerated(7)))
	for _, n := range []int{4, 7} {
		all = append(all, exceeded(n)...)
	}
	all = append(all, tooFew()...)
	return append(all, wrongQuorum()...)
}

// inOrder sorts cells as their rows stand in a list that has them all.
func inOrder(rows []Cell) func(a, b Cell) int {
	place := func(c Cell) int { return slices.IndexFunc(rows, func(r Cell) bool { return r.Row == c.Row }) }
	return func(a, b Cell) int { return place(a) - place(b) }
}

// The sections of PBFT's matrix.
const (
	sectionTolerated = "PBFT, n = 3f+1: f lie in other ways"
	sectionExceeded  = "PBFT, n = 3f+1: f+1 lie in other ways"
	sectionTooFew    = "PBFT, n = 3f: one replica too few"
	sectionQuorum    = "PBFT, n = 5, f = 1: the quorum counts"
)

// Where theory stands.
const (
	sourcePaper     = "Castro & Liskov 1999, §4"
	sourceBound     = "Dwork, Lynch, Stockmeyer 1988; Castro & Liskov 1999, §3"
	sourceForensics = "Sheng et al., BFT Protocol Forensics, 2021; ADVERSARIES.md P1, P2"
)

// of is a spec of PBFT with what all cells share.
func of(n int) spec.Spec {
	return spec.Spec{Protocol: protocol.PBFT, Replicas: n, Clients: 2, Invoked: 12, Seed: 1, RealKeys: true}
}

// traitors makes traitors of replicas that do the same from the start.
func traitors(ids []consensus.ReplicaID, behaviours ...string) []sim.Traitor {
	var all []sim.Traitor
	for _, id := range ids {
		all = append(all, sim.Traitor{Replica: id, Schedule: []sim.Assignment{{Behaviours: behaviours}}})
	}
	return all
}

// first are the replicas 0 to k-1, the primaries of the first views.
func first(k int) (ids []consensus.ReplicaID) {
	for i := range k {
		ids = append(ids, consensus.ReplicaID(i))
	}
	return ids
}

// last are the k replicas with the highest numbers of n.
func last(n, k int) (ids []consensus.ReplicaID) {
	for i := n - k; i < n; i++ {
		ids = append(ids, consensus.ReplicaID(i))
	}
	return ids
}

// crashed lets replicas crash at a moment, for so long; 0 = for good.
func crashed(ids []consensus.ReplicaID, at, lasts consensus.Time) []spec.Fault {
	return []spec.Fault{{At: at, Lasts: lasts, Kind: spec.Crash, Replicas: ids}}
}

// tolerated are the rows in which nothing may go wrong, beside those that Raft has
// columns for, too.
func tolerated(n int) []Cell {
	f := (n - 1) / 3
	cell := func(row, why, source string, change func(*spec.Spec)) Cell {
		c := Cell{Section: sectionTolerated, Row: row, Spec: of(n), Theory: []string{spec.Live}, Why: why, Source: source, Real: true}
		change(&c.Spec)
		c.Spec.Name = row
		return c
	}
	var cells []Cell
	for _, k := range kinds {
		cells = append(cells, cell("f "+k.who, k.why, k.source, func(s *spec.Spec) {
			s.Traitors = traitors(k.seats(n, f), k.behaviour)
			if k.absent {
				s.Faults = []spec.Fault{{At: 60 * sim.Millisecond, Lasts: 600 * sim.Millisecond, Kind: spec.Isolate, Replicas: first(1)}}
			}
		}))
	}
	return cells
}

// kind is one kind of traitor, of which f do no harm.
type kind struct {
	who, behaviour, why, source string
	seats                       func(n, f int) []consensus.ReplicaID
	absent                      bool // the first primary is cut off for a while, so that there is a view change to lie in
}

// primaries and backups are where traitors sit.
func primaries(_, f int) []consensus.ReplicaID { return first(f) }
func backups(n, f int) []consensus.ReplicaID   { return last(n, f) }

var kinds = []kind{
	{"silent", "silent", "Who waits for all waits for liars too, so nobody waits for more than 2f+1. Silent primaries cost a view change each.", "ADVERSARIES.md §2 P-SILENT", primaries, false},
	{"equivocating primaries", "equivocate", "Two quorums share f+1 replicas, one of them honest, and that one prepares a single batch. Neither batch, or one, gets through; the view change settles which.", "ADVERSARIES.md §2 P-EQUIV, P1 control", primaries, false},
	{"vote twice", "double-vote", "A second vote counts for nothing without f others, and two signatures at one position convict their signer.", "ADVERSARIES.md §2 V-DOUBLE", backups, false},
	{"lie about checkpoints", "lying-checkpoint root", "A checkpoint needs 2f+1 equal digests: at least f+1 honest replicas have that state.", "ADVERSARIES.md §2 V-CKPT", backups, false},
	{"hide what prepared", "hide-prepared", "Of 2f+1 VIEW-CHANGEs at least one comes from an honest replica that prepared what committed, and it shows the certificate. The first primary is cut off for a while, so that they have a view change to lie in.", "ADVERSARIES.md §2 VC-HIDE, P2 control", backups, true},
	{"lie to clients", "lie", "f equal lies are one short of the f+1 that a client believes.", "ADVERSARIES.md §2 R-LIE, P5", backups, false},
	{"send garbage", "garbage", "What does not decode, or does not verify, is dropped before it costs anything.", "ADVERSARIES.md §2 V-GARBAGE", backups, false},
	{"run twice", "twin", "A twin is two honest replicas with one key: no more than one liar.", "Bano et al., Twins, 2020", backups, false},
}

// exceeded are the rows in which one more is faulty than may be.
func exceeded(n int) []Cell {
	f := (n - 1) / 3
	cell := func(row, word string, why, source string, change func(*spec.Spec)) Cell {
		c := Cell{Section: sectionExceeded, Row: row, Spec: of(n), Theory: []string{word}, Why: why, Source: source, Real: true}
		if word == spec.Forked {
			c.Culprits = f + 1
		}
		change(&c.Spec)
		c.Spec.Name = row
		return c
	}
	// With the primary of view 1 among them.
	next := append([]consensus.ReplicaID{1}, last(n, f)...)
	return []Cell{
		cell("f+1 collude across views", spec.Forked, "They decide with one half, leave it out of their VIEW-CHANGEs, and decide something else with the other half. COMMIT and VIEW-CHANGE together convict them.", sourceForensics,
			func(s *spec.Spec) { s.Coalition, s.Traitors = true, traitors(next, "fork-views") }),
	}
}

// tooFew are the rows of n = 3f, where either safety or progress has to go.
func tooFew() []Cell {
	var all []Cell
	for _, n := range []int{3, 6} {
		f := n / 3
		for _, c := range []Cell{
			{Row: "quorum n−f, f collude", Theory: []string{spec.Forked}, Culprits: 2*(n-f) - n,
				Why:  "Two quorums of 2f among 3f share f replicas, and all of these may lie. Their votes for both convict all f.",
				Spec: spec.Spec{Quorum: n - f, Coalition: true, Traitors: traitors(append(first(1), last(n, f-1)...), "fork")}},
			{Row: "quorum 2f+1, f collude", Theory: []string{spec.Live, spec.Stopped},
				Why:  "Two quorums of 2f+1 share f+2 replicas: safe. Whether it moves is up to the liars, for without them there is no quorum.",
				Spec: spec.Spec{Coalition: true, Traitors: traitors(append(first(1), last(n, f-1)...), "fork")}},
			{Row: "quorum 2f+1, f silent", Theory: []string{spec.Stopped},
				Why:  "Who must wait for 2f+1 of 3f waits for a liar. There is no third way: n = 3f is either unsafe or stops.",
				Spec: spec.Spec{Traitors: traitors(last(n, f), "silent")}},
		} {
			c.Section, c.Source, c.Real = sectionTooFew, sourceBound, true
			s := of(n)
			s.Assumed, s.Quorum, s.Coalition, s.Traitors, s.Name = f, c.Spec.Quorum, c.Spec.Coalition, c.Spec.Traitors, c.Row
			c.Spec = s
			all = append(all, c)
		}
	}
	return all
}

// wrongQuorum are the rows of n = 5, where 2f+1 is not a quorum.
func wrongQuorum() []Cell {
	var all []Cell
	for _, c := range []Cell{
		{Row: "one liar", Theory: []string{spec.Forked}, Culprits: 1, Spec: spec.Spec{Quorum: 3},
			Why: "2f+1 = 3 is copied from n = 4. Among five, two quorums of three may share the liar alone."},
		{Row: "one liar", Theory: []string{spec.Live}, Spec: spec.Spec{},
			Why: "⌈(n+f+1)/2⌉ = 4: any two quorums share three, two of them honest. The same liar does nothing."},
	} {
		c.Section, c.Source, c.Real = sectionQuorum, "ADVERSARIES.md P4", true
		s := of(5)
		s.Quorum, s.Coalition, s.Traitors, s.Name = c.Spec.Quorum, true, traitors(first(1), "fork"), c.Row
		c.Spec = s
		all = append(all, c)
	}
	return all
}
