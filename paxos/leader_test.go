package paxos

import (
	"testing"

	"quorate.dev/quorate/consensus"
)

// A quiet cluster: whoever asks first leads, and what is asked is executed by all.
func TestNormalCase(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 3)
	l.agree(1, 2)
	l.Ticks(2, l.All())
	l.WantExecuted(5, 0, 1, 2)
	if b := l.ballot(0); b != 3 {
		t.Errorf("the first ballot of A is %d, want 3", b)
	}
}

// Nobody else is needed where there is one.
func TestSingleReplica(t *testing.T) {
	l := newLab(t, 1)
	l.elect(0)
	l.agree(0, 5)
	l.WantExecuted(5, 0)
	l.PowerLoss(0)
	l.Start(0, false)
	l.elect(0)
	l.agree(0, 1)
	l.WantExecuted(6, 0)
}

// Rule: ACCEPT may leave before the leader's own vote is on disk; COMMIT may not, nor
// anything else that says that a slot is chosen.
func TestLeaderWritesBesideItsFollowers(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.Submit(l.Request(), 0)
	out := l.last(0)
	if len(sends(out.Early, AcceptKind)) != 1 || len(out.Records) == 0 || out.Records[0].Lazy {
		t.Fatalf("a proposal goes out as %+v, want at once, beside its record", out)
	}
	l.Deliver()
	for i, d := range l.Replicas {
		for _, out := range d.Outs {
			for _, kind := range []byte{CommitKind, heartbeatKind, AcceptedKind, PromiseKind, PrepareKind, ValueKind} {
				for _, f := range sends(out.Early, kind) {
					if m, _ := Decode(f); kind != heartbeatKind || m.(*Heartbeat).UpTo > 0 {
						t.Errorf("R%d says %s before what it rests on is on disk", i, Describe(f))
					}
				}
			}
		}
	}
}

// E.g. A's vote is in memory, B's on disk. The power fails at A before its vote is on
// disk, and what waited for that is not said: nobody has executed anything, and C may
// lead with A as if nothing had been.
func TestPowerFailsInsideOfTheLeadersSync(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	q := l.Request()
	before := len(l.Replicas[0].Records)
	l.Submit(q, 0)
	l.Deliver(only(0, 1), func(f frame) bool { return f.Early || f.From == 1 }) // B votes, and A hears of it
	d := l.Replicas[0]
	d.Records, d.Up = d.Records[:before], false // none of it was on disk
	l.Sent = nil
	if n := len(l.Replicas[1].Executed); n != 0 {
		t.Fatalf("B has executed %d batches on a vote that is lost", n)
	}
	d.Executed, d.Head = nil, l.Replicas[2].Head // nor had A
	l.History = map[consensus.Seq]consensus.Commit{}
	l.Start(0, false)
	l.forget(2)
	l.elect(2, only(0, 2))
	l.Submit(q, 2)
	l.Deliver(only(0, 2))
	l.Ticks(4, []int{0, 2}, only(0, 2))
	l.WantExecuted(1, 0, 2)
	l.Ticks(30, l.All())
	l.WantExecuted(1, 0, 1, 2)
}

// Rule: a new life is a new ballot. E.g. A leads under 3, and ACCEPT(3, 1, x) reaches C,
// which votes: chosen with A's own vote. A restarts: were it to go on under 3, it might
// propose y in slot 1.
func TestNewLifeIsANewBallot(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	b := l.ballot(0)
	q := l.Request()
	before := len(l.Replicas[0].Records)
	l.Submit(q, 0)
	l.Deliver(only(0, 2), kinds(AcceptKind)) // C has x on disk
	d := l.Replicas[0]
	d.Records, d.Up = d.Records[:before], false // A does not
	l.Start(0, false)
	if o := l.engine(0).office; o.round != nil {
		t.Fatal("a new life goes on under a ballot of the one before")
	}
	l.forget(1, 2)
	l.elect(0, only(0, 2))
	if l.ballot(0) <= b {
		t.Errorf("the new ballot is %d, after %d", l.ballot(0), b)
	}
	l.Deliver(only(0, 2))
	l.Ticks(4, []int{0, 2}, only(0, 2))
	if c := l.executed(0, 1); c.Batch == nil || c.Batch.Requests[0].Digest != q.Digest {
		t.Errorf("x is not proposed again: %+v", c)
	}
}

