package raft

import (
	"fmt"

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
