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
	fetcher *transfer.Fetcher
	server  *transfer.Server
	wanted  *pb.Message // the snapshot message of the state that is being fetched
	ending  bool        // the host is putting the state together: nothing turns it back
}

func newRestore() restore {
	return restore{fetcher: transfer.NewFetcher(transfer.DefaultConfig()), server: transfer.NewServer(transfer.DefaultServerConfig())}
}

func (s *restore) active() bool { return s.fetcher.Active() }

// onSnapshot begins to fetch the state that a leader names. What is committed
// here already needs none, and the library answers so.
func (r *replica) onSnapshot(s *snapshot) {
	st := r.node.BasicStatus()
	switch {
	case st.RaftState == raft.StateLeader:
		r.out.Note(consensus.Note{Kind: consensus.Ignored, View: consensus.View(s.message.Term), Seq: s.seq, Reason: reasonLeading})
		return
	case s.message.Term < st.Term || uint64(s.seq) <= st.Commit:
		r.step(s.message)
		return
	case r.holds(&s.message.Snapshot.Metadata):
		r.step(s.message) // late: all that the library takes from it is what is committed
		return
	}
	r.follow(s.message)
	t := transfer.Target{Seq: s.seq, Root: s.root, Certificate: certificate(s.seq, s.message.Snapshot.Metadata.Term, s.root)}
	switch {
	case !r.state.active():
		r.out.Note(consensus.Note{Kind: consensus.Fetching, View: consensus.View(s.message.Term), Seq: s.seq, Digest: s.root})
		r.state.wanted = s.message
		r.applyRestore(r.state.fetcher.Start(t, r.sources(s.message)))
	case r.fruitless() && r.state.fetcher.Target().Root != s.root:
		// Nobody serves the old one any more, or ever has: what a leader
		// names now may stand below what was made up.
		r.state.wanted = s.message
		r.applyRestore(r.state.fetcher.Retarget(t, r.sources(s.message)))
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

// fruitless reports whether a fetch may be turned or given up: nobody serves
// its state, and the host is where it was when the fetch began.
func (r *replica) fruitless() bool {
	return r.state.fetcher.Begun() && !r.state.ending && r.state.fetcher.Progress().Rounds > 0
}

// giveUp ends a fetch that nobody serves, when no leader is heard either: were
// all who are left to wait for a state that is gone, nobody would be elected.
func (r *replica) giveUp() {
	if r.fruitless() {
		r.applyRestore(r.state.fetcher.Abort())
		r.fallBack()
	}
}

// follow takes a handle for its leader's word: the library, which hears of the
// state only when it has arrived, must not go on as a candidate meanwhile.
func (r *replica) follow(m *pb.Message) {
	r.step(&pb.Message{Type: pb.MsgHeartbeat, From: m.From, To: m.To, Term: m.Term})
}

// sources are all others, the one that named the state first.
func (r *replica) sources(m *pb.Message) []consensus.ReplicaID {
	first := consensus.ReplicaID(m.From - 1)
	out := []consensus.ReplicaID{first}
	for i := range r.heard {
		if other := consensus.ReplicaID(i); other != r.id && other != first {
			out = append(out, other)
		}
	}
	return out
}

// applyRestore does what the fetcher decided.
func (r *replica) applyRestore(d transfer.Decision) {
	for _, a := range d.Asks {
		f := Fetch{Seq: a.Seq, Root: a.Root, Items: a.Items}
		r.out.SendEarly(consensus.ReplicaPeer(a.To), consensus.Bodies, f.Encode())
	}
	for _, j := range d.Jobs {
		_, ends := j.(consensus.RestoreEnd)
		r.state.ending = r.state.ending || ends
	}
	r.out.Do(d.Jobs...)
	for _, from := range d.Bad {
		r.out.Note(consensus.Note{Kind: consensus.BadPart, Seq: r.state.fetcher.Target().Seq, Replica: from})
	}
	if d.Failed {
		r.alarm("the state cannot be put together from its parts; the leader will name it again")
		r.fallBack()
	}
}

func (r *replica) tickRestore() {
	r.out.Reads = append(r.out.Reads, r.state.server.Tick()...)
	r.applyRestore(r.state.fetcher.Tick())
}

// onChunk sends the parts that the host has read for a peer.
func (r *replica) onChunk(c consensus.Chunk) {
	r.out.Reads = append(r.out.Reads, r.state.server.OnChunk(c)...)
	g := Given{Seq: c.Read.Seq, Root: c.Read.Root, Parts: c.Parts, Gone: c.Gone}
	r.out.SendEarly(c.Read.To, consensus.Bulk, g.Encode())
}

// onRestored: the state is the one that was named. Now the library hears of it.
func (r *replica) onRestored(e consensus.Restored) {
	wanted := r.state.wanted
	r.state.ending = false
	if e.OK {
		r.exec.handed, r.exec.applied, r.exec.kept, r.exec.stable = e.Seq, e.Seq, e.Seq, e.Seq
		clear(r.exec.roots)
		r.exec.last.seq, r.exec.last.root = e.Seq, e.Root
		r.requests.Restored()
		r.out.Note(consensus.Note{Kind: consensus.Fetched, View: consensus.View(r.reign.term), Seq: e.Seq, Digest: e.Root})
	}
	r.applyRestore(r.state.fetcher.OnRestored(e))
	if e.OK && wanted != nil && uint64(e.Seq) == wanted.Snapshot.Metadata.Index {
		r.state.wanted = nil
		r.install(wanted)
		r.drain()
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
	if _, _, ok := r.store.batch(r.exec.kept + 1); !ok || !r.state.fetcher.Begun() || r.state.ending || committed <= r.exec.handed {
		return
	}
	r.applyRestore(r.state.fetcher.Abort())
	r.fallBack()
}

// fallBack: the host is at the disk's state again, with nothing above it.
func (r *replica) fallBack() {
	r.state.wanted = nil
	r.exec.handed, r.exec.applied, r.exec.stable = r.exec.kept, r.exec.kept, r.exec.kept
	clear(r.exec.roots)
}