// Rule: slots are chosen in any order, and executed without gaps.
func TestSlotsAreExecutedInOrder(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	x, y := l.batch(), l.batch()
	b := l.ballot(0)
	l.accept(b, 2, y, 1)
	l.commit(b, 2, 1)
	l.WantExecuted(0, 1)
	l.accept(b, 1, x, 1) // of which COMMIT has spoken already
	l.WantExecuted(2, 1)
}

// The leader goes on with a slot above one that reaches nobody, executes neither, and
// then both.
func TestChosenOutOfOrder(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.Submit(l.Request(), 0)
	l.Deliver(without(AcceptKind)) // slot 1 reaches nobody
	for range 3 {
		l.Submit(l.Request(), 0)
	}
	l.Deliver()
	if !noted(l.Replicas[0], ReasonOutside) {
		t.Fatal("nothing is chosen above the slot that is missing")
	}
	l.WantExecuted(0, 0, 1, 2)
	l.Ticks(6, l.All())
	if n := len(l.Replicas[0].Executed); n < 2 {
		t.Errorf("%d batches are executed when the slot was repeated", n)
	}
}

// Rule: a leader repeats a proposal to those who have not answered, and to them alone.
func TestProposalsAreRepeated(t *testing.T) {
	l := newLab(t, 5)
	l.elect(0)
	l.Submit(l.Request(), 0)
	l.Deliver(only(0, 1))
	to := map[consensus.ReplicaID]bool{}
	for range 4 {
		l.Now += labTick
		l.Step(0, consensus.Tick{})
		for _, f := range l.Sent {
			if f.Bytes[0] == AcceptKind {
				to[f.To] = true
			}
		}
		l.Deliver(without(AcceptKind))
	}
	if len(to) != 3 || to[1] {
		t.Errorf("repeated to %v, want to all but R1", to)
	}
	l.Ticks(4, l.All())
	l.WantExecuted(1, l.All()...)
}

// Rule: an idle leader is answered, so that it does not take itself for cut off; a
// leader that no majority answers for E ticks steps down, and its callers are told.
func TestLeaderStepsDown(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.Ticks(50, l.All())
	if !l.engine(0).office.leading || l.ballot(0) != 3 {
		t.Fatalf("an idle leader leads no more: %+v", l.engine(0).Status())
	}
	l.Ticks(9, []int{0}, only(0))
	if !l.engine(0).office.leading {
		t.Fatal("it has stepped down too early")
	}
	l.Ticks(3, []int{0}, only(0))
	if l.engine(0).lead.known {
		t.Fatal("a leader that nobody answers goes on")
	}
	l.Ticks(9, []int{0}, only(0))
	q := l.Request()
	l.Submit(q, 0)
	if got := l.Replicas[0].Refusals; len(got) != 1 || got[0].Code != consensus.RefusedNoLeader {
		t.Errorf("callers are told %+v", got)
	}
}

// Rule: who hears a ballot below its promise says so.
func TestRejectTellsThePromise(t *testing.T) {
	l := newLab(t, 3, loose)
	p := Prepare{Ballot: 5}
	l.say(2, 1, p.Encode())
	l.Sent = nil
	for what, why := range map[string]func() consensus.Reason{
		"ACCEPT": func() consensus.Reason { return l.accept(3, 1, nil, 1) },
		"COMMIT": func() consensus.Reason { return l.commit(3, 1, 1) },
		"PREPARE": func() consensus.Reason {
			p := Prepare{Ballot: 3}
			return l.say(0, 1, p.Encode())
		},
	} {
		if got := why(); got != reasonBelow {
			t.Errorf("%s below the promise: %q", what, got)
		}
		if got := said[*Reject](l, 0); len(got) != 1 || got[0].Promised != 5 || got[0].Ballot != 3 {
			t.Errorf("%s is answered %+v", what, got)
		}
		l.Sent = nil
	}
}

// A member that was cut off and prepared alone comes back: the leader goes above its
// ballot and stays.
func TestLeaderGoesAboveALoneMember(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.Ticks(40, []int{2}, only(2))
	if l.engine(2).acceptor.Promised() <= l.ballot(0) {
		t.Fatal("C has not prepared")
	}
	l.Ticks(20, l.All())
	if !l.engine(0).office.leading || l.ballot(0) < l.engine(2).acceptor.Promised() {
		t.Fatalf("A leads %v under %d, C has promised %d", l.engine(0).office.leading, l.ballot(0), l.engine(2).acceptor.Promised())
	}
	l.agree(0, 2)
	l.Ticks(2, l.All())
	l.WantExecuted(2, 0, 1, 2)
}

