package bounds

import (
	"quorate/quorum"
	"quorate/sim"
	"quorate/trial"
)

// forks is how Raft meets a lie that its overlap of one cannot stand.
func forks(behaviour, why, source string) side {
	return side{theory: trial.Forked, behaviour: behaviour, why: why, source: source}
}

// stands is how a protocol meets a lie that does it no harm.
func stands(behaviour, why, source string) side {
	return side{theory: trial.Live, behaviour: behaviour, why: why, source: source}
}

// leaderLies makes a traitor of the first leader, backupLies of the last replica.
func leaderLies(s *trial.Spec, _ int, behaviour string) { s.Traitors = liars(first(1), behaviour) }
func backupLies(s *trial.Spec, _ int, behaviour string) {
	s.Traitors = liars(last(s.Replicas, 1), behaviour)
}

// backupLiesOnce does so, and cuts off PBFT's first primary for a while: some
// lies need a view change to be told in.
func backupLiesOnce(s *trial.Spec, f int, behaviour string) {
	backupLies(s, f, behaviour)
	if s.Protocol == quorum.PBFT {
		s.Faults = []sim.Fault{{At: 60 * sim.Millisecond, Lasts: 600 * sim.Millisecond, Kind: sim.FaultIsolate, Replicas: first(1)}}
	}
}

// oneLiar are the rows with a single traitor.
func oneLiar() []fault {
	return []fault{
		{"one silent",
			stands("silent", "A silent leader is a crashed one: another is elected.", "ADVERSARIES.md §2 P-SILENT"),
			stands("silent", "Who waits for all waits for liars too, so nobody waits for more than a quorum. A silent primary costs a view change.", "ADVERSARIES.md §2 P-SILENT"),
			leaderLies},
		{"one equivocates",
			forks("fork-entries", "The leader sends one entry to one half and another to the other half. Term and index agree, and followers compare nothing else: each half stores its own and executes it.", "ADVERSARIES.md R1"),
			stands("equivocate", "Two quorums share f+1 replicas, one of them honest, and that one prepares a single batch. Neither batch, or one, gets through; the view change settles which.", "ADVERSARIES.md P1 control"),
			leaderLies},
		{"one forges",
			forks("forge-append", "A follower acknowledges an entry and sends another one under a higher term, to which nobody elected it. Its own name stands on the message, so that a proof of who sent it does not help: nobody asks for a proof of the election.", "ADVERSARIES.md R2"),
			stands("fake-prepared", "In a view change it shows certificates that prove nothing. They are counted again by everybody: 2f+1 signatures are needed, and it has its own.", "ADVERSARIES.md §2 VC-FAKE"),
			backupLiesOnce},
		{"one lies to clients",
			side{theory: trial.Deceived, behaviour: "lie", why: "One reply is believed: trusting the members is what the mode means.", source: "ADVERSARIES.md §2 R-LIE"},
			stands("lie", "f equal lies are one short of the f+1 that a client believes.", "ADVERSARIES.md P5"),
			leaderLies},
	}
}

// manyLiars are the rows with f and with f+1.
func manyLiars() []fault {
	gang := func(size func(f int) int) func(*trial.Spec, int, string) {
		return func(s *trial.Spec, f int, behaviour string) {
			k := size(f)
			s.Gang, s.Traitors = k > 1, liars(append(first(1), last(s.Replicas, k-1)...), behaviour)
		}
	}
	just := func(f int) int { return f }
	more := func(f int) int { return f + 1 }
	quiet := func(s *trial.Spec, f int, behaviour string) { s.Traitors = liars(last(s.Replicas, f+1), behaviour) }
	return []fault{
		{"f traitors",
			forks("fork-entries", "One would do.", "ADVERSARIES.md R1"),
			stands("fork", "They collude and tell each half of the honest another story. A quorum needs f+1 of the honest, and these are not enough for two.", "ADVERSARIES.md P1 control"),
			gang(just)},
		{"f+1 traitors",
			forks("fork-entries", "One would do, and nobody could be shown to be one.", "ADVERSARIES.md R1"),
			side{theory: trial.Forked, behaviour: "fork", names: true, source: sourceForensics,
				why: "Any two quorums share f+1 replicas. If all of these lie, each half of the honest makes a quorum with them. Their votes for both convict all f+1."},
			gang(more)},
		{"f+1 silent",
			side{theory: trial.Stopped, behaviour: "silent", why: "No different from a crash: no majority without them.", source: "ADVERSARIES.md R10"},
			side{theory: trial.Stopped, behaviour: "silent", why: "No different from a crash: no quorum without them.", source: "ADVERSARIES.md P9"},
			quiet},
		{"f+1 lie to clients",
			side{theory: trial.Deceived, behaviour: "lie", why: "One would do.", source: "ADVERSARIES.md §2 R-LIE"},
			side{theory: trial.Deceived, behaviour: "lie", why: "f+1 equal replies are believed because one of them should be honest. The log is sound and nobody can be convicted: a reply is authentic by its channel and proves nothing to others.", source: "ADVERSARIES.md P5"},
			func(s *trial.Spec, f int, behaviour string) {
				s.Gang, s.Traitors = true, liars(last(s.Replicas, f+1), behaviour)
			}},
	}
}
