package session

import (
	"errors"
	"math"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
)

const hour = 3600 * second

// explain has a replica refuse a request and say what stands behind it.
func (b *bench) explain(from consensus.ReplicaID, r *consensus.Request, code consensus.RefusalCode, t consensus.Times) {
	refusal := &consensus.Refusal{Request: r.Digest, Sequence: r.Sequence, Code: code, Times: t}
	b.s.Receive(from, refusal.Encode())
	b.s.Receive(from, refusal.Plain()) // as a node sends it for clients of before
}

// last is the request sent last.
func (b *bench) last(sends []Send) *consensus.Request {
	b.t.Helper()
	if len(sends) == 0 {
		b.t.Fatal("nothing is sent")
	}
	return b.decode(sends[len(sends)-1].Bytes)
}

// A clock that was set back: the key's session has a later epoch, and nothing of
// this one was executed. The operation is sent again in the epoch that follows,
// whatever one liar says.
func TestClockSetBack(t *testing.T) {
	const open = 1e18 + 2*uint64(second)
	truth := consensus.Times{Epoch: open, Unused: true, Executed: 1e18 + 2*second, Clock: 1e18}
	for name, lie := range map[string]consensus.Times{
		"no liar": truth, "a low epoch": {Epoch: 7, Unused: true, Executed: 1}, "a high epoch": {Epoch: 1 << 63, Unused: true, Executed: 1 << 62}, "may be executed": {Epoch: open, Executed: 1},
		"a low epoch only": {Epoch: 7, Unused: true, Executed: truth.Executed, Clock: truth.Clock},
	} {
		b := newBench(t, nil)
		r := b.decode(b.invoke(1, 1)[0].Bytes)
		b.explain(3, r, consensus.RefusedStale, lie)
		b.explain(0, r, consensus.RefusedStale, truth)
		b.explain(1, r, consensus.RefusedStale, truth)
		out := b.s.Flush()
		again := b.last(out.Sends)
		if len(out.Done) > 0 {
			t.Fatalf("%s: done: %v", name, out.Done)
		}
		if again.Sequence != (consensus.Sequence{Epoch: open + 1, Counter: 1}) {
			t.Errorf("%s: sent again as %d", name, again.Sequence)
		}
	}
}

// Another process that opens a session each time: the operation is given up
// after a few tries. It was certainly not executed, and no try lasts for ever.
func TestTwoProcessesWithOneKey(t *testing.T) {
	b := newBench(t, nil)
	sends := b.invoke(1, 1)
	for n := 1; ; n++ {
		r := b.last(sends)
		theirs := consensus.Times{Epoch: r.Sequence.Epoch + 5, Unused: true, Executed: 1e18, Clock: 1e18}
		b.explain(0, r, consensus.RefusedStale, theirs)
		b.explain(1, r, consensus.RefusedStale, theirs)
		out := b.s.Flush()
		sends = out.Sends
		if len(out.Done) == 0 {
			continue
		}
		if err := out.Done[0].Err; n != maxReissues+1 || !errors.Is(err, ErrStale) || errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "another process") {
			t.Errorf("after %d tries: %v", n, err)
		}
		return
	}
}

// A session that another process ended after the operation may have been
// executed: that is unknown, and one liar does not make it certain.
func TestEndedSession(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	theirs := consensus.Times{Epoch: 1e18 + 5, Executed: 1e18, Clock: 1e18}
	lie := theirs
	lie.Unused = true
	b.explain(3, r, consensus.RefusedStale, lie)
	b.explain(0, r, consensus.RefusedStale, theirs)
	if out := b.s.Flush(); len(out.Done) > 0 {
		t.Fatalf("one replica was believed: %v", out.Done)
	}
	b.explain(1, r, consensus.RefusedStale, theirs)
	out := b.s.Flush()
	if len(out.Done) != 1 || !errors.Is(out.Done[0].Err, ErrStale) || !errors.Is(out.Done[0].Err, ErrUnknown) {
		t.Fatalf("done: %v", out.Done)
	}
	if r := b.last(b.invoke(2, 1)); r.Sequence.Epoch != theirs.Epoch+1 {
		t.Errorf("the next epoch is %d", r.Sequence.Epoch)
	}
}

