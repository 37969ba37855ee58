package pbft

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// ask hands replica i a READ and returns the height at which it would be
// executed; false if it was refused.
func (l *lab) ask(i int) (consensus.Seq, bool) {
	l.T.Helper()
	l.Step(i) // what a start has to say
	q := &consensus.Query{Client: l.Client.Public(), Name: consensus.Sequence{Epoch: 1, Counter: 1}, Operations: [][]byte{{1}}}
	out := l.Step(i, consensus.Ask{Query: q})
	if len(out.Lookups)+len(out.Refusals) != 1 || len(out.Records)+len(out.Sends) > 0 {
		l.T.Fatalf("R%d makes of a READ: %+v", i, out)
	}
	if len(out.Lookups) == 0 {
		return 0, false
	}
	return out.Lookups[0].Index, true
}

func (l *lab) wantIndex(want consensus.Seq, at ...int) {
	l.T.Helper()
	for _, i := range at {
		if got, ok := l.ask(i); !ok || got != want {
			l.T.Errorf("R%d reads from %d (%v), want %d", i, got, ok, want)
		}
	}
}

// §11: a READ looks at everything for which a COMMIT was cast, and not only at
// what is executed. E.g. R1 alone has all COMMITs for a write, answers it, and R0
// answers too, for it lies. A reader hears R0, R2 and R3: had these two answered
// from what they have executed, it would hear three equal old answers.
func TestReadsLookAtWhatIsCast(t *testing.T) {
	l := newLab(t, 4)
	l.wantIndex(0, 0, 1, 2, 3)
	l.Submit(l.Request(), 0)
	l.Deliver(func(m frame) bool { return message.Kind(m.Bytes[0]) != message.CommitKind || m.To == 1 })
	l.WantExecuted(1, 1)
	l.WantExecuted(0, 2, 3)
	l.wantIndex(1, 1, 2, 3)

	// A restart forgets nothing of it, nor does a view that is over.
	l.Crash(2, 3)
	l.Sent = nil
	l.Start(2, false)
	l.Start(3, false)
	l.wantIndex(1, 2, 3)
	l.Crash(0)
	l.Submit(l.Request(), 1, 2, 3)
	l.Ticks(60, []int{1, 2, 3}, func(m frame) bool { return message.Kind(m.Bytes[0]) != message.NewViewKind })
	if st := l.Replicas[3].Engine.Status(); st.View == 0 {
		t.Fatalf("R3 has not left view 0: %+v", st)
	}
	l.Crash(3)
	l.Start(3, false)
	if got, ok := l.ask(3); !ok || got < 1 {
		t.Errorf("in view %d R3 reads from %d", l.Replicas[3].Engine.Status().View, got)
	}
}

// What the log was cut of is at or below the low mark.
func TestReadsLookAtTheLowMark(t *testing.T) {
	l := newLab(t, 4)
	for range 6 {
		l.Submit(l.Request(), 0)
		l.Deliver()
	}
	l.wantIndex(6, 0, 1, 2, 3)
	l.Crash(2)
	l.Replicas[2].Records = nil
	l.Start(2, false)
	l.wantIndex(6, 2)
}

// §8, §11: who has forgotten what it cast does not answer until it sleeps no more,
// and then from its limits on.
func TestWhoSleepsAnswersNoRead(t *testing.T) {
	l := newLab(t, 4)
	l.Submit(l.Request(), 0)
	l.Deliver()
	l.Crash(3)
	d := l.Replicas[3]
	d.Records = nil
	l.Start(3, true)
	if _, ok := l.ask(3); ok {
		t.Fatal("a replica that lost its log answers a READ")
	}
	e := d.Engine
	e.rejoin.asleep, e.rejoin.known, e.rejoin.target = false, true, 16
	l.wantIndex(16, 3)
}
