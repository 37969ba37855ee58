package raft

import (
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
)

// A term begins with an empty entry, which is the null batch; entries are
// executed in order, once, everywhere (the lab compares), with term and digest.
func TestEntriesAreExecutedInOrder(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 5)
	l.Ticks(3, l.All())
	l.WantExecuted(6, 0, 1, 2)
	for i, d := range l.Replicas {
		if c := d.Executed[0]; c.Batch != nil || c.Digest != consensus.NullDigest || c.View != 1 {
			t.Errorf("R%d begins with %+v", i, c)
		}
		if commits := asked[consensus.Commit](d); len(commits) != 6 {
			t.Errorf("R%d hands out %d commits, want 6", i, len(commits))
		}
		if st := d.Engine.Status(); st.Executed != 6 || st.Applied != 6 || st.Stable != 6 || st.Kept != 6 || st.View != 1 {
			t.Errorf("R%d: %+v", i, st)
		}
	}
}

// A host that stands still is handed a window, and the rest when it goes on.
func TestSlowHostIsHandedAWindow(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.Replicas[2].Stopped = true
	l.agree(0, 15)
	l.Ticks(3, l.All())
	if n := len(l.Replicas[2].Jobs); n != 8 {
		t.Errorf("%d jobs wait for a host that stands still, want %d", n, 8)
	}
	l.Replicas[2].Stopped = false
	l.Step(2)
	l.Ticks(3, l.All())
	l.WantExecuted(16, 0, 1, 2)
}

// Checkpoints are told to the disk where the state has a root, and nowhere
// else, each once, with their place in the log beside them.
func TestCheckpointsAreKept(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 8)
	l.Ticks(3, l.All())
	for i, d := range l.Replicas {
		kept := asked[consensus.Stabilize](d)
		if len(kept) != 4 {
			t.Errorf("R%d keeps %d checkpoints of 9 entries, want 4", i, len(kept))
		}
		for _, s := range kept {
			n, term, root, err := readCertificate(s.Certificate)
			if s.Seq%2 != 0 || err != nil || n != s.Seq || term != 1 || root != s.Root {
				t.Errorf("R%d keeps %d with the place n=%d term=%d, error %v", i, s.Seq, n, term, err)
			}
		}
		if stable := d.Noted(consensus.Stable); len(stable) != 4 {
			t.Errorf("R%d notes %d of 4", i, len(stable))
		}
		if d.Forget != 7 {
			t.Errorf("R%d lets the log go up to %d, want 7: the entry of the state stays", i, d.Forget)
		}
	}
}

// A root may come long after its entry was executed: until then the disk is told of
// nothing, the log is kept, and agreement goes on within its room.
func TestRootsComeLate(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	d := l.Replicas[2]
	d.Hashing = true
	l.agree(0, 7)
	l.Ticks(3, l.All())
	l.WantExecuted(8, 0, 1, 2)
	if n := len(asked[consensus.Stabilize](d)); n > 0 || d.Forget != 0 {
		t.Fatalf("%d checkpoints without a root, the log is cut at %d", n, d.Forget)
	}
	d.Hashing = false
	l.Step(2, d.Late...)
	if n := len(asked[consensus.Stabilize](d)); n != 4 || d.Disk.Seq != 8 || d.Engine.exec.Last.Seq != 8 {
		t.Errorf("%d checkpoints, %d on disk", n, d.Disk.Seq)
	}
}

// What the host tells of what was before a restore, or twice, has no effect.
func TestOldNewsOfTheHost(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 8)
	r := l.Replicas[0].Engine
	before := r.Status()
	out := l.Step(0, consensus.Executed{Seq: 4}, consensus.Rooted{Seq: 4, Root: l.Replicas[0].Disk.Root}, consensus.Kept{Seq: 2})
	if after := r.Status(); after.Applied != before.Applied || after.Kept != before.Kept || len(out.Jobs) > 0 || out.Forget != 0 {
		t.Errorf("applied %d, kept %d, forget %d, jobs %v after old news", after.Applied, after.Kept, out.Forget, out.Jobs)
	}
}

