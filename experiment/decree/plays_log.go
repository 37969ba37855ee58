package decree

import (
	"fmt"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/paxos/synod"
)

func phaseTwo() []play {
	return []play{
		{"own-vote", "nothing rests on a vote that is not on disk", "a leader counts its own vote before", 3, playOwnVote},
		{"accept-promises", "accepting a ballot promises it", "it promises nothing", 3, playAcceptPromises},
		{"one-value", "of one ballot the first value stays", "a second one replaces it", 3, playOneValue},
		{"one-ballot", "chosen is what a majority accepted under one ballot", "votes of several are added up", 5, playOneBallot},
		{"order", "slots are executed in their order", "they are, as they are learnt", 3, playOrder},
		{"commit-ballot", "COMMIT speaks of what was accepted under its ballot", "of all that is held", 3, playCommitBallot},
		{"commit-own", "a leader commits what it proposed itself", "whatever it learnt to be chosen", 3, playCommitOwn},
		{"kept-promise", "the promise outlives the log", "it goes with what is cut", 3, playKeptPromise},
		{"kept-votes", "a state that is taken drops no vote above it", "the log begins empty", 3, playKeptVotes},
		{"wiped", "who lost its disk does not vote again", "it does, once it saw a decision", 5, playWiped},
	}
}

func playOwnVote(s *stage) {
	s.prepare(a, 3)
	s.promised(3, a, b)
	s.propose(3, 1, "x")
	s.accepted(3, 1, b)
	s.say("A's own vote is not on disk yet")
	if s.off {
		s.commit(3, 1, b, false)
	} else {
		s.say("A waits for its disk, and says no COMMIT")
	}
	s.powerLoss(a)
	s.prepare(c, 5)
	s.promised(5, a, c)
	s.propose(5, 1, "y")
	s.accepted(5, 1, a, c)
}

func playAcceptPromises(s *stage) {
	s.prepare(a, 3)
	s.promised(3, a, b)
	s.propose(3, 1, "x")
	s.say("A's ACCEPTs are under way")
	s.prepare(c, 5)
	s.promised(5, a, c)
	s.propose(5, 1, "y")
	s.accept(5, 1, b, s.off)
	s.accepted(5, 1, c)
	s.say("A's ACCEPT of 3 reaches B")
	s.accept(3, 1, b, s.off)
	s.prepare(a, 6)
	s.promised(6, a, b)
	s.propose(6, 1, "z")
	s.accepted(6, 1, a, b)
}

func playOneValue(s *stage) {
	s.prepare(a, 3)
	s.promised(3, a, c)
	s.propose(3, 1, "x")
	s.accepted(3, 1, a, c)
	s.send(3, 1, "y", "and lies")
	s.accepted(3, 1, b)
	s.accept(3, 1, c, s.off)
}

func playOneBallot(s *stage) {
	s.prepare(a, 5)
	s.promised(5, a, b, c)
	s.propose(5, 1, "x")
	s.accepted(5, 1, a, b)
	s.prepare(e, 9)
	s.promised(9, c, d, e)
	s.propose(9, 1, "y")
	s.accepted(9, 1, e)
	s.prepare(a, 10)
	s.promised(10, a, b, c)
	s.propose(10, 1, "z")
	s.accepted(10, 1, a, c)
	s.say("A, B and C hold x, of two ballots")
	if s.off {
		s.more("x is taken for chosen")
		s.decide(1, "x", "held by A, B and C")
	}
	s.prepare(e, 14)
	s.promised(14, b, d, e)
	s.propose(14, 1, "z")
	s.accepted(14, 1, b, d, e)
}

