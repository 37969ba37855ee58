package raft

import (
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
)

// A leader's entries go while it writes them down itself, and nothing that follows
// from them does before it has: not to its host, and not to its followers, who would
// execute what they alone have.
func TestLeaderWritesBesideItsFollowers(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 1)
	leader := l.Replicas[0]
	disk := leader.Durable // the leader's disk stands still from here on
	step := func(events ...consensus.Event) consensus.Output {
		out := leader.Engine.Step(consensus.Burst{Now: l.Now, Events: events, Durable: disk})
		leader.Outputs++
		return out
	}
	said := func(sends []consensus.Send) (list []*pb.Message) {
		for _, s := range sends {
			if m, err := DecodeMessage(s.Bytes); err == nil {
				list = append(list, m)
			}
		}
		return list
	}
	submit := func(n uint64) consensus.Event {
		return consensus.Submit{Request: l.Numbered(n, "x"), Via: consensus.ClientPeer(l.Client.Public())}
	}
	for n := uint64(3); n <= 5; n++ {
		out := step(submit(n))
		early := said(out.Early)
		if len(early) != 2 || len(early[0].Entries) != 1 || early[0].Index+1 != n || len(said(out.Sends)) > 0 {
			t.Fatalf("entry %d: says %v at once and %v later", n, early, said(out.Sends))
		}
		for _, m := range early {
			if m.Commit != 2 {
				t.Errorf("entry %d goes with the commit index %d, and the leader has 2 on disk", n, m.Commit)
			}
		}
		// A follower has it on disk, and the leader counts itself.
		out = step(receive(1, 0, pb.Message{Type: pb.MsgAppResp, Term: 1, Index: n}))
		later := said(out.Sends)
		if len(out.Jobs) != 1 || len(later) == 0 || later[0].Commit != n || len(said(out.Early)) > 0 {
			t.Errorf("entry %d is acknowledged: jobs %v, says %v at once and %v later", n, out.Jobs, said(out.Early), later)
		}
	}
	disk = leader.Outputs
	for _, m := range said(step(submit(6)).Early) {
		if m.Commit != 5 {
			t.Errorf("with all on disk the commit index is said as %d", m.Commit)
		}
	}
}

// With a disk that is always behind, what is committed is learnt all the same as far
// as it is on disk.
func TestCommitIndexFollowsTheDisk(t *testing.T) {
	b := beside{outputs: 1}
	records := &consensus.Output{Records: []consensus.Record{{Slot: 1}}}
	for n := uint64(1); n < 20; n++ {
		b.durable(n-min(n, 2), n-1) // the last but one output is on disk
		if want := max(4, n) - 4; b.commit > n-min(n, 2) || b.commit < want {
			t.Errorf("output %d: %d is committed on disk", n, b.commit)
		}
		b.gathered(records)
	}
	b.gathered(&consensus.Output{Records: []consensus.Record{{Slot: 1, Lazy: true}}})
	b.durable(19, 19)
	if b.commit != 19 {
		t.Errorf("what is lazy keeps the commit index at %d", b.commit)
	}
}