// An epoch that is too old for the cluster's time can never be opened: the
// operation is sent again by the cluster's time, because of whose clock ever.
func TestTooOldEpoch(t *testing.T) {
	for name, at := range map[string]consensus.Times{
		"this clock is behind":          {Unused: true, Executed: 1e18 + hour, Clock: 1e18 + hour},
		"a replica's was an hour ahead": {Unused: true, Executed: 1e18 + hour, Clock: 1e18},
	} {
		b := newBench(t, nil)
		r := b.decode(b.invoke(1, 1)[0].Bytes)
		b.explain(0, r, consensus.RefusedExpired, at)
		b.explain(2, r, consensus.RefusedExpired, at)
		out := b.s.Flush()
		if again := b.last(out.Sends); len(out.Done) > 0 || again.Sequence.Epoch != uint64(at.Executed) {
			t.Errorf("%s: sent again in epoch %d, done: %v", name, again.Sequence.Epoch, out.Done)
		}
	}
}

// A request that expired and whose session may have been dropped since.
func TestTooOldAndPerhapsExecuted(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	for id := range consensus.ReplicaID(2) {
		b.explain(id, r, consensus.RefusedExpired, consensus.Times{Executed: 1e18 + hour, Clock: 1e18})
	}
	out := b.s.Flush()
	if len(out.Done) != 1 || !errors.Is(out.Done[0].Err, ErrExpired) || !errors.Is(out.Done[0].Err, ErrUnknown) {
		t.Fatalf("done: %v", out.Done)
	}
}

// One replica that lies about the cluster's time does not make early what is too old:
// that it was not executed would be said of what may have been.
func TestTooOldIsNotEarly(t *testing.T) {
	for _, unused := range []bool{false, true} {
		b := newBench(t, nil)
		r := b.decode(b.invoke(1, 1)[0].Bytes)
		b.s.tickets[1].reissued = maxReissues
		b.explain(0, r, consensus.RefusedExpired, consensus.Times{Unused: unused, Executed: 1, Clock: 1})
		b.explain(1, r, consensus.RefusedExpired, consensus.Times{Unused: unused, Executed: 1e18 + hour, Clock: 1e18 + hour})
		b.s.Advance(1e18 + 8*second)
		b.explain(1, r, consensus.RefusedExpired, consensus.Times{Unused: unused, Executed: 1e18 + hour, Clock: 1e18 + hour})
		out := b.s.Flush()
		if len(out.Done) != 1 || errors.Is(out.Done[0].Err, ErrUnknown) == unused || strings.Contains(out.Done[0].Err.Error(), "was not executed") {
			t.Errorf("unused %v: %v", unused, out.Done)
		}
	}
}

// An epoch that is still to come: a replica that lies might keep the request
// until then, so that it is not sent again; what follows goes by the cluster's
// time. The error says by how much whose clock is off.
func TestTooEarlyEpoch(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	for id := range consensus.ReplicaID(2) {
		b.explain(id, r, consensus.RefusedExpired, consensus.Times{Epoch: 1e18 - uint64(hour) + 7, Executed: 1e18 - hour, Clock: 1e18 - hour + second})
	}
	out := b.s.Flush()
	if len(out.Done) != 1 || !errors.Is(out.Done[0].Err, ErrExpired) || !errors.Is(out.Done[0].Err, ErrUnknown) ||
		!strings.Contains(out.Done[0].Err.Error(), "the clock of this machine is 1h0m0s off") {
		t.Fatalf("done: %v", out.Done)
	}
	b.s.Advance(1e18 + second)
	if r := b.last(b.invoke(2, 1)); r.Sequence.Epoch != 1e18-uint64(hour)+uint64(second) {
		t.Errorf("the next epoch is %d", r.Sequence.Epoch)
	}
}

