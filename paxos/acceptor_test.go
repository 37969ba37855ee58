package paxos

import (
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/paxos/synod"
)

// Rule: a promise and a vote are on disk before they are told.
func TestPromisesAndVotesAreOnDisk(t *testing.T) {
	l := newLab(t, 3)
	p := Prepare{Ballot: 3}
	l.say(0, 1, p.Encode())
	out := l.last(1)
	if len(out.Early) > 0 || len(sends(out.Sends, PromiseKind)) != 1 || len(out.Records) != 1 || out.Records[0].Lazy || out.Records[0].Bytes[0] != recordPromise {
		t.Errorf("a promise goes out as %+v", out)
	}
	l.accept(3, 1, l.batch(), 1)
	out = l.last(1)
	if len(out.Early) > 0 || len(sends(out.Sends, AcceptedKind)) != 1 || len(out.Records) != 1 || out.Records[0].Lazy || out.Records[0].Bytes[0] != recordVote {
		t.Errorf("a vote goes out as %+v", out)
	}
	l.Sent = nil
	l.PowerLoss(1)
	l.Start(1, false)
	if why := l.accept(2, 1, nil, 1); why != reasonBelow {
		t.Errorf("after a restart a ballot below the promise: %q", why)
	}
	p = Prepare{Ballot: 6}
	l.Sent = nil
	l.say(0, 1, p.Encode())
	if got := said[*Promise](l, 0); len(got) != 1 || len(got[0].Votes) != 1 || got[0].Votes[0].Ballot != 3 {
		t.Errorf("after a restart it promises %+v", got)
	}
}

// Rule: a promise names each slot with a vote, the highest ballot of each, and is
// whole.
func TestPromiseIsWhole(t *testing.T) {
	l := newLab(t, 3, loose)
	for n := consensus.Seq(1); n <= 20; n++ {
		l.accept(3, n, l.batch(), 1)
	}
	for n := consensus.Seq(5); n <= 7; n++ {
		l.accept(5, n, nil, 1)
	}
	l.Sent = nil
	p := Prepare{Ballot: 6, Above: 2}
	l.say(0, 1, p.Encode())
	got := said[*Promise](l, 0)
	if len(got) != 1 || len(got[0].Votes) != 18 || got[0].Votes[0].Slot != 3 {
		t.Fatalf("%+v", got)
	}
	for _, v := range got[0].Votes {
		if high := v.Slot >= 5 && v.Slot <= 7; (v.Ballot == 5) != high || (v.Digest == consensus.NullDigest) != high {
			t.Errorf("%+v", v)
		}
	}
	if size := len(EncodePromise(got[0])); size != 19+18*49 {
		t.Errorf("it takes %d bytes", size)
	}
}

// Rule: who heard its leader within E ticks answers nobody else's PREPARE. Without
// that, one member whose receiver is broken deposes every leader.
func TestStickiness(t *testing.T) {
	for _, sticky := range []bool{true, false} {
		l := newLab(t, 3, func(c *Config) { c.Sticky = sticky })
		l.elect(0)
		b := l.ballot(0)
		deaf := func(f frame) bool { return f.To != 2 }
		for range 60 {
			l.Ticks(1, l.All(), deaf)
			l.Submit(l.Request(), 0)
			l.Deliver(deaf)
		}
		led := l.engine(0).office.leading && l.ballot(0) == b
		if led != sticky {
			t.Errorf("sticky %v: A leads on %v", sticky, led)
		}
	}
}

// The leader's own question is answered, and that of others once the lease is over.
func TestStickinessEnds(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	ask := func(b synod.Ballot) bool {
		l.Sent = nil
		p := Prepare{Ballot: b}
		l.say(int(b.Owner(3)), 1, p.Encode())
		return len(said[*Promise](l, int(b.Owner(3)))) == 1
	}
	if ask(8) || !ask(6) {
		t.Fatal("B answers another than its leader, or not its leader")
	}
	l.Ticks(9, []int{1}, only())
	if ask(8) {
		t.Error("B answers another before the lease is over")
	}
	l.Ticks(1, []int{1}, only())
	if !ask(8) {
		t.Error("B never answers another")
	}
}

// A promise is no word of a leader. B promises its old leader one ballot after the other,
// which never leads again, and does not take it for its leader for ever.
func TestPromisesRenewNoLease(t *testing.T) {
	l := newLab(t, 5)
	l.elect(0)
	for b := synod.Ballot(10); b < 40; b += 5 {
		p := Prepare{Ballot: b}
		l.say(0, 1, p.Encode())
		l.Ticks(4, []int{1}, only())
	}
	if l.engine(1).lead.known {
		t.Errorf("B takes A for its leader, of whom it heard nothing for %d ticks but questions", 24)
	}
}

