// Package sequencer is the proof that a protocol is added in one file: this one
// registers one, and nothing else in the house knows of it. Replica 0 of three
// orders what clients ask and the others follow. Nobody lies, and where replica
// 0 stops, all do until it comes back from its log, which is never cut.
package sequencer

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/pending"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/experiment/costs"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
	"quorate.dev/quorate/testnet"
)

const name, replicas = "sequencer", 3

// The frames. ORDER has a height and its batch, HAVE the height that a replica
// has reached: a follower says it now and then, and replica 0 answers.
const (
	orderKind = consensus.FirstProtocolKind + iota
	haveKind
)

// reasonOrder: a follower takes orders one after the other.
const reasonOrder consensus.Reason = "not the next order"

func sequencer() protocol.Protocol {
	return protocol.Protocol{
		Name: name, Title: "Sequencer", Model: quorum.Crash,
		Words: protocol.Words{View: "reign", Lead: "sequencer", Follow: "follower", Between: "idle", Place: "height"},
		Kinds: []string{"ORDER", "HAVE"}, Decisive: []byte{orderKind}, NewCodec: newCodec, Reasons: []consensus.Reason{reasonOrder},
		Goals: []protocol.Goal{{Name: "an order came too early", Least: 100, Seen: func(r *protocol.Run) bool { return r.Reasons[reasonOrder] > 0 }}},
		Costs: protocol.Costs{
			Kinds: []protocol.FrameKind{{Name: "ORDER", Part: protocol.Agreement}, {Name: "HAVE", Part: protocol.Upkeep}},
			Sizes: []int{replicas},
			Decision: func(n int) protocol.Expected {
				return protocol.Expected{Frames: n - 1, ByKind: map[string]int{"ORDER": n - 1}, Admitted: n, Forced: n, Delays: 2, Syncs: 1, Textbook: "n"}
			},
			Bytes:      func(n, batch int) int { return (n - 1) * (1 + 8 + batch) },
			Upkeep:     func(n int) int { return 2 * 4 * (n - 1) }, // with a HAVE every 250 ms
			Checkpoint: func(int) int { return 0 },
			Text:       protocol.Formulas{Frames: "n−1", Bytes: "(n−1)(b+9)", Forced: "n", Upkeep: "8(n−1)"},
		},
		New: func(s protocol.Settings) (consensus.Protocol, error) {
			return &rules{Settings: s, door: consensus.NewDoor(&s.Genesis)}, nil
		},
	}
}

// newCodec: what stands at a height is all that replica 0 promises.
func newCodec(consensus.Genesis) protocol.Codec {
	return protocol.Codec{
		Kind: func(frame []byte) string { return map[byte]string{orderKind: "ORDER", haveKind: "HAVE"}[frame[0]] },
		Promise: func(frame []byte) (protocol.Promise, bool) {
			o, err := decode(frame)
			return protocol.Promise{Kind: orderKind, Seq: o.seq, Content: o.batch.Digest()}, err == nil && frame[0] == orderKind
		},
		Keep: func(frame []byte) []byte {
			if frame[0] == orderKind {
				return frame
			}
			return nil
		},
	}
}

// rules are the protocol of one replica.
type rules struct {
	protocol.Settings
	door consensus.Door
}

// order is an ORDER, or without batch a HAVE.
type order struct {
	seq   consensus.Seq
	batch *consensus.Batch
	frame []byte
}

func decode(frame []byte) (o order, err error) {
	s := cryptobyte.String(frame)
	var kind uint8
	var seq uint64
	if !s.ReadUint8(&kind) || !s.ReadUint64(&seq) {
		return o, consensus.ErrMalformed
	}
	o = order{seq: consensus.Seq(seq), frame: frame}
	if kind == orderKind {
		o.batch, err = consensus.ReadBatch(&s)
	}
	if err == nil && (!s.Empty() || kind != orderKind && kind != haveKind) {
		err = consensus.ErrMalformed
	}
	return o, err
}

func encode(kind byte, seq consensus.Seq) []byte {
	return binary.BigEndian.AppendUint64([]byte{kind}, uint64(seq))
}

func (p *rules) Open(v crypto.Verifier, _ consensus.Horizon, in []consensus.Frame) []consensus.Opened {
	out := make([]consensus.Opened, len(in))
	for i, f := range in {
		out[i] = p.open(v, f)
	}
	return out
}

