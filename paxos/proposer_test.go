package paxos

import (
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/paxos/synod"
)

// Rule: the vote of the highest ballot is proposed again. E.g. A accepted (3, 1, x)
// alone, {B, C} accepted (4, 1, y): chosen. C, with a promise of A, takes x if it goes
// by who was heard first.
func TestHighestVoteIsProposedAgain(t *testing.T) {
	l := newLab(t, 3, loose)
	x, y := l.batch(), l.batch()
	l.accept(3, 1, x, 1) // by the name of A
	l.accept(4, 1, y, 2, 0)
	l.Sent = nil
	l.elect(1, only(1, 2))
	l.Ticks(4, l.All())
	if c := l.executed(1, 1); c.Digest != y.Digest() {
		t.Error("x is executed where y may have been chosen")
	}
}

// Rule: gaps get the null batch. E.g. the proposal for slot 1 is lost, 2 is chosen, and
// the leader dies: without null nothing above 0 is ever executed.
func TestGapsAreFilled(t *testing.T) {
	l := newLab(t, 3)
	x := l.batch()
	l.accept(3, 2, x, 1, 2)
	l.forget(1, 2)
	l.elect(1, only(1, 2))
	l.Ticks(4, []int{1, 2}, only(1, 2))
	l.WantExecuted(2, 1, 2)
	if l.executed(1, 1).Batch != nil || l.executed(1, 2).Digest != x.Digest() || !noted(l.Replicas[1], ReasonGap) {
		t.Errorf("executed %+v", l.Replicas[1].Executed)
	}
	l.agree(1, 1, only(1, 2))
	l.WantExecuted(3, 1)
}

// Rule: a promise counts for the ballot that is being prepared. E.g. A prepares 3, C's
// promise, which names nothing, is late; {B, C} have x chosen under 4. A prepares 6: C's
// old promise must not make its quorum.
func TestLatePromiseCountsForNothing(t *testing.T) {
	l := newLab(t, 3)
	l.Ticks(20, []int{0}, only())
	for l.engine(0).office.round == nil {
		l.Ticks(1, []int{0}, only())
	}
	old := l.ballot(0)
	late := Promise{Ballot: old}
	for l.ballot(0) == old {
		l.Ticks(1, []int{0}, only())
	}
	if why := l.say(2, 0, EncodePromise(&late)); why != reasonStale || l.engine(0).office.leading {
		t.Errorf("a late promise: %q, leading %v", why, l.engine(0).office.leading)
	}
	fresh := Promise{Ballot: l.ballot(0)}
	if why := l.say(2, 0, EncodePromise(&fresh)); why != "" || !l.engine(0).office.leading {
		t.Errorf("one in time: %q", why)
	}
}

// A question is repeated as it was: what is not named in the answer is taken for
// nothing. E.g. A asks from 0 on, executes up to 3 what it is given, and asks B again:
// were it from 3 on, B's silence about what it has would have that filled with null.
func TestQuestionIsRepeatedAsItWas(t *testing.T) {
	l := newLab(t, 3)
	for l.engine(0).office.round == nil {
		l.Ticks(1, []int{0}, only())
	}
	for n := consensus.Seq(1); n <= 3; n++ {
		v := Value{Slot: n, Ballot: 2, Chosen: true, Batch: l.batch()}
		l.say(2, 0, v.Encode())
	}
	l.WantExecuted(3, 0)
	for range 4 {
		l.Step(0, consensus.Tick{})
	}
	for _, p := range said[*Prepare](l, 1) {
		if p.Above != 0 {
			t.Errorf("asks again from %d on", p.Above)
		}
	}
}

// Rule: the body of a vote is asked of whoever named it, only that slot waits, and if
// nobody gives it, a higher ballot is prepared: whoever named it may be gone. E.g. C named
// (5, 1, x) and crashed; B and A are a quorum, and without that B waits for C for ever.
func TestBodyIsAskedOfWhoNamedIt(t *testing.T) {
	for _, gone := range []bool{false, true} {
		l := newLab(t, 3)
		x := l.batch()
		l.accept(5, 1, x, 0) // C's proposal, at A alone
		l.forget(0)
		for l.engine(1).office.round == nil {
			l.Ticks(1, []int{1}, only())
		}
		b := l.ballot(1)
		for b < 5 {
			l.Ticks(1, []int{1}, only())
			b = l.ballot(1)
		}
		l.Ticks(2, []int{1}, only(0, 1), kinds(PrepareKind, PromiseKind, learnKind))
		if !l.engine(1).office.leading || len(l.engine(1).office.wanted) != 1 {
			t.Fatalf("B leads %v and lacks %v", l.engine(1).office.leading, l.engine(1).office.wanted)
		}
		l.Submit(l.Request(), 1)
		if open := l.engine(1).office.open; len(open) != 1 || open[2] == nil {
			t.Errorf("open are %v, want what is new at 2", open)
		}
		if gone {
			l.Crash(0)
			l.Ticks(60, []int{1, 2}, only(1, 2))
			l.WantExecuted(2, 1, 2) // null in its place
			continue
		}
		l.Ticks(6, l.All())
		l.WantExecuted(2, 0, 1, 2)
		if l.executed(1, 1).Digest != x.Digest() || !noted(l.Replicas[1], ReasonBody) {
			t.Error("x is not proposed again")
		}
	}
}

