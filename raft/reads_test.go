package raft

import (
	"maps"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// ask hands replica i a READ and returns what its steps make of it.
func (l *lab) ask(i int, keep ...func(frame) bool) (found []consensus.Lookup, refused []consensus.Refusal) {
	l.T.Helper()
	q := &consensus.Query{Client: l.Client.Public(), Name: consensus.Sequence{Epoch: 1, Counter: 1}, Operations: [][]byte{{1}}}
	out := l.Step(i, consensus.Ask{Query: q})
	found, refused = out.Lookups, out.Refusals
	for len(l.Sent) > 0 {
		f := l.Sent[0]
		l.Sent = l.Sent[1:]
		if len(keep) > 0 && !keep[0](f) {
			continue
		}
		d := l.Replicas[f.To]
		o := d.Protocol.Open(l.Verify, nil, []consensus.Frame{{From: consensus.ReplicaPeer(f.From), Bytes: f.Bytes}})[0]
		if d.Up && o.Event != nil {
			out := l.Step(int(f.To), o.Event)
			found, refused = append(found, out.Lookups...), append(refused, out.Refusals...)
		}
	}
	return found, refused
}

// §11: a leader answers once a majority says that it leads, with what was
// committed when it was asked; others say who leads.
func TestReadsAskAMajority(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 3)
	if found, _ := l.ask(0); len(found) != 1 || found[0].Index != 4 {
		t.Fatalf("the leader looks at %+v, want 4", found)
	}
	if found, refused := l.ask(1); len(found) != 0 || len(refused) != 1 || refused[0].Primary != 0 {
		t.Fatalf("a follower: %+v, %+v", found, refused)
	}
	// A leader that nobody hears any more answers nothing, and later says so.
	if found, refused := l.ask(0, without(pb.MsgHeartbeatResp)); len(found)+len(refused) != 0 {
		t.Fatalf("alone: %+v, %+v", found, refused)
	}
	for range 40 {
		l.Now += labTick
		out := l.Step(0, consensus.Tick{})
		l.Sent = nil
		if len(out.Lookups) > 0 {
			t.Fatal("alone, it answers after a while")
		}
		if len(out.Refusals) > 0 {
			return
		}
	}
	t.Error("what it was asked is never refused")
}

// A leader that was just elected knows what was committed before when an entry of
// its own term is. Until then it says nothing.
func TestReadsWaitForAnEntryOfTheTerm(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 3)
	l.Crash(0)
	for range 60 {
		if l.leader() >= 0 {
			break
		}
		l.Ticks(1, []int{1, 2}, without(pb.MsgAppResp))
	}
	i := l.leader()
	if found, _ := l.ask(i, without(pb.MsgAppResp)); len(found) != 0 {
		t.Fatalf("looks at %+v, and has committed nothing in its term", found)
	}
	l.Ticks(5, []int{1, 2})
	if found, _ := l.ask(i); len(found) != 1 || found[0].Index < 5 {
		t.Fatalf("looks at %+v", found)
	}
}

// One question at a time, for all that waits, within bounds, of which one client has
// a fourth.
func TestReadsShareAQuestion(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 1)
	var burst []consensus.Event
	ask := func(client byte, n, size int) {
		for i := range uint64(n) {
			burst = append(burst, consensus.Ask{Query: &consensus.Query{Client: crypto.PublicKey{client}, Name: consensus.Sequence{Epoch: 1, Counter: i}, Operations: [][]byte{make([]byte, size)}}})
		}
	}
	ask(1, consensus.LeaderQueries, 1) // three fourths too many
	ask(2, 9, consensus.LeaderQueryBytes/32)
	for client := byte(3); client < 6; client++ {
		ask(client, consensus.LeaderQueries/4, 1) // all but the last nine
	}
	out := l.Step(0, burst...)
	refused := map[byte]int{}
	for _, no := range out.Refusals {
		refused[no.Client[0]]++
	}
	if want := map[byte]int{1: consensus.LeaderQueries * 3 / 4, 2: 2, 5: 7}; !maps.Equal(refused, want) {
		t.Errorf("refused %v, want %v", refused, want)
	}
	if n := len(l.heard(pb.MsgHeartbeat)); n != 2 {
		t.Errorf("%d heartbeats, want 2", n)
	}
}

// A leader that is deposed in the burst in which it is asked says so, and has the
// library ask nobody.
func TestReadsOfADeposedLeader(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 1)
	q := &consensus.Query{Client: l.Client.Public(), Name: consensus.Sequence{Epoch: 1, Counter: 1}}
	out := l.Step(0, consensus.Ask{Query: q}, receive(1, 0, pb.Message{Type: pb.MsgHeartbeat, Term: l.term(0) + 1}))
	if len(out.Lookups) != 0 || len(out.Refusals) != 1 || len(l.heard(pb.MsgReadIndex)) != 0 {
		t.Errorf("%d lookups, %d refusals, %d questions", len(out.Lookups), len(out.Refusals), len(l.heard(pb.MsgReadIndex)))
	}
}
