package raft

import (
	"testing"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
	"quorate.dev/quorate/crypto"
)

// The record of a snapshot voids all entries that were written before it, also
// those beyond its own place. So it goes with none of them: if one outlived it,
// that would come back after a restart.
func TestPlaceOfASnapshotOutlivesWhatItVoids(t *testing.T) {
	for _, at := range []uint64{4, 12, 13, 20} {
		l := newLab(t, 3)
		l.elect(0)
		m := pb.Message{Type: pb.MsgApp, Term: 1, Index: 1, LogTerm: 1}
		for n := range uint64(12) {
			m.Entries = append(m.Entries, pb.Entry{Index: n + 2, Term: 1})
		}
		l.say(0, 2, m) // up to 13, and nothing of it is committed
		d := l.Replicas[2]
		var highest consensus.Seq
		for _, r := range d.Records {
			if r.Bytes[0] == recordEntry {
				highest = max(highest, r.Slot)
			}
		}
		if highest != 13 {
			t.Fatalf("entries up to %d are recorded", highest)
		}
		d.Engine.keep(&raft.Ready{Snapshot: pb.Snapshot{
			Data: transfer.AppendHandle(nil, consensus.Seq(at), crypto.Hash(nil)), Metadata: pb.SnapshotMetadata{Index: at, Term: 7, ConfState: d.Engine.store.members},
		}})
		out := d.Engine.out.Take()
		if len(out.Records) != 1 || out.Records[0].Bytes[0] != recordBase || out.Records[0].Lazy {
			t.Fatalf("a snapshot at %d is recorded as %+v", at, out.Records)
		}
		if got := out.Records[0].Slot; got <= max(highest, consensus.Seq(at)) {
			t.Errorf("a snapshot at %d is recorded under %d, and entries up to %d", at, got, highest)
		}
	}
}
