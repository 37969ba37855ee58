package check

import (
	"slices"
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/check/linear"
	"quorate.dev/quorate/consensus"
)

// The model tells possible results of every operation from impossible ones.
func TestStoreModel(t *testing.T) {
	key := []byte("k")
	fromA := kv.CompareAndSwap(key, kv.Some([]byte("a")), kv.Some([]byte("c")))
	create := kv.CompareAndSwap(key, kv.None, kv.Some([]byte("c")))
	remove := kv.CompareAndSwap(key, kv.Some([]byte("a")), kv.None)
	ok := func(data string) *consensus.Result { r := app.OK([]byte(data)); return &r }
	no := func(text string) *consensus.Result { r := app.Failed(text); return &r }
	type step struct {
		op     []byte
		result *consensus.Result
	}
	put := step{putA, ok(revision(1))}
	for _, c := range []struct {
		name  string
		steps []step
		want  linear.Report
	}{
		{"a key that was never written", []step{{get, ok("")}}, good},
		{"a value out of nothing", []step{{get, ok(record(1, "a"))}}, bad},
		{"what was put", []step{put, {get, ok(record(1, "a"))}}, good},
		{"another value", []step{put, {get, ok(record(1, "b"))}}, bad},
		{"another revision", []step{put, {get, ok(record(2, "a"))}}, bad},
		{"nothing where something is", []step{put, {get, ok("")}}, bad},
		{"a put without a revision", []step{{putA, ok("")}}, bad},
		{"a get that is no record", []step{put, {get, ok("short")}}, bad},
		{"a put that failed", []step{{putA, no("no")}, {get, ok("")}}, good},
		{"a put that failed and stayed", []step{{putA, no("no")}, {get, ok(record(1, "a"))}}, bad},

		{"deleted", []step{put, {kv.Delete(key), ok("\x01")}, {get, ok("")}}, good},
		{"deleted and still there", []step{put, {kv.Delete(key), ok("\x01")}, {get, ok(record(1, "a"))}}, bad},
		{"nothing to delete", []step{{kv.Delete(key), ok("\x00")}}, good},
		{"deleted nothing that was there", []step{put, {kv.Delete(key), ok("\x00")}}, bad},

		{"swapped", []step{put, {fromA, ok("\x00" + revision(2))}, {get, ok(record(2, "c"))}}, good},
		{"swapped without effect", []step{put, {fromA, ok("\x00" + revision(2))}, {get, ok(record(1, "a"))}}, bad},
		{"swapped what was not there", []step{{fromA, ok("\x00" + revision(2))}}, bad},
		{"not swapped, absent", []step{{fromA, ok("\x01")}}, good},
		{"not swapped, absent though there", []step{put, {create, ok("\x01")}}, bad},
		{"not swapped, another value", []step{put, {create, ok("\x02" + record(1, "a"))}}, good},
		{"not swapped for a value that is not there", []step{put, {create, ok("\x02" + record(1, "b"))}}, bad},
		{"not swapped though it could be", []step{put, {fromA, ok("\x02" + record(1, "a"))}}, bad},
		{"created", []step{{create, ok("\x00" + revision(2))}, {get, ok(record(2, "c"))}}, good},
		{"removed", []step{put, {remove, ok("\x00" + revision(2))}, {get, ok("")}}, good},
		{"removed and still there", []step{put, {remove, ok("\x00" + revision(2))}, {get, ok(record(1, "a"))}}, bad},

		{"a put without an answer", []step{{putA, nil}, {get, ok(record(5, "a"))}, {get, ok(record(5, "a"))}}, good},
		{"... has one revision", []step{{putA, nil}, {get, ok(record(5, "a"))}, {get, ok(record(6, "a"))}}, bad},
		{"... or did not happen", []step{{putA, nil}, {get, ok("")}}, good},
		{"a delete without an answer", []step{put, {kv.Delete(key), nil}, {get, ok(record(1, "a"))}, {get, ok("")}}, good},
		{"a swap without an answer", []step{put, {fromA, nil}, {get, ok(record(3, "c"))}}, good},
		{"... that could do nothing", []step{{fromA, nil}, {get, ok(record(3, "c"))}}, bad},

		{"a transaction that may write it", []step{put, {kv.Txn(nil, [][]byte{putB}, nil), ok("")}, {get, ok(record(9, "x"))}}, undecided},
		{"a transaction that reads it", []step{put, {kv.Txn(nil, [][]byte{get}, nil), ok("")}, {get, ok(record(1, "a"))}}, good},
		{"a range", []step{{kv.Range(nil, nil, 0, false), ok("anything")}}, linear.Report{}},
		{"no operation at all", []step{{[]byte{99}, no("malformed operation")}}, linear.Report{}},
	} {
		var calls []linear.Call
		for i, s := range c.steps {
			at := consensus.Time(10 * i)
			calls = append(calls, linear.Call{Op: s.op, Began: at, Ended: at + 5, Result: s.result})
		}
		got := linear.Check(*Store(), calls, 0)
		if !slices.Equal(got.Good, c.want.Good) || !slices.Equal(got.Bad, c.want.Bad) || !slices.Equal(got.Open, c.want.Open) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

var (
	good      = linear.Report{Good: []string{"k"}}
	bad       = linear.Report{Bad: []string{"k"}}
	undecided = linear.Report{Open: []string{"k"}}
)
