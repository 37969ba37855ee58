package check

import (
	"fmt"
	"slices"
	"testing"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/check/linear"
	"quorate.dev/quorate/consensus"
)

// The calls of the tests: each from one moment to another, of the key x.
func weakPut(client int, value string, began, ended consensus.Time, rests ...string) WeakCall {
	return WeakCall{Rests: rests, Call: linear.Call{Client: client, Op: kv.Put([]byte("x"), []byte(value)), Began: began, Ended: ended, Result: &consensus.Result{Data: make([]byte, 8)}}}
}

func weakGet(client int, began, ended consensus.Time, found ...string) WeakCall {
	c := WeakCall{Found: found, Call: linear.Call{Client: client, Op: kv.Get([]byte("x")), Began: began, Ended: ended, Result: &consensus.Result{}}}
	if len(found) > 0 {
		c.Result.Data = append(make([]byte, 8), found[0]...)
	}
	return c
}

func weakDelete(client int, began, ended consensus.Time, rests ...string) WeakCall {
	return WeakCall{Rests: rests, Call: linear.Call{Client: client, Op: kv.Delete([]byte("x")), Began: began, Ended: ended, Result: &consensus.Result{Data: []byte{1}}}}
}

func blind(c WeakCall) WeakCall { c.Blind = true; return c }

func unknown(c WeakCall) WeakCall { c.Result = nil; return c }

func refused(c WeakCall) WeakCall { c.Refused = true; return c }

