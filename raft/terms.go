package raft

import (
	"fmt"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// maxLeap bounds how far one message raises this replica's term. A term goes up
// by one with each election, so that members who follow the protocol are never
// so far apart; but there is a last term, and whoever is in it elects nobody
// any more. One message of a liar would be enough.
const maxLeap = 1 << 32

// leaps takes from a message whose term no elections reach no more than a part
// of the way there, and an alarm. To refuse it altogether would part members
// for good whom a liar has raised by different amounts: so they meet again,
// with as many messages as it took.
func (r *replica) leaps(message any) bool {
	m, ok := message.(*pb.Message)
	if s, handle := message.(*snapshot); handle {
		m, ok = s.message, true
	}
	term := r.node.BasicStatus().Term
	if !ok || m.Term <= term || m.Term-term <= maxLeap || m.Type == pb.MsgPreVote || m.Type == pb.MsgPreVoteResp && !m.Reject {
		return false // who asks in advance, and who grants that, raises no term
	}
	if r.clock.tick >= r.clock.quiet {
		r.clock.quiet = r.clock.tick + r.cfg.Election // one alarm tells enough
		r.alarm(fmt.Sprintf("replica %d speaks of term %d, which no elections reach from %d: it lies, or its disk is damaged", m.From-1, m.Term, term))
	}
	r.step(&pb.Message{Type: pb.MsgHeartbeatResp, From: m.From, To: m.To, Term: term + maxLeap}) // carries a term alone
	return true
}

// oneLeader holds members to it that no term has two leaders: a vote is given
// once, and is on disk before it is said. Who voted twice, nobody can tell. The
// word of a snapshot says nothing: it is installed long after it was sent.
func (r *replica) oneLeader(m *pb.Message, st raft.BasicStatus) {
	if m.Type != pb.MsgApp && m.Type != pb.MsgHeartbeat || m.Term < st.Term {
		return
	}
	if st.RaftState == raft.StateLeader {
		r.crowned = leadership{term: st.Term, leader: id(r.id)}
	}
	first, second := r.crowned, leadership{term: m.Term, leader: m.From}
	r.crowned = second
	if first.term != second.term || first.leader == second.leader || r.doubled == m.Term {
		return
	}
	r.doubled = m.Term
	r.alarm(fmt.Sprintf("replicas %d and %d both lead in term %d: a member voted twice, as one does whose disk was lost or set back to an older copy, or one of them lies. "+
		"Answers may be lost: run `quorate check`", first.leader-1, second.leader-1, m.Term))
}