// open verifies what clients have signed, wherever it stands.
func (p *rules) open(v crypto.Verifier, f consensus.Frame) consensus.Opened {
	bad := consensus.Opened{Reason: consensus.ReasonMalformed, Blame: true}
	if len(f.Bytes) == 0 {
		return bad
	}
	if f.Bytes[0] == consensus.KindRead {
		return p.door.OpenQuery(f)
	}
	if consensus.IsRequest(f.Bytes) {
		q, o := p.door.OpenRequest(f)
		if q != nil && !v.Verify([]crypto.Claim{q.Claim(p.door.Cluster)})[0] {
			return p.door.Denied(f, q)
		}
		return o
	}
	o, err := decode(f.Bytes)
	if err != nil || f.From.Kind != consensus.PeerReplica || o.batch != nil && f.From.Replica != 0 {
		return bad
	}
	if o.batch != nil {
		var claims []crypto.Claim
		for _, q := range o.batch.Requests {
			claims = append(claims, q.Claim(p.door.Cluster))
		}
		if p.door.CheckBatch(o.batch) != nil || slices.Contains(v.Verify(claims), false) {
			return bad
		}
	}
	return consensus.Opened{Event: consensus.Receive{From: f.From, Message: o}}
}

func (p *rules) New(r consensus.Recovered) (consensus.Engine, error) {
	e := &engine{rules: p, now: r.Now, handed: r.Height, applied: r.Height, waiting: pending.New(pending.Config{
		Replicas: replicas, Count: 1 << 10, Bytes: 32 << 20, Retell: p.Patience / 2, Ask: p.Patience,
	})}
	for _, record := range r.Records {
		o, err := decode(record.Bytes)
		if err != nil {
			return nil, err
		}
		e.orders = append(e.orders, o)
	}
	if len(e.orders) > 0 {
		e.out.Note(consensus.Note{Kind: consensus.Restarted, Seq: e.handed})
	}
	e.execute()
	return e, nil
}

// engine is one replica. All orders stay in memory, for followers that miss some.
type engine struct {
	*rules
	out             consensus.Outbox
	now             consensus.Time
	tick            int
	orders          []order
	handed, applied consensus.Seq
	heard           [replicas]int // the tick at which each was heard last; 0 = never
	waiting         *pending.Pool
}

func (e *engine) Step(b consensus.Burst) consensus.Output {
	e.now = b.Now
	for _, event := range b.Events {
		switch event := event.(type) {
		case consensus.Tick:
			e.onTick()
		case consensus.Submit:
			if entry, fate := e.waiting.Submit(&e.out, event, e.tick, pending.Leader{}); fate == pending.Waits {
				e.forward(entry)
			}
		case consensus.Ask:
			if e.Self != 0 { // only the one that orders knows what was answered
				e.out.Refusals = append(e.out.Refusals, event.Query.Refuse(consensus.RefusedBusy))
			} else {
				e.out.Look(event.Query, consensus.Seq(len(e.orders)))
			}
		case consensus.Receive:
			e.heard[event.From.Replica] = e.tick + 1
			e.receive(event.From.Replica, event.Message.(order))
		case consensus.Executed:
			e.applied = max(e.applied, event.Seq)
			e.waiting.Executed(event, e.tick)
		case consensus.Settled:
			e.waiting.Remove(pending.KeyOf(event.Request))
		case consensus.Unsettled:
			e.waiting.Unsettled(event.Request, e.tick)
		}
	}
	for e.Self == 0 && e.waiting.Waiting() && consensus.Seq(len(e.orders))-e.applied < e.Genesis.Window {
		stamp := e.now
		if n := len(e.orders); n > 0 {
			stamp = max(stamp, e.orders[n-1].batch.Stamp+1)
		}
		batch := &consensus.Batch{Stamp: stamp, Requests: e.waiting.Take(&e.Genesis.Limits)}
		if len(batch.Requests) == 0 {
			break
		}
		next := consensus.Seq(len(e.orders) + 1)
		e.take(order{seq: next, batch: batch, frame: batch.Append(encode(orderKind, next))})
		e.out.Broadcast(consensus.Bodies, e.orders[next-1].frame)
	}
	e.execute()
	return e.out.Take()
}

// onTick says what a follower has, and tells of requests again.
func (e *engine) onTick() {
	e.tick++
	if e.Self != 0 && e.tick%e.StatusEvery == 0 {
		e.out.SendEarly(consensus.ReplicaPeer(0), consensus.Votes, encode(haveKind, consensus.Seq(len(e.orders))))
	}
	for entry := range e.waiting.Due(e.tick, max(1, e.Patience/2), pending.MaxForwards) {
		e.forward(entry)
		e.waiting.AskSession(&e.out, entry, e.tick)
	}
	e.waiting.DropStale(&e.out)
}

func (e *engine) forward(entry *pending.Entry) {
	entry.Told = e.tick
	if e.Self != 0 && entry.Lane == e.waiting.ClientLane() {
		e.out.SendEarly(consensus.ReplicaPeer(0), consensus.Bodies, entry.Request.Raw)
	}
}