// The log in memory is cut at checkpoints, but for a window of entries that
// help those who are a little behind.
func TestLogIsCompacted(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 39)
	l.Ticks(3, l.All())
	for i, d := range l.Replicas {
		first, _ := d.Engine.store.FirstIndex()
		if last, _ := d.Engine.store.LastIndex(); last != 40 || first != 33 {
			t.Errorf("R%d holds entries %d to %d, want 33 to 40", i, first, last)
		}
		snap, err := d.Engine.store.Snapshot()
		if n, root, bad := readSnapshot(&snap); err != nil || bad != nil || n != 40 || root != d.Disk.Root || len(snap.Metadata.ConfState.Voters) != 3 {
			t.Errorf("R%d would send the snapshot %v, errors %v, %v", i, snap.Metadata, err, bad)
		}
	}
	// Behind by less than that: no snapshot.
	l.agree(0, 6, only(0, 1))
	l.Ticks(8, l.All())
	l.WantExecuted(46, 2)
	if f := l.Replicas[2].Noted(consensus.Fetching); len(f) > 0 {
		t.Errorf("a replica six entries behind fetches the state")
	}
}

// Large entries are kept by their bytes.
func TestTailIsBoundedInBytes(t *testing.T) {
	l := newLab(t, 1, func(c *Config) {
		c.Genesis.Window, c.Genesis.CheckpointInterval = 64, 32
	})
	r := l.Replicas[0].Engine
	l.elect(0)
	last, _ := r.store.LastIndex()
	for n := last + 1; n <= 40; n++ {
		if err := r.store.Append([]pb.Entry{{Index: n, Term: 1, Data: make([]byte, 1<<20)}}); err != nil {
			t.Fatal(err)
		}
	}
	r.compact(40, l.Replicas[0].Disk.Root)
	if first, _ := r.store.FirstIndex(); first != 40-15 {
		t.Errorf("the tail of 1 MiB entries begins at %d of 40, want 25: 16 MiB", first)
	}
}

// Of what the log on disk still says when it is cut, term and vote are written
// again, behind the cut.
func TestHardStateOutlivesTheLog(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 20)
	l.Ticks(3, l.All())
	for i, d := range l.Replicas {
		for _, out := range d.Outs {
			if out.Forget == 0 {
				continue
			}
			last := out.Records[len(out.Records)-1]
			if last.Bytes[0] != recordHard || last.Slot <= out.Forget || last.Lazy {
				t.Errorf("R%d forgets up to %d with the last record of kind %d for slot %d", i, out.Forget, last.Bytes[0], last.Slot)
			}
		}
		for range 2 { // and again, with what the first left
			l.cut(i)
			was := d.Engine.node.BasicStatus()
			l.Crash(i)
			l.Start(i, false)
			if is := d.Engine.node.BasicStatus(); is.Term != was.Term || is.Vote != was.Vote || is.Commit < uint64(d.Disk.Seq) {
				t.Errorf("R%d is in term %d with vote %d, was in %d with %d", i, is.Term, is.Vote, was.Term, was.Vote)
			}
		}
	}
}

// cut drops from a log all that the engine has allowed to be dropped.
func (l *lab) cut(i int) {
	d := l.Replicas[i]
	kept := d.Records[:0:0]
	for _, r := range d.Records {
		if r.Slot > d.Forget {
			kept = append(kept, r)
		}
	}
	d.Records = kept
}

// The log reaches no further beyond the state on disk than two windows and the
// pipeline: a leader proposes no more, and a follower cuts off what is above.
func TestLogIsBoundedByTheDisk(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	for i := range l.Replicas {
		l.Replicas[i].Stopped = true
	}
	for range 200 {
		l.Submit(l.Request(), 0)
		l.Deliver()
	}
	l.Ticks(10, l.All())
	const most = 2*8 + 4
	for i, d := range l.Replicas {
		if last, _ := d.Engine.store.LastIndex(); last != most {
			t.Errorf("R%d's log ends at %d, the disk is at 0: want %d", i, last, most)
		}
	}
	term := l.term(0)
	entry := func(n uint64) pb.Entry { return pb.Entry{Index: n, Term: term} }
	if why := l.say(0, 1, pb.Message{Type: pb.MsgApp, Term: term, Index: most, LogTerm: term, Commit: most + 2, Entries: []pb.Entry{entry(most + 1), entry(most + 2)}}); why != reasonFull {
		t.Errorf("reason %q, want %q", why, reasonFull)
	}
	if last, _ := l.Replicas[1].Engine.store.LastIndex(); last != most {
		t.Errorf("a full log takes entries up to %d", last)
	}
	l.Sent = nil
	for i := range l.Replicas {
		l.Replicas[i].Stopped = false
		l.Step(i)
	}
	l.Ticks(60, l.All())
	for i, d := range l.Replicas {
		if st := d.Engine.Status(); st.Pending > 0 || st.Applied < 50 {
			t.Errorf("R%d does not go on: %+v", i, st)
		}
	}
}
