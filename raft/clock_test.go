package raft

import (
	"slices"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
)

// untilCampaign is how many ticks a lonely replica takes to its first campaign.
func untilCampaign(t *testing.T, nonce uint64, change ...func(*Config)) int {
	t.Helper()
	ps, _, g := members(t)
	c := DefaultConfig(g, ps[0].cfg.Self)
	for _, f := range change {
		f(&c)
	}
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	r := engineOf(t, p, consensus.Recovered{Nonce: nonce})
	for n := 1; n <= 3*c.Election; n++ {
		if out := r.Step(consensus.Burst{Now: 1, Events: []consensus.Event{consensus.Tick{}}}); len(out.Sends) > 0 {
			return n
		}
	}
	t.Fatal("never campaigns")
	return 0
}

// The countdown is drawn from the nonce: the same one gives the same tick, and
// all lie between one and two times Election.
func TestCountdownIsSeeded(t *testing.T) {
	seen := map[int]bool{}
	for nonce := range uint64(20) {
		n := untilCampaign(t, nonce)
		if again := untilCampaign(t, nonce); again != n {
			t.Errorf("nonce %d campaigns after %d ticks, and after %d", nonce, n, again)
		}
		if n < 100 || n >= 200 {
			t.Errorf("nonce %d campaigns after %d ticks, want 100 to 199", nonce, n)
		}
		seen[n] = true
	}
	if len(seen) < 10 {
		t.Errorf("20 nonces draw %d countdowns only", len(seen))
	}
}

// Whoever hears the leader of its term does not campaign; the word of an
// earlier term's is none.
func TestLeadersWordRests(t *testing.T) {
	for name, tc := range map[string]struct {
		term      uint64
		campaigns bool
	}{"of this term": {3, false}, "of an earlier term": {2, true}} {
		l := newLab(t, 3)
		l.say(0, 1, pb.Message{Type: pb.MsgHeartbeat, Term: 3})
		campaigns := false
		for range 40 {
			l.Ticks(4, []int{1}, func(frame) bool { return false })
			l.say(0, 1, pb.Message{Type: pb.MsgHeartbeat, Term: tc.term})
			campaigns = campaigns || l.Replicas[1].Engine.node.BasicStatus().Lead == 0
			l.Sent = nil
		}
		if campaigns != tc.campaigns {
			t.Errorf("%s: campaigns %v, want %v", name, campaigns, tc.campaigns)
		}
	}
}

// A vote that is given begins the voter's countdown anew; one that is not given,
// or asked for in advance only, does not.
func TestVoteRests(t *testing.T) {
	for name, tc := range map[string]struct {
		m     pb.Message
		rests bool
	}{
		"given":      {pb.Message{Type: pb.MsgVote, Term: 9, Index: 0, LogTerm: 0}, true},
		"in advance": {pb.Message{Type: pb.MsgPreVote, Term: 9}, false},
		"refused":    {pb.Message{Type: pb.MsgVote, Term: 9}, false},
	} {
		l := newLab(t, 3)
		r := l.Replicas[1].Engine
		if name == "refused" { // the candidate's log is behind
			l.say(2, 1, pb.Message{Type: pb.MsgApp, Term: 1, Entries: []pb.Entry{{Index: 1, Term: 1}}})
			_ = r.node.ForgetLeader()
		}
		r.clock.countdown = 1
		l.say(0, 1, tc.m)
		if rests := r.clock.countdown >= r.cfg.Election; rests != tc.rests {
			t.Errorf("%s: countdown %d", name, r.clock.countdown)
		}
	}
}