// What a leader has learnt otherwise it does not commit: another one may have had it
// chosen, where this one has proposed something else. E.g. A proposes x for slot 1
// under 3, B alone votes for it; C has y chosen there under 5. A, which has not heard
// of 5, is told what is chosen: COMMIT(3, 1) would have B execute x.
func TestLearntElsewhereIsNotCommitted(t *testing.T) {
	l := newLab(t, 5)
	l.elect(0)
	b := l.ballot(0)
	l.Submit(l.Request(), 0)
	l.Deliver(only(0, 1), kinds(AcceptKind))
	v := Value{Slot: 1, Ballot: b + 4, Chosen: true, Batch: l.batch()}
	l.say(4, 0, v.Encode())
	if l.engine(0).office.leading {
		t.Error("it leads on, though another one has decided")
	}
	if got := said[*Commit](l, 1); len(got) > 0 {
		t.Errorf("B is told %+v", got)
	}
	l.Deliver(only(0, 1))
	l.WantExecuted(0, 1)
	l.WantExecuted(1, 0)
	if noted(l.Replicas[0], ReasonTwo) {
		t.Error("it takes a preemption for a lie")
	}
}

// A leader that is behind its acceptors cannot vote for what it proposes again, too far
// beyond its own disk; it does when that has caught up. E.g. of five, two are gone, and
// the others need its vote.
func TestLeaderVotesWhenItsDiskHasCaughtUp(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 30, only(0, 2))
	l.Ticks(3, []int{0, 2}, only(0, 2))
	l.Submit(l.Request(), 0)
	l.Deliver(only(0, 2), without(AcceptedKind)) // open, at 31
	l.Crash(0)
	l.forget(1, 2)
	l.elect(1, only(1, 2), without(StateKind))
	if p := l.engine(1).office.open[31]; p == nil {
		t.Fatalf("open are %v", l.engine(1).office.open)
	}
	if _, voted := l.engine(1).acceptor.Vote(31); voted {
		t.Fatal("B votes 31 slots beyond its disk")
	}
	l.engine(1).office.fruit.tick += 1 << 20 // it does not prepare again
	l.Ticks(400, []int{1, 2}, only(1, 2))
	l.WantExecuted(31, 1, 2)
}

// What a leader learns in whatever way of a slot that it has proposed is chosen: the votes
// that it counts may never come.
func TestLearntSlotsAreClosed(t *testing.T) {
	l := newLab(t, 3, loose)
	x := l.batch()
	l.accept(5, 1, x, 0)
	l.Sent = nil
	l.elect(0, only(0, 1), without(AcceptedKind))
	if l.engine(0).office.open[1] == nil {
		t.Fatalf("open are %v", l.engine(0).office.open)
	}
	v := Value{Slot: 1, Ballot: 5, Chosen: true, Batch: x}
	l.say(2, 0, v.Encode())
	if o := l.engine(0).office; o.commit != 1 || len(o.open) > 0 || !o.leading {
		t.Errorf("commit %d, open %v", o.commit, o.open)
	}
	l.WantExecuted(1, 0)
}

// A proposer that keeps a state between its question and the answers asks anew: its own
// acceptor would not vote for what is below, and nobody else might.
func TestStateKeptDuringPhaseOne(t *testing.T) {
	l := newLab(t, 3)
	for l.engine(0).office.round == nil {
		l.Ticks(1, []int{0}, only())
	}
	b := l.ballot(0)
	for n := consensus.Seq(1); n <= 2; n++ {
		v := Value{Slot: n, Ballot: 2, Chosen: true, Batch: l.batch()}
		l.say(2, 0, v.Encode())
	}
	if base := l.engine(0).acceptor.Base(); base != 2 {
		t.Fatalf("base %d", base)
	}
	late := Promise{Ballot: b}
	l.say(1, 0, EncodePromise(&late))
	if o := l.engine(0).office; o.leading || o.round.Ballot() <= b || o.above != 2 {
		t.Errorf("leads %v under %d, asks above %d", o.leading, o.round.Ballot(), o.above)
	}
}
