package decree

import (
	"fmt"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/paxos/synod"
)

// prepare lets a replica begin an attempt.
func (s *stage) prepare(owner int, b synod.Ballot) {
	s.attempts[b] = &attempt{owner: owner, round: synod.NewRound(b, s.q, 0, stageWindow), sent: map[consensus.Seq]string{}, first: map[consensus.Seq]string{}}
	s.say("%s prepares %d", letter(owner), b)
}

// promised lets an acceptor answer the PREPARE, and its PROMISE arrive.
func (s *stage) promised(b synod.Ballot, acceptors ...int) {
	for _, i := range acceptors {
		if p, ok := s.answer(b, i); ok {
			s.hear(b, i, p)
		}
	}
}

// answer lets an acceptor promise, durably.
func (s *stage) answer(b synod.Ballot, i int) (synod.Promise, bool) {
	p, ok := s.volatile(b, i)
	s.acceptors[i].disk = s.acceptors[i].copy()
	return p, ok
}

// volatile lets an acceptor promise in memory alone.
func (s *stage) volatile(b synod.Ballot, i int) (synod.Promise, bool) {
	h := &s.acceptors[i]
	a := h.acceptor()
	effect := a.Promise(b)
	if effect != synod.Promised && effect != synod.Repeated {
		s.say("%s refuses to promise %d: it promised %d", letter(i), b, a.Promised())
		return synod.Promise{}, false
	}
	h.promised = a.Promised()
	p := synod.Promise{Ballot: b, Base: a.Base(), Votes: a.Report(nil, 0, nil)}
	s.say("%s promises %d: %s", letter(i), b, reported(p))
	return p, true
}

// hear lets a PROMISE arrive at the owner of a ballot.
func (s *stage) hear(b synod.Ballot, i int, p synod.Promise) {
	at := s.attempts[b]
	for _, v := range p.Votes {
		if _, heard := at.first[v.Slot]; !heard {
			at.first[v.Slot] = named(v.Digest)
		}
	}
	if at.round.Hear(consensus.ReplicaID(i), p) {
		s.more("%s has its quorum", letter(at.owner))
	}
}

// propose lets the owner of a ballot propose for a slot: what its plan says, or else
// a value of its own.
func (s *stage) propose(b synod.Ballot, slot consensus.Seq, own string) {
	at := s.attempts[b]
	name, plan := letter(at.owner), at.round.Plan()
	switch {
	case !at.round.Prepared():
		s.say("%s has no quorum under %d, and proposes nothing", name, b)
	case slot <= plan.Base:
		s.say("%s proposes nothing for slot %d: all up to %d is chosen", name, slot, plan.Base)
	case slot < plan.First():
		s.send(b, slot, named(plan.Slots[slot-plan.Base-1].Digest), "as it must")
	default:
		s.send(b, slot, own, "its own value")
	}
}

// send lets the owner of a ballot send an ACCEPT.
func (s *stage) send(b synod.Ballot, slot consensus.Seq, value, why string) {
	at := s.attempts[b]
	at.sent[slot] = value
	at.round.Propose(slot, digestOf(value))
	s.say("%s proposes %s for slot %d under %d, %s", letter(at.owner), value, slot, b, why)
}

// accepted lets the ACCEPT of a ballot for a slot arrive at acceptors, who make their
// votes durable.
func (s *stage) accepted(b synod.Ballot, slot consensus.Seq, acceptors ...int) {
	for _, i := range acceptors {
		s.accept(b, slot, i, false)
	}
}

// accept lets one arrive. Overlooking is what a rule that is off overlooks: the vote
// of the same ballot, or all votes.
func (s *stage) accept(b synod.Ballot, slot consensus.Seq, i int, overlooking bool) {
	value, sent := s.attempts[b].sent[slot]
	if !sent {
		s.say("no ACCEPT of %d is under way", b)
		return
	}
	h := &s.acceptors[i]
	known := h.copy()
	if overlooking {
		delete(known.votes, slot)
	}
	a := known.acceptor()
	switch effect := a.Accept(b, slot, digestOf(value)); effect {
	case synod.Accepted, synod.Repeated:
		h.votes[slot], _ = a.Vote(slot)
		if !overlooking {
			h.promised = a.Promised()
		}
		h.disk = h.copy()
		s.say("%s accepts %s in slot %d under %d", letter(i), value, slot, b)
		s.count(cast{b, slot, value}, i)
	case synod.Rejected:
		s.say("%s refuses %s under %d: it promised %d", letter(i), value, b, a.Promised())
	case synod.Conflict:
		s.say("%s keeps %s under %d, and refuses %s: an alarm", letter(i), named(h.votes[slot].Digest), b, value)
	default:
		s.say("%s ignores %s for slot %d: it is chosen and gone", letter(i), value, slot)
	}
}

// count is the ledger: a majority that accepted a value under one ballot.
func (s *stage) count(c cast, i int) {
	if s.cast == nil {
		s.cast = map[cast][]int{}
	}
	s.cast[c] = append(s.cast[c], i)
	if by := s.cast[c]; len(by) == s.q {
		s.more("%s is chosen", c.value)
		s.decide(c.slot, c.value, fmt.Sprintf("accepted by %s under %d", letters(by), c.ballot))
	}
}

func letters(replicas []int) string {
	var names []string
	for _, i := range replicas {
		names = append(names, letter(i))
	}
	return strings.Join(names, " and ")
}

// powerLoss takes from a replica what is not on its disk.
func (s *stage) powerLoss(i int) {
	h := &s.acceptors[i]
	was := h.promised
	h.records = h.disk.copy()
	s.say("%s loses power, and comes back with its disk", letter(i))
	if h.promised != was {
		s.more("its promise of %d is gone", was)
	}
}

// state lets a replica take the state at a height, or cut its log there, and
// restart. What its log loses beside that, lost says.
func (s *stage) state(i int, base consensus.Seq, lost func(r *records)) {
	h := &s.acceptors[i]
	a := h.acceptor()
	a.Drop(base)
	h.base, h.promised = a.Base(), a.Promised()
	for slot := range h.votes {
		if slot <= base {
			delete(h.votes, slot)
		}
	}
	if lost != nil {
		lost(&h.records)
	}
	h.disk = h.copy()
}

// commit lets COMMIT(b, upTo) arrive at a replica, which executes what it learns.
func (s *stage) commit(b synod.Ballot, upTo consensus.Seq, i int, anyVote bool) {
	a, l := s.acceptors[i].acceptor(), synod.NewLearner(stageWindow)
	s.say("COMMIT(%d, %d) reaches %s", b, upTo, letter(i))
	l.Commit(b, upTo, a, nil)
	if anyVote {
		for slot := consensus.Seq(1); slot <= upTo; slot++ {
			if v, voted := a.Vote(slot); voted {
				l.Learn(slot, v.Digest)
			}
		}
	}
	for slot := consensus.Seq(1); slot <= upTo; slot++ {
		if d, known := l.Chosen(slot); known {
			s.more("it executes %s in slot %d", named(d), slot)
			s.decide(slot, named(d), "executed by "+letter(i))
		} else {
			s.more("it asks what is chosen in slot %d", slot)
		}
	}
}
