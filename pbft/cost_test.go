package pbft

import (
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// §8: a REJOIN is answered once in a while, however often it is repeated, and
// whatever life it claims to come from.
func TestRejoinIsAnsweredOnceInAWhile(t *testing.T) {
	l := newLab(t, 4)
	every := l.Replicas[0].Engine.cfg.StatusEvery
	answers := func() int {
		n := 0
		for _, f := range l.Sent {
			if f.From == 0 && message.Kind(f.Bytes[0]) == message.RejoinAnswerKind {
				n++
			}
		}
		return n
	}
	for tick := range 4 * every {
		for i := range 100 {
			m := message.Rejoin{Nonce: uint64(i % 3)}
			want := consensus.Reason("")
			if i > 0 || tick%(every/2) != 0 {
				want = reasonAskedOften
			}
			if got := l.Give(0, consensus.ReplicaPeer(3), m.Encode()); want != "" && got != want {
				t.Fatalf("tick %d, REJOIN %d: %q", tick, i, got)
			}
		}
		l.Step(0, consensus.Tick{})
	}
	if got, want := answers(), 4*every/(every/2); got != want {
		t.Errorf("%d answers to 100 REJOINs a tick in %d ticks, want %d", got, 4*every, want)
	}
	// Another one is not kept waiting.
	m := message.Rejoin{Nonce: 9}
	if got := l.Give(0, consensus.ReplicaPeer(2), m.Encode()); got != "" {
		t.Errorf("another's: %q", got)
	}
}

// What waits for a view is not looked at each tick for the sake of a proposal
// that waits for the clock.
func TestTicksLookAtWhatIsDueOnly(t *testing.T) {
	l := newLab(t, 4)
	d := l.Replicas[1]
	pp := l.propose(0, 1, l.Now+l.Genesis.Skew+5*labTick, l.Request())
	l.Give(1, consensus.ReplicaPeer(0), pp.Frame)
	for n := range consensus.Seq(4) {
		if got := l.Give(1, consensus.ReplicaPeer(3), l.vote(3, message.CommitKind, 1, n+1, pp.Digest)); got != reasonFutureView {
			t.Fatalf("vote %d: %q", n+1, got)
		}
	}
	before := len(d.Noted(consensus.Ignored))
	l.Ticks(4, []int{1})
	if n := len(d.Noted(consensus.Ignored)); n != before {
		t.Errorf("%d messages were handled again while nothing had changed", n-before)
	}
	l.Ticks(2, []int{1})
	if s := d.Engine.log.slots[1]; s == nil || !s.voted || d.Engine.held.dated != 0 {
		t.Error("the proposal was not taken when the clock got there")
	}
	if n, bytes := len(d.Engine.held.queues[3].events), d.Engine.held.queues[0].bytes; n != 4 || bytes != 0 {
		t.Errorf("%d votes are held on, and %d bytes of the proposal: want 4 and none", n, bytes)
	}
}

// BenchmarkHeldTick is a tick of a replica for which one proposal waits for the
// clock, and a thousand votes of the same liar for the next view.
func BenchmarkHeldTick(b *testing.B) {
	a := newAccuser(b)
	pp := &message.PrePrepare{Vote: message.Vote{Kind: message.PrePrepareKind, Seq: 1}, Batch: &consensus.Batch{Stamp: 1 << 62}}
	a.Step(consensus.Burst{Events: []consensus.Event{consensus.Receive{From: consensus.ReplicaPeer(0), Message: pp}}})
	for i := range uint64(maxHeld) {
		v := a.vote(message.CommitKind, consensus.Seq(i%100+1), i)
		v.View = 1
		a.hears(v)
	}
	for b.Loop() {
		a.Step(consensus.Burst{Events: []consensus.Event{consensus.Tick{}}})
	}
}

// §7: who stands still is helped at once, and then ever more seldom: were it slow,
// and short of nothing, repetitions would be all that it ever works at. A step
// forward or into another view begins anew.
func TestWhoStandsIsHelpedEverMoreSeldom(t *testing.T) {
	l := newLab(t, 4)
	l.Give(0, consensus.ReplicaPeer(1), l.viewChange(1, 1).Frame)
	l.Submit(l.Request(), 0)
	status := func(executed consensus.Seq, v consensus.View) bool {
		l.Sent = nil
		m := message.Status{View: v, Executed: executed}
		l.Give(0, consensus.ReplicaPeer(3), m.Encode())
		return len(l.Sent) > 0
	}
	helped := func(n int) (at []int) {
		for i := range n {
			if status(0, 0) {
				at = append(at, i)
			}
		}
		return at
	}
	if got, want := helped(40), []int{1, 2, 4, 8, 16, 24, 32}; !slices.Equal(got, want) { // not by the first: what it lacks is on its way
		t.Errorf("helped at %v, want %v", got, want)
	}
	status(0, 1)
	status(0, 0)
	if got, want := helped(4), []int{0, 1, 3}; !slices.Equal(got, want) {
		t.Errorf("after it was elsewhere: helped at %v, want %v", got, want)
	}
}