// receive takes the next order, and gives a follower what it misses.
func (e *engine) receive(from consensus.ReplicaID, o order) {
	switch next := consensus.Seq(len(e.orders) + 1); {
	case o.batch != nil && o.seq == next:
		e.take(o)
	case o.batch != nil:
		e.out.Note(consensus.Note{Kind: consensus.Ignored, Seq: o.seq, Replica: from, Reason: reasonOrder})
	case e.Self == 0:
		e.out.SendEarly(consensus.ReplicaPeer(from), consensus.Votes, encode(haveKind, next-1))
		for seq := o.seq + 1; seq < min(next, o.seq+16); seq++ {
			e.out.Send(consensus.ReplicaPeer(from), consensus.Bodies, e.orders[seq-1].frame)
		}
	}
}

// take makes an order durable: what is said and executed waits for it.
func (e *engine) take(o order) {
	e.orders = append(e.orders, o)
	e.out.Record(o.seq, o.frame)
	e.waiting.Stands(o.batch)
}

func (e *engine) execute() {
	for e.handed < consensus.Seq(len(e.orders)) && e.handed-e.applied < e.Genesis.Window {
		o := e.orders[e.handed]
		e.handed = o.seq
		e.out.Do(consensus.Commit{Seq: o.seq, Digest: o.batch.Digest(), Batch: o.batch})
		e.waiting.Ordered(o.seq, o.batch)
	}
}

func (e *engine) Horizon() consensus.Horizon { return nil }

func (e *engine) Status() consensus.Status {
	s := consensus.Status{
		Protocol: name, Replica: e.Self, Executed: e.handed, Applied: e.applied, Stable: e.applied, High: e.applied + e.Genesis.Window,
		Pending: e.waiting.Len(), InFlight: int(e.handed - e.applied),
	}
	for id, at := range e.heard {
		if consensus.ReplicaID(id) == e.Self || at > 0 && e.tick-at < 4*e.StatusEvery {
			s.Heard = append(s.Heard, consensus.ReplicaID(id))
		}
	}
	return s
}

// TestMain registers the protocol, also in the processes of the testnet.
func TestMain(m *testing.M) {
	protocol.Register(sequencer())
	testnet.Serve(kv.Store{})
	os.Exit(m.Run())
}

// drawn is a seed's system of three replicas, of which none stays away for good,
// or is set back: the one that orders has no other to tell it what it said.
func drawn(seed uint64) sim.Config {
	c := sim.FromSeedOf(sequencer(), seed)
	c.Replicas, c.Trust.Faults, c.SetBacks = replicas, 0, nil
	return c
}

func simulated(t *testing.T, c sim.Config) sim.Result {
	t.Helper()
	w, err := sim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return w.Run()
}

// Whatever a seed brings, but for lost disks, the judges have nothing to say.
func TestSimulated(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 40
	}
	tried, results := sim.NewCoverage(sequencer()), uint64(0)
	for seed := range seeds {
		c := drawn(seed)
		r := simulated(t, c)
		for _, v := range r.Violations {
			t.Errorf("%s: %s", c.String(), v)
		}
		if seed < 5 && simulated(t, drawn(seed)).History != r.History {
			t.Errorf("seed %d has two histories", seed)
		}
		tried.Add(&c, &r)
		results += r.Stats.Results
	}
	var report strings.Builder
	if err := tried.Report(&report); err != nil || results < 50*seeds {
		t.Errorf("%d results in %d seeds, error %v", results, seeds, err)
	}
	for _, want := range []string{"seeds of sequencer", "highest reign 0", "an order came too early", string(reasonOrder)} {
		if !strings.Contains(report.String(), want) {
			t.Errorf("the coverage lacks %q:\n%s", want, report.String())
		}
	}
	for _, missing := range tried.Missing() {
		if strings.Contains(missing, "an order came too early in 0") {
			t.Error(missing)
		}
	}
}

// bent executes something else than what was ordered, or orders twice.
type bent struct {
	consensus.Protocol
	bend func(*consensus.Output)
}

type bentEngine struct {
	consensus.Engine
	bend func(*consensus.Output)
}

func (p bent) New(r consensus.Recovered) (consensus.Engine, error) {
	e, err := p.Protocol.New(r)
	return bentEngine{e, p.bend}, err
}

func (e bentEngine) Step(b consensus.Burst) consensus.Output {
	out := e.Engine.Step(b)
	e.bend(&out)
	return out
}