// Rule: nothing is proposed at or below the highest base of the quorum, and the leader
// learns what it lacks, while it leads.
func TestLeaderBehindItsAcceptors(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 20, only(0, 2))
	l.Ticks(3, []int{0, 2}, only(0, 2))
	l.Crash(0)
	l.forget(1, 2)
	l.elect(1, only(1, 2), without(ValueKind, StateKind))
	r := l.engine(1)
	if base := r.office.round.Plan().Base; base != l.engine(2).acceptor.Base() || base < 18 || !noted(l.Replicas[1], ReasonBehind) {
		t.Fatalf("B leads above %d", base)
	}
	for n := range r.office.open {
		if n <= r.office.round.Plan().Base {
			t.Errorf("%d is proposed again", n)
		}
	}
	l.Ticks(400, []int{1, 2}, only(1, 2)) // A is asked for parts, too, and silent
	l.agree(1, 1, only(1, 2))
	l.Ticks(8, []int{1, 2}, only(1, 2))
	l.WantExecuted(21, 1, 2)
}

// If nobody gives what is below the base, the leader prepares again. E.g. one member has
// executed and cut, promises with its base, and dies: the votes are with the others, but
// under this ballot nobody may propose there.
func TestLeaderWhoseBaseIsGonePreparesAgain(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.Replicas[0].Stopped = true // chosen by all, executed and kept by C alone
	for range 4 {
		l.agree(0, 1, func(f frame) bool { return f.Bytes[0] != CommitKind || f.To == 2 })
	}
	if l.engine(2).acceptor.Base() < 4 || len(l.Replicas[1].Executed) != 0 {
		t.Fatalf("C has kept %d, B executed %d", l.engine(2).acceptor.Base(), len(l.Replicas[1].Executed))
	}
	l.Crash(0)
	l.forget(1, 2)
	l.elect(1, only(1, 2), without(ValueKind, StateKind))
	l.Crash(2)
	l.Start(0, false)
	l.Ticks(1500, []int{0, 1}, only(0, 1))
	l.WantExecuted(4, 1)
}

// Rule: what stands in a slot that is proposed again is not proposed anew; what a new
// leader has replaced waits again. E.g. r was voted for at 1 under A, only here; C leads,
// 1 becomes null, and r must not count as standing there.
func TestReplacedRequestsWaitAgain(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	q := l.Request()
	l.Submit(q, 1)
	l.Deliver(only(0, 1), without(AcceptedKind)) // A proposes, B alone votes
	if _, voted := l.engine(1).acceptor.Vote(1); !voted {
		t.Fatal("B has not voted")
	}
	l.Crash(0)
	l.accept(5, 1, nil, 1) // C leads, and 1 is null
	l.commit(5, 1, 1)
	l.Sent = nil
	l.forget(1, 2)
	l.Crash(0)
	l.elect(1, only(1, 2))
	l.Ticks(4, []int{1, 2}, only(1, 2))
	if l.Executions(q) != 1 {
		t.Errorf("it is executed %d times; B waits for %v", l.Executions(q), l.engine(1).Status().Waiting)
	}
}

// What stands in a slot that is proposed again is executed once.
func TestExactlyOnceOverALeaderChange(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	q := l.Request()
	l.Submit(q, 1)
	l.Deliver(without(AcceptedKind))
	l.Crash(0)
	l.forget(1, 2)
	l.elect(1, only(1, 2))
	l.Submit(q, 1, 2)
	l.Ticks(8, []int{1, 2}, only(1, 2))
	if n := l.engine(1).Status().Pending; l.Executions(q) != 1 || n > 0 {
		t.Errorf("it is executed in %d slots, and %d requests wait", l.Executions(q), n)
	}
	l.WantExecuted(1, 1, 2)
}

