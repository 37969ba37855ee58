package app_test

import (
	"encoding/binary"
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// client returns the i-th client's key. Machines judge no signatures, so
// tests need no private ones.
func client(i int) (k crypto.PublicKey) {
	k[0], k[1] = byte(i>>8), byte(i)
	k[31] = 1
	return k
}

// testStart is the executed time at which tests begin, and the epoch that
// their clients use.
const testStart = consensus.Time(1_700_000_000_000_000_000)

// second is one second of executed time.
const second = consensus.Time(1e9)

// newGenesis admits clients 0..3: a reader first, then writers; K is 4.
func newGenesis() consensus.Genesis {
	g := consensus.NewGenesis("test", "pbft", []crypto.PublicKey{client(1000)})
	g.Nonce[0] = 1
	g.CheckpointInterval, g.Window = 4, 16
	for i := range 4 {
		role := consensus.RoleWriter
		if i == 0 {
			role = consensus.RoleReader
		}
		g.Clients = append(g.Clients, consensus.ClientEntry{Key: client(i), Role: role})
	}
	return g
}

// request builds a request whose digest depends on everything in it.
func request(c crypto.PublicKey, epoch, counter uint64, ops ...[]byte) *consensus.Request {
	raw := append([]byte(nil), c[:]...)
	raw = binary.BigEndian.AppendUint64(raw, epoch)
	raw = binary.BigEndian.AppendUint64(raw, counter)
	for _, op := range ops {
		raw = consensus.AppendBytes(raw, op)
	}
	return &consensus.Request{
		Client: c, Sequence: consensus.Sequence{Epoch: epoch, Counter: counter},
		Operations: ops, Digest: crypto.Hash(raw), Raw: raw,
	}
}

// cluster drives one machine by hand.
type cluster struct {
	t     testing.TB
	m     *app.Machine
	store *state.Memory
	g     consensus.Genesis
	a     app.Application
	now   consensus.Time
	roots map[consensus.Seq]crypto.Digest
	log   []consensus.Commit // everything that was committed; log[0] is batch 1
}

func newCluster(t testing.TB, a app.Application, g consensus.Genesis) *cluster {
	t.Helper()
	c := &cluster{t: t, store: state.NewMemory(), g: g, a: a, now: testStart, roots: map[consensus.Seq]crypto.Digest{}}
	c.reopen()
	return c
}

// reopen is a restart: only what the store keeps survives. What the log holds
// above it is executed again, and must come to the same roots.
func (c *cluster) reopen() {
	c.t.Helper()
	m, err := app.Open(c.store, c.a, c.g, app.Options{Replica: 7})
	if err != nil {
		c.t.Fatal(err)
	}
	c.m = m
	for _, job := range c.log[m.Applied():] {
		out := c.do(job)
		for _, e := range out.Events {
			if e, ok := e.(consensus.Rooted); ok && e.Root != c.roots[e.Seq] {
				c.t.Fatalf("executed again, batch %d has another root", e.Seq)
			}
		}
	}
}

func (c *cluster) do(job consensus.Job) app.Outcome {
	c.t.Helper()
	out, err := c.m.Do(job)
	if err != nil {
		c.t.Fatalf("%T: %v", job, err)
	}
	return out
}

// commit executes the next batch, one second after the one before.
func (c *cluster) commit(requests ...*consensus.Request) app.Outcome {
	c.t.Helper()
	c.now += second
	return c.batch(&consensus.Batch{Stamp: c.now, Requests: requests})
}

func (c *cluster) batch(b *consensus.Batch) app.Outcome {
	c.t.Helper()
	seq := c.m.Applied() + 1
	c.log = append(c.log, consensus.Commit{Seq: seq, View: 3, Digest: b.Digest(), Batch: b})
	out := c.do(c.log[len(c.log)-1])
	want := 1
	if seq%c.g.CheckpointInterval == 0 {
		want = 2
		rooted, ok := out.Events[len(out.Events)-1].(consensus.Rooted)
		if !ok || rooted.Seq != seq || rooted.Root.IsZero() {
			c.t.Fatalf("batch %d: events %+v", seq, out.Events)
		}
		c.roots[seq] = rooted.Root
	}
	if done, ok := out.Events[0].(consensus.Executed); !ok || done.Seq != seq || len(out.Events) != want {
		c.t.Fatalf("batch %d: events %+v", seq, out.Events)
	}
	return out
}

// one executes a single request and returns the result of its only operation.
func (c *cluster) one(r *consensus.Request) consensus.Result {
	c.t.Helper()
	out := c.commit(r)
	if len(out.Replies) != 1 || len(out.Replies[0].Results) != 1 {
		c.t.Fatalf("want one reply with one result: %+v", out)
	}
	return out.Replies[0].Results[0]
}

// refused executes a single request and returns the code of its refusal.
func (c *cluster) refused(r *consensus.Request) consensus.RefusalCode {
	c.t.Helper()
	out := c.commit(r)
	if len(out.Replies) != 0 || len(out.Refusals) != 1 {
		c.t.Fatalf("want one refusal: %+v", out)
	}
	return out.Refusals[0].Code
}

// checkpoint executes empty batches up to the next checkpoint and keeps it.
func (c *cluster) checkpoint() (consensus.Seq, crypto.Digest) {
	c.t.Helper()
	for first := true; first || c.m.Applied()%c.g.CheckpointInterval != 0; first = false {
		c.batch(&consensus.Batch{Stamp: c.now})
	}
	n := c.m.Applied()
	out := c.do(consensus.Stabilize{Seq: n, Root: c.roots[n], Certificate: []byte("proof")})
	if len(out.Events) != 1 || out.Events[0] != (consensus.Kept{Seq: n}) {
		c.t.Fatalf("kept: %+v", out)
	}
	return n, c.roots[n]
}

// script is an application whose operations are a verb and an argument; it
// does what applications must not do, too.
type script struct{}

func (script) Name() string { return "" }

func (script) Execute(ctx app.Context, tx app.Tx, op []byte) consensus.Result {
	verb, arg := op[0], op[1:]
	switch verb {
	case 'a': // append arg to "log": not idempotent
		old, _ := tx.Get([]byte("log"))
		tx.Put([]byte("log"), append(append([]byte(nil), old...), arg...))
		return app.OK(binary.BigEndian.AppendUint64(nil, ctx.Order))
	case 'r': // read a key
		v, _ := tx.Get(arg)
		return app.OK(v)
	case 'z': // a result of as many bytes as arg says
		return app.OK(make([]byte, binary.BigEndian.Uint32(arg)))
	}
	return misbehave(ctx, tx, verb)
}

// misbehave writes first and then ends badly.
func misbehave(ctx app.Context, tx app.Tx, verb byte) consensus.Result {
	tx.Put([]byte("log"), []byte("must not stay"))
	switch verb {
	case 'f':
		return app.Failed("no")
	case 'p':
		panic("replica 7 says so")
	case 'n':
		tx.Put(nil, make([]byte, 1)[ctx.Seq:][ctx.Seq:]) // beyond its end
	case 's': // too many steps, and a panic that is swallowed
		func() {
			defer func() { _ = recover() }()
			for {
				tx.Get([]byte("x"))
			}
		}()
		return app.OK(nil)
	case 'w':
		for i := range 10 {
			tx.Put([]byte{byte(i)}, make([]byte, ctx.Limits.ValueBytes))
		}
	case 'k':
		tx.Put(make([]byte, ctx.Limits.KeyBytes+1), nil)
	case 'v':
		tx.Put([]byte("v"), make([]byte, ctx.Limits.ValueBytes+app.ValueOverhead+1))
	case 'm': // calls its transaction from within a range
		tx.Range(nil, nil, func(key, _ []byte) bool { tx.Get(key); return true })
	case 'c':
		return consensus.Result{Code: consensus.ResultLimit}
	case 'L':
		return app.OK(make([]byte, ctx.ResultBytes+1))
	}
	return app.OK(nil)
}
