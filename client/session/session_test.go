package session

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"quorate/consensus"
	"quorate/crypto"
	"quorate/quorum"
)

// Whatever the network and f liars do, an operation that completes has the
// true result and took effect once; after healing everything completes.
func TestSessionAgainstOracle(t *testing.T) {
	for _, protocol := range []string{quorum.PBFT, quorum.Raft} {
		t.Run(protocol, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { runWorld(newWorld(t, protocol)) })
		})
	}
}

func runWorld(w *world) {
	for range rapid.IntRange(1, 150).Draw(w.t, "steps") {
		switch rapid.IntRange(0, 7).Draw(w.t, "what") {
		case 0, 1:
			for range rapid.IntRange(1, 5).Draw(w.t, "burst") {
				w.invoke()
			}
		case 2:
			w.cancel()
		default:
			w.step()
		}
		if rapid.Bool().Draw(w.t, "flush") {
			w.flush()
		}
	}
	w.healed = true
	for id := range consensus.ReplicaID(w.n) {
		w.s.Connected(id)
	}
	for steps := 0; w.s.InFlight() > 0 || w.s.Waiting() > 0; steps++ {
		if steps > 20_000 {
			w.t.Fatalf("%d in flight, %d wait", w.s.InFlight(), w.s.Waiting())
		}
		w.flush()
		w.step()
	}
	w.flush()
	for t, op := range w.ops {
		d, ok := w.done[t]
		if !ok {
			w.t.Fatalf("ticket %d is never done", t)
		}
		if errors.Is(d.Err, ErrNotSent) && w.effects[op] != 0 {
			w.t.Fatalf("operation %q was not sent and took effect", op)
		}
	}
	if len(w.s.tickets) != 0 || w.s.queue.bytes != 0 || w.s.flight.bytes != 0 || w.s.flight.operations != 0 {
		w.t.Fatalf("left over: %d tickets, %d, %d and %d", len(w.s.tickets), w.s.queue.bytes, w.s.flight.bytes, w.s.flight.operations)
	}
}

// bench is a session of four replicas, all connected, that a test drives by hand.
type bench struct {
	t       *testing.T
	genesis consensus.Genesis
	s       *Session
}

func newBench(t *testing.T, change func(*Config)) *bench {
	b := &bench{t: t, genesis: consensus.NewGenesis("bench", quorum.PBFT, []crypto.PublicKey{{1}, {2}, {3}, {4}})}
	cfg := Config{Genesis: &b.genesis, Signer: crypto.NewSimSigner(crypto.NewKeyring(), [32]byte{1}), Epoch: 1e18}
	if change != nil {
		change(&cfg)
	}
	var err error
	if b.s, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	for id := range consensus.ReplicaID(4) {
		b.s.Connected(id)
	}
	return b
}

// invoke hands in n operations with tickets from first on, and returns what is sent.
func (b *bench) invoke(first, n int) []Send {
	for i := range n {
		b.s.Invoke(Ticket(first+i), fmt.Appendf(nil, "op %d", first+i))
	}
	return b.s.Flush().Sends
}

func (b *bench) decode(frame []byte) *consensus.Request {
	b.t.Helper()
	r, err := consensus.DecodeRequest(frame)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *bench) reply(from consensus.ReplicaID, r *consensus.Request, text string, v consensus.View) {
	reply := &consensus.Reply{Request: r.Digest, Sequence: r.Sequence, Seq: 1, View: v, Replica: from}
	for range r.Operations {
		reply.Results = append(reply.Results, consensus.Result{Data: []byte(text)})
	}
	b.s.Receive(from, reply.Encode())
}

func (b *bench) refuse(from consensus.ReplicaID, r *consensus.Request, code consensus.RefusalCode) {
	b.s.Receive(from, (&consensus.Refusal{Request: r.Digest, Sequence: r.Sequence, Code: code}).Encode())
}

func (b *bench) sequences(sends []Send) (out []string) {
	for _, s := range sends {
		r := b.decode(s.Bytes)
		out = append(out, fmt.Sprintf("R%d #%d x%d", s.To, r.Sequence.Counter, len(r.Operations)))
	}
	return out
}