// duel lets two proposers preempt each other, each before the other's proposals
// arrive: all that is small goes first, and time passes when nothing small is left,
// or now and then. It answers under which ballot something was decided; 0 is none.
func duel(t *testing.T, change func(*Config)) synod.Ballot {
	l := newLab(t, 3, func(c *Config) { c.Sticky, c.AnyLeader = false, true; change(c) })
	for i := range 2 {
		l.Submit(l.Request(), i)
	}
	small := func(f frame) bool { return f.Bytes[0] != AcceptKind }
	for step := range 5000 {
		next := max(0, slices.IndexFunc(l.Sent, small))
		if next < len(l.Sent) {
			f := l.Sent[next]
			l.Sent = slices.Delete(l.Sent, next, next+1)
			l.Give(int(f.To), consensus.ReplicaPeer(f.From), f.Bytes)
		}
		if len(l.Sent) == 0 || step%20 == 0 {
			l.Now += labTick
			for i := range l.Replicas {
				l.Step(i, consensus.Tick{})
			}
		}
		for i, d := range l.Replicas {
			if len(d.Executed) > 0 {
				return synod.Ballot(l.engine(i).view())
			}
		}
	}
	return 0
}

// Rule: who is preempted waits before it prepares again. Without that two proposers
// prepare 3, 4, 6, 7 and so on, each before the other's proposals arrive: no message is
// lost, nobody crashes, and nothing is decided.
func TestPreemptedProposersWait(t *testing.T) {
	if b := duel(t, func(c *Config) { c.Backoff = false }); b != 0 {
		t.Errorf("without waiting something is decided, under %d", b)
	}
	if duel(t, func(c *Config) { c.Backoff = true }) == 0 {
		t.Error("with waiting nothing is decided")
	}
}

// A countdown is of E to 2E ticks, and of a seed of the replica's own.
func TestCountdownIsSeeded(t *testing.T) {
	first := map[int]int{}
	for range 2 {
		l := newLab(t, 3)
		for i := range l.Replicas {
			for range 40 {
				l.Ticks(1, []int{i}, only())
				if l.engine(i).office.round != nil {
					break
				}
			}
			tick := l.engine(i).clock.tick
			if tick < 10 || tick > 20 || first[i] != 0 && first[i] != tick {
				t.Errorf("R%d prepares after %d ticks, before after %d", i, tick, first[i])
			}
			first[i] = tick
		}
	}
}

// A proposer never uses a ballot twice, whatever it is told of higher ones.
func TestBallotsRise(t *testing.T) {
	l := newLab(t, 3, loose)
	var last synod.Ballot
	for life := range 5 {
		for l.engine(0).office.round == nil {
			l.Ticks(1, []int{0}, only())
		}
		b := l.ballot(0)
		if b <= last || b.Owner(3) != 0 {
			t.Fatalf("life %d: ballot %d after %d", life, b, last)
		}
		last = b
		m := Reject{Ballot: b, Promised: b + 100}
		l.say(1, 0, m.Encode())
		l.PowerLoss(0)
		l.Start(0, false)
	}
}

// E.g. A prepares 3, and hears that somebody has promised what nobody gets to by
// counting. When it prepares again its own promise goes a part of the way: under 3 it has
// lost its own acceptor, and does not lead there, whoever promises late.
func TestAPartOfTheWayEndsTheAttemptBefore(t *testing.T) {
	l := newLab(t, 3)
	nobody := func(frame) bool { return false }
	for l.engine(0).office.round == nil {
		l.Ticks(1, []int{0}, nobody)
	}
	b := l.ballot(0)
	l.say(1, 0, (&Reject{Ballot: b, Promised: synod.MaxBallot}).Encode())
	for l.engine(0).acceptor.Promised() < synod.MaxLeap {
		l.Ticks(1, []int{0}, nobody)
	}
	if why := l.say(2, 0, EncodePromise(&Promise{Ballot: b})); why != reasonStale || l.engine(0).office.leading {
		t.Errorf("A leads under %d, and has promised %d: %q", b, l.engine(0).acceptor.Promised(), why)
	}
}

// The body of a vote is asked of each who named it, in turn. E.g. of five, B and C named
// the vote and B is cut off: asked again and again, B gives nothing.
func TestTheBodyOfAVoteIsAskedOfEach(t *testing.T) {
	l := newLab(t, 5, loose)
	x := l.batch()
	l.accept(5, 1, x, 1, 2)
	l.Sent = nil
	l.forget(0)
	l.elect(0, only(0, 1, 2), without(learnKind))
	asked := map[consensus.ReplicaID]int{}
	for range 9 {
		l.Now += labTick
		l.Step(0, consensus.Tick{})
		for _, f := range l.Sent {
			if f.Bytes[0] == learnKind {
				asked[f.To]++
			}
		}
		l.Sent = nil
	}
	if asked[1] == 0 || asked[2] == 0 {
		t.Errorf("asked %v", asked)
	}
}
