package app_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
)

// Every code but OK leaves no write behind, and a panic's text never leaves
// the replica (§3: "yields a fixed error code, never the panic's text").
func TestAnOperationThatDoesNotSucceedLeavesNothing(t *testing.T) {
	tests := map[string]struct {
		op   string
		code consensus.ResultCode
		data string
	}{
		"fails":                     {"f", consensus.ResultFailed, "no"},
		"panics":                    {"p", consensus.ResultPanic, ""},
		"panics in the runtime":     {"n", consensus.ResultPanic, ""},
		"too many steps, swallowed": {"s", consensus.ResultLimit, ""},
		"writes too many bytes":     {"w", consensus.ResultLimit, ""},
		"key too long":              {"k", consensus.ResultLimit, ""},
		"value too long":            {"v", consensus.ResultLimit, ""},
		"writes within a range":     {"m", consensus.ResultPanic, ""},
		"claims a code not its own": {"c", consensus.ResultPanic, ""},
		"result too large":          {"L", consensus.ResultTooLarge, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, script{}, newGenesis())
			out := c.commit(request(client(1), epochOf(testStart), 1, []byte("a1"), []byte(test.op), []byte("a2"), []byte("rlog")))
			got := out.Replies[0].Results
			if got[1].Code != test.code || string(got[1].Data) != test.data {
				t.Errorf("result %d %q, want %d %q", got[1].Code, got[1].Data, test.code, test.data)
			}
			if string(got[3].Data) != "12" {
				t.Errorf("log is %q after it, want \"12\"", got[3].Data)
			}
			if noted := len(out.Notes) == 1; noted != (test.code == consensus.ResultPanic) {
				t.Errorf("notes: %v", out.Notes)
			}
		})
	}
}

// inspector runs whatever a test wants to do with a transaction.
type inspector func(ctx app.Context, tx app.Tx) consensus.Result

func (inspector) Name() string { return "" }

func (i inspector) Execute(ctx app.Context, tx app.Tx, _ []byte) consensus.Result { return i(ctx, tx) }

// What a call costs is part of the protocol: the same everywhere, for ever.
func TestSteps(t *testing.T) {
	wide := make([]byte, 3*app.StepBytes)
	type call struct {
		name string
		do   func(tx app.Tx)
		cost int
	}
	stop := func(key, value []byte) bool { return false }
	all := func(key, value []byte) bool { return true }
	calls := []call{
		{"get nothing", func(tx app.Tx) { tx.Get([]byte("k")) }, 1},
		{"get a key over the limit", func(tx app.Tx) { tx.Get(wide) }, 1},
		{"put", func(tx app.Tx) { tx.Put([]byte("k"), wide[:app.StepBytes-2]) }, 1},
		{"put a step's bytes", func(tx app.Tx) { tx.Put([]byte("k"), wide[:app.StepBytes-1]) }, 2},
		{"put more", func(tx app.Tx) { tx.Put([]byte("l"), wide) }, 4},
		{"get it", func(tx app.Tx) { tx.Get([]byte("l")) }, 4},
		{"delete", func(tx app.Tx) { tx.Delete([]byte("x")) }, 1},
		{"range over nothing", func(tx app.Tx) { tx.Range([]byte("m"), nil, all) }, 1},
		{"range over one", func(tx app.Tx) { tx.Range(nil, nil, stop) }, 1 + 2},
		{"range over both", func(tx app.Tx) { tx.Range(nil, nil, all) }, 1 + 2 + 4},
		{"range over none by its end", func(tx app.Tx) { tx.Range(nil, []byte("k"), all) }, 1},
	}
	c := newCluster(t, inspector(func(_ app.Context, tx app.Tx) consensus.Result {
		for _, call := range calls {
			before := tx.Steps()
			call.do(tx)
			if got := before - tx.Steps(); got != call.cost {
				t.Errorf("%s costs %d steps, want %d", call.name, got, call.cost)
			}
		}
		return app.OK(nil)
	}), newGenesis())
	if r := c.one(request(writer, began, 1, nil)); r.Code != consensus.ResultOK {
		t.Errorf("result %d", r.Code)
	}
}

