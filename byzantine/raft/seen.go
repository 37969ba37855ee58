package raft

import (
	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/raft"
)

// maxLog bounds the entries that a traitor remembers.
const maxLog = 256

// seen is the adversary's knowledge of Raft's position, from what its replica
// receives, sends and executes. It does not look into the engine. A lie that is
// put on later learns all of it from the leader's next message.
type seen struct {
	*forger
	env *byzantine.Env

	tick   int // of the host, however many the engine is told of
	beats  int // ... in this step
	now    consensus.Time
	term   uint64
	leader consensus.ReplicaID
	known  bool // who leads the term

	log    map[uint64]pb.Entry // looked up only
	last   uint64
	commit uint64 // the highest heard of

	heard    []*pb.Message // of other members, in this step, before any lie about them
	fetches  []asking      // for parts of states, heard in this step
	appended []*pb.Message // appends of entries, received or sent in this step, that are new
}

func newSeen(e *byzantine.Env) *seen {
	return &seen{forger: newForger(e), env: e, log: map[uint64]pb.Entry{}}
}

// asking is a member's wish for parts of a state.
type asking struct {
	from  consensus.ReplicaID
	fetch *raft.Fetch
}

// leads reports whether the traitor leads.
func (s *seen) leads() bool { return s.known && s.leader == s.self }

// listen learns from what reaches the replica in this step.
func (s *seen) listen(b *consensus.Burst, ticks int) {
	s.tick, s.beats, s.now = s.tick+ticks, ticks, b.Now
	s.heard, s.fetches, s.appended = nil, nil, nil
	for _, e := range b.Events {
		r, received := e.(consensus.Receive)
		if !received || r.From.Kind != consensus.PeerReplica {
			continue
		}
		switch m := r.Message.(type) {
		case *pb.Message:
			s.heard = append(s.heard, m)
			s.learn(r.From.Replica, m)
		case *raft.Fetch:
			s.fetches = append(s.fetches, asking{r.From.Replica, m})
		}
	}
}

// watch learns from what the engine sends in this step.
func (s *seen) watch(m *byzantine.Outbox) {
	for _, n := range m.Out.Notes {
		s.learnNote(n)
	}
	for _, j := range m.Out.Jobs {
		if c, commits := j.(consensus.Commit); commits {
			s.commit = max(s.commit, uint64(c.Seq))
		}
	}
	for _, l := range [][]byzantine.Outbound{m.Rest, m.Messages} {
		for i := range l {
			if own := decode(l[i].Bytes); own != nil {
				s.learn(s.self, own)
			}
		}
	}
}

// decode reads one of the library's messages; nil if a frame is none.
func decode(frame []byte) *pb.Message {
	if len(frame) == 0 || frame[0] != raft.MessageKind {
		return nil
	}
	m, err := raft.DecodeMessage(frame)
	if err != nil {
		return nil
	}
	return m
}

// learn takes a leader's message.
func (s *seen) learn(from consensus.ReplicaID, m *pb.Message) {
	if m.Term < s.term || m.Type != pb.MsgApp && m.Type != pb.MsgHeartbeat && m.Type != pb.MsgSnap {
		return
	}
	s.term, s.leader, s.known = m.Term, from, true
	if m.Type != pb.MsgApp {
		return
	}
	s.commit = max(s.commit, m.Commit)
	fresh := false
	for _, e := range m.Entries {
		fresh = fresh || s.log[e.Index].Term != e.Term
		s.log[e.Index] = e
		s.last = e.Index
		delete(s.log, e.Index-maxLog)
	}
	if fresh {
		s.appended = append(s.appended, m)
	}
}

// learnNote takes what the engine notes of terms and leaders.
func (s *seen) learnNote(n consensus.Note) {
	switch n.Kind {
	case consensus.EnteredView:
		s.term, s.leader, s.known = uint64(n.View), n.Replica, true
	case consensus.LeftView:
		s.term, s.known = max(s.term, uint64(n.View)), false
	case consensus.Restarted:
		s.term = max(s.term, uint64(n.View))
	}
}

// every reports whether the host's clock stands at a multiple of so many ticks,
// in a step that has brought one.
func (s *seen) every(ticks int) bool { return s.beats > 0 && s.tick%max(1, ticks) == 0 }