func playOrder(s *stage) {
	s.prepare(a, 3)
	s.promised(3, a, b)
	s.propose(3, 1, "x")
	s.propose(3, 2, "y")
	s.accepted(3, 1, a, b)
	s.accepted(3, 2, a, b)
	for i, learns := range [][]consensus.Seq{{1, 2}, {2, 1}} {
		l := synod.NewLearner(stageWindow)
		var executed []string
		for _, slot := range learns {
			before := l.Prefix()
			d := digestOf(s.attempts[3].sent[slot])
			if l.Learn(slot, d); s.off {
				executed = append(executed, named(d))
				continue
			}
			for before < l.Prefix() {
				before++
				d, _ := l.Chosen(before)
				executed = append(executed, named(d))
			}
		}
		s.say("%s learns slot %d, then slot %d", letter(i), learns[0], learns[1])
		s.more("its state is %s", executed[len(executed)-1])
		s.decide(3, "the state is "+executed[len(executed)-1], fmt.Sprintf("at %s, which executed %s", letter(i), executed))
	}
	s.decisions = slices.DeleteFunc(s.decisions, func(d decision) bool { return d.slot < 3 })
	for i := range s.decisions {
		s.decisions[i].slot = 2
	}
}

func playCommitBallot(s *stage) {
	s.chosenElsewhere()
	s.commit(5, 1, b, s.off)
}

// chosenElsewhere leaves x with B alone, and y chosen by A and C.
func (s *stage) chosenElsewhere() {
	s.prepare(a, 3)
	s.promised(3, a, b)
	s.propose(3, 1, "x")
	s.accepted(3, 1, b)
	s.say("A's own vote is not on disk yet")
	s.powerLoss(a)
	s.prepare(c, 5)
	s.promised(5, a, c)
	s.propose(5, 1, "y")
	s.accepted(5, 1, a, c)
}

func playCommitOwn(s *stage) {
	s.prepare(a, 3)
	s.promised(3, a, b)
	s.propose(3, 1, "x")
	s.accepted(3, 1, b)
	s.prepare(c, 5)
	s.promised(5, a, c)
	s.propose(5, 1, "y")
	s.accepted(5, 1, a, c)
	s.say("A, which still leads under 3, learns that y is chosen in slot 1")
	l := synod.NewLearner(stageWindow)
	l.Learn(1, digestOf("y"))
	if upTo, leads := s.attempts[3].round.Commit(l); leads || s.off {
		s.commit(3, max(upTo, 1), b, false)
	} else {
		s.say("it had proposed x there: it leads no more, and says no COMMIT")
	}
}

func playKeptPromise(s *stage) {
	s.prepare(a, 3)
	s.promised(3, a, c)
	s.propose(3, 9, "x")
	s.prepare(c, 5)
	s.promised(5, b, c)
	s.propose(5, 9, "y")
	s.state(c, 8, func(r *records) {
		if s.off {
			r.promised = 0
		}
	})
	s.say("C cuts its log at 8, and restarts")
	s.accepted(3, 9, a, c)
	s.accepted(5, 9, b, c)
}

func playKeptVotes(s *stage) {
	s.prepare(c, 5)
	s.promised(5, b, c)
	s.propose(5, 9, "y")
	s.accepted(5, 9, b, c)
	s.state(b, 8, func(r *records) {
		if s.off {
			clear(r.votes)
		}
	})
	s.say("B takes the state at 8 from others")
	s.prepare(a, 6)
	s.promised(6, a, b)
	s.propose(6, 9, "x")
	s.accepted(6, 9, a, b)
}

func playWiped(s *stage) {
	s.prepare(a, 5)
	s.promised(5, a, b, d, e)
	s.prepare(c, 7)
	s.promised(7, b, c)
	s.acceptors[b] = held{records: records{votes: map[consensus.Seq]synod.Vote{}}}
	s.acceptors[b].disk = s.acceptors[b].copy()
	s.say("B's disk is lost, and with it its promise of 7")
	s.propose(5, 1, "w")
	s.accepted(5, 1, a, d, e)
	s.say("B comes back, and sees slot 1 decided")
	s.promised(7, d)
	s.propose(5, 2, "x")
	s.accepted(5, 2, a, e)
	if s.off {
		s.accepted(5, 2, b)
	} else {
		s.say("B does not vote")
	}
	s.propose(7, 2, "y")
	s.accepted(7, 2, c, d, e)
}
