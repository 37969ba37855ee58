package raft

import (
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
)

// room cuts off the entries that would reach too far beyond what is on disk. A
// leader repeats them for as long as they are not acknowledged.
func (r *replica) room(m *pb.Message) *pb.Message {
	fit := 0
	for fit < len(m.Entries) && (!r.full(consensus.Seq(m.Entries[fit].Index)) || r.begins(m, fit)) {
		fit++
	}
	if fit == len(m.Entries) {
		return m
	}
	r.out.Note(consensus.Note{Kind: consensus.Ignored, View: consensus.View(m.Term), Seq: consensus.Seq(m.Entries[fit].Index), Replica: consensus.ReplicaID(m.From - 1), Reason: reasonFull})
	shorter := *m
	shorter.Entries = slices.Clone(m.Entries[:fit]) // lets go of the others
	return &shorter
}

// reserve is how far the empty entries that begin terms may reach beyond that.
// Leaders who are deposed before they have committed anything leave one each, and
// the last of them can commit only together with its own: without room for it the
// cluster would stand still for ever, with all members up.
const reserve = 1 << 16

// begins reports whether an entry begins a term, and is within the reserve; twice
// that for the sender's own term, so that a liar who has filled the one with a
// message leaves the next leader the other.
func (r *replica) begins(m *pb.Message, i int) bool {
	e, before, beyond := &m.Entries[i], m.LogTerm, consensus.Seq(reserve)
	if i > 0 {
		before = m.Entries[i-1].Term
	}
	if e.Term == m.Term {
		beyond = 2 * reserve
	}
	return len(e.Data) == 0 && e.Term > before && consensus.Seq(e.Index) <= r.reach()+beyond
}

// ahead is how many windows the log may reach beyond the state on disk. What
// is agreed faster than this replica executes and keeps would else fill its
// memory; a leader then proposes no more, and a follower takes no more, until
// it has caught up or gets a snapshot.
const ahead = 2

// reach is how far batches may.
func (r *replica) reach() consensus.Seq {
	return max(r.exec.Kept, r.store.base()) + ahead*r.cfg.Genesis.Window + consensus.Seq(r.cfg.Pipeline)
}

// full reports whether an entry at n would reach too far.
func (r *replica) full(n consensus.Seq) bool { return n > r.reach() }

// maxProvoked bounds, between two ticks, the answers of one member to which the
// library sends entries: to each of a few bytes up to maxAppendBytes, and again
// for the next one. What is left out is asked for again with the next heartbeat.
const maxProvoked = 8

// provokes reports whether a member has asked for entries often enough for now.
func (r *replica) provokes(m *pb.Message) bool {
	if m.Type != pb.MsgHeartbeatResp && (m.Type != pb.MsgAppResp || !m.Reject) || r.reads.answersRead(m) {
		return false
	}
	r.provoked[m.From-1]++
	return r.provoked[m.From-1] > maxProvoked
}
