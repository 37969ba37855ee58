package raft

import (
	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/raft"
)

// forger makes Raft's messages in the name of one traitor. It holds no key,
// because nothing between members is signed: the channel tells who sends, and
// all else is believed. So it sends in its own name only. The
// requests in its entries are those that clients have signed, because every
// member checks that.
type forger struct {
	self    consensus.ReplicaID
	members int
}

// newForger makes the forger of a traitor.
func newForger(e *byzantine.Env) *forger {
	return &forger{self: e.Self, members: len(e.Genesis.Replicas)}
}

// number is what the library calls a replica: it has no use for 0.
func number(id consensus.ReplicaID) uint64 { return uint64(id) + 1 }

// frame returns the frame of m from the traitor to a member.
func (f *forger) frame(to consensus.ReplicaID, m pb.Message) []byte {
	m.From, m.To = number(f.self), number(to)
	return raft.EncodeMessage(&m)
}

// append is an append of a leader of term: entries behind the place of prev,
// with a commit index.
func (f *forger) append(term uint64, prev place, commit uint64, entries ...pb.Entry) pb.Message {
	return pb.Message{Type: pb.MsgApp, Term: term, Index: prev.index, LogTerm: prev.term, Entries: entries, Commit: commit}
}

// snapshot names a state as a leader of term would: root, as of an index whose
// entry is of that term.
func (f *forger) snapshot(term, index uint64, root crypto.Digest) pb.Message {
	s := pb.Snapshot{Data: raft.EncodeHandle(consensus.Seq(index), root), Metadata: pb.SnapshotMetadata{Index: index, Term: term}}
	for id := range f.members {
		s.Metadata.ConfState.Voters = append(s.Metadata.ConfState.Voters, number(consensus.ReplicaID(id)))
	}
	return pb.Message{Type: pb.MsgSnap, Term: term, Snapshot: &s}
}

// place is where an entry stands in a log, and of which term it is.
type place struct{ index, term uint64 }

func placeOf(e *pb.Entry) place { return place{e.Index, e.Term} }

var entryRivals = []string{"empty", "stamp", "order", "subset", "null"}

// rivalEntry is another entry for the same place, made of the same requests or
// of none: whoever stores it cannot tell. Empty entries have no rival, and
// neither has what cannot be read.
func rivalEntry(e pb.Entry, how string) (pb.Entry, bool) {
	b, err := raft.ReadEntry(&e)
	if err != nil || b == nil {
		return e, false
	}
	if how = byzantine.InTurn(how, entryRivals, e.Index); how == "null" {
		e.Data = nil
		return e, true
	}
	r := byzantine.RivalBatch(b, how)
	e.Data = r.Append(make([]byte, 0, r.Size()))
	return e, true
}
