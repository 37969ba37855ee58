package paxos

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// behind leaves replica 2 so far behind that only a state helps, which is named to it.
func behind(t *testing.T) *lab {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 20, only(0, 1))
	l.Ticks(3, []int{0, 1}, only(0, 1))
	l.Sent = nil
	return l
}

// A replica far behind takes the state that it is named, in verified parts, and goes on.
func TestStateIsFetched(t *testing.T) {
	l := behind(t)
	l.Ticks(20, l.All())
	l.agree(0, 2)
	l.Ticks(4, l.All())
	l.WantExecuted(22, 0, 1, 2)
	d := l.Replicas[2]
	if len(d.Noted(consensus.Fetching)) != 1 || len(d.Noted(consensus.Fetched)) == 0 {
		t.Errorf("fetching %d, fetched %d", len(d.Noted(consensus.Fetching)), len(d.Noted(consensus.Fetched)))
	}
}

// Rule: a vote above a state that is taken stays. E.g. B accepted (5, 9, y), by which it is
// chosen with C, then takes the state at 8 and begins with an empty log: A prepares 6
// with {A, B}, and slot 9 seems free.
func TestVotesAboveARestoreStay(t *testing.T) {
	l := behind(t)
	y := l.batch()
	at := l.Replicas[0].Disk.Seq
	l.accept(3, at+1, y, 2) // within reach of C's tables
	l.Sent = nil
	if _, voted := l.engine(2).acceptor.Vote(at + 1); !voted {
		l.accept(3, 9, y, 2)
		at = 8
	}
	l.Ticks(8, l.All(), without(AcceptKind))
	s := l.engine(2)
	if s.acceptor.Base() == 0 {
		t.Fatal("no state has come")
	}
	if v, voted := s.acceptor.Vote(at + 1); s.acceptor.Base() == at && (!voted || v.Digest != y.Digest()) {
		t.Errorf("the vote for %d is gone: %+v", at+1, v)
	}
}

// Rule: an acceptor votes while it fetches a state, executes nothing, and does not
// stand as a proposer.
func TestAcceptorVotesDuringAFetch(t *testing.T) {
	l := behind(t)
	l.Manual = true
	l.Ticks(6, l.All())
	if !l.engine(2).state.Active() {
		t.Fatal("no fetch has begun")
	}
	l.Sent = nil
	l.accept(3, 7, nil, 2)
	if got := said[*Accepted](l, 0); len(got) != 1 {
		t.Error("it does not vote")
	}
	l.Ticks(9, []int{2}, only())
	if l.engine(2).office.round != nil {
		t.Error("it prepares")
	}
	l.WantExecuted(0, 2)
}

// A fetch that nobody serves is given up when there is no leader: were all that are
// left to wait for a state that is gone, nobody would lead.
func TestFruitlessFetchIsGivenUp(t *testing.T) {
	l := newLab(t, 3)
	s := State{Seq: 40, Root: crypto.Hash([]byte("nowhere"))}
	l.say(0, 2, EncodeState(s))
	if !l.engine(2).state.Active() {
		t.Fatal("no fetch has begun")
	}
	l.Ticks(60, l.All())
	l.Crash(0)
	l.Ticks(100, []int{1, 2}, only(1, 2))
	l.agree(1, 2, only(1, 2))
	l.Ticks(10, []int{1, 2}, only(1, 2))
	l.WantExecuted(2, 1, 2)
}

// A state that is not needed is not fetched; one that a fruitless fetch is named
// takes its place.
func TestStatesThatAreNotNeeded(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 6)
	l.Ticks(2, l.All())
	if why := l.say(0, 1, EncodeState(State{Seq: 4, Root: crypto.Hash(nil)})); why != reasonNeedless {
		t.Errorf("one that is behind: %q", why)
	}
	if why := l.say(0, 1, EncodeState(State{Seq: 3, Root: crypto.Hash(nil)})); why != ReasonState {
		t.Errorf("one between checkpoints: %q", why)
	}

	l = behind(t)
	l.say(1, 2, EncodeState(State{Seq: 40, Root: crypto.Hash([]byte("nowhere"))}))
	l.Ticks(400, l.All())
	l.WantExecuted(20, 2)
}

// Bad parts are not taken.
func TestBadPartsAreRefused(t *testing.T) {
	l := behind(t)
	l.Replicas[0].Spoil, l.Replicas[1].Spoil = 1, 1
	l.Ticks(800, l.All())
	l.WantExecuted(20, 2)
	if len(l.Replicas[2].Noted(consensus.BadPart)) == 0 {
		t.Error("no part was bad")
	}
}

// Rule: the promise outlives the log. E.g. C promised 5, that stood in the segment that
// was cut, and after a restart it accepts (3, 9, x).
func TestPromiseOutlivesTheLog(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	b := l.ballot(0)
	l.agree(0, 20)
	for i, d := range l.Replicas {
		if d.Forget < 18 {
			t.Fatalf("R%d forgets %d", i, d.Forget)
		}
		l.Crash(i)
		d.Cut()
		for _, r := range d.Records {
			if r.Bytes[0] == recordVote && r.Slot <= d.Forget {
				t.Errorf("R%d still has %d", i, r.Slot)
			}
		}
		d.Records = d.Records[:min(len(d.Records), 2)] // the beginning alone
		l.Start(i, false)
		if got := l.engine(i).acceptor.Promised(); got != b {
			t.Errorf("R%d has promised %d, and %d before its log was cut", i, got, b)
		}
	}
}
