package bounds

import (
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// Where theory stands.
const (
	sourceLog   = "Ongaro & Ousterhout 2014, §5.3, §5.4; Lamport 2001, §3; Castro & Liskov 1999, §4.4"
	sourceCheck = "Ongaro 2014, §6.4, §9.6; Chandra et al. 2007, §5.2; Castro & Liskov 1999, §4.4"
	sourceStar  = "Howard & Mortier 2020, §4; Howard & Abraham 2020"
)

// orderCourses are the rows about slots: in which order they are decided, and what
// becomes of those that were not.
func orderCourses() []course {
	return []course{
		{row: "one proposal is late", source: sourceLog,
			raft: goesOn("A follower takes an entry only after the one before it, so it refuses the next one, and the leader sends both again: nothing is decided until the late one is.",
				inOrder),
			paxos: goesOn("Each slot is decided for itself: the next one is chosen first. It is executed when the late one is chosen, too.",
				outOfOrder),
			pbft: goesOn("Each sequence number has certificates of its own: the next one commits first. It is executed when the late one has committed, too.",
				outOfOrder),
			change: func(s *spec.Spec, _ int) { s.Faults = []spec.Fault{lostProposal(gapLasts)} }},
		{row: "a gap, and the leader dies", source: sourceLog,
			raft: goesOn("There are no gaps in a log. No follower took the entry after the missing one, so both died with the leader. The new leader begins with an empty entry at that place, and callers ask again.",
				moves(faultAt), losesBeyondGap),
			paxos: goesOn("The slot above the gap is chosen. The new leader's quorum names it, and nobody names the slot below: that one gets the null batch, for nothing above it could be executed otherwise.",
				moves(faultAt), keepsBeyondGap),
			pbft: goesOn("The sequence number above the gap is prepared, so that NEW-VIEW proposes it again. Of the one below nobody has a certificate, and it gets the null batch.",
				moves(faultAt), keepsBeyondGap),
			change: func(s *spec.Spec, _ int) {
				s.Faults = append(crashed(first(1), faultAt+gapLasts, 0), lostProposal(gapLasts))
			}},
		{row: "an old value nobody names", source: sourceLog,
			raft: goesOn("The old leader appended it alone. The new leader's log has another entry at that place, and the old leader's is overwritten when it is back.",
				moves(faultAt), oldValueGoes),
			paxos: goesOn("The old leader accepted it alone, and the quorum of the new one does not name it. Another value is chosen there under a higher ballot, which replaces the old vote.",
				moves(faultAt), oldValueGoes),
			pbft: goesOn("The old primary proposed it to nobody. The others change the view, and another batch is committed there.",
				moves(faultAt), oldValueGoes),
			change: func(s *spec.Spec, _ int) {
				s.Faults = []spec.Fault{{At: faultAt, Lasts: faultLasts, Kind: spec.Mute, Replicas: first(1)}}
			}},
		{row: "an old value that one names", source: sourceLog,
			raft: goesOn("Who holds it has the longest log of those who are left, and no majority votes for anybody else: it leads, and the entry is decided with the first one of its new term.",
				moves(faultAt), leads(0), oldValueStays),
			paxos: goesOn("Whoever leads is told of the vote by the one that holds it, and proposes that value again under its own ballot. It may be the other one, which had never heard of it.",
				moves(faultAt), oldValueStays),
			change: func(s *spec.Spec, f int) {
				s.Faults = append(crashed(last(s.Replicas, f), faultAt+gapLasts/2, 0), lostProposal(gapLasts))
				s.Faults = append(s.Faults, crashed(first(1), faultAt+gapLasts, 40*sim.Millisecond)...)
			}},
	}
}

// leaderCourses are the rows about who leads.
func leaderCourses() []course {
	return []course{
		{row: "the leader dies", source: sourceLog,
			raft: goesOn("Members vote in a new term, each for one whose log is not behind its own. The leader knows what is decided once an empty entry of its own term is.",
				moves(faultAt)),
			paxos: goesOn("Another one prepares a higher ballot, once for all slots to come. A majority promises, and names its votes; what was open is proposed again under that ballot.",
				moves(faultAt)),
			pbft: goesOn("Nobody is elected: the primary of the next view is known. 2f+1 VIEW-CHANGEs open the view, and everybody checks them again.",
				moves(faultAt), leads(1)),
			change: func(s *spec.Spec, _ int) { s.Faults = crashed(first(1), faultAt, 0) }},
		{row: "one comes back", source: sourceCheck,
			raft: goesOn("It asks whether it would be elected before it raises its term (PreVote), and who hears a leader says no (CheckQuorum).",
				stays(faultAt)),
			paxos: goesOn("It has promised itself a higher ballot, and accepts nothing under the leader's. Acceptors that hear their leader do not answer it, which they may always do; the leader prepares once more, above that ballot, to have it back.",
				outbids(faultAt)),
			pbft: goesOn("It asks for another view. f+1 have to before anybody joins.",
				stays(faultAt)),
			change: func(s *spec.Spec, _ int) { comesBack(s) }},
		{row: "one comes back unchecked", source: sourceCheck,
			raft: goesOn("Without PreVote and CheckQuorum its higher term deposes the leader: members believe any higher term, whoever is ahead.",
				moves(faultAt)),
			paxos: goesOn("A ballot can be preempted at any time: acceptors promise the higher one, and its owner leads.",
				moves(faultAt), takesOver),
			change: func(s *spec.Spec, _ int) {
				comesBack(s)
				s.Elections = protocol.Elections{NoPreVote: true, NoCheckQuorum: true, NoStickiness: true}
			}},
		{row: "a star whose hub is behind", source: sourceStar, least: 5,
			raft: stopsThere("Only the hub reaches a majority, and its log is behind: those who have the last decided entry do not vote for it. They would be voted for, and reach nobody but the hub. All stand still, though a majority is up and connected.",
				nobodyLeads(starAt)),
			paxos: goesOn("Only the hub reaches a majority. It prepares, is told what was accepted, proposes that again and leads: who leads need not have known anything before.",
				moves(starAt), leads(4)),
			pbft:   stopsThere("All must hear a quorum themselves, which only those at the hub's end do: nobody believes what the hub says of others."),
			change: star},
	}
}

// comesBack isolates the last replica for as long as it takes to lose patience, and
// lets it come back.
func comesBack(s *spec.Spec) {
	s.Invoked = 80
	s.Faults = []spec.Fault{{At: faultAt, Lasts: 2 * sim.Second, Kind: spec.Isolate, Replicas: last(s.Replicas, 1)}}
}

// starAt is when the star begins.
const starAt = faultAt + 400*sim.Millisecond

// star: the last f are cut off while the others decide. Then the first leader dies,
// those are back, and the first f+1 of the others have lost each other.
func star(s *spec.Spec, f int) {
	s.Invoked, s.Settle = 40, 30*sim.Second // who fetches a state asks the dead and those out of reach for it, too
	s.Faults = []spec.Fault{
		cutOff(last(s.Replicas, f), nil, faultAt, starAt-faultAt),
		{At: starAt, Kind: spec.Crash, Replicas: first(1)},
		{At: starAt, Kind: spec.Apart, Replicas: between(1, s.Replicas-1)},
	}
}
