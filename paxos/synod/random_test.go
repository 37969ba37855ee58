package synod

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
)

// system is a cluster of members that propose, accept and learn, by chance: more of
// them than the search can have, and more slots than a window.
type system struct {
	dice    *rand.Rand
	n, q    int
	members []member
	said    []Promise // with the acceptor that said it
	by      []consensus.ReplicaID
	accepts map[Ballot]map[consensus.Seq]crypto.Digest
	cast    map[string]*quorum.Set // by ballot, slot and value
	chosen  map[consensus.Seq]crypto.Digest
	fresh   int
}

// member is one of them, with its records.
type member struct {
	acceptor *Acceptor
	learner  *Learner
	round    *Round
	promises []Ballot
	votes    []Vote
}

const small = 4 // slots of a window

func (m *member) restart(dice *rand.Rand) {
	base := m.acceptor.Base()
	m.acceptor, m.round = NewAcceptor(small), nil
	m.learner = NewLearner(small)
	m.learner.Drop(base)
	m.acceptor.Drop(base)
	dice.Shuffle(len(m.promises), func(i, j int) { m.promises[i], m.promises[j] = m.promises[j], m.promises[i] })
	dice.Shuffle(len(m.votes), func(i, j int) { m.votes[i], m.votes[j] = m.votes[j], m.votes[i] })
	for _, b := range m.promises {
		m.acceptor.Restore(b, Vote{})
	}
	for _, v := range m.votes {
		m.acceptor.Restore(0, v)
	}
}

