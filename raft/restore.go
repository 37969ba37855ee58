package raft

import (
	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
)

// restore is the replica's part in moving a state. A snapshot message carries a
// handle only, and the library hears of it when the state has arrived: it
// would take a message for the state itself.
type restore struct {
	*transfer.Mover
	wanted *pb.Message // the snapshot message of the state that is being fetched
}

func newRestore(r *replica) restore {
	return restore{Mover: transfer.NewMover(r.id, r.system.Size(), transfer.Framed(FetchKind, FetchReplyKind), &r.out)}
}

// onSnapshot begins to fetch the state that a leader names. What is committed
// here already needs none, and the library answers so.
func (r *replica) onSnapshot(s *snapshot) {
	st := r.node.BasicStatus()
	switch {
	case st.RaftState == raft.StateLeader:
		r.out.Note(consensus.Note{Kind: consensus.Ignored, View: consensus.View(s.message.Term), Seq: s.seq, Reason: reasonLeading})
		return
	case s.message.Term < st.Term || uint64(s.seq) <= st.Commit && !r.suits(s):
		r.step(s.message)
		return
	case !r.suits(s) && r.holds(&s.message.Snapshot.Metadata):
		r.step(s.message) // late: all that the library takes from it is what is committed
		return
	}
	r.follow(s.message)
	t := transfer.Target{Seq: s.seq, Root: s.root, Certificate: certificate(s.seq, s.message.Snapshot.Metadata.Term, s.root)}
	switch {
	case !r.state.Active():
		r.out.Note(consensus.Note{Kind: consensus.Fetching, View: consensus.View(s.message.Term), Seq: s.seq, Digest: s.root})
		r.state.wanted = s.message
		r.moved(r.state.Start(t))
	case r.state.Fruitless() && r.state.Target().Root != s.root:
		// Nobody serves the old one any more, or ever has: what a leader
		// names now may stand below what was made up.
		r.state.wanted = s.message
		r.moved(r.state.Retarget(t))
	}
}

// holds reports whether the log has what a snapshot stands for, so that it
// needs no state.
func (r *replica) holds(at *pb.SnapshotMetadata) bool {
	if at.Index > r.last() {
		return false
	}
	term, err := r.store.Term(at.Index)
	return err == nil && term == at.Term
}

// giveUp ends a fetch that nobody serves, when no leader is heard either: were
// all who are left to wait for a state that is gone, nobody would be elected.
func (r *replica) giveUp() {
	if r.state.Fruitless() {
		r.state.Abort()
		r.fallBack()
	}
}

// follow takes a handle for its leader's word: the library, which hears of the
// state only when it has arrived, must not go on as a candidate meanwhile.
func (r *replica) follow(m *pb.Message) {
	r.step(&pb.Message{Type: pb.MsgHeartbeat, From: m.From, To: m.To, Term: m.Term})
}

// moved acts on what a step of a transfer has come to.
func (r *replica) moved(d transfer.Decision) {
	if d.Failed {
		r.alarm("the state cannot be put together from its parts; the leader will name it again")
		r.fallBack()
	}
}

// onRestored: the state is the one that was named. Now the library hears of it.
func (r *replica) onRestored(e consensus.Restored) {
	wanted := r.state.wanted
	if e.OK {
		r.exec.Settle(transfer.Handle{Seq: e.Seq, Root: e.Root})
		r.requests.Restored()
		r.out.Note(consensus.Note{Kind: consensus.Fetched, View: consensus.View(r.lead.term), Seq: e.Seq, Digest: e.Root})
	}
	r.moved(r.state.OnRestored(e))
	if e.OK && wanted != nil && uint64(e.Seq) == wanted.Snapshot.Metadata.Index {
		r.state.wanted = nil
		r.install(wanted)
		r.drain()
		r.compact(e.Seq, e.Root)
		r.forget(e.Seq)
	}
}

// install tells the library that its log begins behind the snapshot. The one
// that named it may be deposed by now, but what it named was committed: so the
// message is told as one of the present term, and its sender not believed to
// lead if it does not.
func (r *replica) install(m *pb.Message) {
	st := r.node.BasicStatus()
	told := *m
	told.Term = max(m.Term, st.Term)
	r.step(&told)
	if m.Term < st.Term && st.Lead != m.From {
		_, _ = r.survive(r.node.ForgetLeader)
	}
}

// resume gives up a fetch that the log has overtaken: another leader had the
// entries. They are executed from the disk's state on, where the host is then.
func (r *replica) resume(committed consensus.Seq) {
	if _, _, ok := r.store.batch(r.exec.Kept + 1); !ok || !r.state.Begun() || r.state.Ending() || committed <= r.exec.Handed {
		return
	}
	r.state.Abort()
	r.fallBack()
}

// fallBack: the host is at the disk's state again, with nothing above it.
func (r *replica) fallBack() {
	r.state.wanted = nil
	r.exec.FallBack()
}
