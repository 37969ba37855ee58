package bounds

import (
	"fmt"
	"strings"

	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// forks is how Raft meets a lie that its overlap of one cannot stand.
func forks(behaviour, why, source string) column {
	return column{theory: spec.Forked, behaviour: behaviour, why: why, source: source}
}

// stands is how a protocol meets a lie that does it no harm.
func stands(behaviour, why, source string) column {
	return column{theory: spec.Live, behaviour: behaviour, why: why, source: source}
}

// leaderLies makes a traitor of the first leader, backupLies of the last replica.
func leaderLies(s *spec.Spec, _ int, behaviour string) { s.Traitors = traitors(first(1), behaviour) }
func backupLies(s *spec.Spec, _ int, behaviour string) {
	s.Traitors = traitors(last(s.Replicas, 1), behaviour)
}

// backupLiesOnce does so, and cuts off the first primary of those that are
// not elected for a while: some lies need a view change to be told in.
func backupLiesOnce(s *spec.Spec, f int, behaviour string) {
	backupLies(s, f, behaviour)
	if !s.UnderTest().Elected {
		s.Faults = firstAway()
	}
}

// overlapLies makes a traitor of the one on whom it depends whether those who were
// behind learn what they missed.
func overlapLies(s *spec.Spec, f int, behaviour string) {
	behind(s, f)
	s.Traitors = []sim.Traitor{{Replica: overlap(s, f)[0], Schedule: []sim.Assignment{{Behaviours: []string{behaviour}}}}}
}

// forgetful does so, and starts it again at that moment where it must forget.
func forgetful(s *spec.Spec, f int, behaviour string) {
	overlapLies(s, f, behaviour)
	if behaviour == "amnesia" {
		s.Faults = append(s.Faults, crashed(overlap(s, f), faultAt+400*sim.Millisecond, 50*sim.Millisecond)...)
	}
}

// oneLiar are the rows with a single traitor.
func oneLiar() []fault {
	return []fault{
		{row: "one silent",
			raft:   stands("silent", "A silent leader is a crashed one: another is elected.", "ADVERSARIES.md §2 P-SILENT"),
			paxos:  stands("silent", "A silent leader is a crashed one: another prepares a ballot.", "ADVERSARIES.md §2 P-SILENT"),
			pbft:   stands("silent", "Who waits for all waits for liars too, so nobody waits for more than a quorum. A silent primary costs a view change.", "ADVERSARIES.md §2 P-SILENT"),
			change: leaderLies},
		{row: "one equivocates",
			raft:   forks("fork-entries", "The leader sends one entry to one half and another to the other half. Term and index agree, and followers compare nothing else: each half stores its own and executes it.", "ADVERSARIES.md R1"),
			paxos:  forks("fork-accepts", "The leader proposes one value to one half and another to the other half. Slot and ballot agree, a vote names nothing else, and both halves hear that it is chosen.", "ADVERSARIES.md X-FORK"),
			pbft:   stands("equivocate", "Two quorums share f+1 replicas, one of them honest, and that one prepares a single batch. Neither batch, or one, gets through; the view change settles which.", "ADVERSARIES.md P1 control"),
			change: leaderLies},
		{row: "one forges",
			raft:   forks("forge-append", "A follower acknowledges an entry and sends another one under a higher term, to which nobody elected it. Its own name stands on the message, so that a proof of who sent it does not help: nobody asks for a proof of the election.", "ADVERSARIES.md R2"),
			paxos:  forks("fork-accepts", "A follower prepares a higher ballot, which is everybody's right, and is promised it. Then it proposes two values.", "ADVERSARIES.md X-FORK"),
			pbft:   stands("fake-prepared", "In a view change it shows certificates that prove nothing. They are counted again by everybody: 2f+1 signatures are needed, and it has its own.", "ADVERSARIES.md §2 VC-FAKE"),
			change: backupLiesOnce},
		{row: "one forges a state",
			raft:   forks("forge-snapshot", "A follower names another state, as a leader names one to a member that is behind: the root that it names is checked, and it is the liar's. States differ from then on, and what is executed on them.", "ADVERSARIES.md R3"),
			paxos:  forks("forge-state", "Anybody may name a state, for what it stands for was chosen: so nobody asks who else has it, and the root that is checked is the liar's.", "ADVERSARIES.md X-STATE"),
			pbft:   stands("lying-checkpoint root", "A checkpoint needs 2f+1 equal digests: at least f+1 honest replicas have that state.", "ADVERSARIES.md §2 V-CKPT"),
			change: backupLies, except: otherStates},
		{row: "one says falsely what is decided",
			raft:   forks("false-commit", "The leader's word for what a majority has stored is believed: a follower executes what nobody else has, and the others forget it.", "ADVERSARIES.md §2.1"),
			paxos:  forks("false-commit", "The leader's word for what is chosen is believed: a follower executes what nobody else has, and the others are led to choose something else there.", "ADVERSARIES.md R-COMMIT"),
			pbft:   stands("bad-certificate", "Nobody is told that something is decided: everybody counts 2f+1 COMMITs, signed.", "ADVERSARIES.md §2 V-FORGE"),
			change: leaderLies, except: racing},
		{row: "one votes twice",
			raft:   forks("two-votes", "While some are behind, it votes for one of them, whatever this one lacks. A majority elects a leader without what another majority had decided.", "ADVERSARIES.md R6"),
			paxos:  forks("false-promise", "While some are behind, it promises one of them and names nothing of what it voted for. That one proposes something else where a majority had chosen.", "ADVERSARIES.md X-HIDE"),
			pbft:   stands("double-vote", "The same schedule. A second vote counts for nothing without f others, and two signatures at one position convict their signer.", "ADVERSARIES.md §2 V-DOUBLE"),
			change: overlapLies},
		{row: "one forgets what it acknowledged",
			raft:   forks("false-ack", "It acknowledges entries and keeps none. A write is answered that only f have, and a majority without them elects somebody who never had it.", "ADVERSARIES.md R7"),
			paxos:  forks("false-accepted", "It says that it voted and keeps nothing. A write is answered that only f have, and a quorum without them names nothing.", "ADVERSARIES.md X-ACK"),
			pbft:   stands("amnesia", "The same schedule, and it is started again without its log. Any two quorums share f+1 replicas: one who forgets leaves another who does not.", "ADVERSARIES.md P7 control 2"),
			change: forgetful},
		{row: "one sends what would crash others",
			raft:   stands("crash-heartbeat", "The library would end the process. What it panics on is dropped, counted and named, and the replica goes on.", "ADVERSARIES.md R4"),
			paxos:  stands("garbage", "What does not decode, or names a ballot that is not its sender's, is dropped before it costs anything.", "ADVERSARIES.md §2 V-GARBAGE"),
			pbft:   stands("garbage", "What does not decode, or does not verify, is dropped before it costs anything.", "ADVERSARIES.md §2 V-GARBAGE"),
			change: backupLies},
		{row: "one deposes every leader",
			raft:   column{theory: spec.Stopped, behaviour: "inflate-terms", why: "A higher term is believed from anybody, and its leader steps down: one member can keep all from working, without a fork.", source: "ADVERSARIES.md R9"},
			paxos:  column{theory: spec.Stopped, behaviour: "inflate-ballots", why: "A higher ballot is promised to anybody, and its leader steps down: one member can keep all from working, without a fork.", source: "ADVERSARIES.md X-BALLOT"},
			pbft:   stands("huge-view", "Nobody follows one replica into a view: f+1 must ask, and the (f+1)-th highest wish counts.", "ADVERSARIES.md §2 VC-SPAM"),
			change: backupLies},
		{row: "one starves a client",
			raft:   column{theory: spec.Stopped, behaviour: "censor client=0", why: "The leader ignores one client, and nobody takes offence: followers watch for heartbeats only.", source: "ADVERSARIES.md §2 P-CENSOR"},
			paxos:  column{theory: spec.Stopped, behaviour: "censor client=0", why: "The leader ignores one client, and nobody takes offence: members watch for heartbeats only.", source: "ADVERSARIES.md §2 P-CENSOR"},
			pbft:   stands("censor client=0", "Backups know the request, too, and leave the view of a primary that does not propose it.", "ADVERSARIES.md §2 P-CENSOR"),
			change: leaderLies},
		{row: "one lies to clients",
			raft:   column{theory: spec.Deceived, behaviour: "lie", why: "One reply is believed: trusting the members is what the mode means.", source: "ADVERSARIES.md §2 R-LIE"},
			paxos:  column{theory: spec.Deceived, behaviour: "lie", why: "One reply is believed: trusting the members is what the mode means.", source: "ADVERSARIES.md §2 R-LIE"},
			pbft:   stands("lie", "f equal lies are one short of the f+1 that a client believes.", "ADVERSARIES.md P5"),
			change: leaderLies},
		{row: "one lies to readers",
			raft:   column{theory: spec.Deceived, behaviour: "misread", why: "A leader that a majority confirms may still answer what it likes.", source: "PROTOCOL.md §11"},
			paxos:  column{theory: spec.Deceived, behaviour: "misread", why: "A leader that a majority confirms may still answer what it likes.", source: "PROTOCOL.md §11"},
			pbft:   stands("misread old", "Who answers what was there before says it alone, and the index that it names too low is not the largest of a quorum's.", "PROTOCOL.md §11"),
			change: leaderLies, except: readers},
	}
}

// otherStates: two states after the same batches are no fork yet, in the judge's
// words, but unsafe.
func otherStates(c *Cell) {
	if !c.Spec.UnderTest().Signed {
		c.Theory = append(c.Theory, spec.Unsafe)
	}
}

// racing: who forgets and who executes is a race, which processes run otherwise
// each time.
func racing(c *Cell) {
	if !c.Spec.UnderTest().Signed {
		c.Real, c.Why = false, c.Why+" (In the simulator alone: among processes it is a race that the liar may lose.)"
	}
	if c.Spec.UnderTest().Leads == protocol.ByPromise {
		c.Spec.Forward = nil // a liar that is put forward outbids the others before they replace anything
	}
}

// oneHonest: where two of three lie, the honest one has nobody to differ from. Its
// clients have.
func oneHonest(c *Cell) {
	if c.Spec.Replicas == 3 {
		c.Theory, c.Why = []string{spec.Deceived}, "Two of three lie: the honest one has nobody to differ from, but clients believe the others. Nobody could be shown to lie."
		c.Spec.Traitors = traitors(append(first(1), last(3, 1)...), c.Spec.Traitors[0].Schedule[0].Behaviours[0], "lie")
	}
}

// manyLiars are the rows with f and with f+1.
func manyLiars() []fault {
	coalition := func(size func(f int) int) func(*spec.Spec, int, string) {
		return func(s *spec.Spec, f int, behaviour string) {
			k := size(f)
			s.Coalition, s.Traitors = k > 1, traitors(first(1), behaviour)
			if !s.UnderTest().Signed && strings.HasPrefix(behaviour, "fork-") {
				// The first one misleads the last honest one; the others follow it
				// instead of deposing it, as is in the interest of all.
				s.Traitors = traitors(first(1), fmt.Sprintf("%s to=%d", behaviour, s.Replicas-k))
				behaviour += " lead=no"
			}
			s.Traitors = append(s.Traitors, traitors(last(s.Replicas, k-1), behaviour)...)
		}
	}
	just := func(f int) int { return f }
	more := func(f int) int { return f + 1 }
	quiet := func(s *spec.Spec, f int, behaviour string) { s.Traitors = traitors(last(s.Replicas, f+1), behaviour) }
	return []fault{
		{row: "f traitors",
			raft:   forks("fork-entries", "One would do.", "ADVERSARIES.md R1"),
			paxos:  forks("fork-accepts", "One would do.", "ADVERSARIES.md X-FORK"),
			pbft:   stands("fork", "They collude and tell each half of the honest another story. A quorum needs f+1 of the honest, and these are not enough for two.", "ADVERSARIES.md P1 control"),
			change: coalition(just)},
		{row: "f+1 traitors",
			raft:  forks("fork-entries", "One would do, and nobody could be shown to be one.", "ADVERSARIES.md R1"),
			paxos: forks("fork-accepts", "One would do, and nobody could be shown to be one.", "ADVERSARIES.md X-FORK"),
			pbft: column{theory: spec.Forked, behaviour: "fork", names: true, source: sourceForensics,
				why: "Any two quorums share f+1 replicas. If all of these lie, each half of the honest makes a quorum with them. Their votes for both convict all f+1."},
			change: coalition(more), except: oneHonest},
		{row: "f+1 silent",
			raft:   column{theory: spec.Stopped, behaviour: "silent", why: "No different from a crash: no majority without them.", source: "ADVERSARIES.md R10"},
			paxos:  column{theory: spec.Stopped, behaviour: "silent", why: "No different from a crash: no majority without them.", source: "ADVERSARIES.md R10"},
			pbft:   column{theory: spec.Stopped, behaviour: "silent", why: "No different from a crash: no quorum without them.", source: "ADVERSARIES.md P9"},
			change: quiet},
		{row: "f+1 lie to clients",
			raft:   column{theory: spec.Deceived, behaviour: "lie", why: "One would do.", source: "ADVERSARIES.md §2 R-LIE"},
			paxos:  column{theory: spec.Deceived, behaviour: "lie", why: "One would do.", source: "ADVERSARIES.md §2 R-LIE"},
			pbft:   column{theory: spec.Deceived, behaviour: "lie", why: "f+1 equal replies are believed because one of them should be honest. The log is sound and nobody can be convicted: a reply is authentic by its channel and proves nothing to others.", source: "ADVERSARIES.md P5"},
			change: coalition(more)},
		{row: "f tell readers of too much",
			raft:   stands("misread highest", "What they found is right, whatever height they name: one answer is believed, and it is true.", "PROTOCOL.md §11"),
			paxos:  stands("misread highest", "What they found is right, whatever height they name: one answer is believed, and it is true.", "PROTOCOL.md §11"),
			pbft:   stands("misread highest", "An index that nobody reaches would make readers wait for ever. Those with the lowest ones of a quorum count, so that f great ones are left out.", "PROTOCOL.md §11"),
			change: coalition(just), except: readers},
		{row: "f+1 lie to readers",
			raft:   column{theory: spec.Deceived, behaviour: "misread", why: "One would do.", source: "PROTOCOL.md §11"},
			paxos:  column{theory: spec.Deceived, behaviour: "misread", why: "One would do.", source: "PROTOCOL.md §11"},
			pbft:   column{theory: spec.Deceived, behaviour: "misread", why: "f+1 equal answers are believed because one of them should be an honest replica's. Only the reader is misled: the log is sound, and answers prove nothing to others.", source: "PROTOCOL.md §11"},
			change: coalition(more), except: readers},
	}
}

// readers has clients read without an order, as the load of real processes does not.
func readers(c *Cell) {
	c.Spec.Reads, c.Real = 50, false
}