// One replica that lies cannot have a session go by a time of its own: f+1 that
// contradict each other are not believed until 2f+1 have spoken, or the patience
// with those that say nothing is over.
func TestContradictionAboutTime(t *testing.T) {
	truth := consensus.Times{Unused: true, Executed: 1e18 + hour, Clock: 1e18 + hour}
	lie := consensus.Times{Unused: true, Executed: 1, Clock: 1}
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	b.explain(3, r, consensus.RefusedExpired, lie)
	b.explain(0, r, consensus.RefusedExpired, truth)
	if n := b.s.Stats().Renewals; b.s.InFlight() != 1 || n != 0 {
		t.Fatalf("believed while they contradict each other: %d in flight", b.s.InFlight())
	}
	b.explain(1, r, consensus.RefusedExpired, truth)
	if again := b.last(b.s.Flush().Sends); again.Sequence.Epoch != uint64(truth.Executed) {
		t.Errorf("sent again in epoch %d, want %d", again.Sequence.Epoch, truth.Executed)
	}

	b = newBench(t, nil)
	r = b.decode(b.invoke(1, 1)[0].Bytes)
	wrong := consensus.Times{Executed: truth.Executed, Clock: 1e18}
	truth.Unused = false
	b.explain(3, r, consensus.RefusedExpired, wrong)
	b.explain(0, r, consensus.RefusedExpired, truth)
	b.s.Advance(1e18 + 8*second)
	b.explain(0, r, consensus.RefusedExpired, truth)
	out := b.s.Flush()
	if len(out.Done) != 1 || !strings.Contains(out.Done[0].Err.Error(), "the clock of this machine or that of a replica is 59m52s off") {
		t.Errorf("two of four answer for 8 s: %v", out.Done)
	}
}

// What is shown of the replicas' clocks: f of them lie at either end, and with 2f+1
// answers nothing is shown beyond what honest ones say. Two answers of which one may
// be a lie are shown both. Raft trusts its members.
func TestClocksThatAreShown(t *testing.T) {
	for name, tc := range map[string]struct {
		system quorum.System
		clocks []consensus.Time
		want   [2]consensus.Time
	}{
		"two":               {quorum.Byzantine.System(4), []consensus.Time{10, 11}, [2]consensus.Time{10, 11}},
		"two, a high liar":  {quorum.Byzantine.System(4), []consensus.Time{10, 99}, [2]consensus.Time{10, 99}},
		"two, a low liar":   {quorum.Byzantine.System(4), []consensus.Time{1, 10}, [2]consensus.Time{1, 10}},
		"three, a high one": {quorum.Byzantine.System(4), []consensus.Time{99, 10, 11}, [2]consensus.Time{11, 11}},
		"three, a low one":  {quorum.Byzantine.System(4), []consensus.Time{11, 10, 1}, [2]consensus.Time{10, 10}},
		"four, a high one":  {quorum.Byzantine.System(4), []consensus.Time{10, 12, 11, 99}, [2]consensus.Time{11, 12}},
		"four, a low one":   {quorum.Byzantine.System(4), []consensus.Time{1, 12, 11, 10}, [2]consensus.Time{10, 11}},
		"one of Raft":       {quorum.Crash.System(4), []consensus.Time{10}, [2]consensus.Time{10, 10}},
		"three of Raft":     {quorum.Crash.System(4), []consensus.Time{12, 10, 11}, [2]consensus.Time{10, 12}},
	} {
		b := newBench(t, func(c *Config) { c.System = tc.system })
		r := &request{refusals: make([]consensus.RefusalCode, 4), times: make([]consensus.Times, 4)}
		for id, at := range tc.clocks {
			r.refusals[id], r.times[id] = consensus.RefusedExpired, consensus.Times{Executed: 5, Clock: at}
		}
		if w := b.s.believed(r, r.ground(0)); !w.known || w.clocks != tc.want {
			t.Errorf("%s: %v, want %v", name, w.clocks, tc.want)
		}
	}
}

// A session that is told of the last epoch that was accepted begins above it,
// whatever its clock says, and says itself what was accepted: only what was executed
// is, so that a clock that was once far ahead does not lock its key out.
func TestAcceptedEpoch(t *testing.T) {
	open := 1e18 + uint64(hour)
	b := newBench(t, func(c *Config) { c.After = open })
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	if r.Sequence.Epoch != open+1 || b.s.Accepted() != open {
		t.Fatalf("it begins in epoch %d, and %d was accepted", r.Sequence.Epoch, b.s.Accepted())
	}
	b.reply(0, r, "done", 0)
	if b.s.Accepted() != open {
		t.Error("one replica was believed")
	}
	b.reply(1, r, "done", 0)
	if b.s.Accepted() != open+1 {
		t.Errorf("accepted is %d", b.s.Accepted())
	}
	if r = b.decode(b.invoke(2, 1)[0].Bytes); r.Sequence != (consensus.Sequence{Epoch: open + 1, Counter: 2}) {
		t.Errorf("the next is %d: a clock that was set back ends no session", r.Sequence)
	}

	ahead := newBench(t, func(c *Config) { c.Epoch, c.After = open, 7 })
	r = ahead.decode(ahead.invoke(1, 1)[0].Bytes)
	for id := range consensus.ReplicaID(2) {
		ahead.explain(id, r, consensus.RefusedExpired, consensus.Times{Executed: 1e18, Clock: 1e18})
	}
	if ahead.s.Accepted() != 7 {
		t.Errorf("an epoch that was refused is kept: %d", ahead.s.Accepted())
	}
}

