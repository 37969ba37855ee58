package session

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
)

// Whatever the network and f liars do, an operation that completes has the
// true result and took effect once; after healing everything completes.
func TestSessionAgainstOracle(t *testing.T) {
	for name, model := range map[string]quorum.Model{"byzantine": quorum.Byzantine, "crash": quorum.Crash} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { runWorld(newWorld(t, model)) })
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
	for steps := 0; w.s.InFlight() > 0 || w.s.queue.len() > 0; steps++ {
		if steps > 20_000 {
			w.t.Fatalf("%d in flight, %d wait", w.s.InFlight(), w.s.queue.len())
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
	b := &bench{t: t, genesis: consensus.NewGenesis("bench", "any", []crypto.PublicKey{{1}, {2}, {3}, {4}})}
	cfg := Config{Genesis: &b.genesis, System: quorum.Byzantine.System(4), Signer: crypto.NewSimSigner(crypto.NewKeyring(), [32]byte{1}), Epoch: 1e18}
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
	b.expect("until it is a share", b.invoke(70, 18), "R0 #4 x21")
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

// While the oldest request is unanswered, the window does not move past it.
func TestWindowKeepsOldest(t *testing.T) {
	b := newBench(t, func(c *Config) { c.OneEach = true })
	sends := b.invoke(1, 256)
	for _, send := range sends[1:] {
		r := b.decode(send.Bytes)
		b.reply(1, r, "ok", 0)
		b.reply(2, r, "ok", 0)
	}
	b.s.Flush()
	b.expect("the window is full", b.invoke(257, 1))
	r := b.decode(sends[0].Bytes)
	b.reply(1, r, "ok", 0)
	b.reply(2, r, "ok", 0)
	b.expect("the window moves", b.s.Flush().Sends, "R0 #257 x1")
}

// More liars than f are beyond what a client can stand, but not beyond decency.
func TestTooFewResults(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 2)[0].Bytes)
	for id := range consensus.ReplicaID(4) {
		b.s.Receive(id, (&consensus.Reply{Request: r.Digest, Sequence: r.Sequence, Results: make([]consensus.Result, 1)}).Encode())
	}
	if out := b.s.Flush(); len(out.Done) != 0 {
		t.Fatalf("done: %v", out.Done)
	}
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
	if b.s.link.primary != 0 {
		t.Fatalf("one replica made R%d primary", b.s.link.primary)
	}
	b.reply(1, r, "ok", 5)
	b.reply(2, r, "ok", 5)
	if b.s.link.primary != 1 {
		t.Fatalf("primary R%d, want R1", b.s.link.primary)
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

// A client that has got used to slow answers still tells everybody of its oldest
// request in time, and of no other: else no backup knew that anything waits.
func TestOldestGoesToAll(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Patience, c.MaxPatience, c.BusyPause, c.OneEach = 100*millisecond, 1<<60, 10*millisecond, true
	})
	b.s.link.trip = second // seen so far
	b.expect("to the primary", b.invoke(1, 3), "R0 #1 x1", "R0 #2 x1", "R0 #3 x1")
	b.s.Advance(1e18 + 100*millisecond - 1)
	b.expect("too early", b.s.Flush().Sends)
	b.s.Advance(1e18 + 100*millisecond)
	out := b.s.Flush()
	b.expect("the oldest", out.Sends, "R0 #1 x1", "R1 #1 x1", "R2 #1 x1", "R3 #1 x1")
	if b.s.link.suspect {
		t.Error("the primary is suspect for what it always takes")
	}
	b.s.Advance(1e18 + 105*millisecond)
	b.expect("the others wait as long as answers take", b.s.Flush().Sends)
	r := b.decode(out.Sends[0].Bytes)
	b.reply(1, r, "done", 1)
	b.reply(2, r, "done", 1)
	next := b.s.Flush().Deadline
	size := consensus.Time(len(r.Raw))
	if want := 1e18 + 110*millisecond + 3*size*second/tellRate; next != want {
		t.Fatalf("the next is told after %d, want %d: what is told is bounded", next-1e18, want-1e18)
	}
	b.s.Advance(next)
	b.expect("the oldest now", b.s.Flush().Sends, "R0 #2 x1", "R1 #2 x1", "R2 #2 x1", "R3 #2 x1")
}
