package paxos

import (
	"testing"

	"quorate.dev/quorate/consensus"
)

// ask hands replica i a READ and returns what its steps make of it.
func (l *lab) ask(i int, keep ...func(frame) bool) (found []consensus.Lookup, refused []consensus.Refusal) {
	l.T.Helper()
	d := l.Replicas[i]
	outs := len(d.Outs)
	q := &consensus.Query{Client: l.Client.Public(), Name: consensus.Sequence{Epoch: 1, Counter: 1}, Operations: [][]byte{{1}}}
	l.Step(i, consensus.Ask{Query: q})
	l.Deliver(keep...)
	for _, out := range d.Outs[outs:] {
		found, refused = append(found, out.Lookups...), append(refused, out.Refusals...)
	}
	return found, refused
}

// A leader answers once a majority says that it still follows, to a question that was
// not sent before the READ came; others say who leads.
func TestReadsAskAMajority(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 3)
	if found, _ := l.ask(0); len(found) != 1 || found[0].Index != 3 {
		t.Fatalf("the leader looks at %+v, want 3", found)
	}
	if found, refused := l.ask(1); len(found) != 0 || len(refused) != 1 || refused[0].Primary != 0 {
		t.Fatalf("a follower: %+v, %+v", found, refused)
	}
	// A was preempted by C, and does not know: B's answer to what was asked before says
	// nothing now.
	before := Alive{Ballot: l.ballot(0), Round: l.engine(0).reads.round}
	if found, refused := l.ask(0, without(heartbeatKind)); len(found)+len(refused) != 0 {
		t.Fatalf("alone: %+v, %+v", found, refused)
	}
	outs := len(l.Replicas[0].Outs)
	l.say(1, 0, before.Encode())
	for _, out := range l.Replicas[0].Outs[outs:] {
		if len(out.Lookups) > 0 {
			t.Error("it counts an answer to an earlier question")
		}
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

// Who has promised more does not say that it follows.
func TestPromisedMembersDoNotFollow(t *testing.T) {
	l := newLab(t, 3, loose)
	l.elect(0)
	p := Prepare{Ballot: 5}
	l.say(2, 1, p.Encode())
	l.say(2, 2-1, p.Encode())
	l.Sent = nil
	if found, _ := l.ask(0, only(0, 1)); len(found) != 0 {
		t.Errorf("it looks at %+v", found)
	}
}

// A new leader answers from above all that was named to it: a leader before may have
// answered that. E.g. C's phase 1 names (3, 1, x), which A has answered.
func TestReadsWaitForWhatIsProposedAgain(t *testing.T) {
	l := newLab(t, 3)
	l.accept(3, 2, l.batch(), 1)
	l.forget(1, 2)
	l.elect(2, only(1, 2), without(AcceptedKind))
	found, _ := l.ask(2, only(1, 2), without(AcceptedKind))
	if len(found) != 1 || found[0].Index != 2 {
		t.Errorf("looks at %+v, want 2", found)
	}
}

// Without a leader a READ is refused as a request is.
func TestReadsWithoutALeader(t *testing.T) {
	l := newLab(t, 3)
	l.Ticks(12, []int{0}, only())
	if _, refused := l.ask(0); len(refused) != 1 || refused[0].Code != consensus.RefusedNoLeader {
		t.Errorf("refused %+v", refused)
	}
}

// What this leader has executed may have been answered, also where it has not yet said
// that it is chosen. E.g. it knew of slot 2 before it led, proposes it again, fills 1, and
// executes both and 3 above them before a majority has voted for 2 once more.
func TestReadsSeeWhatIsExecuted(t *testing.T) {
	l := newLab(t, 3)
	v := Value{Slot: 2, Ballot: 3, Chosen: true, Batch: l.batch()}
	l.say(0, 1, v.Encode())
	two := func(f frame) bool {
		m, err := Decode(f.Bytes)
		a, is := m.(*Accept)
		return err != nil || !is || a.Slot != 2
	}
	l.elect(1, only(1, 2), two)
	l.Submit(l.Request(), 1)
	l.Deliver(only(1, 2), two)
	if n := len(l.Replicas[1].Executed); n != 3 {
		t.Fatalf("B has executed %d batches", n)
	}
	if found, _ := l.ask(1, only(1, 2), two); len(found) != 1 || found[0].Index < 3 {
		t.Errorf("looks at %+v, and 3 are executed", found)
	}
}

// With a quorum of one, phase 1 is over before the own promise is on disk: nothing
// leaves before that.
func TestQuorumOfOneSaysNothingEarly(t *testing.T) {
	l := newLab(t, 1)
	l.elect(0)
	l.agree(0, 2)
	for _, out := range l.Replicas[0].Outs {
		if len(sends(out.Early, AcceptKind)) > 0 {
			t.Error("a proposal leaves before its ballot is on disk")
		}
	}
}
