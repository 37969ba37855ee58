package app_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
)

// counting asks one store after the other for revisions.
type counting struct {
	*cluster
	counter uint64
}

func newCounting(t *testing.T, g consensus.Genesis) *counting {
	return &counting{cluster: newCluster(t, kv.Store{}, g)}
}

// old is the genesis of a cluster that was made before changes were counted.
func old() consensus.Genesis {
	g := newGenesis()
	g.Nonce = [16]byte{}
	return g
}

func (c *counting) ask(op []byte) consensus.Result {
	c.counter++
	return c.one(request(client(1), epochOf(testStart), c.counter, op))
}

// put is the revision of the next put.
func (c *counting) put(key string) uint64 {
	c.t.Helper()
	revision, err := kv.ParsePut(c.ask(kv.Put([]byte(key), []byte("v"))).Data)
	if err != nil {
		c.t.Fatal(err)
	}
	return revision
}

// What changes the store counts by one, and nothing else does.
func TestRevisionsCountChanges(t *testing.T) {
	a, b, v, w := []byte("a"), []byte("b"), kv.Some([]byte("v")), kv.Some([]byte("w"))
	long := make([]byte, newGenesis().Limits.KeyBytes+1)
	all := [][]byte{kv.Put(b, nil), kv.Delete(b), kv.Put(b, nil), kv.Put(a, nil)}
	tests := map[string]struct {
		op    []byte
		code  consensus.ResultCode
		costs uint64
	}{
		"put":                             {kv.Put(b, nil), consensus.ResultOK, 1},
		"put of what is there":            {kv.Put(a, v.Value), consensus.ResultOK, 1},
		"get":                             {kv.Get(a), consensus.ResultOK, 0},
		"get of nothing":                  {kv.Get(b), consensus.ResultOK, 0},
		"range":                           {kv.Range(nil, nil, 0, false), consensus.ResultOK, 0},
		"delete":                          {kv.Delete(a), consensus.ResultOK, 1},
		"delete of nothing":               {kv.Delete(b), consensus.ResultOK, 0},
		"swap":                            {kv.CompareAndSwap(a, v, w), consensus.ResultOK, 1},
		"swap of what is there":           {kv.CompareAndSwap(a, v, v), consensus.ResultOK, 1},
		"swap that deletes":               {kv.CompareAndSwap(a, v, kv.None), consensus.ResultOK, 1},
		"swap that creates":               {kv.CompareAndSwap(b, kv.None, v), consensus.ResultOK, 1},
		"swap that finds another value":   {kv.CompareAndSwap(a, w, v), consensus.ResultOK, 0},
		"swap that finds nothing":         {kv.CompareAndSwap(b, v, w), consensus.ResultOK, 0},
		"swap of nothing for nothing":     {kv.CompareAndSwap(b, kv.None, kv.None), consensus.ResultOK, 0},
		"transaction of many writes":      {kv.Txn(nil, all, nil), consensus.ResultOK, 1},
		"transaction of a put and a get":  {kv.Txn(nil, [][]byte{kv.Get(a), kv.Put(b, nil)}, nil), consensus.ResultOK, 1},
		"transaction of reads":            {kv.Txn(nil, [][]byte{kv.Get(a), kv.Range(nil, nil, 0, true)}, all), consensus.ResultOK, 0},
		"transaction of what changes not": {kv.Txn(nil, [][]byte{kv.Delete(b), kv.CompareAndSwap(a, w, v)}, nil), consensus.ResultOK, 0},
		"transaction that does nothing":   {kv.Txn([]kv.Compare{kv.Exists(b)}, all, nil), consensus.ResultOK, 0},
		"transaction that does else":      {kv.Txn([]kv.Compare{kv.Exists(b)}, nil, all), consensus.ResultOK, 1},
		"transaction that fails late":     {kv.Txn(nil, [][]byte{kv.Put(b, nil), kv.Put(long, nil)}, nil), consensus.ResultFailed, 0},
		"put of no key":                   {kv.Put(nil, v.Value), consensus.ResultFailed, 0},
		"malformed":                       {[]byte{99}, consensus.ResultFailed, 0},
	}
	for name, test := range tests {
		c, before := newCounting(t, newGenesis()), newCounting(t, old())
		if got := c.put("a"); got != 1 {
			t.Fatalf("%s: the first change has revision %d", name, got)
		}
		if r := c.ask(test.op); r.Code != test.code {
			t.Errorf("%s: result %d %q", name, r.Code, r.Data)
		}
		if got := c.put("z"); got != 2+test.costs {
			t.Errorf("%s: the next change has revision %d, want %d", name, got, 2+test.costs)
		}
		before.put("a")
		before.ask(test.op)
		if got := before.put("z"); got != 3 {
			t.Errorf("%s, in an old cluster: the third operation has revision %d", name, got)
		}
	}
}