// Limits end an operation in the middle of a range, and on the exact step.
func TestTheLastStep(t *testing.T) {
	for steps, want := range map[int]consensus.ResultCode{3: consensus.ResultLimit, 4: consensus.ResultOK} {
		g := newGenesis()
		g.Limits.OperationSteps = steps
		c := newCluster(t, inspector(func(_ app.Context, tx app.Tx) consensus.Result {
			tx.Put([]byte("a"), nil)
			tx.Put([]byte("b"), nil)
			visited := 0
			tx.Range([]byte("b"), nil, func(_, _ []byte) bool { visited++; return true })
			return app.OK([]byte{byte(visited)})
		}), g)
		if r := c.one(request(writer, began, 1, nil)); r.Code != want {
			t.Errorf("with %d steps: %d", steps, r.Code)
		}
	}
}

// Every operation has a place of its own in the total order, and what a
// request's operations see of their context is what the contract says.
func TestContext(t *testing.T) {
	var seen []app.Context
	g := newGenesis()
	c := newCluster(t, inspector(func(ctx app.Context, _ app.Tx) consensus.Result {
		seen = append(seen, ctx)
		return app.OK([]byte("1234"))
	}), g)
	c.commit(request(writer, began, 1, nil, nil), request(client(0), began, 1, nil))
	c.commit(request(writer, began, 1, nil, nil), request(writer, began, 2, nil))
	room := g.Limits.ResultBytes - 2
	want := []app.Context{
		{Client: writer, Role: consensus.RoleWriter, Seq: 1, Order: 1, ResultBytes: room - 8},
		{Client: writer, Role: consensus.RoleWriter, Seq: 1, Order: 2, ResultBytes: room - 8 - 4},
		{Client: client(0), Role: consensus.RoleReader, Seq: 1, Order: 3, ResultBytes: room - 4},
		{Client: writer, Role: consensus.RoleWriter, Seq: 2, Order: 4, ResultBytes: room - 4},
	}
	for i := range want {
		want[i].Revision = 1 // nobody has written
		want[i].Time, want[i].Limits = testStart+consensus.Time(want[i].Seq)*second, g.Limits
	}
	if !slices.Equal(seen, want) {
		t.Errorf("contexts\n%+v, want\n%+v", seen, want)
	}
}

// A transaction that an application holds on to is of no use to it.
func TestATransactionEndsWithItsOperation(t *testing.T) {
	var held app.Tx
	c := newCluster(t, inspector(func(_ app.Context, tx app.Tx) consensus.Result {
		if held != nil {
			held.Put([]byte("k"), nil)
		}
		held = tx
		return app.OK(nil)
	}), newGenesis())
	out := c.commit(request(writer, began, 1, nil, nil))
	if got := out.Replies[0].Results; got[0].Code != consensus.ResultOK || got[1].Code != consensus.ResultPanic {
		t.Errorf("results %+v", got)
	}
}

// A reader may do what does not write, whatever the application is.
func TestAReaderCannotWrite(t *testing.T) {
	c := newCluster(t, script{}, newGenesis())
	got := c.one(request(client(0), epochOf(testStart), 1, []byte("a1")))
	if got.Code != consensus.ResultFailed || string(got.Data) != app.DeniedText {
		t.Errorf("a reader's write: %d %q", got.Code, got.Data)
	}
	if got := c.one(request(client(0), epochOf(testStart), 2, []byte("rlog"))); got.Code != consensus.ResultOK || len(got.Data) != 0 {
		t.Errorf("a reader's read: %d %q", got.Code, got.Data)
	}
}

// §3: results of a request share its limit; what has no room is undone.
func TestResultsOfARequestAreBounded(t *testing.T) {
	g := newGenesis()
	g.Limits.ResultBytes = 100
	c := newCluster(t, script{}, g)
	z := func(n uint32) []byte { return binary.BigEndian.AppendUint32([]byte("z"), n) }
	out := c.commit(request(client(1), epochOf(testStart), 1, z(50), z(50), z(28), []byte("a1"), z(0)))
	want := []consensus.ResultCode{0, consensus.ResultTooLarge, consensus.ResultOK, consensus.ResultTooLarge, 0}
	for i, r := range out.Replies[0].Results {
		if r.Code != want[i] {
			t.Errorf("result %d has code %d, want %d", i, r.Code, want[i])
		}
	}
	if n := len(consensus.AppendResults(nil, out.Replies[0].Results)); n > 104 {
		t.Errorf("results are %d bytes long", n)
	}
	if got := c.one(request(client(1), epochOf(testStart), 2, []byte("rlog"))); len(got.Data) != 0 {
		t.Errorf("what had no room was not undone: %q", got.Data)
	}
}
