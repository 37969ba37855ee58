package raft

import (
	"fmt"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"

	"quorate.dev/quorate/consensus"
)

// The library never takes back what it knows of a follower's log. A member that
// lost its disk would get nothing that fits for as long as the leader is in
// office: heartbeats promise it a commit index beyond its log, on which the
// library panics, and its refusals count as old. So the member says that it
// lacks what it is told of, and the leader begins anew with it. What it had
// acknowledged may be lost all the same, if it votes before it has it back.

// lostDisk marks the refusal of a member that lost its disk. Others may be late,
// and what they say of a log's end is no news then; the library has no use for
// the field in a refusal.
const lostDisk = "lost its disk"

// reportLoss refuses a heartbeat for entries that a disk took with it which was
// wiped, or set back: a leader promises what was acknowledged to it in its term,
// and committed. That stays in a log for ever, so that a heartbeat of an earlier
// term proves the loss as well. That there was no birth record is not asked: the
// second life after the loss has one.
func (r *replica) reportLoss(m *pb.Message, current uint64) {
	last, err := r.store.LastIndex()
	if m.Type != pb.MsgHeartbeat || m.Commit <= last || err != nil {
		return
	}
	term, err := r.store.Term(last)
	if err != nil {
		return
	}
	if m.Term >= current {
		r.send(&pb.Message{Type: pb.MsgAppResp, From: m.To, To: m.From, Term: m.Term, Index: m.Commit, Reject: true, RejectHint: last, LogTerm: term, Context: []byte(lostDisk)})
		r.rest() // the leader was heard
	}
	if !r.lost {
		r.lost = true
		r.out.Note(consensus.Note{Kind: consensus.SetBack, View: consensus.View(m.Term), Seq: consensus.Seq(m.Commit), Text: fmt.Sprintf(
			"replica %d counts on entries up to %d, as acknowledged here, and the log ends at %d: this disk was lost or set back to an older copy, or that replica lies. "+
				"The leader gives it the entries again; answers of leaders before may be lost: run `quorate check`", m.From-1, m.Commit, last)})
	}
}

// relearn forgets what the library knows of a follower that refuses entries
// because its log ends before what it has acknowledged. There is no call for
// that but to remove and to add the member, here and nowhere else. In between a
// majority of the others decides: among an even number of members that is one
// less, so it must find nothing to decide. That a refusal was only late costs
// one probe.
func (r *replica) relearn(m *pb.Message) {
	st := r.node.BasicStatus()
	if st.RaftState != raft.StateLeader || m.Term != st.Term || m.Type != pb.MsgAppResp || !m.Reject || string(m.Context) != lostDisk {
		return
	}
	known := uint64(0)
	r.node.WithProgress(func(peer uint64, _ raft.ProgressType, p tracker.Progress) {
		if peer == m.From {
			known = p.Match
		}
	})
	last, err := r.store.LastIndex()
	if m.RejectHint >= known || err != nil {
		return
	}
	if r.system.Size()%2 == 0 && st.Commit < last {
		r.stepDown(m, stall{term: st.Term, commit: st.Commit, since: r.clock.tick})
		return
	}
	r.alarm(fmt.Sprintf("replica %d has acknowledged entries up to %d, and now its log ends at %d: was its disk lost, or set back to an older copy? It gets them again", m.From-1, known, m.RejectHint))
	for _, change := range []pb.ConfChangeType{pb.ConfChangeRemoveNode, pb.ConfChangeAddNode} {
		r.node.ApplyConfChange(pb.ConfChange{Type: change, NodeID: m.From})
	}
}

// stall is a commit index of a term that has not risen since a tick.
type stall struct {
	term, commit uint64
	since        int
}

// stepDown ends a stalemate: what is not committed waits for the very member
// that is to be known anew, and would have to be committed first. An election
// forgets what is known of all, and changes nobody's say.
func (r *replica) stepDown(m *pb.Message, now stall) {
	if r.stall.term != now.term || r.stall.commit != now.commit {
		r.stall = now
		return
	}
	if now.since-r.stall.since < r.cfg.Election {
		return
	}
	r.alarm(fmt.Sprintf("replica %d has lost its disk, and entry %d waits for it: this leader steps down, so that the next one gives it all entries again", m.From-1, now.commit+1))
	r.step(&pb.Message{Type: pb.MsgHeartbeatResp, From: m.From, To: m.To, Term: m.Term + 1}) // carries a term alone
}