// Rule: one value for a slot and ballot. The first stays, the same is acknowledged
// again, and a second is a lie.
func TestOneValueForASlotAndBallot(t *testing.T) {
	l := newLab(t, 3)
	x := l.batch()
	l.accept(3, 1, x, 1)
	l.Sent = nil
	if why := l.accept(3, 1, x, 1); why != "" || len(said[*Accepted](l, 0)) != 1 {
		t.Errorf("the same again: %q", why)
	}
	if why := l.accept(3, 1, l.batch(), 1); why != ReasonTwo || len(l.Replicas[1].Noted(consensus.Alarm)) != 1 {
		t.Errorf("another one: %q", why)
	}
	if v, _ := l.engine(1).acceptor.Vote(1); v.Digest != x.Digest() {
		t.Error("the first one did not stay")
	}
}

// Rule: one message raises the promise by 2^32 at most, and none beyond the last
// ballot; those whom a liar has raised by different amounts meet again.
func TestLastBallotIsNotReached(t *testing.T) {
	l := newLab(t, 3, loose)
	p := Prepare{Ballot: synod.Ballot(1) << 40 / 3 * 3}
	if why := l.say(0, 1, p.Encode()); why != reasonLeap || l.engine(1).acceptor.Promised() != synod.MaxLeap || len(l.Replicas[1].Noted(consensus.Alarm)) != 1 {
		t.Fatalf("%q, promised %d", why, l.engine(1).acceptor.Promised())
	}
	l.Sent = nil
	l.Ticks(60, l.All())
	l.agree(0, 2)
	l.Ticks(10, l.All())
	l.WantExecuted(2, 0, 1, 2)
	p = Prepare{Ballot: synod.MaxBallot + 2}
	if why := l.say(0, 1, p.Encode()); why != consensus.ReasonMalformed {
		t.Errorf("beyond the last: %q", why)
	}
}

// Rule: who speaks as a leader under a high ballot, and leads nowhere, has no lasting
// hold: the next proposer goes above it, and where nobody gets by counting nobody
// follows. E.g. C says HEARTBEAT under 2^20+1 and is gone. A leads under 6, and B, which
// follows nobody below 2^20+1, deposes it again and again.
func TestNobodyFollowsAGhost(t *testing.T) {
	const high, beyond = 1<<20 + 1, synod.MaxBallot - 2 // both are C's
	for _, b := range []synod.Ballot{high, beyond} {
		l := newLab(t, 3)
		for to := range 2 {
			h := Heartbeat{Ballot: b, UpTo: 0}
			if why := l.say(int(b.Owner(3)), to, h.Encode()); (why == reasonLeap) != (b == beyond) {
				t.Fatalf("%d: %q", b, why)
			}
		}
		l.Sent = nil
		l.Ticks(60, []int{0, 1})
		led := l.engine(0).lead.ballot
		if l.engine(1).lead.ballot != led || !l.engine(0).lead.known || b == high && led < b {
			t.Fatalf("after %d they follow %d and %d", b, led, l.engine(1).lead.ballot)
		}
		l.Ticks(100, []int{0, 1})
		if now := l.engine(1).lead.ballot; now != led || l.engine(0).lead.ballot != led {
			t.Errorf("after %d they change their leader: %d, then %d", b, led, now)
		}
	}
}

// Rule: votes stand at most so far beyond the own state on disk, for followers as
// for the leader.
func TestVotesAreBoundedByTheDisk(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.Replicas[0].Hashing, l.Replicas[1].Hashing, l.Replicas[2].Hashing = true, true, true // nothing is kept
	for range 60 {
		l.agree(0, 1)
	}
	w := l.Genesis.Window
	if n := consensus.Seq(len(l.Replicas[0].Executed)); n != 2*w+4 {
		t.Errorf("%d are decided and none is on disk, want 2L+P = %d", n, 2*w+4)
	}
	if got := l.engine(0).Status().InFlight; got != 0 {
		t.Errorf("%d votes above what is executed", got)
	}
	if why := l.accept(3, 3*w+1, nil, 1); why != reasonFull {
		t.Errorf("a proposal further than any leader's: %q", why)
	}
	for _, d := range l.Replicas {
		d.Hashing = false
		l.Step(slices.Index(l.Replicas, d), d.Late...)
		d.Late = nil
	}
	l.Ticks(20, l.All())
	if s := l.engine(0).Status(); s.Pending > 0 || s.Applied <= 2*w+4 {
		t.Errorf("with states on disk it does not go on: %+v", s)
	}
}

// An acceptor that has no vote for a slot any more says what was chosen there: else
// its proposer would wait for ever.
func TestSettledSlotsAreGiven(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 8)
	l.Ticks(2, l.All())
	if base := l.engine(1).acceptor.Base(); base < 6 {
		t.Fatalf("base %d", base)
	}
	l.Sent = nil
	l.accept(3, 4, nil, 1)
	if got := said[*Value](l, 0); len(got) != 1 || !got[0].Chosen || got[0].Slot != 4 {
		t.Errorf("answered %+v", l.Sent)
	}
}
