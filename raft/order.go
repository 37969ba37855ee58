package raft

import (
	pb "go.etcd.io/raft/v3/raftpb"
)

// maxEarly bounds the appends that wait for what they follow, by what a leader
// has under way at most, and maxEarlyBytes what they hold together; one more is
// stepped at once, and rejected.
const (
	maxEarly      = maxInflight
	maxEarlyBytes = 16 << 20
)

// inOrder steps an append that follows the log, and then those that waited for
// it. One that came too early waits for the rest of this tick: a node's workers
// open small frames before large ones, so that a commit index without entries
// overtakes the entries. Stepped at once, it would be rejected, and the leader
// would send all that is under way once more.
func (r *replica) inOrder(m *pb.Message) {
	if m.Type == pb.MsgApp && m.Term == r.node.BasicStatus().Term && m.Index > r.last() && r.mayWait(m) {
		r.early = append(r.early, m)
		return
	}
	r.step(m)
	if m.Type != pb.MsgApp || len(r.early) == 0 {
		return
	}
	waiting := r.early
	r.early = nil
	for _, e := range waiting {
		if e.Index <= r.last() {
			r.step(r.room(e))
		} else {
			r.early = append(r.early, e)
		}
	}
}

// mayWait reports whether there is room for one more that came too early.
func (r *replica) mayWait(m *pb.Message) bool {
	bytes := m.Size()
	for _, e := range r.early {
		bytes += e.Size()
	}
	return len(r.early) < maxEarly && bytes <= maxEarlyBytes
}

// overdue steps what has waited in vain: if entries are missing the leader must
// hear so.
func (r *replica) overdue() {
	waiting := r.early
	r.early = nil
	for _, e := range waiting {
		r.step(r.room(e))
	}
}

// last is where the log ends, with what the library has accepted in this burst.
func (r *replica) last() uint64 {
	r.drain()
	last, _ := r.store.LastIndex() // of memory: never fails
	return last
}
