package session

import (
	"errors"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
)

// unread is what a replica of an older program says of a frame that it cannot read.
func (b *bench) unread(from ...consensus.ReplicaID) Output {
	for _, id := range from {
		b.s.Receive(id, (&consensus.Refusal{Code: consensus.RefusedMalformed}).Encode())
	}
	return b.s.Flush()
}

// older expects one operation to have ended because the replicas are too old.
func (b *bench) older(what string, done []Done, unknown bool, words string) {
	b.t.Helper()
	if len(done) != 1 {
		b.t.Fatalf("%s: done %v, want one", what, done)
	}
	var refused *RefusedError
	err := done[0].Err
	if !errors.As(err, &refused) || !errors.Is(err, ErrRefused) || !errors.Is(err, ErrOlder) || errors.Is(err, ErrMalformed) || errors.Is(err, ErrUnknown) != unknown {
		b.t.Errorf("%s: %v", what, err)
	}
	if !strings.HasPrefix(err.Error(), refused.Reason()) || !strings.HasSuffix(err.Error(), words) || !strings.Contains(refused.Reason(), "older program") {
		b.t.Errorf("%s: it says %q, want %q at the end", what, err, words)
	}
	if b.s.InFlight() != 0 {
		b.t.Errorf("%s: %d are in flight", what, b.s.InFlight())
	}
}

// of makes a system of n replicas, all connected.
func of(t *testing.T, model quorum.Model, n int) *bench {
	keys := make([]crypto.PublicKey, n)
	for i := range keys {
		keys[i][0] = byte(i + 1)
	}
	g := consensus.NewGenesis("older", "any", keys)
	b := newBench(t, func(c *Config) { c.Genesis, c.System, c.Elected = &g, model.System(n), model == quorum.Crash })
	for id := range consensus.ReplicaID(n) {
		b.s.Connected(id)
	}
	return b
}

const (
	mayBeLater = "the operation was not executed, and a replica that keeps it may still have it executed once they are upgraded"
	mayBe      = "the operation may have been executed"
	certainly  = "upgrade the replicas first"
)

// Where no replica knows requests of this kind, an operation ends once all have said
// so, and each that follows as soon as one has. One of the replicas may lie.
func TestOlderReplicas(t *testing.T) {
	b := newBench(t, nil)
	b.invoke(1, 1)
	b.expect("those that may know it", b.unread(0, 0).Sends, "R1 #1 x1", "R2 #1 x1", "R3 #1 x1")
	if out := b.unread(2, 2, 3); len(out.Done) != 0 || len(out.Sends) != 0 {
		t.Fatalf("replica 1 may know it: %+v", out)
	}
	b.older("all", b.unread(1).Done, true, mayBeLater)
	b.expect("the next", b.invoke(2, 1), "R0 #2 x1")
	b.older("the next", b.unread(0).Done, true, mayBeLater)
	if out := b.unread(0, 1, 2, 3); len(out.Done) != 0 || b.s.Stats().Ignored != 4 {
		t.Errorf("late words: %+v, %d ignored", out, b.s.Stats().Ignored)
	}
}

// A session that begins asks whom it reaches first, and each that comes. None of them
// is asked twice, so that it is known what each has declined.
func TestOlderReplicasAtTheBeginning(t *testing.T) {
	b := newBench(t, nil)
	for id := range consensus.ReplicaID(4) {
		b.s.Disconnected(id)
	}
	b.s.Connected(1)
	b.expect("the first", b.invoke(1, 1), "R1 #1 x1")
	b.s.Connected(0)
	b.s.Connected(2)
	b.s.Flush()
	b.expect("nobody again", b.unread(1).Sends)
	b.older("all that are reached", b.unread(0, 2).Done, true, mayBeLater)
}

// Those that know it are asked, and may be enough: so few that do not end nothing.
func TestFewOlderReplicas(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	b.unread(0, 0, 0)
	for range 3 { // it is insisted on
		b.s.Advance(b.s.Flush().Deadline)
		b.unread(0)
	}
	b.reply(1, r, "ok", 1)
	b.reply(2, r, "ok", 1)
	if done := b.s.Flush().Done; len(done) != 1 || done[0].Err != nil {
		t.Fatalf("done: %+v", done)
	}

	// Of six replicas four are a quorum, and three are none.
	b = of(t, quorum.Byzantine, 6)
	b.invoke(1, 1)
	b.unread(0, 1)
	b.s.Advance(b.s.Flush().Deadline)
	if out := b.s.Flush(); len(out.Done) != 0 || len(out.Sends) != 6 {
		t.Fatalf("four of six may be enough: %+v", out)
	}
	b.unread(5)
	b.s.Advance(b.s.Flush().Deadline)
	b.older("three of six are not", b.s.Flush().Done, true, mayBe)
}

