package decree

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/paxos/synod"
)

// acceptor is what one has on disk.
type acceptor struct {
	promised synod.Ballot
	vote     synod.Vote
}

// hear takes a PREPARE or an ACCEPT and returns what is said then. Of what is
// accepted the learners are told, and the proposer.
func (a *acceptor) hear(s Shape, m message) []message {
	decider := synod.NewAcceptor(1)
	decider.Restore(a.promised, a.vote)
	answer := message{From: m.To, To: m.From, Ballot: m.Ballot}
	var effect synod.Effect
	if m.Kind == prepare {
		effect = decider.Promise(m.Ballot)
	} else {
		effect = decider.Accept(m.Ballot, slot, m.Value.digest())
	}
	a.promised = decider.Promised()
	a.vote, _ = decider.Vote(slot)
	switch effect {
	case synod.Promised, synod.Accepted, synod.Repeated:
	case synod.Rejected:
		answer.Kind, answer.Voted = reject, a.promised
		return []message{answer}
	default:
		return nil
	}
	if m.Kind == prepare {
		answer.Kind, answer.Voted, answer.Value = promise, a.vote.Ballot, valueOf(a.vote.Digest)
		return []message{answer}
	}
	answer.Kind, answer.Value = accepted, m.Value
	all := []message{answer}
	for i := range s.Learners {
		answer.To = uint8(s.learner(i))
		all = append(all, answer)
	}
	return all
}

// proposer is one attempt after the other to have its value chosen.
type proposer struct {
	id     int
	seen   synod.Ballot // the highest it heard of
	ballot synod.Ballot // its attempt; 0 is none
	heard  []message    // PROMISE and ACCEPTED of this attempt
	sent   value        // what its ACCEPTs propose
	rounds int          // attempts so far
	knows  bool         // that its value, or the one that it took over, is chosen
}

// own is the value that it would like best.
func (p *proposer) own() value { return value(p.id + 1) }

// prepare begins an attempt.
func (p *proposer) prepare(s Shape) []message {
	next := max(p.seen, p.ballot).Next(consensus.ReplicaID(p.id), s.Proposers)
	if next == 0 {
		return nil // there is a last ballot
	}
	p.ballot, p.seen, p.heard, p.sent = next, next, nil, 0
	p.rounds++
	return p.toAcceptors(s, message{Kind: prepare, Ballot: next})
}

func (p *proposer) toAcceptors(s Shape, m message) (all []message) {
	m.From = uint8(p.id)
	for i := range s.Acceptors {
		m.To = uint8(s.acceptor(i))
		all = append(all, m)
	}
	return all
}

// round makes the decider of the attempt anew, of what was heard: promises until
// something was proposed, then votes.
func (p *proposer) round(s Shape) *synod.Round {
	r := synod.NewRound(p.ballot, s.quorum(), 0, 1)
	for _, m := range p.heard {
		if m.Kind == accepted {
			r.Accepted(s.from(m), m.Ballot, slot)
		} else if r.Hear(s.from(m), m.told()) {
			r.Propose(slot, p.sent.digest())
		}
	}
	return r
}

// from is the acceptor that sent m.
func (s Shape) from(m message) consensus.ReplicaID {
	return consensus.ReplicaID(int(m.From) - s.Proposers)
}

// told is what a PROMISE tells: of one slot.
func (m message) told() synod.Promise {
	p := synod.Promise{Ballot: m.Ballot}
	if m.Voted != 0 {
		p.Votes = []synod.Vote{{Slot: slot, Ballot: m.Voted, Digest: m.Value.digest()}}
	}
	return p
}

// hear takes what an acceptor answers, and returns the ACCEPTs if by it phase 1 is
// complete. It reports whether the attempt failed; when to prepare again is the
// business of whoever asks.
func (p *proposer) hear(s Shape, m message) (out []message, preempted bool) {
	if m.Kind == reject {
		p.seen = max(p.seen, m.Voted)
	}
	if m.Ballot != p.ballot || p.knows || m.Kind == promise && p.sent != 0 {
		return nil, false
	}
	if m.Kind == reject {
		p.seen, p.ballot, p.heard = max(p.seen, p.ballot), 0, nil
		return nil, true
	}
	r := p.round(s)
	p.heard = append(slices.Clip(p.heard), m)
	switch {
	case m.Kind == accepted:
		p.knows = r.Accepted(s.from(m), m.Ballot, slot)
	case r.Hear(s.from(m), m.told()):
		p.sent = p.choose()
		if r.Propose(slot, p.sent.digest()) {
			return p.toAcceptors(s, message{Kind: accept, Ballot: p.ballot, Value: p.sent}), false
		}
	}
	return nil, false
}

// choose is what must be proposed after phase 1: the value of the highest ballot that
// was named, or its own if none was.
func (p *proposer) choose() value {
	var votes []synod.Vote
	for _, m := range p.heard {
		votes = append(votes, m.told().Votes...)
	}
	if v, voted := synod.Choose(votes); voted {
		return valueOf(v.Digest)
	}
	return p.own()
}

// learner is what one heard of each acceptor, and what it knows.
type learner struct {
	heard [Most]synod.Vote
	knows value
	again bool // it knew something else before: integrity is broken
}

// hear takes an ACCEPTED and reports whether it knows the value by it.
func (l *learner) hear(s Shape, m message) bool {
	tally := synod.NewTally(s.Acceptors, s.quorum())
	for i, v := range l.heard[:s.Acceptors] {
		if v.Ballot != 0 {
			tally.Add(consensus.ReplicaID(i), v)
		}
	}
	from := int(m.From) - s.Proposers
	v := synod.Vote{Slot: slot, Ballot: m.Ballot, Digest: m.Value.digest()}
	chosen := tally.Add(consensus.ReplicaID(from), v)
	if v.Ballot >= l.heard[from].Ballot {
		l.heard[from] = v
	}
	if !chosen || l.knows == m.Value {
		return false
	}
	l.again = l.knows != 0
	l.knows = m.Value
	return true
}

// ledger counts what acceptors accepted, and so what is chosen, whoever knows it.
type ledger struct {
	votes  map[synod.Ballot]map[uint8]value
	chosen []choice
}

// choice is a value that is chosen, the moment that it is.
type choice struct {
	value  value
	ballot synod.Ballot
	by     []uint8 // the acceptors, as ends
}

// hear takes an ACCEPTED and reports whether something is chosen by it.
func (l *ledger) hear(s Shape, m message) bool {
	if l.votes == nil {
		l.votes = map[synod.Ballot]map[uint8]value{}
	}
	if l.votes[m.Ballot] == nil {
		l.votes[m.Ballot] = map[uint8]value{}
	}
	if _, voted := l.votes[m.Ballot][m.From]; voted {
		return false
	}
	l.votes[m.Ballot][m.From] = m.Value
	c := choice{value: m.Value, ballot: m.Ballot}
	for end, v := range l.votes[m.Ballot] {
		if v == m.Value {
			c.by = append(c.by, end)
		}
	}
	if len(c.by) != s.Acceptors/2+1 || slices.ContainsFunc(l.chosen, func(old choice) bool { return old.value == c.value }) {
		return false
	}
	slices.Sort(c.by)
	l.chosen = append(l.chosen, c)
	return true
}
