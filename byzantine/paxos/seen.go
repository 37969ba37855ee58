package paxos

import (
	"maps"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/paxos"
	"quorate.dev/quorate/paxos/synod"
)

// maxVotes bounds the slots of which a traitor remembers what was proposed.
const maxVotes = 256

// seen is the adversary's knowledge of where Paxos stands, from what its replica
// receives, sends and executes. It does not look into the engine. A lie that is
// put on later learns all of it from the leader's next message.
type seen struct {
	*forger
	env *byzantine.Env

	tick   int // of the host, however many the engine is told of
	beats  int // ... in this step
	ballot synod.Ballot
	leader consensus.ReplicaID
	known  bool          // who leads under that ballot
	commit consensus.Seq // the highest heard of

	votes map[consensus.Seq]synod.Vote // of each slot, what was proposed under the highest ballot
	top   consensus.Seq                // of those

	heard []word          // from other members, in this step, before any lie about them
	fresh []*paxos.Accept // proposals that are new, heard or said in this step
}

// word is what a member says.
type word struct {
	from    consensus.ReplicaID
	message any
}

func newSeen(e *byzantine.Env) *seen {
	return &seen{forger: newForger(e), env: e, votes: map[consensus.Seq]synod.Vote{}}
}

// led reports whether the traitor leads.
func (s *seen) led() bool { return s.known && s.leader == s.self }

// listen learns from what reaches the replica in this step.
func (s *seen) listen(b *consensus.Burst, ticks int) {
	s.tick, s.beats = s.tick+ticks, ticks
	s.heard, s.fresh = nil, nil
	for _, e := range b.Events {
		if r, received := e.(consensus.Receive); received && r.From.Kind == consensus.PeerReplica {
			s.heard = append(s.heard, word{r.From.Replica, r.Message})
			s.learn(r.From.Replica, r.Message)
		}
	}
}

// watch learns from what the engine sends and does in this step.
func (s *seen) watch(m *byzantine.Outbox) {
	for _, n := range m.Out.Notes {
		s.learnNote(n)
	}
	for _, j := range m.Out.Jobs {
		if c, commits := j.(consensus.Commit); commits {
			s.commit = max(s.commit, c.Seq)
		}
	}
	for _, l := range [][]byzantine.Outbound{m.Rest, m.Messages} {
		for i := range l {
			s.learn(s.self, decode(l[i].Bytes))
		}
	}
}

// learn takes a leader's message.
func (s *seen) learn(from consensus.ReplicaID, message any) {
	b, ok := leads(message)
	if !ok || b.Owner(s.members) != from {
		return
	}
	if b >= s.ballot {
		s.ballot, s.leader, s.known = b, from, true
	}
	switch m := message.(type) {
	case *paxos.Accept:
		s.proposed(m)
	case *paxos.Commit:
		s.commit = max(s.commit, m.UpTo)
	case *paxos.Heartbeat:
		s.commit = max(s.commit, m.UpTo)
	}
}

func (s *seen) proposed(m *paxos.Accept) {
	if s.votes[m.Slot].Ballot >= m.Ballot || m.Slot+maxVotes <= s.top {
		return
	}
	s.votes[m.Slot] = synod.Vote{Slot: m.Slot, Ballot: m.Ballot, Digest: m.Batch.Digest()}
	s.fresh = append(s.fresh, m)
	s.top = max(s.top, m.Slot)
	maps.DeleteFunc(s.votes, func(n consensus.Seq, _ synod.Vote) bool { return n+maxVotes <= s.top })
}

// learnNote takes what the engine notes of who leads.
func (s *seen) learnNote(n consensus.Note) {
	switch n.Kind {
	case consensus.EnteredView:
		s.ballot, s.leader, s.known = synod.Ballot(n.View), n.Replica, true
	case consensus.LeftView:
		s.ballot, s.known = max(s.ballot, synod.Ballot(n.View)), false
	case consensus.Restarted:
		s.ballot = max(s.ballot, synod.Ballot(n.View))
	}
}

// promise is what a member that knows what this one does would answer to a
// PREPARE.
func (s *seen) promise(m *paxos.Prepare) paxos.Promise {
	p := paxos.Promise{Ballot: m.Ballot}
	for n := max(m.Above, s.top-min(s.top, maxVotes)) + 1; n <= s.top; n++ {
		if v, ok := s.votes[n]; ok && v.Ballot <= m.Ballot {
			p.Votes = append(p.Votes, v)
		}
	}
	return p
}