// Whatever members of a cluster do, in whatever order: no slot has two values, nobody
// learns another, and what was learnt is executed without gaps.
func TestChanceAgrees(t *testing.T) {
	slots := consensus.Seq(0)
	for seed := range uint64(400) {
		s := &system{
			dice: rand.New(rand.NewPCG(seed, 0)), n: 1 + int(seed%5),
			accepts: map[Ballot]map[consensus.Seq]crypto.Digest{}, cast: map[string]*quorum.Set{}, chosen: map[consensus.Seq]crypto.Digest{},
		}
		s.q = s.n/2 + 1
		for range s.n {
			s.members = append(s.members, member{acceptor: NewAcceptor(small), learner: NewLearner(small)})
		}
		for range 1500 {
			if s.step(t); t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		for i := range s.members {
			slots += s.members[i].learner.Prefix()
		}
	}
	if slots < 4000 {
		t.Errorf("all members together executed %d slots", slots)
	}
	t.Logf("%d slots executed", slots)
}

// step is one thing that somebody does.
func (s *system) step(t *testing.T) {
	id := consensus.ReplicaID(s.dice.IntN(s.n))
	m := &s.members[id]
	switch what := s.dice.IntN(60); {
	case what < 2:
		m.round = NewRound(m.acceptor.Next(id, s.n), s.q, m.learner.Prefix(), small)
		for to := range s.members {
			if to == int(id) || s.dice.IntN(4) > 0 {
				s.promise(consensus.ReplicaID(to), m.round.Ballot(), m.learner.Prefix())
			}
		}
	case what == 2:
		m.restart(s.dice)
	case what < 6:
		base := m.learner.Prefix() // what is executed is on disk now
		if m.round != nil {
			m.round.Commit(m.learner)
			m.round.Drop(base)
		}
		m.acceptor.Drop(base)
		m.learner.Drop(base)
	case what == 6:
		s.state(m)
	case what < 14:
		s.commit(t, m)
	case what < 30:
		s.hear()
	case what < 40 && m.round != nil && m.round.Prepared():
		s.fresh++
		slot := max(m.round.Plan().First(), m.learner.Prefix()) + consensus.Seq(s.dice.IntN(small))
		s.propose(m.round, slot, crypto.Hash(fmt.Append(nil, s.fresh)))
	default:
		s.vote(t, id)
	}
}

// hear lets one of the latest PROMISEs arrive, or any; whoever completes phase 1 by
// it proposes what it must.
func (s *system) hear() {
	if len(s.said) == 0 {
		return
	}
	i := s.dice.IntN(len(s.said))
	if s.dice.IntN(8) > 0 {
		i = len(s.said) - 1 - s.dice.IntN(min(len(s.said), 2*s.n))
	}
	owner := &s.members[s.said[i].Ballot.Owner(s.n)]
	if owner.round != nil && owner.round.Hear(s.by[i], s.said[i]) {
		for _, c := range owner.round.Plan().Slots {
			s.propose(owner.round, c.Slot, c.Digest)
		}
	}
}

// promise lets an acceptor answer a PREPARE.
func (s *system) promise(to consensus.ReplicaID, b Ballot, asked consensus.Seq) {
	m := &s.members[to]
	if e := m.acceptor.Promise(b); e == Promised || e == Repeated {
		m.promises = append(m.promises, b)
		s.said = append(s.said, Promise{Ballot: b, Base: m.acceptor.Base(), Votes: m.acceptor.Report(nil, asked, m.learner)})
		s.by = append(s.by, to)
	}
}

func (s *system) propose(r *Round, slot consensus.Seq, d crypto.Digest) {
	if _, _, open := r.Proposed(slot); open || !r.Propose(slot, d) {
		return
	}
	if s.accepts[r.Ballot()] == nil {
		s.accepts[r.Ballot()] = map[consensus.Seq]crypto.Digest{}
	}
	s.accepts[r.Ballot()][slot] = d
}

// vote lets the latest ACCEPTs, or any, arrive at an acceptor, and what it says at
// the proposer.
func (s *system) vote(t *testing.T, to consensus.ReplicaID) {
	m := &s.members[to]
	owner := s.dice.IntN(s.n)
	for i := range s.members {
		if r, best := s.members[i].round, s.members[owner].round; s.dice.IntN(4) > 0 && r != nil && r.Prepared() && (best == nil || r.Ballot() > best.Ballot()) {
			owner = i
		}
	}
	r := s.members[owner].round
	if r == nil || s.accepts[r.Ballot()] == nil {
		return
	}
	b := r.Ballot()
	for slot := consensus.Seq(1); slot < 400; slot++ {
		d, sent := s.accepts[b][slot]
		if !sent || s.dice.IntN(4) == 0 {
			continue
		}
		switch m.acceptor.Accept(b, slot, d) {
		case Accepted:
			m.votes = append(m.votes, Vote{Slot: slot, Ballot: b, Digest: d})
			s.count(t, b, slot, d, to)
			fallthrough
		case Repeated:
			if r.Accepted(to, b, slot) {
				s.learn(t, &s.members[owner], slot, d)
			}
		case Conflict:
			t.Errorf("two values for slot %d under %d", slot, b)
		}
	}
}

// count is the oracle.
func (s *system) count(t *testing.T, b Ballot, slot consensus.Seq, d crypto.Digest, by consensus.ReplicaID) {
	key := fmt.Sprint(b, slot, d)
	if s.cast[key] == nil {
		s.cast[key] = new(quorum.Set)
	}
	if s.cast[key].Add(by); s.cast[key].Len() < s.q {
		return
	}
	if was, known := s.chosen[slot]; known && was != d {
		t.Errorf("slot %d has two values", slot)
	}
	s.chosen[slot] = d
}

// learn lets a member learn, and holds what it learns against what is chosen.
func (s *system) learn(t *testing.T, m *member, slot consensus.Seq, d crypto.Digest) {
	if was, known := s.chosen[slot]; !known || was != d {
		t.Errorf("slot %d: learnt what is not chosen", slot)
	}
	if m.learner.Learn(slot, d) == Conflict {
		t.Errorf("slot %d: learnt two values", slot)
	}
}

// commit lets a leader say COMMIT to a member, which asks for the rest.
func (s *system) commit(t *testing.T, leader *member) {
	if leader.round == nil {
		return
	}
	upTo, _ := leader.round.Commit(leader.learner)
	m := &s.members[s.dice.IntN(s.n)]
	for _, slot := range m.learner.Commit(leader.round.Ballot(), upTo, m.acceptor, nil) {
		if d, _ := m.learner.Chosen(slot); d != s.chosen[slot] {
			t.Errorf("slot %d: took what is not chosen, by COMMIT(%d, %d)", slot, leader.round.Ballot(), upTo)
		}
	}
	for slot := m.learner.Prefix() + 1; slot <= upTo && s.dice.IntN(8) > 0; slot++ {
		if d, chosen := s.chosen[slot]; chosen {
			s.learn(t, m, slot, d)
		}
	}
	for slot := m.learner.Base() + 1; slot <= m.learner.Prefix(); slot++ {
		if d, known := m.learner.Chosen(slot); !known || d != s.chosen[slot] {
			t.Errorf("slot %d is in the prefix and not known", slot)
		}
	}
}

// state lets a member take the state of whoever executed the most.
func (s *system) state(m *member) {
	base := consensus.Seq(0)
	for i := range s.members {
		base = max(base, s.members[i].acceptor.Base())
	}
	m.acceptor.Drop(base)
	m.learner.Drop(base)
	if m.round != nil {
		m.round.Drop(base)
	}
}
