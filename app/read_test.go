package app_test

import (
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
)

// scribe writes what it is told, or reads it; "panic" panics.
type scribe struct{}

func (scribe) Name() string { return "" }

func (scribe) Execute(ctx app.Context, tx app.Tx, op []byte) consensus.Result {
	switch {
	case string(op) == "panic":
		panic("on purpose")
	case op[0] == '+':
		tx.Put(op[1:], []byte{byte(ctx.Order)})
		return app.OK(nil)
	}
	v, _ := tx.Get(op)
	return app.OK(v)
}

// A READ finds what was executed, and leaves nothing: neither a write nor a place
// in the history.
func TestLook(t *testing.T) {
	c := newCluster(t, scribe{}, newGenesis())
	c.commit(request(client(1), uint64(c.now), 1, []byte("+k")))
	look := func(index consensus.Seq, ops ...string) consensus.Finding {
		t.Helper()
		q := &consensus.Query{Client: client(0), Name: consensus.Sequence{Epoch: 3, Counter: 4}}
		for _, op := range ops {
			q.Operations = append(q.Operations, []byte(op))
		}
		f, _, err := c.m.Look(&consensus.Lookup{Query: q, Index: index})
		if err != nil {
			t.Fatal(err)
		}
		if f.Client != client(0) || f.Name != q.Name || f.Index != index || f.Height != c.m.Applied() {
			t.Fatalf("found %+v", f)
		}
		return f
	}
	before := c.m.Operations()
	r := look(1, "k", "+k", "panic", "k").Results
	for i, want := range []consensus.Result{
		{Data: []byte{1}}, {Code: consensus.ResultFailed, Data: []byte("a read may not write")}, {Code: consensus.ResultPanic}, {Data: []byte{1}},
	} {
		if r[i].Code != want.Code || string(r[i].Data) != string(want.Data) {
			t.Errorf("operation %d: %+v, want %+v", i, r[i], want)
		}
	}
	if c.m.Operations() != before {
		t.Error("a READ counts as an operation")
	}
	c.commit(request(client(1), uint64(testStart), 2, []byte("+k")))
	if r := look(2, "k").Results; r[0].Data[0] != 2 {
		t.Errorf("after another write: %+v", r)
	}
	look(0)
	q := &consensus.Query{Client: client(0), Floor: 3}
	if _, _, err := c.m.Look(&consensus.Lookup{Query: q}); err == nil {
		t.Error("executed below its floor")
	}
}