// The judges see what a broken one does: by what it executes, and by what it
// promises, which its codec tells them.
func TestJudged(t *testing.T) {
	for want, c := range map[check.Kind]struct {
		who  consensus.ReplicaID
		bend func(*consensus.Output)
	}{
		check.Fork: {1, func(o *consensus.Output) {
			for i, j := range o.Jobs {
				if c, ok := j.(consensus.Commit); ok && c.Seq == 5 {
					o.Jobs[i] = consensus.Commit{Seq: 5, Digest: consensus.NullDigest}
				}
			}
		}},
		check.Contradiction: {0, func(o *consensus.Output) {
			for _, s := range o.Sends {
				if len(s.Bytes) > 0 && s.Bytes[0] == orderKind {
					other := &consensus.Batch{Stamp: 1}
					seq := consensus.Seq(binary.BigEndian.Uint64(s.Bytes[1:]))
					o.Sends = append(o.Sends, consensus.Send{To: s.To, Class: s.Class, Bytes: other.Append(encode(orderKind, seq))})
					return
				}
			}
		}},
	} {
		cfg := drawn(1)
		cfg.Build = func(s protocol.Settings) (consensus.Protocol, error) {
			p, err := sequencer().New(s)
			if s.Self == c.who {
				p = bent{p, c.bend}
			}
			return p, err
		}
		r := simulated(t, cfg)
		if !slices.ContainsFunc(r.Verdict.Violations, func(v sim.Violation) bool { return v.Kind == want }) {
			t.Errorf("no %s among %v", want, r.Verdict.Violations)
		}
	}
}

// The formulas hold, and the tables show them in its own words.
func TestCounted(t *testing.T) {
	c, err := costs.Measure(costs.Options{Protocol: name, Replicas: replicas, Decisions: costs.Decisions})
	if err != nil {
		t.Fatal(err)
	}
	want := sequencer().Costs.Decision(replicas)
	for what, tally := range map[string]*costs.Tally{"alone": &c.Alone, "a hundred": &c.Hundred, "under load": &c.Load} {
		if got := tally.Frames(); got != want.Frames*tally.Decisions {
			t.Errorf("%s: %d messages in %d decisions, the formula says %d each", what, got, tally.Decisions, want.Frames)
		}
		if tally.Signed+tally.Verified != 0 || tally.Admitted != want.Admitted*tally.Requests {
			t.Errorf("%s: %d signatures made, %d checked, %d of clients", what, tally.Signed, tally.Verified, tally.Admitted)
		}
	}
	if c.Alone.Forced != want.Forced*c.Alone.Decisions || c.Delays != float64(want.Delays) || c.Syncs != float64(want.Syncs) {
		t.Errorf("%d writes in %d decisions, %v delays, %v syncs: the formulas say %+v", c.Alone.Forced, c.Alone.Decisions, c.Delays, c.Syncs, want)
	}
	var table strings.Builder
	if err := costs.WriteText(&table, []costs.Cost{c}, 0); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Sequencer", "n−1 = 2", "8(n−1) = 16", "1.000"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the tables lack %q:\n%s", want, table.String())
		}
	}
}

// Processes run it, with logs on disk and frames over the network, and their
// transcripts are judged.
func TestLive(t *testing.T) {
	c, err := testnet.Init(testnet.Options{
		Dir: t.TempDir() + "/net", Protocol: name, Settings: func(_ int, c *home.Config) { c.Record.Level = home.RecordAll },
	})
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	defer func() { must(c.Down()) }()
	_, err = c.Up()
	must(err)
	must(c.AwaitReady(ctx))
	var table strings.Builder
	must(testnet.WriteTable(&table, c.Statuses(ctx), 0))
	for _, want := range []string{"REIGN", "HEIGHT", "0 sequencer"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
	caller, err := c.Dial(ctx, c.ClientKeys()[0])
	must(err)
	store, puts := client.KV{Invoker: caller}, 0
	put := func() {
		t.Helper()
		for range 20 {
			_, err := store.Put(ctx, fmt.Appendf(nil, "key %d", puts), []byte("value"))
			must(err)
			puts++
		}
	}
	put()
	must(c.Kill(2)) // a follower: the others go on
	put()
	must(c.Kill(0)) // the first one: nobody orders
	soon, stop := context.WithTimeout(ctx, time.Second)
	if _, _, err := store.Get(soon, []byte("key 0")); err == nil {
		t.Error("ordered without replica 0")
	}
	stop()
	must(c.Restart(0))
	put()
	must(c.Restart(2))
	must(c.AwaitReady(ctx))
	must(c.AwaitSettled(ctx))
	for i := range puts {
		if _, found, err := store.Get(ctx, fmt.Appendf(nil, "key %d", i)); err != nil || !found {
			t.Fatalf("key %d: found %v, error %v", i, found, err)
		}
	}
	must(caller.Close())
	must(c.Down())
	verdict, err := c.Judge(kv.Store{}, check.Store())
	must(err)
	if !verdict.Safe() || verdict.Linearizable != check.Yes || int(verdict.Executed) < puts {
		t.Errorf("judged %+v", verdict)
	}
}
