package app_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

func epochOf(t consensus.Time) uint64 { return uint64(t) }

// §4: executed time is max(stamp, previous + 1 ns); null batches leave it.
func TestExecutedTime(t *testing.T) {
	c := newCluster(t, script{}, newGenesis())
	steps := []struct {
		batch *consensus.Batch
		want  consensus.Time
	}{
		{&consensus.Batch{Stamp: 100}, 100},
		{&consensus.Batch{Stamp: 100}, 101},
		{&consensus.Batch{Stamp: 50}, 102},
		{nil, 102},
		{&consensus.Batch{Stamp: 200}, 200},
	}
	for i, s := range steps {
		c.batch(s.batch)
		if c.m.Time() != s.want {
			t.Errorf("step %d: executed time %d, want %d", i, c.m.Time(), s.want)
		}
	}
}

// Commits are executed in order and once; a gap is the engine's mistake, and
// the machine stays failed.
func TestCommitsFollowEachOther(t *testing.T) {
	c := newCluster(t, script{}, newGenesis())
	r := request(client(1), epochOf(testStart), 1, []byte("a1"))
	c.commit(r)
	out := c.do(consensus.Commit{Seq: 1, Batch: &consensus.Batch{Requests: []*consensus.Request{r}}})
	if len(out.Events)+len(out.Replies)+len(out.Refusals) != 0 || c.m.Operations() != 1 {
		t.Errorf("an applied batch was executed again: %+v", out)
	}
	for range 2 {
		if _, err := c.m.Do(consensus.Commit{Seq: 3}); !errors.Is(err, app.ErrJob) {
			t.Fatalf("commit 3 after 1: %v", err)
		}
	}
	if _, err := c.m.Do(consensus.Commit{Seq: 2}); !errors.Is(err, app.ErrJob) {
		t.Errorf("a failed machine goes on: %v", err)
	}
}

// What a commit says it carries is checked against what it carries.
func TestOnlyTheCertifiedBatchIsExecuted(t *testing.T) {
	certified := &consensus.Batch{Stamp: 1, Requests: []*consensus.Request{request(writer, began, 1, []byte("a1"))}}
	for name, b := range map[string]*consensus.Batch{"null": nil, "another stamp": {Stamp: 2, Requests: certified.Requests}} {
		c := newCluster(t, script{}, newGenesis())
		if _, err := c.m.Do(consensus.Commit{Seq: 1, Digest: certified.Digest(), Batch: b}); !errors.Is(err, app.ErrJob) {
			t.Errorf("%s in place of the certified batch: %v", name, err)
		}
	}
}

// history executes the same mixed batches on c, doing between after each.
func history(c *cluster, batches int, between func(n int)) {
	for n := 1; n <= batches; n++ {
		var requests []*consensus.Request
		for i := 1; i < 4; i++ {
			requests = append(requests, request(client(i), epochOf(testStart), uint64(n),
				kv.Put([]byte{byte('a' + n%7)}, []byte{byte(n), byte(i)}), kv.Delete([]byte{byte('a' + n%5)})))
		}
		c.commit(requests...)
		between(n)
	}
}

// The root after n depends on the batches alone: not on when the state was
// kept, dropped or reopened, nor on what was asked in between.
func TestRootsDependOnTheHistoryAlone(t *testing.T) {
	const batches = 20
	plain := newCluster(t, kv.Store{}, newGenesis())
	history(plain, batches, func(int) {})

	busy := newCluster(t, kv.Store{}, newGenesis())
	history(busy, batches, func(n int) {
		seq := consensus.Seq(n)
		busy.do(consensus.Answer{Request: request(client(1), epochOf(testStart), uint64(n))})
		if seq%busy.g.CheckpointInterval == 0 {
			busy.do(consensus.Stabilize{Seq: seq, Root: busy.roots[seq]})
		}
		if n%3 == 0 {
			busy.reopen()
			if busy.m.Applied() != seq || busy.m.Time() != busy.now {
				t.Fatalf("reopened at %d, time %d; want %d, %d", busy.m.Applied(), busy.m.Time(), seq, busy.now)
			}
		}
	})
	for seq, root := range plain.roots {
		if busy.roots[seq] != root {
			t.Errorf("root at %d: %s and %s", seq, root.Short(), busy.roots[seq].Short())
		}
	}
}