// TestWeak: each anomaly, and what looks like one and is none.
func TestWeak(t *testing.T) {
	for name, test := range map[string]struct {
		calls  []WeakCall
		held   [][]string // by each replica
		want   []string
		linear string // undecided if empty
	}{
		"in order":             {[]WeakCall{weakPut(0, "a", 1, 2), weakGet(1, 3, 4, "a"), weakPut(1, "b", 5, 6, "a"), weakGet(0, 7, 8, "b")}, [][]string{{"b"}, {"b"}}, nil, "yes"},
		"stale":                {[]WeakCall{weakPut(0, "a", 1, 2), weakPut(0, "b", 3, 4, "a"), weakGet(1, 5, 6, "a")}, [][]string{{"b"}}, []string{"stale read 1 2"}, "no"},
		"nothing is stale":     {[]WeakCall{weakPut(0, "a", 1, 2), weakGet(1, 3, 4)}, [][]string{{"a"}}, []string{"stale read 0 1"}, "no"},
		"at the same time":     {[]WeakCall{weakPut(0, "a", 1, 2), weakPut(0, "b", 3, 9, "a"), weakGet(1, 5, 6, "a")}, [][]string{{"b"}}, nil, "yes"},
		"one sibling is new":   {[]WeakCall{weakPut(0, "a", 1, 2), weakPut(0, "b", 3, 4, "a"), weakGet(1, 5, 6, "a", "b")}, [][]string{{"b"}}, nil, ""},
		"after a delete":       {[]WeakCall{weakPut(0, "a", 1, 2), weakDelete(0, 3, 4, "a"), weakGet(1, 5, 6)}, [][]string{{}}, nil, "yes"},
		"backward":             {[]WeakCall{weakPut(0, "a", 1, 2), unknown(weakPut(0, "b", 3, 4, "a")), weakGet(1, 5, 6, "b"), weakGet(1, 7, 8, "a")}, [][]string{{"b"}}, []string{"non-monotonic read 2 3"}, "no"},
		"of two clients":       {[]WeakCall{weakPut(0, "a", 1, 2), unknown(weakPut(0, "b", 3, 4, "a")), weakGet(1, 5, 6, "b"), weakGet(0, 7, 8, "a")}, [][]string{{"b"}}, nil, "no"},
		"lost":                 {[]WeakCall{weakPut(0, "a", 1, 2), weakPut(0, "b", 3, 4, "a"), weakPut(1, "c", 5, 6, "a")}, [][]string{{"c"}}, []string{"lost update 1 -1"}, "yes"},
		"replaced":             {[]WeakCall{weakPut(0, "a", 1, 2), weakPut(0, "b", 3, 4, "a"), weakPut(1, "c", 5, 6, "b")}, [][]string{{"c"}}, nil, "yes"},
		"replaced by turns":    {[]WeakCall{weakPut(0, "a", 1, 2), unknown(weakPut(0, "b", 3, 4, "a")), weakPut(1, "c", 5, 6, "b")}, [][]string{{"c"}}, nil, "yes"},
		"merged":               {[]WeakCall{weakPut(0, "a", 1, 2), weakPut(1, "b", 1, 2), weakPut(1, "c", 5, 6, "a", "b")}, [][]string{{"c"}}, nil, "yes"},
		"overwritten blindly":  {[]WeakCall{weakPut(0, "a", 1, 2), blind(weakPut(1, "b", 3, 4))}, [][]string{{"b"}}, nil, "yes"},
		"the later one is not": {[]WeakCall{blind(weakPut(0, "a", 1, 2)), blind(weakPut(1, "b", 3, 4))}, [][]string{{"a"}}, []string{"lost update 1 -1"}, "yes"},
		"unknown is not lost":  {[]WeakCall{weakPut(0, "a", 1, 2), unknown(weakPut(1, "b", 3, 4, "a"))}, [][]string{{"a"}}, nil, "yes"},
		"refused":              {[]WeakCall{weakPut(0, "a", 1, 2), refused(weakPut(1, "b", 3, 4, "a")), weakGet(0, 5, 6, "a")}, [][]string{{"a"}}, nil, "yes"},
		"written again":        {[]WeakCall{weakPut(0, "a", 1, 2), weakDelete(0, 3, 4, "a"), weakPut(1, "b", 5, 6)}, [][]string{{"b"}}, nil, "yes"},
		"a lost delete":        {[]WeakCall{weakPut(0, "a", 1, 2), weakDelete(0, 3, 4, "a")}, [][]string{{"a"}}, []string{"lost update 1 -1"}, "yes"},
		"resurrected":          {[]WeakCall{weakPut(0, "a", 1, 2), weakDelete(0, 3, 4, "a"), weakGet(0, 5, 6)}, [][]string{{"a"}, {"a"}}, []string{"resurrected delete 2 -1"}, "yes"},
		"siblings":             {[]WeakCall{weakPut(0, "a", 1, 2), weakPut(1, "b", 1, 2)}, [][]string{{"a", "b"}, {"a", "b"}}, []string{"siblings left -1 -1"}, ""},
		"different":            {[]WeakCall{weakPut(0, "a", 1, 2), weakPut(1, "b", 3, 4, "a")}, [][]string{{"a"}, {"b"}}, []string{"replicas that differ -1 -1"}, "yes"},
	} {
		var final []map[string][]string
		for _, h := range test.held {
			final = append(final, map[string][]string{"x": h})
		}
		var got []string
		for _, a := range Weak(test.calls, final) {
			got = append(got, fmt.Sprintf("%s %d %d", a.Kind, a.First, a.Second))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
		if r := Linearizable(test.calls); test.linear != "" && (len(r.Bad) == 0) != (test.linear == "yes") {
			t.Errorf("%s: linearizable: good %q, bad %q, want %s", name, r.Good, r.Bad, test.linear)
		}
	}
}

// TestWeakReadsSwaps: a compare-and-swap that did nothing wrote nothing.
func TestWeakReadsSwaps(t *testing.T) {
	swap := func(next string, done bool) WeakCall {
		c := weakPut(0, next, 3, 4, "a")
		c.Op = kv.CompareAndSwap([]byte("x"), kv.Some([]byte("a")), kv.Some([]byte(next)))
		c.Result.Data = []byte{1}
		if done {
			c.Result.Data = make([]byte, 9)
		}
		return c
	}
	final := []map[string][]string{{"x": {"a"}}}
	if got := Weak([]WeakCall{weakPut(0, "a", 1, 2), swap("b", false)}, final); len(got) > 0 {
		t.Errorf("not done: %v", got)
	}
	if got := Weak([]WeakCall{weakPut(0, "a", 1, 2), swap("b", true)}, final); len(got) != 1 || got[0].Kind != LostUpdate {
		t.Errorf("done: %v", got)
	}
}