func (b *bench) expect(what string, sends []Send, want ...string) {
	b.t.Helper()
	if got := b.sequences(sends); fmt.Sprint(got) != fmt.Sprint(want) {
		b.t.Fatalf("%s: sent %v, want %v", what, got, want)
	}
}

// PROTOCOL §3: concurrent invocations are gathered without delay when idle.
func TestGathering(t *testing.T) {
	b := newBench(t, nil)
	b.expect("idle", b.invoke(1, 1), "R0 #1 x1")
	b.expect("few callers do not wait", b.invoke(2, 1), "R0 #2 x1")
	b.expect("a burst is one request", b.invoke(10, 40), "R0 #3 x40")
	b.expect("a fraction waits", b.invoke(60, 3))
	b.expect("until it is a share", b.invoke(70, 8), "R0 #4 x11")
}

func TestGatheringWaitsForSlot(t *testing.T) {
	b := newBench(t, func(c *Config) { c.InFlight = 2 })
	first := b.invoke(1, 1)
	b.invoke(2, 1)
	b.expect("no slot", b.invoke(3, 100))
	r := b.decode(first[0].Bytes)
	b.reply(1, r, "ok", 0)
	b.reply(2, r, "ok", 0)
	b.expect("a slot is free", b.s.Flush().Sends, "R0 #3 x100")
}

func TestOneEach(t *testing.T) {
	b := newBench(t, func(c *Config) { c.OneEach = true })
	if n := len(b.invoke(1, 300)); n != consensus.SessionWindow {
		t.Fatalf("%d requests in flight, want %d", n, consensus.SessionWindow)
	}
}

// A client believes f+1 equal replies; f equal lies, told however often, are not enough.
func TestBelief(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	for range 5 {
		b.reply(3, r, "lie", 0)
	}
	b.reply(0, r, "truth", 0)
	if out := b.s.Flush(); len(out.Done) != 0 {
		t.Fatalf("believed %v", out.Done)
	}
	b.reply(2, r, "truth", 0)
	if out := b.s.Flush(); len(out.Done) != 1 || string(out.Done[0].Result.Data) != "truth" || out.Done[0].Seq != 1 {
		t.Fatalf("done: %v", out.Done)
	}
}

// E.g. a reply that does not name its request hands a restarted client an old
// result: the digest decides, not the sequence alone.
func TestReplyToAnotherRequestIsIgnored(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	other := *r
	other.Digest = crypto.Hash([]byte("an older request under the same sequence"))
	b.reply(0, &other, "old", 0)
	b.reply(1, &other, "old", 0)
	if out := b.s.Flush(); len(out.Done) != 0 {
		t.Fatalf("believed %v", out.Done)
	}
}

// Unanswered, a request goes to every replica, with patience that doubles up to a cap.
func TestRetransmission(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Patience, c.MaxPatience = 100, 300 })
	b.expect("first", b.invoke(1, 1), "R0 #1 x1")
	at := consensus.Time(1e18)
	for _, wait := range []consensus.Time{100, 200, 300, 300} {
		out := b.s.Flush()
		if out.Deadline != at+wait {
			t.Fatalf("deadline %d, want %d", out.Deadline-1e18, at+wait-1e18)
		}
		at = out.Deadline
		b.s.Advance(at - 1)
		b.expect("too early", b.s.Flush().Sends)
		b.s.Advance(at)
		b.expect("again", b.s.Flush().Sends, "R0 #1 x1", "R1 #1 x1", "R2 #1 x1", "R3 #1 x1")
	}
	b.expect("the primary is suspect", b.invoke(9, 1), "R0 #2 x1", "R1 #2 x1", "R2 #2 x1", "R3 #2 x1")
}

// A hint is believed when f+1 replicas have reached the view; one liar moves nobody.
func TestPrimaryHint(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	b.reply(3, r, "lie", 1<<40+2)
	if b.s.Primary() != 0 {
		t.Fatalf("one replica made R%d primary", b.s.Primary())
	}
	b.reply(1, r, "ok", 5)
	b.reply(2, r, "ok", 5)
	if b.s.Primary() != 1 {
		t.Fatalf("primary R%d, want R1", b.s.Primary())
	}
	b.s.Flush()
	b.expect("to the new primary", b.invoke(2, 1), "R1 #2 x1")
	b.s.Disconnected(1)
	b.expect("its channel breaks", b.s.Flush().Sends, "R0 #2 x1", "R2 #2 x1", "R3 #2 x1")
}