// The root covers what the application cannot see: executed time, n, sessions
// and the batches' digests (§5).
func TestTheRootCoversEverything(t *testing.T) {
	root := func(batches ...*consensus.Batch) crypto.Digest {
		c := newCluster(t, kv.Store{}, newGenesis())
		for _, b := range batches {
			c.batch(b)
		}
		return c.roots[4]
	}
	at := func(stamp consensus.Time, r ...*consensus.Request) *consensus.Batch {
		return &consensus.Batch{Stamp: testStart + stamp, Requests: r}
	}
	get := request(client(1), epochOf(testStart), 1, kv.Get([]byte("k")))
	other := request(client(1), epochOf(testStart), 2, kv.Get([]byte("k")))
	roots := map[crypto.Digest]string{}
	for name, r := range map[string]crypto.Digest{
		"plain":                root(at(1), at(2), at(3), at(4)),
		"another time":         root(at(1), at(2), at(3), at(5)),
		"a null batch":         root(at(1), at(2), nil, at(4)),
		"stamps in the middle": root(at(1), at(1), at(3), at(4)),
		"a session":            root(at(1, get), at(2), at(3), at(4)),
		"another counter":      root(at(1, other), at(2), at(3), at(4)),
		"an order":             root(at(1, get, other), at(2), at(3), at(4)),
		"another order":        root(at(1, other, get), at(2), at(3), at(4)),
	} {
		if same, dup := roots[r]; dup {
			t.Errorf("%q and %q have the same root", name, same)
		}
		roots[r] = name
	}
}

// A state moves from one replica to another in parts, and the receiver then
// has the sender's sessions, time and position.
func TestRestoreTakesOverEverything(t *testing.T) {
	from := newCluster(t, kv.Store{}, newGenesis())
	history(from, 30, func(int) {})
	n, root := from.checkpoint()
	snapshot := from.snapshot(n, root)

	to := newCluster(t, kv.Store{}, newGenesis())
	history(to, 6, func(int) {})
	to.transfer(snapshot, n, root)
	to.log = from.log[:n:n]
	if to.m.Applied() != n || to.m.Time() != from.m.Time() || to.m.Sessions() != 3 || to.m.Operations() != from.m.Operations() {
		t.Fatalf("restored to %d, time %d", to.m.Applied(), to.m.Time())
	}
	to.now = from.now
	for _, c := range []*cluster{from, to} {
		out := c.commit(request(client(1), epochOf(testStart), 30, kv.Get([]byte("a"))))
		if len(out.Refusals) != 1 || out.Refusals[0].Code != consensus.RefusedStale {
			t.Errorf("a used sequence was not refused: %+v", out)
		}
		history(c, 10, func(int) {})
	}
	for seq := n + 1; seq <= from.m.Applied(); seq++ {
		if from.roots[seq] != to.roots[seq] {
			t.Errorf("roots differ at %d", seq)
		}
	}
}