// Of some that say nothing one may have the request: they have patience's time to
// answer. So may one of which a quorum is left if a liar's word is not taken.
func TestSomeOlderReplicas(t *testing.T) {
	b := newBench(t, nil)
	b.invoke(1, 1)
	if out := b.unread(0, 1); len(out.Done) != 0 {
		t.Fatalf("two may still answer: %+v", out.Done)
	}
	b.s.Advance(b.s.Flush().Deadline)
	b.older("two of four", b.s.Flush().Done, true, mayBe)
	b.invoke(2, 1)
	b.unread(0, 1, 2)
	b.s.Advance(b.s.Flush().Deadline)
	b.older("three of four", b.s.Flush().Done, true, mayBeLater)
	b.s.Disconnected(3)
	b.invoke(3, 1)
	b.older("all that are reached", b.unread(0).Done, true, mayBeLater)
}

// A replica that comes back may have been upgraded, and one that names a request has
// read it.
func TestOlderReplicasAreUpgraded(t *testing.T) {
	b := newBench(t, nil)
	first := b.decode(b.invoke(1, 1)[0].Bytes)
	b.unread(0, 1, 2)
	b.s.Disconnected(1)
	b.s.Connected(1)
	b.refuse(2, first, consensus.RefusedBusy)
	b.s.Advance(b.s.Flush().Deadline)
	if out := b.unread(3); len(out.Done) != 0 {
		t.Fatalf("two are not too old: %+v", out.Done)
	}
	b.reply(1, first, "ok", 1)
	b.reply(2, first, "ok", 1)
	if done := b.s.Flush().Done; len(done) != 1 || done[0].Err != nil {
		t.Fatalf("done: %+v", done)
	}
}

// Where nobody lies, an operation that all have declined was not and will not be
// executed; one that a replica may have taken is in doubt.
func TestOlderReplicasOfACrashModel(t *testing.T) {
	b := of(t, quorum.Crash, 3)
	b.invoke(1, 1)
	if out := b.unread(0, 1); len(out.Done) != 0 {
		t.Fatalf("done: %+v", out.Done)
	}
	b.older("all", b.unread(2).Done, false, certainly)

	b = of(t, quorum.Crash, 3)
	b.invoke(1, 1)
	b.unread(0, 1)
	b.s.Advance(b.s.Flush().Deadline)
	b.older("the third may have it", b.s.Flush().Done, true, mayBeLater)

	// What an earlier channel carried nobody has declined.
	b = of(t, quorum.Crash, 3)
	b.invoke(1, 1)
	b.s.Disconnected(0)
	b.s.Connected(0)
	b.older("sent twice", b.unread(0, 1, 2).Done, true, mayBeLater)

	b = of(t, quorum.Crash, 1)
	b.invoke(1, 1)
	b.older("alone", b.unread(0).Done, false, certainly)
}

// READs explain as many refusals as were sent. What is then ordered ends like every
// other operation.
func TestReadsOfOlderReplicas(t *testing.T) {
	for _, model := range []quorum.Model{quorum.Byzantine, quorum.Crash} {
		b := of(t, model, 4)
		out, reads := Output{Sends: b.read(1, 1)}, 0
		for range 10 {
			asked := out.Sends
			out = Output{}
			for _, send := range asked {
				if send.Bytes[0] == consensus.KindRead {
					reads++
				}
				more := b.unread(send.To)
				out.Sends, out.Done = append(out.Sends, more.Sends...), append(out.Done, more.Done...)
			}
			if len(out.Done) > 0 {
				break
			}
		}
		words := mayBeLater
		if model == quorum.Crash {
			words = certainly
		}
		b.older("a read", out.Done, model == quorum.Byzantine, words)
		if s := b.s.Stats(); s.ReadsOrdered != 1 || s.Requests != 1 || reads < 4 {
			t.Errorf("%d reads: %+v", reads, s)
		}
	}

	// Four refusals of a READ say nothing of the request that is in flight beside it.
	b := newBench(t, nil)
	b.invoke(1, 1)
	b.read(2, 1)
	done := b.unread(0, 1, 2, 3).Done
	b.s.Advance(b.s.Flush().Deadline)
	if done = append(done, b.s.Flush().Done...); len(done) != 0 {
		t.Errorf("done: %+v", done)
	}
}