// What a deposed primary has not answered goes to its successor at once.
func TestNewPrimaryGetsWhatWaits(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	b.invoke(2, 1)
	b.reply(1, r, "ok", 2)
	b.reply(3, r, "ok", 2)
	b.expect("new primary", b.s.Flush().Sends, "R2 #2 x1")
}

// A busy primary is asked again after a pause that grows, and all are when patience is over.
func TestBusy(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Patience, c.BusyPause = 100, 10 })
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	at := consensus.Time(1e18)
	for _, wait := range []consensus.Time{10, 20, 40} {
		b.refuse(2, r, consensus.RefusedBusy) // not the primary: no pause
		b.refuse(0, r, consensus.RefusedBusy)
		at += wait
		if got := b.s.Flush().Deadline; got != at {
			t.Fatalf("deadline %d, want %d", got-1e18, at-1e18)
		}
		b.s.Advance(at)
		b.expect("after the pause", b.s.Flush().Sends, "R0 #1 x1")
	}
	b.s.Advance(1e18 + 100)
	b.expect("out of patience", b.s.Flush().Sends, "R0 #1 x1", "R1 #1 x1", "R2 #1 x1", "R3 #1 x1")
}

// Final refusals are believed from f+1 replicas and come as typed errors.
func TestFinalRefusals(t *testing.T) {
	for code, want := range map[consensus.RefusalCode][]error{
		consensus.RefusedMalformed:     {ErrRefused, ErrMalformed},
		consensus.RefusedSignature:     {ErrRefused, ErrSignature},
		consensus.RefusedUnknownClient: {ErrRefused, ErrUnknownClient},
		consensus.RefusedTooLarge:      {ErrRefused, ErrTooLarge},
		consensus.RefusedRole:          {ErrRefused, ErrNotPermitted},
		consensus.RefusedStale:         {ErrRefused, ErrStale, ErrUnknown},
	} {
		t.Run(code.String(), func(t *testing.T) {
			b := newBench(t, nil)
			r := b.decode(b.invoke(1, 1)[0].Bytes)
			b.refuse(3, r, code)
			b.refuse(3, r, code)
			if out := b.s.Flush(); len(out.Done) != 0 {
				t.Fatalf("one replica was believed: %v", out.Done)
			}
			b.refuse(1, r, code)
			out := b.s.Flush()
			if len(out.Done) != 1 {
				t.Fatalf("done: %v", out.Done)
			}
			err := out.Done[0].Err
			for _, target := range want {
				if !errors.Is(err, target) {
					t.Errorf("%v is not %v", err, target)
				}
			}
			if errors.Is(err, ErrUnknown) != (code == consensus.RefusedStale) {
				t.Errorf("outcome of %v", err)
			}
		})
	}
}

// A fresh epoch follows a stale one as soon as nothing is in flight.
func TestStaleEpochIsRenewed(t *testing.T) {
	b := newBench(t, nil)
	first := b.decode(b.invoke(1, 1)[0].Bytes)
	second := b.decode(b.invoke(2, 1)[0].Bytes)
	b.refuse(0, first, consensus.RefusedStale)
	b.refuse(1, first, consensus.RefusedStale)
	b.expect("the old epoch is still in flight", b.invoke(3, 1))
	b.refuse(0, second, consensus.RefusedStale)
	b.refuse(1, second, consensus.RefusedStale)
	sends := b.s.Flush().Sends
	b.expect("a fresh window", sends, "R0 #1 x1")
	if got := b.decode(sends[0].Bytes).Sequence.Epoch; got <= first.Sequence.Epoch {
		t.Fatalf("epoch %d after %d", got, first.Sequence.Epoch)
	}
}

