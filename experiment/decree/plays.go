package decree

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/paxos/synod"
)

// The replicas of the executions. Of three, A owns the ballots 3, 6, 9, B 1, 4, 7 and
// C 2, 5, 8.
const (
	a = iota
	b
	c
	d
	e
)

// plays are the executions: those of ballots and of phase 1, then those of phase 2
// and of the log.
var plays = append(phaseOne(), phaseTwo()...)

func phaseOne() []play {
	return []play{
		{"quorum", "promises and votes need a majority", "two of four are enough", 4, playQuorum},
		{"owner", "a ballot belongs to one proposer", "A and B speak under the same", 3, playOwner},
		{"new-life", "after a restart a proposer speaks under a higher ballot", "it goes on under the one that it had", 3, playNewLife},
		{"durable-promise", "a promise is on disk before it is said", "it is said first, and lost", 3, playDurablePromise},
		{"whole-promise", "a promise names every vote, or does not count", "it is cut after the first, and counts", 3, playWholePromise},
		{"stale-promise", "a promise counts for its very ballot", "an old one of the same proposer counts", 3, playStalePromise},
		{"highest-vote", "what is proposed again is the vote of the highest ballot", "it is the one that was heard first", 3, playHighestVote},
		{"base", "nothing is proposed at or below the highest base of a promise", "a base is taken for silence", 3, playBase},
		{"gap", "a slot that nobody named gets the null batch", "it gets nothing", 3, playGap},
	}
}

func playQuorum(s *stage) {
	if s.off {
		s.q = 2
	}
	s.prepare(a, 4)
	s.promised(4, a, b)
	s.propose(4, 1, "x")
	s.accepted(4, 1, a, b)
	s.prepare(c, 6)
	s.promised(6, c, d)
	s.propose(6, 1, "y")
	s.accepted(6, 1, c, d)
}

func playOwner(s *stage) {
	of := synod.Ballot(4)
	s.prepare(a, 3)
	s.promised(3, a, c)
	s.propose(3, 1, "y")
	s.accepted(3, 1, c)
	first := s.attempts[3]
	if s.off {
		of = 3
	}
	s.prepare(b, of)
	s.promised(of, b, a)
	if s.off {
		s.send(of, 1, "x", "its own value")
	} else {
		s.propose(of, 1, "x")
	}
	s.accepted(of, 1, b)
	if s.off {
		s.attempts[3] = first
	}
	s.accepted(3, 1, a)
	s.prepare(c, 5)
	s.promised(5, b, c)
	s.propose(5, 1, "z")
	s.accepted(5, 1, b, c)
}

func playNewLife(s *stage) {
	s.prepare(a, 3)
	s.promised(3, a, c)
	s.propose(3, 1, "x")
	s.accepted(3, 1, a, c)
	s.powerLoss(a)
	next := s.acceptors[a].acceptor().Next(a, s.n)
	if s.off {
		next = 3
		s.say("A believes that it still leads under 3")
		s.send(3, 1, "y", "its own value")
	} else {
		s.prepare(a, next)
		s.promised(next, a, b)
		s.propose(next, 1, "y")
	}
	s.accepted(next, 1, b)
	s.commit(next, 1, b, false)
}

func playDurablePromise(s *stage) {
	s.prepare(a, 3)
	s.promised(3, a, c)
	s.propose(3, 1, "x")
	s.prepare(b, 4)
	s.promised(4, b)
	if s.off {
		p, _ := s.volatile(4, c)
		s.hear(4, c, p)
	} else {
		s.promised(4, c)
	}
	s.powerLoss(c)
	s.accepted(3, 1, a, c)
	s.propose(4, 1, "y")
	s.accepted(4, 1, b, c)
}

func playWholePromise(s *stage) {
	s.prepare(a, 3)
	s.promised(3, a, b)
	s.propose(3, 1, "x")
	s.propose(3, 2, "x")
	s.accepted(3, 1, a, b)
	s.accepted(3, 2, a, b)
	s.prepare(c, 5)
	s.promised(5, c)
	p, _ := s.answer(5, b)
	if s.off {
		p.Votes = p.Votes[:1]
		s.more("cut after slot 1")
	}
	s.hear(5, b, p)
	s.propose(5, 2, "y")
	s.accepted(5, 2, b, c)
}

func playStalePromise(s *stage) {
	s.prepare(a, 3)
	s.promised(3, a)
	late, _ := s.answer(3, c)
	s.more("its PROMISE is under way")
	s.prepare(b, 4)
	s.promised(4, b, c)
	s.propose(4, 1, "x")
	s.accepted(4, 1, b, c)
	s.prepare(a, 6)
	s.promised(6, a)
	s.say("C's old PROMISE of 3 arrives")
	if s.off {
		late.Ballot = 6
		s.more("A counts it for 6")
	}
	s.hear(6, c, late)
	s.propose(6, 1, "y")
	s.accepted(6, 1, a, c)
}

func playHighestVote(s *stage) {
	s.prepare(a, 3)
	s.promised(3, a, b)
	s.propose(3, 1, "x")
	s.accepted(3, 1, a)
	s.prepare(b, 4)
	s.promised(4, b, c)
	s.propose(4, 1, "y")
	s.accepted(4, 1, b, c)
	s.prepare(c, 5)
	s.promised(5, a, c)
	if s.off {
		s.send(5, 1, s.attempts[5].first[1], "which it heard first")
	} else {
		s.propose(5, 1, "z")
	}
	s.accepted(5, 1, a, c)
}

func playBase(s *stage) {
	s.prepare(a, 3)
	s.promised(3, a, c)
	s.propose(3, 1, "x")
	s.accepted(3, 1, a, c)
	s.state(a, 1, nil)
	s.say("A executes x, and cuts its log at 1")
	s.prepare(b, 4)
	s.promised(4, b)
	p, _ := s.answer(4, a)
	if s.off {
		p.Base = 0
		s.more("B overlooks the base")
	}
	s.hear(4, a, p)
	s.propose(4, 1, "y")
	s.accepted(4, 1, b, c)
}

func playGap(s *stage) {
	s.prepare(a, 3)
	s.promised(3, a, b)
	s.propose(3, 1, "x")
	s.propose(3, 2, "y")
	s.say("the ACCEPTs for slot 1 are lost")
	s.accepted(3, 2, a, b)
	s.say("A crashes, and does not come back")
	s.prepare(c, 5)
	s.promised(5, b, c)
	if s.off {
		s.say("C proposes nothing for slot 1")
	} else {
		s.propose(5, 1, "null")
		s.accepted(5, 1, b, c)
	}
	s.propose(5, 2, "z")
	s.accepted(5, 2, b, c)
	l := synod.NewLearner(stageWindow)
	for _, d := range s.decisions {
		l.Learn(d.slot, digestOf(d.value))
	}
	if s.say("slots up to %d can be executed", l.Prefix()); l.Prefix() < consensus.Seq(2) {
		s.stuck = "slot 1 is never decided, and slot 2 never executed"
	}
}