// snapshot returns the kept height, which is servable at the second ask.
func (c *cluster) snapshot(n consensus.Seq, root crypto.Digest) *state.Snapshot {
	c.t.Helper()
	s, err := c.m.Snapshot(n, root)
	if errors.Is(err, state.ErrGone) {
		s, err = c.m.Snapshot(n, root)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// transfer restores c from a snapshot, as an engine would.
func (c *cluster) transfer(from *state.Snapshot, n consensus.Seq, root crypto.Digest) {
	c.t.Helper()
	out := c.do(consensus.RestoreBegin{Seq: n, Root: root, Certificate: []byte("proof")})
	staged := out.Events[0].(consensus.Staged)
	for len(staged.Missing) > 0 {
		items := staged.Missing[:min(len(staged.Missing), 8)]
		parts, err := from.Read(items, consensus.ChunkBytes)
		if err != nil {
			c.t.Fatal(err)
		}
		out = c.do(consensus.RestorePut{From: 1, Items: items[:len(parts)], Parts: parts})
		if s := out.Events[0].(consensus.Staged); !s.Put || len(s.Bad) > 0 || len(s.Done) != len(parts) {
			c.t.Fatalf("staged: %+v", s)
		}
		staged = c.do(consensus.RestoreBegin{Seq: n, Root: root, Certificate: []byte("proof")}).Events[0].(consensus.Staged)
	}
	out = c.do(consensus.RestoreEnd{})
	if out.Events[0] != (consensus.Restored{Seq: n, Root: root, OK: true}) {
		c.t.Fatalf("restored: %+v", out.Events)
	}
}

// A restore that is aborted leaves the disk's state, and the log's batches
// lead to the same roots again; a commit in between is a broken promise.
func TestAbortGoesBackToTheDisk(t *testing.T) {
	from := newCluster(t, kv.Store{}, newGenesis())
	history(from, 12, func(int) {})
	kept := from.roots[12]
	c := newCluster(t, kv.Store{}, newGenesis())
	c.do(consensus.RestoreAbort{}) // nothing is open: nothing happens
	history(c, 6, func(n int) {
		if n == 4 {
			c.do(consensus.Stabilize{Seq: 4, Root: c.roots[4]})
		}
	})
	c.do(consensus.RestoreBegin{Seq: 12, Root: kept})
	if c.m.Applied() != 4 {
		t.Errorf("applied %d while restoring, want the disk's 4", c.m.Applied())
	}
	if out := c.do(consensus.RestoreEnd{}); out.Events[0] != (consensus.Restored{Seq: 12, Root: kept}) {
		t.Errorf("an incomplete restore: %+v", out.Events)
	}
	if out := c.do(consensus.Answer{Request: request(client(1), epochOf(testStart), 1)}); len(out.Replies)+len(out.Refusals) != 0 {
		t.Errorf("answered from an older height: %+v", out)
	}
	if out := c.do(consensus.Stabilize{Seq: 8, Root: c.roots[4]}); len(out.Events) != 0 || len(out.Notes) != 1 {
		t.Errorf("kept while restoring: %+v", out)
	}
	c.do(consensus.RestoreAbort{})
	if c.m.Applied() != 4 || c.m.Time() != testStart+4*second {
		t.Errorf("aborted to %d, time %d", c.m.Applied(), c.m.Time())
	}
	c.do(consensus.RestoreBegin{Seq: 12, Root: kept})
	if _, err := c.m.Do(consensus.Commit{Seq: 5}); !errors.Is(err, app.ErrJob) {
		t.Errorf("commit while restoring: %v", err)
	}
}

// A certified root other than one's own is noted, not kept (§5).
func TestAForeignRootIsNotKept(t *testing.T) {
	c := newCluster(t, kv.Store{}, newGenesis())
	history(c, 4, func(int) {})
	out := c.do(consensus.Stabilize{Seq: 4, Root: crypto.Hash([]byte("other"))})
	if len(out.Events) != 0 || len(out.Notes) != 1 || out.Notes[0].Kind != consensus.Diverged {
		t.Errorf("outcome %+v", out)
	}
}

// The store keeps its promises at the limits of a real genesis.
func TestTheStoreOnAMachine(t *testing.T) {
	g := newGenesis()
	c := newCluster(t, kv.Store{}, g)
	big := bytes.Repeat([]byte{7}, g.Limits.ValueBytes)
	counter := uint64(0)
	ask := func(op []byte) consensus.Result {
		counter++
		return c.one(request(writer, began, counter, op))
	}
	for _, k := range []string{"a", "b"} {
		if r := ask(kv.Put([]byte(k), big)); r.Code != consensus.ResultOK {
			t.Fatalf("put of %d bytes: %d %q", len(big), r.Code, r.Data)
		}
	}
	c.checkpoint()
	if e, found, err := kv.ParseGet(ask(kv.Get([]byte("b"))).Data); err != nil || !found || !bytes.Equal(e.Value, big) || e.Revision != 2 {
		t.Errorf("get: %d bytes at %d, %v", len(e.Value), e.Revision, err)
	}
	page, err := kv.ParseRange(ask(kv.Range(nil, nil, 0, false)).Data)
	if err != nil || len(page.Entries) != 1 || !page.More {
		t.Errorf("two values of 4 MiB in a page: %d entries, more %v, %v", len(page.Entries), page.More, err)
	}
	if r := ask(kv.Put([]byte("c"), append(big, 0))); string(r.Data) != kv.TextLongValue {
		t.Errorf("put over the limit: %d %q", r.Code, r.Data)
	}
	reader := []*consensus.Request{
		request(client(0), began, 1, kv.CompareAndSwap([]byte("a"), kv.Some(nil), kv.None)), // finds another value: writes nothing
		request(client(0), began, 2, kv.Txn(nil, [][]byte{kv.Delete([]byte("a"))}, nil)),
	}
	for i, want := range []consensus.ResultCode{consensus.ResultOK, consensus.ResultFailed} {
		if r := c.one(reader[i]); r.Code != want {
			t.Errorf("reader's operation %d: %d %q", i, r.Code, r.Data)
		}
	}
}

// withStart has a state before the first batch.
type withStart struct{ script }

func (withStart) Initialise(tx app.Tx) error {
	tx.Put([]byte("log"), []byte("start"))
	return nil
}

type badStart struct{ script }

func (badStart) Initialise(app.Tx) error { return errors.New("no coin") }

type panicStart struct{ script }

func (panicStart) Initialise(app.Tx) error { panic("no coin") }

type wideStart struct{ script }

func (wideStart) Initialise(tx app.Tx) error {
	tx.Put(make([]byte, consensus.MaxItemID), nil)
	return nil
}

func TestInitialise(t *testing.T) {
	c := newCluster(t, withStart{}, newGenesis())
	c.reopen() // still at height 0: once more, the same
	read := func(counter uint64) string {
		return string(c.one(request(client(1), epochOf(testStart), counter, []byte("rlog"))).Data)
	}
	if got := read(1); got != "start" {
		t.Errorf("log %q", got)
	}
	c.do(consensus.RestoreBegin{Seq: 8, Root: crypto.Hash(nil)})
	c.do(consensus.RestoreAbort{})
	c.log = nil
	if got := read(1); got != "start" {
		t.Errorf("after an abort at height 0: log %q", got)
	}
	c.one(request(client(1), epochOf(testStart), 2, []byte("a!")))
	c.checkpoint()
	c.reopen()
	if got := read(3); got != "start!" {
		t.Errorf("after a restart above it: log %q", got)
	}
	for want, a := range map[string]app.Application{"application: no coin": badStart{}, "panic: no coin": panicStart{}, "over the limits": wideStart{}} {
		if _, err := app.Open(state.NewMemory(), a, newGenesis(), app.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%T: %v, want %q", a, err, want)
		}
	}
}

func TestOpenRefusesWhatDoesNotBelong(t *testing.T) {
	c := newCluster(t, kv.Store{}, newGenesis())
	c.checkpoint()
	other := newGenesis()
	other.Name = "another"
	if _, err := app.Open(c.store, kv.Store{}, other, app.Options{}); err == nil {
		t.Error("opened the state of another cluster")
	}
	for name, change := range map[string]func(*consensus.Limits){
		"key":    func(l *consensus.Limits) { l.KeyBytes = state.MaxKeyBytes },
		"value":  func(l *consensus.Limits) { l.ValueBytes = state.MaxValueBytes },
		"result": func(l *consensus.Limits) { l.ResultBytes = consensus.MaxFrame - 4096 },
	} {
		g := newGenesis()
		change(&g.Limits)
		g.Limits.SessionBytes = max(g.Limits.SessionBytes, g.Limits.ResultBytes)
		if _, err := app.Open(state.NewMemory(), kv.Store{}, g, app.Options{}); !errors.Is(err, consensus.ErrGenesis) {
			t.Errorf("%s over what the state holds: %v", name, err)
		}
	}
}