// A session that the replicas dropped is opened again, and the operation sent
// once more: it cannot have been executed. A clock that is wrong ends it.
func TestExpired(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	b.refuse(0, r, consensus.RefusedExpired)
	b.refuse(1, r, consensus.RefusedExpired)
	sends := b.s.Flush().Sends
	b.expect("once more", sends, "R0 #1 x1")
	r = b.decode(sends[0].Bytes)
	b.refuse(0, r, consensus.RefusedExpired)
	b.refuse(1, r, consensus.RefusedExpired)
	out := b.s.Flush()
	if len(out.Done) != 1 || !errors.Is(out.Done[0].Err, ErrExpired) || errors.Is(out.Done[0].Err, ErrUnknown) {
		t.Fatalf("done: %v", out.Done)
	}
}

// An old request that expired may have been executed long ago.
func TestExpiredLate(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	b.s.Advance(1e18 + b.genesis.Limits.SessionIdle)
	b.refuse(0, r, consensus.RefusedExpired)
	b.refuse(1, r, consensus.RefusedExpired)
	out := b.s.Flush()
	if len(out.Done) != 1 || !errors.Is(out.Done[0].Err, ErrExpired) || !errors.Is(out.Done[0].Err, ErrUnknown) {
		t.Fatalf("done: %v", out.Done)
	}
}

// After a long rest the session begins afresh, before the replicas forget it.
func TestIdleSessionIsRenewed(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	b.reply(0, r, "ok", 0)
	b.reply(1, r, "ok", 0)
	later := consensus.Time(1e18) + b.genesis.Limits.SessionIdle
	b.s.Advance(later)
	sends := b.invoke(2, 1)
	b.expect("fresh", sends, "R0 #1 x1")
	if got := b.decode(sends[0].Bytes).Sequence.Epoch; got != uint64(later) {
		t.Fatalf("epoch %d, want %d", got, later)
	}
}

// One operation that is not permitted does not take down those it travels with.
func TestRefusedTogetherTriedAlone(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 2)[0].Bytes)
	b.refuse(0, r, consensus.RefusedRole)
	b.refuse(1, r, consensus.RefusedRole)
	b.expect("alone", b.s.Flush().Sends, "R0 #2 x1", "R0 #3 x1")
}

// A cancelled operation ends at once; its request is retried, then given up,
// and in no case blocks the window.
func TestAbandonedRequestsDoNotWedge(t *testing.T) {
	b := newBench(t, func(c *Config) { c.InFlight, c.GiveUp, c.OneEach = 100, second, true })
	now, ticket := consensus.Time(1e18), 0
	for range 10 {
		for range 64 {
			ticket++
			if n := len(b.invoke(ticket, 1)); n == 0 {
				t.Fatalf("operation %d does not go out", ticket)
			}
			b.s.Cancel(Ticket(ticket))
			if out := b.s.Flush(); len(out.Done) != 1 || !errors.Is(out.Done[0].Err, ErrUnknown) {
				t.Fatalf("done: %v", out.Done)
			}
		}
		now += 2 * second
		b.s.Advance(now)
		if b.s.InFlight() != 0 {
			t.Fatalf("%d requests are not given up", b.s.InFlight())
		}
	}
	if b.s.Stats().Renewals == 0 {
		t.Fatal("640 gaps were left in one window")
	}
}

func TestBounds(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Queue, c.InFlight = 3, 1 })
	b.invoke(1, 1)
	b.invoke(2, 3)
	b.s.Invoke(5, []byte("one too many"))
	b.s.Invoke(6, make([]byte, b.genesis.Limits.OperationBytes+1))
	out := b.s.Flush()
	if len(out.Done) != 2 || !errors.Is(out.Done[0].Err, ErrBusy) || !errors.Is(out.Done[1].Err, ErrTooLarge) {
		t.Fatalf("done: %v", out.Done)
	}
	b.s.Cancel(3)
	b.s.Close()
	b.s.Invoke(7, nil)
	out = b.s.Flush()
	if len(out.Done) != 5 || !errors.Is(out.Done[0].Err, ErrNotSent) || out.Deadline != 0 {
		t.Fatalf("done: %v", out.Done)
	}
	for _, d := range out.Done[1:] {
		if !errors.Is(d.Err, ErrClosed) || errors.Is(d.Err, ErrUnknown) != (d.Ticket == 1) {
			t.Errorf("ticket %d: %v", d.Ticket, d.Err)
		}
	}
}