// What a key shows is the revision of its own last change.
func TestRevisionsOfKeys(t *testing.T) {
	c := newCounting(t, newGenesis())
	show := func(key string) uint64 {
		e, _, err := kv.ParseGet(c.ask(kv.Get([]byte(key))).Data)
		if err != nil {
			t.Fatal(err)
		}
		return e.Revision
	}
	first, second := c.put("a"), c.put("b")
	if show("a") != first || show("b") != second || show("c") != 0 || second != first+1 {
		t.Errorf("%d and %d were told, %d and %d are shown, and %d for what is not there", first, second, show("a"), show("b"), show("c"))
	}
	if _, err := kv.ParseTxn(c.ask(kv.Txn(nil, [][]byte{kv.Put([]byte("c"), nil), kv.Put([]byte("d"), nil)}, nil)).Data); err != nil {
		t.Fatal(err)
	}
	if show("c") != 3 || show("d") != 3 || show("a") != first {
		t.Errorf("a transaction wrote %d and %d; the first key shows %d", show("c"), show("d"), show("a"))
	}
	// The condition that a client saw holds until somebody changes the key.
	swap := kv.Txn([]kv.Compare{kv.CompareRevision([]byte("a"), kv.Equal, first)}, [][]byte{kv.Put([]byte("a"), nil)}, nil)
	for _, want := range []bool{true, false} {
		if b, err := kv.ParseTxn(c.ask(swap).Data); err != nil || b.Held != want {
			t.Errorf("held %v, want %v; %v", b.Held, want, err)
		}
	}
}

// A compare-and-swap tells the revision of what it changed; one that had nothing
// to change has none, but in an old cluster, where it was told its place.
func TestRevisionsOfSwaps(t *testing.T) {
	a, b, v := []byte("a"), []byte("b"), kv.Some([]byte("v"))
	for name, test := range map[string]struct {
		op          []byte
		told, inOld uint64
	}{
		"writes":          {kv.CompareAndSwap(a, v, v), 2, 3},
		"deletes":         {kv.CompareAndSwap(a, v, kv.None), 2, 3},
		"creates":         {kv.CompareAndSwap(b, kv.None, v), 2, 3},
		"changes nothing": {kv.CompareAndSwap(b, kv.None, kv.None), 0, 3},
	} {
		for _, in := range []struct {
			g    consensus.Genesis
			want uint64
		}{{newGenesis(), test.told}, {old(), test.inOld}} {
			c := newCounting(t, in.g)
			c.put("a")
			c.ask(kv.Get(a))
			if s, err := kv.ParseSwap(c.ask(test.op).Data); err != nil || !s.Done || s.Revision != in.want {
				t.Errorf("%s: %+v, %v; want revision %d", name, s, err, in.want)
			}
		}
	}
}

// The changes of one batch, and of one request, have a revision each; a request
// that comes again is not counted again, and a reader's write never.
func TestRevisionsWithinABatch(t *testing.T) {
	c := newCluster(t, kv.Store{}, newGenesis())
	put := kv.Put([]byte("k"), []byte("v"))
	twice := request(client(1), epochOf(testStart), 1, put, kv.Get([]byte("k")), put)
	out := c.commit(request(client(0), epochOf(testStart), 1, put), twice, twice, request(client(2), epochOf(testStart), 1, put))
	var got []uint64
	for _, reply := range out.Replies {
		for _, r := range reply.Results {
			if revision, err := kv.ParsePut(r.Data); err == nil && r.Code == consensus.ResultOK {
				got = append(got, revision)
			}
		}
	}
	if want := []uint64{1, 2, 1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("revisions %d, want %d", got, want)
	}
}

// revealing is script that tells its revision when it is asked for nothing.
type revealing struct{ script }

