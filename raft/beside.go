package raft

import (
	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
)

// beside lets entries go to the followers while their leader writes them down itself
// (Ongaro's thesis, §10.2.1): all sync at the same time. The leader counts itself
// for a majority before it has them on disk, and nothing that follows from it may be
// seen before that. So what such a message says of the commit index is held back: a
// follower that executes an entry is not to be the only one that has it.
type beside struct {
	outputs uint64 // the number of the one that is gathered
	waits   uint64 // the last one with a record that had to be synced
	commit  uint64 // committed, and all of it is on disk here
	next    struct {
		commit, waits uint64 // commit is that, once so many outputs are on disk
	}
}

// durable takes in that the records of the first outputs, so many of them, are on
// disk, and what was committed before this step.
func (b *beside) durable(outputs, committed uint64) {
	if outputs >= b.next.waits {
		b.commit = max(b.commit, b.next.commit)
		b.next.commit, b.next.waits = committed, b.waits
	}
	if outputs >= b.waits {
		b.commit = max(b.commit, committed)
	}
}

// gathered counts an output.
func (b *beside) gathered(out *consensus.Output) {
	for i := range out.Records {
		if !out.Records[i].Lazy {
			b.waits = b.outputs
		}
	}
	b.outputs++
}

// entries says a leader's entries at once. The commit index comes behind them in a
// message without any, or in a heartbeat: the library sends one whenever it rises.
func (r *replica) entries(m *pb.Message) {
	told := *m
	told.Commit = min(m.Commit, r.beside.commit)
	r.out.SendEarly(consensus.ReplicaPeer(consensus.ReplicaID(m.To-1)), consensus.Bodies, EncodeMessage(&told))
}
