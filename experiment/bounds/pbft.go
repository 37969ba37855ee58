package bounds

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

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

// traitors makes traitors of replicas that do the same from the start.
func traitors(ids []consensus.ReplicaID, behaviours ...string) []sim.Traitor {
	var all []sim.Traitor
	for _, id := range ids {
		all = append(all, sim.Traitor{Replica: id, Schedule: []sim.Assignment{{Behaviours: behaviours}}})
	}
	return all
}

// between are the replicas from a to b-1.
func between(a, b int) (ids []consensus.ReplicaID) {
	for i := a; i < b; i++ {
		ids = append(ids, consensus.ReplicaID(i))
	}
	return ids
}

// first are the replicas 0 to k-1, the primaries of the first views; last are the k
// with the highest numbers of n.
func first(k int) []consensus.ReplicaID   { return between(0, k) }
func last(n, k int) []consensus.ReplicaID { return between(n-k, n) }

// crashed lets replicas crash at a moment, for so long; 0 = for good.
func crashed(ids []consensus.ReplicaID, at, lasts consensus.Time) []spec.Fault {
	return []spec.Fault{{At: at, Lasts: lasts, Kind: spec.Crash, Replicas: ids}}
}

// firstAway cuts the first primary off for a while, so that there is a view change
// to lie in.
func firstAway() []spec.Fault {
	return []spec.Fault{{At: 60 * sim.Millisecond, Lasts: 600 * sim.Millisecond, Kind: spec.Isolate, Replicas: first(1)}}
}

// alone completes a cell of a section that is PBFT's alone.
func alone(section string, n int, c Cell) Cell {
	s := &c.Spec
	s.Name, s.Protocol, s.Replicas, s.Clients, s.Invoked, s.Seed, s.RealKeys = c.Row, protocol.PBFT, n, 2, 12, 1, true
	c.Section, c.Real = section, true
	return c
}

// pbftCells are the rows that only PBFT has columns for.
func pbftCells() []Cell {
	return slices.Concat(tolerated(), exceeded(), tooFew(), wrongQuorum())
}

// tolerated are the rows in which nothing may go wrong, beside those that Raft has
// columns for, too.
func tolerated() (all []Cell) {
	for _, k := range kinds {
		for f := 1; f <= 2; f++ {
			n := 3*f + 1
			s := spec.Spec{Traitors: traitors(last(n, f), k.behaviour)}
			if k.first {
				s.Traitors = traitors(first(f), k.behaviour)
			}
			if k.away {
				s.Faults = firstAway()
			}
			all = append(all, alone(sectionTolerated, n, Cell{Row: "f " + k.who, Spec: s, Theory: []string{spec.Live}, Why: k.why, Source: k.source}))
		}
	}
	return all
}

// kinds are the kinds of traitors, of which f do no harm.
var kinds = []struct {
	who, behaviour, why, source string
	first                       bool // they are the first primaries; else they have the highest numbers
	away                        bool // the first primary is
}{
	{"silent", "silent", "Who waits for all waits for liars too, so nobody waits for more than 2f+1. Silent primaries cost a view change each.", "ADVERSARIES.md §2 P-SILENT", true, false},
	{"equivocating primaries", "equivocate", "Two quorums share f+1 replicas, one of them honest, and that one prepares a single batch. Neither batch, or one, gets through; the view change settles which.", "ADVERSARIES.md §2 P-EQUIV, P1 control", true, false},
	{"vote twice", "double-vote", "A second vote counts for nothing without f others, and two signatures at one position convict their signer.", "ADVERSARIES.md §2 V-DOUBLE", false, false},
	{"lie about checkpoints", "lying-checkpoint root", "A checkpoint needs 2f+1 equal digests: at least f+1 honest replicas have that state.", "ADVERSARIES.md §2 V-CKPT", false, false},
	{"hide what prepared", "hide-prepared", "Of 2f+1 VIEW-CHANGEs at least one comes from an honest replica that prepared what committed, and it shows the certificate. The first primary is cut off for a while, so that they have a view change to lie in.", "ADVERSARIES.md §2 VC-HIDE, P2 control", false, true},
	{"lie to clients", "lie", "f equal lies are one short of the f+1 that a client believes.", "ADVERSARIES.md §2 R-LIE, P5", false, false},
	{"send garbage", "garbage", "What does not decode, or does not verify, is dropped before it costs anything.", "ADVERSARIES.md §2 V-GARBAGE", false, false},
	{"run twice", "twin", "A twin is two honest replicas with one key: no more than one liar.", "Bano et al., Twins, 2020", false, false},
}

// exceeded are the rows in which one more is faulty than may be. The primary of
// view 1 is among them.
func exceeded() (all []Cell) {
	for f := 1; f <= 2; f++ {
		n := 3*f + 1
		all = append(all, alone(sectionExceeded, n, Cell{
			Row: "f+1 collude across views", Theory: []string{spec.Forked}, Culprits: f + 1, Source: sourceForensics,
			Why:  "They decide with one half, leave it out of their VIEW-CHANGEs, and decide something else with the other half. COMMIT and VIEW-CHANGE together convict them.",
			Spec: spec.Spec{Coalition: true, Traitors: traitors(append(between(1, 2), last(n, f)...), "fork-views")},
		}))
	}
	return all
}

// tooFew are the rows of n = 3f, where either safety or progress has to go.
func tooFew() (all []Cell) {
	for f := 1; f <= 2; f++ {
		n := 3 * f
		colluding := traitors(append(first(1), last(n, f-1)...), "fork")
		for _, c := range []Cell{
			{Row: "quorum n−f, f collude", Theory: []string{spec.Forked}, Culprits: 2*(n-f) - n,
				Why:  "Two quorums of 2f among 3f share f replicas, and all of these may lie. Their votes for both convict all f.",
				Spec: spec.Spec{Quorum: n - f, Coalition: true, Traitors: colluding}},
			{Row: "quorum 2f+1, f collude", Theory: []string{spec.Live, spec.Stopped},
				Why:  "Two quorums of 2f+1 share f+2 replicas: safe. Whether it moves is up to the liars, for without them there is no quorum.",
				Spec: spec.Spec{Coalition: true, Traitors: colluding}},
			{Row: "quorum 2f+1, f silent", Theory: []string{spec.Stopped},
				Why:  "Who must wait for 2f+1 of 3f waits for a liar. There is no third way: n = 3f is either unsafe or stops.",
				Spec: spec.Spec{Traitors: traitors(last(n, f), "silent")}},
		} {
			c.Source, c.Spec.Assumed = sourceBound, f
			all = append(all, alone(sectionTooFew, n, c))
		}
	}
	return all
}

// wrongQuorum are the rows of n = 5, where 2f+1 is not a quorum.
func wrongQuorum() (all []Cell) {
	for _, c := range []Cell{
		{Row: "one liar", Theory: []string{spec.Forked}, Culprits: 1, Spec: spec.Spec{Quorum: 3},
			Why: "2f+1 = 3 is copied from n = 4. Among five, two quorums of three may share the liar alone."},
		{Row: "one liar", Theory: []string{spec.Live},
			Why: "⌈(n+f+1)/2⌉ = 4: any two quorums share three, two of them honest. The same liar does nothing."},
	} {
		c.Source, c.Spec.Coalition, c.Spec.Traitors = "ADVERSARIES.md P4", true, traitors(first(1), "fork")
		all = append(all, alone(sectionQuorum, 5, c))
	}
	return all
}