// What was kept and cannot have been accepted is taken back: f+1 replicas say that
// their time is far from there. One of them alone does not take anything back.
func TestKeptWrongly(t *testing.T) {
	for _, after := range []uint64{1e18 + uint64(hour), math.MaxUint64} {
		for low, want := range map[consensus.Time]uint64{1e18: 3, 1: 3, 1e18 + hour: after} {
			b := newBench(t, func(c *Config) { c.After = after })
			r := b.decode(b.invoke(1, 1)[0].Bytes)
			b.explain(0, r, consensus.RefusedExpired, consensus.Times{Epoch: 3, Executed: low, Clock: 1e18})
			b.explain(1, r, consensus.RefusedExpired, consensus.Times{Epoch: 3, Executed: 1e18, Clock: 1e18})
			b.s.Advance(1e18 + 8*second)
			b.explain(1, r, consensus.RefusedExpired, consensus.Times{Epoch: 3, Executed: 1e18, Clock: 1e18})
			if after == math.MaxUint64 {
				want = 3
			}
			if b.s.InFlight() != 0 || b.s.Accepted() != want {
				t.Errorf("%d, one says %d: accepted is %d, want %d", after, low, b.s.Accepted(), want)
			}
			b.s.Flush()
			if r = b.last(b.invoke(2, 1)); r.Sequence.Epoch > 1e18+uint64(hour) {
				t.Errorf("%d: the next epoch is %d", after, r.Sequence.Epoch)
			}
		}
	}
}

// The caller's clock is not blamed for a replica's.
func TestWhoseClockIsBlamed(t *testing.T) {
	for _, tc := range []struct {
		own, executed, clock consensus.Time
		want                 string
	}{
		{1e18, 1e18 + hour, 1e18 + second, "the cluster's time is 1h0m0s off, because of the clock of a replica and not of this machine"},
		{1e18, 1e18 + hour, 1e18 + hour, "the clock of this machine is 1h0m0s off"},
		{1e18 + hour, 1e18, 1e18, "the clock of this machine is 1h0m0s off"},
		{1e18, 1e18 - hour, 1e18 - second, "because of the clock of a replica"},
	} {
		err := &RefusedError{Code: consensus.RefusedExpired, word: word{known: true, executed: tc.executed, clocks: [2]consensus.Time{tc.clock, tc.clock}}, own: tc.own}
		if !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %s", tc, err)
		}
	}
}

// A sequence that is used up is the fault of a clock that lies far behind, and else
// of another process.
func TestClockBehindIsBlamedForStale(t *testing.T) {
	for at, want := range map[consensus.Time]string{
		1e18 - hour:   "the clock of this machine is 1h0m0s behind",
		1e18 - second: "another process",
		1e18 + hour:   "another process",
	} {
		// That the cluster was idle for long says nothing of anybody's clock.
		err := &RefusedError{Code: consensus.RefusedStale, word: word{known: true, executed: 1e18 - 100*hour, clocks: [2]consensus.Time{1e18, 1e18}}, own: at}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %s", at, err)
		}
	}
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	for id := range consensus.ReplicaID(2) {
		b.explain(id, r, consensus.RefusedStale, consensus.Times{Epoch: 1e18 + uint64(hour), Executed: 1e18 + hour, Clock: 1e18 + hour})
	}
	out := b.s.Flush()
	if len(out.Done) != 1 || !errors.Is(out.Done[0].Err, ErrStale) || !strings.Contains(out.Done[0].Err.Error(), "1h0m0s behind") {
		t.Fatalf("done: %v", out.Done)
	}
}

// A caller who waits no longer is told what the replicas said last.
func TestCancelSaysWhy(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	for id := range consensus.ReplicaID(2) {
		b.refuse(id, r, consensus.RefusedTooManySessions)
	}
	b.s.Cancel(1)
	out := b.s.Flush()
	if len(out.Done) != 1 || !errors.Is(out.Done[0].Err, ErrUnknown) || !strings.Contains(out.Done[0].Err.Error(), "too many sessions") {
		t.Fatalf("done: %v", out.Done)
	}
}