// A request stays within the genesis limits, a large operation travels alone,
// and nothing is lost on the way.
func TestRequestsWithinLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := consensus.NewGenesis("limits", quorum.PBFT, []crypto.PublicKey{{1}})
		g.Limits.RequestOperations = rapid.IntRange(1, 50).Draw(t, "operations")
		s, err := New(Config{Genesis: &g, Signer: crypto.NewSimSigner(crypto.NewKeyring(), [32]byte{1}), Epoch: 1, GatherBytes: 1000})
		if err != nil {
			t.Fatal(err)
		}
		s.Connected(0)
		var want, got [][]byte
		for i, size := range rapid.SliceOfN(rapid.IntRange(0, 1500), 1, 100).Draw(t, "sizes") {
			op := bytes.Repeat([]byte{byte(i)}, size)
			want = append(want, op)
			s.Invoke(Ticket(i), op)
		}
		for len(got) < len(want) {
			out := s.Flush()
			if len(out.Sends) == 0 {
				t.Fatalf("%d of %d operations were sent", len(got), len(want))
			}
			for _, send := range out.Sends {
				r, err := consensus.DecodeRequest(send.Bytes)
				if err != nil {
					t.Fatal(err)
				}
				if len(r.Operations) > g.Limits.RequestOperations || len(r.Operations) > 1 && len(r.Raw) > 1000+requestHead {
					t.Fatalf("%d operations, %d bytes", len(r.Operations), len(r.Raw))
				}
				got = append(got, r.Operations...)
				reply := &consensus.Reply{Request: r.Digest, Sequence: r.Sequence, Results: make([]consensus.Result, len(r.Operations))}
				s.Receive(0, reply.Encode())
			}
		}
		for i := range want {
			if !bytes.Equal(want[i], got[i]) {
				t.Fatalf("operation %d was changed", i)
			}
		}
	})
}

func TestConfig(t *testing.T) {
	g := consensus.NewGenesis("g", quorum.PBFT, []crypto.PublicKey{{1}})
	signer := crypto.NewSimSigner(crypto.NewKeyring(), [32]byte{1})
	for name, c := range map[string]Config{
		"nothing":       {},
		"no epoch":      {Genesis: &g, Signer: signer},
		"bad genesis":   {Genesis: &consensus.Genesis{}, Signer: signer, Epoch: 1},
		"in flight":     {Genesis: &g, Signer: signer, Epoch: 1, InFlight: 257},
		"negative":      {Genesis: &g, Signer: signer, Epoch: 1, Queue: -1},
		"negative time": {Genesis: &g, Signer: signer, Epoch: 1, Patience: -1},
	} {
		if _, err := New(c); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Frames from replicas are hostile until proven otherwise.
func FuzzReceive(f *testing.F) {
	g := consensus.NewGenesis("fuzz", quorum.PBFT, []crypto.PublicKey{{1}, {2}, {3}, {4}})
	signer := crypto.NewSimSigner(crypto.NewKeyring(), [32]byte{1})
	f.Add(uint16(0), (&consensus.Reply{Results: []consensus.Result{{Data: []byte("x")}}}).Encode())
	f.Add(uint16(9), (&consensus.Refusal{Code: consensus.RefusedStale, Sequence: consensus.Sequence{Epoch: 1, Counter: 1}}).Encode())
	f.Add(uint16(1), []byte{})
	f.Fuzz(func(t *testing.T, from uint16, frame []byte) {
		s, err := New(Config{Genesis: &g, Signer: signer, Epoch: 1})
		if err != nil {
			t.Fatal(err)
		}
		s.Connected(0)
		s.Invoke(1, []byte("op"))
		s.Flush()
		s.Receive(consensus.ReplicaID(from), frame)
		if out := s.Flush(); len(out.Done) != 0 {
			t.Fatalf("one frame was believed: %v", out.Done)
		}
	})
}