// A leader heartbeats by the library's ticks; its followers get none, or else
// they would campaign at times that no seed decides.
func TestOnlyALeaderTicks(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	before := len(l.Replicas[0].Outs)
	beats := 0
	for range 10 {
		l.Ticks(1, []int{0}, func(m frame) bool {
			if p, err := DecodeMessage(m.Bytes); err == nil && p.Type == pb.MsgHeartbeat {
				beats++
			}
			return true
		})
	}
	if beats != 2*10/2 || len(l.Replicas[0].Outs) == before {
		t.Errorf("%d heartbeats to two followers in 10 ticks, want 10", beats)
	}
	// The library would campaign by itself at some tick; the countdown has its own.
	r := l.Replicas[1].Engine
	for range 200 {
		r.clock.countdown = 1000
		l.Step(1, consensus.Tick{})
	}
	if st := r.node.BasicStatus(); st.Term != l.term(0) || len(l.Sent) > 0 {
		t.Errorf("a follower whose countdown never ends goes to term %d, and says %d things", st.Term, len(l.Sent))
	}
}

// A leader that hears no majority steps down with CheckQuorum, and goes on for
// ever without.
func TestCheckQuorum(t *testing.T) {
	for _, on := range []bool{true, false} {
		l := newLab(t, 3, func(c *Config) { c.CheckQuorum = on })
		l.elect(0)
		l.Ticks(30, []int{0}, only(0))
		if l.Replicas[0].Engine.leading() == on {
			t.Errorf("CheckQuorum %v: the lonely leader leads %v", on, !on)
		}
	}
}

// While a leader is believed in, candidates get no answer (CheckQuorum). When
// the lease has run out the leader is forgotten, and they do: without that a
// dead leader would never be replaced, for the library's count does not run.
func TestLeaseEnds(t *testing.T) {
	l := newLab(t, 3, func(c *Config) { c.PreVote = false })
	l.elect(0)
	vote := pb.Message{Type: pb.MsgVote, Term: l.term(0) + 1, Index: 1, LogTerm: 1}
	l.Crash(0)
	l.Ticks(5, []int{1}, only(1))
	l.Sent = nil
	l.say(2, 1, vote)
	if len(l.heard(pb.MsgVoteResp)) > 0 || l.term(1) >= vote.Term {
		t.Errorf("votes while it believes in its leader: term %d", l.term(1))
	}
	l.Replicas[1].Engine.clock.countdown = 1000
	l.Ticks(5, []int{1}, only(1))
	if st := l.Replicas[1].Engine.Status(); !st.Changing {
		t.Errorf("believes in R%d after %d silent ticks", st.Primary, 10)
	}
	l.say(2, 1, vote)
	if granted := l.heard(pb.MsgVoteResp); len(granted) != 1 || granted[0].Reject {
		t.Errorf("does not vote when the lease is over: %v", granted)
	}
	l.Deliver()
	l.Ticks(60, []int{1, 2})
	if l.leader() < 0 {
		t.Error("a dead leader is not replaced")
	}
}

// A replica that was cut off deposes nobody on its return (PreVote); without,
// its term has grown and everybody must follow.
func TestPreVote(t *testing.T) {
	for _, on := range []bool{true, false} {
		l := newLab(t, 3, func(c *Config) { c.PreVote, c.CheckQuorum = on, false })
		l.elect(0)
		was := l.term(0)
		l.Ticks(100, []int{2}, only(2)) // campaigns again and again
		if grew := l.term(2) > was; grew == on {
			t.Errorf("PreVote %v: the lonely one is in term %d, the others in %d", on, l.term(2), was)
		}
		l.Ticks(12, l.All())
		if deposed := l.term(0) > was; deposed == on {
			t.Errorf("PreVote %v: deposed %v, from term %d to %d", on, deposed, was, l.term(0))
		}
	}
}

// Terms begin with a note of who leads; a leader lost is noted, too.
func TestLeadersAreNoted(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.Ticks(3, l.All())
	for i, d := range l.Replicas {
		if in := d.Noted(consensus.EnteredView); len(in) != 1 || in[0].Replica != 0 || in[0].View != 1 {
			t.Errorf("R%d notes %v", i, in)
		}
	}
	l.Crash(0)
	l.Ticks(60, l.All())
	if left := l.Replicas[1].Noted(consensus.LeftView); len(left) == 0 || left[0].Reason == "" {
		t.Errorf("a lost leader is not noted: %v", left)
	}
	if l.leader() < 1 || !slices.Contains([]int{1, 2}, l.leader()) {
		t.Errorf("leader %d", l.leader())
	}
}