func (a revealing) Execute(ctx app.Context, tx app.Tx, op []byte) consensus.Result {
	if len(op) == 0 {
		return app.OK(binary.BigEndian.AppendUint64(nil, ctx.Revision))
	}
	return a.script.Execute(ctx, tx, op)
}

// Of any application what stays counts: not what was undone, and not a reader's.
func TestWhatWasUndoneIsNotCounted(t *testing.T) {
	c := newCluster(t, revealing{}, newGenesis())
	counter := uint64(0)
	ask := func(by int, op string) consensus.Result {
		counter++
		return c.one(request(client(by), epochOf(testStart), counter, []byte(op)))
	}
	told := func() uint64 { return binary.BigEndian.Uint64(ask(1, "").Data) }
	for _, verb := range "fpnswkvmcL" {
		if r := ask(1, string(verb)); r.Code == consensus.ResultOK {
			t.Fatalf("%c succeeds", verb)
		}
		if got := told(); got != 1 {
			t.Fatalf("after %c the revision is %d, and nothing was written", verb, got)
		}
	}
	if ask(0, "a"); told() != 1 {
		t.Error("a reader's write was counted")
	}
	if ask(1, "a"); told() != 2 {
		t.Error("a write was not counted")
	}
	if ask(1, "?"); told() != 3 { // a verb that is unknown writes, and succeeds
		t.Error("the second write was not counted")
	}
}

// Restarts, checkpoints and transfers carry the count on, below the first
// checkpoint and above it; an old cluster goes on with its own count.
func TestRevisionsGoOn(t *testing.T) {
	for name, g := range map[string]consensus.Genesis{"counted": newGenesis(), "old": old()} {
		costs := uint64(2) // of a put and a get
		if name == "counted" {
			costs = 1
		}
		c, other := newCounting(t, g), newCounting(t, g)
		want := uint64(1)
		next := func(c *counting, when string) {
			t.Helper()
			if got := c.put("k"); got != want {
				t.Fatalf("%s, %s: revision %d, want %d", name, when, got, want)
			}
			c.ask(kv.Get([]byte("k")))
			want += costs
		}
		next(c, "at first")
		c.reopen()
		next(c, "after a restart")
		c.ask(kv.Delete([]byte("k")))
		want++
		n, root := c.checkpoint()
		c.reopen()
		snapshot := c.snapshot(n, root)
		other.put("x") // is gone after the transfer
		other.transfer(snapshot, n, root)
		other.log, other.now, other.counter = c.log[:n:n], c.now, c.counter
		here := want
		next(c, "after a checkpoint")
		want = here
		next(other, "after a transfer")
		c.checkpoint()
		other.checkpoint()
		if c.roots[c.m.Applied()] != other.roots[c.m.Applied()] {
			t.Errorf("%s: the roots differ after a transfer", name)
		}
	}
}

// No operation finds or changes the count: the store shows what was put, from
// its first key to its last.
func TestTheCountIsOutOfReach(t *testing.T) {
	c := newCounting(t, newGenesis())
	c.put("\x00")
	for _, op := range [][]byte{kv.Put(nil, []byte("12345678")), kv.Delete(nil), kv.CompareAndSwap(nil, kv.None, kv.Some([]byte("12345678")))} {
		if r := c.ask(op); r.Code != consensus.ResultFailed {
			t.Errorf("an operation on no key: %d %q", r.Code, r.Data)
		}
	}
	c.checkpoint()
	p, err := kv.ParseRange(c.ask(kv.Range(nil, nil, 0, false)).Data)
	if err != nil || len(p.Entries) != 1 || !bytes.Equal(p.Entries[0].Key, []byte{0}) || p.Entries[0].Revision != 1 {
		t.Errorf("the store shows %+v, %v", p, err)
	}
}

// A state that an older program kept has no count: it is read, and goes on without.
func TestOldStateIsReadOn(t *testing.T) {
	c := newCounting(t, old())
	c.put("k")
	c.ask(kv.Get([]byte("k")))
	_, root := c.checkpoint()
	m, err := app.Open(c.store, kv.Store{}, c.g, app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, again, _ := m.Height(); again != root {
		t.Errorf("root %s, was %s", again.Short(), root.Short())
	}
	if record, found, err := m.State().Get("\x01"); err != nil || !found || record[0] != 1 {
		t.Errorf("the position has version %d, %v", record[0], err)
	}
}
