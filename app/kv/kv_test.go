package kv_test

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
)

// memory is an app.Tx on a sorted list: what the store needs of one, and
// small enough to be seen through. Limits are the Machine's business; steps
// are counted only so that ranges can look at them.
type memory struct {
	keys   []string
	values map[string][]byte
	steps  int
}

func newMemory() *memory { return &memory{values: map[string][]byte{}, steps: 1 << 20} }

func (m *memory) Get(key []byte) ([]byte, bool) {
	v, ok := m.values[string(key)]
	return v, ok
}

func (m *memory) Put(key, value []byte) {
	if _, ok := m.values[string(key)]; !ok {
		i := sort.SearchStrings(m.keys, string(key))
		m.keys = slices.Insert(m.keys, i, string(key))
	}
	m.values[string(key)] = bytes.Clone(value)
}

func (m *memory) Delete(key []byte) {
	if _, ok := m.values[string(key)]; ok {
		delete(m.values, string(key))
		m.keys = slices.DeleteFunc(m.keys, func(k string) bool { return k == string(key) })
	}
}

func (m *memory) Range(from, to []byte, visit func(key, value []byte) bool) {
	for i := sort.SearchStrings(m.keys, string(from)); i < len(m.keys) && (len(to) == 0 || m.keys[i] < string(to)); i++ {
		m.steps--
		if !visit([]byte(m.keys[i]), m.values[m.keys[i]]) {
			return
		}
	}
}

func (m *memory) Steps() int { return m.steps }

// bed executes operations one after the other, each with the next revision.
type bed struct {
	t   testing.TB
	m   *memory
	ctx app.Context
}

func newBed(t testing.TB) *bed {
	l := consensus.DefaultLimits()
	l.KeyBytes, l.ValueBytes = 8, 64
	return &bed{t: t, m: newMemory(), ctx: app.Context{Limits: l, ResultBytes: 1000}}
}

func (b *bed) execute(op []byte) consensus.Result {
	b.ctx.Order++
	return kv.Store{}.Execute(b.ctx, b.m, op)
}

// ok executes an operation that must succeed.
func (b *bed) ok(op []byte) []byte {
	b.t.Helper()
	r := b.execute(op)
	if r.Code != consensus.ResultOK {
		b.t.Fatalf("result %d %q", r.Code, r.Data)
	}
	return r.Data
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (b *bed) get(key string) (value string, revision uint64, found bool) {
	b.t.Helper()
	e, found, err := kv.ParseGet(b.ok(kv.Get([]byte(key))))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(e.Value), e.Revision, found
}

func (b *bed) put(key, value string) uint64 {
	b.t.Helper()
	return must[uint64](b.t)(kv.ParsePut(b.ok(kv.Put([]byte(key), []byte(value)))))
}

func TestPutGetDelete(t *testing.T) {
	b := newBed(t)
	if _, _, found := b.get("k"); found {
		t.Error("found a key that was never put")
	}
	wrote := b.put("k", "")
	if v, rev, found := b.get("k"); !found || v != "" || rev != wrote || rev == 0 {
		t.Errorf("an empty value: %q at %d, found %v; was put at %d", v, rev, found, wrote)
	}
	again := b.put("k", "v")
	if v, rev, _ := b.get("k"); v != "v" || rev != again || again <= wrote {
		t.Errorf("%q at %d, put at %d", v, rev, again)
	}
	for _, want := range []bool{true, false} {
		if got := must[bool](t)(kv.ParseDelete(b.ok(kv.Delete([]byte("k"))))); got != want {
			t.Errorf("deleted: %v, want %v", got, want)
		}
	}
	if _, _, found := b.get("k"); found {
		t.Error("found a deleted key")
	}
}

func TestCompareAndSwap(t *testing.T) {
	some := func(s string) kv.Maybe { return kv.Some([]byte(s)) }
	tests := []struct {
		has          kv.Maybe
		expect, next kv.Maybe
		done         bool
	}{
		{kv.None, kv.None, some("n"), true},
		{kv.None, kv.None, kv.None, true},
		{kv.None, some(""), some("n"), false},
		{some(""), kv.None, some("n"), false},
		{some(""), some(""), some("n"), true},
		{some("v"), some("v"), kv.None, true},
		{some("v"), some("w"), kv.None, false},
		{some("v"), some("v"), some(""), true},
	}
	for _, test := range tests {
		b := newBed(t)
		if test.has.Present {
			b.put("k", string(test.has.Value))
		}
		got := must[kv.Swapped](t)(kv.ParseSwap(b.ok(kv.CompareAndSwap([]byte("k"), test.expect, test.next))))
		want := test.has
		if test.done {
			want = test.next
		}
		v, rev, found := b.get("k")
		if got.Done != test.done || found != want.Present || v != string(want.Value) {
			t.Errorf("%+v: done %v, then %q, found %v", test, got.Done, v, found)
		}
		if got.Done && want.Present && rev != got.Revision {
			t.Errorf("%+v: swapped at %d, entry says %d", test, got.Revision, rev)
		}
		if !got.Done && (got.Present != found || string(got.Current.Value) != v || got.Current.Revision != rev) {
			t.Errorf("%+v: reported %+v, there is %q at %d", test, got, v, rev)
		}
	}
}

// pages reads a whole range, page by page.
func (b *bed) pages(from, to string, limit uint32, keysOnly bool) (entries []kv.Entry, pages int) {
	b.t.Helper()
	next := []byte(from)
	for more := true; more; pages++ {
		p := must[kv.Page](b.t)(kv.ParseRange(b.ok(kv.Range(next, []byte(to), limit, keysOnly))))
		if p.More && len(p.Entries) == 0 {
			b.t.Fatal("a page without entries goes on")
		}
		entries, more, next = append(entries, p.Entries...), p.More, p.Next
	}
	return entries, pages
}

func TestRange(t *testing.T) {
	b := newBed(t)
	var all []string
	for i := range 20 {
		k := fmt.Sprintf("a/%02d", i)
		b.put(k, fmt.Sprintf("%032d", i))
		all = append(all, k)
	}
	b.put("b", "")
	all = append(all, "b")
	tests := []struct {
		from, to string
		limit    uint32
		keysOnly bool
		room     int
		want     []string
		pages    int
	}{
		{"", "", 0, false, 10_000, all, 1},
		{"a/", "a0", 0, false, 10_000, all[:20], 1},
		{"a/", "a0", 5, false, 10_000, all[:20], 4},
		{"a/", "a0", 7, true, 10_000, all[:20], 3},
		{"a/05", "a/07", 0, false, 10_000, all[5:7], 1},
		{"a/05", "a/05", 0, false, 10_000, nil, 1},
		{"a/050", "a/07", 1, false, 10_000, all[6:7], 1},
		{"c", "", 0, false, 10_000, nil, 1},
		{"", "", 0, false, 7 + 2*(2+4+3+8+32) + 5, all, 11},
		{"", "", 0, true, 7 + 2*(2+4+3+8) + 5, all, 11},
	}
	for i, test := range tests {
		b.ctx.ResultBytes = test.room
		got, pages := b.pages(test.from, test.to, test.limit, test.keysOnly)
		var keys []string
		for _, e := range got {
			keys = append(keys, string(e.Key))
			if want, _ := b.m.Get(e.Key); test.keysOnly != (len(e.Value) == 0) && string(e.Key) != "b" || e.Revision == 0 || !test.keysOnly && !bytes.HasSuffix(want, e.Value) {
				t.Errorf("range %d: entry %+v", i, e)
			}
		}
		if !slices.Equal(keys, test.want) || pages != test.pages {
			t.Errorf("range %d: %q in %d pages, want %q in %d", i, keys, pages, test.want, test.pages)
		}
	}
}

// A range that would run out of steps ends early and goes on on request.
func TestRangeEndsBeforeItsSteps(t *testing.T) {
	b := newBed(t)
	for i := range 10 {
		b.put(fmt.Sprint(i), "")
	}
	for next, pages := []byte(nil), 0; ; pages++ {
		b.m.steps = 4
		p := must[kv.Page](t)(kv.ParseRange(b.ok(kv.Range(next, nil, 0, false))))
		if b.m.steps < 0 {
			t.Fatalf("page %d took %d steps too many", pages, -b.m.steps)
		}
		if next = p.Next; !p.More {
			if pages != 2 {
				t.Errorf("%d pages before the last one, want 2", pages)
			}
			return
		}
	}
}

func TestPrefixEnd(t *testing.T) {
	for prefix, want := range map[string]string{"a": "b", "a/": "a0", "a\xff": "b", "\xff\xff": "", "": ""} {
		if got := kv.PrefixEnd([]byte(prefix)); string(got) != want {
			t.Errorf("end of %q is %q, want %q", prefix, got, want)
		}
	}
	b := newBed(t)
	for _, k := range []string{"a", "a\xff", "a\xff\xff", "b", "\xff", "\xff\xff"} {
		b.put(k, "")
	}
	for prefix, want := range map[string]int{"a": 3, "a\xff": 2, "\xff": 2, "": 6} {
		p := must[kv.Page](t)(kv.ParseRange(b.ok(kv.Range([]byte(prefix), kv.PrefixEnd([]byte(prefix)), 0, true))))
		if len(p.Entries) != want {
			t.Errorf("prefix %q has %d keys, want %d", prefix, len(p.Entries), want)
		}
	}
}

func TestCompares(t *testing.T) {
	b := newBed(t)
	rev := b.put("k", "m")
	k, absent := []byte("k"), []byte("x")
	tests := []struct {
		c    kv.Compare
		want bool
	}{
		{kv.Exists(k), true}, {kv.Missing(k), false}, {kv.Exists(absent), false}, {kv.Missing(absent), true},
		{kv.CompareRevision(k, kv.Equal, rev), true}, {kv.CompareRevision(k, kv.NotEqual, rev), false},
		{kv.CompareRevision(k, kv.Less, rev), false}, {kv.CompareRevision(k, kv.Less, rev+1), true},
		{kv.CompareRevision(k, kv.Greater, rev-1), true}, {kv.CompareRevision(absent, kv.NotEqual, rev), true},
		{kv.CompareValue(k, kv.Equal, []byte("m")), true}, {kv.CompareValue(k, kv.Equal, []byte("n")), false},
		{kv.CompareValue(k, kv.Less, []byte("n")), true}, {kv.CompareValue(k, kv.Greater, []byte("l")), true},
		{kv.CompareValue(k, kv.NotEqual, []byte("")), true}, {kv.CompareValue(absent, kv.NotEqual, []byte("m")), false},
		{kv.CompareValue(absent, kv.Equal, nil), false},
	}
	for _, test := range tests {
		got := must[kv.Branch](t)(kv.ParseTxn(b.ok(kv.Txn([]kv.Compare{test.c}, nil, nil))))
		if got.Held != test.want {
			t.Errorf("%+v: %v", test.c, got.Held)
		}
	}
}

func TestTransaction(t *testing.T) {
	b := newBed(t)
	b.put("a", "1")
	move := kv.Txn(
		[]kv.Compare{kv.Exists([]byte("a")), kv.Missing([]byte("b"))},
		[][]byte{kv.Put([]byte("b"), []byte("1")), kv.Delete([]byte("a")), kv.Range(nil, nil, 0, false), kv.CompareAndSwap([]byte("b"), kv.Some([]byte("1")), kv.Some([]byte("2")))},
		[][]byte{kv.Get([]byte("b"))})
	got := must[kv.Branch](t)(kv.ParseTxn(b.ok(move)))
	if !got.Held || len(got.Results) != 4 {
		t.Fatalf("first time: %+v", got)
	}
	if p := must[kv.Page](t)(kv.ParseRange(got.Results[2])); len(p.Entries) != 1 || string(p.Entries[0].Key) != "b" || p.Entries[0].Revision != b.ctx.Order {
		t.Errorf("does not see its own writes: %+v", p)
	}
	if s := must[kv.Swapped](t)(kv.ParseSwap(got.Results[3])); !s.Done {
		t.Error("did not swap what it had just put")
	}
	got = must[kv.Branch](t)(kv.ParseTxn(b.ok(move)))
	if e, _, err := kv.ParseGet(got.Results[0]); got.Held || err != nil || string(e.Value) != "2" {
		t.Errorf("second time: %+v", got)
	}
}

func TestFailures(t *testing.T) {
	long, wide := make([]byte, 9), make([]byte, 65)
	k := []byte("k")
	tests := map[string]struct {
		op   []byte
		text string
	}{
		"no bytes":              {nil, kv.TextMalformed},
		"unknown kind":          {[]byte{99}, kv.TextMalformed},
		"trailing bytes":        {append(kv.Get(k), 0), kv.TextMalformed},
		"cut short":             {kv.Put(k, k)[:5], kv.TextMalformed},
		"flag of 2":             {append(kv.Range(k, k, 0, false)[:11-1], 2), kv.TextMalformed},
		"transaction within":    {kv.Txn(nil, [][]byte{kv.Txn(nil, nil, nil)}, nil), kv.TextMalformed},
		"malformed and unused":  {kv.Txn(nil, nil, [][]byte{{99}}), kv.TextMalformed},
		"too many operations":   {kv.Txn(nil, slices.Repeat([][]byte{kv.Get(k)}, kv.MaxTxn+1), nil), kv.TextMalformed},
		"too many compares":     {kv.Txn(slices.Repeat([]kv.Compare{kv.Exists(k)}, kv.MaxTxn+1), nil, nil), kv.TextMalformed},
		"no relation":           {kv.Txn([]kv.Compare{{Key: k}}, nil, nil), kv.TextMalformed},
		"get of no key":         {kv.Get(nil), kv.TextEmptyKey},
		"put of a long key":     {kv.Put(long, nil), kv.TextLongKey},
		"put of a longest key":  {kv.Put(make([]byte, 1<<20), nil), kv.TextLongKey},
		"put of a long value":   {kv.Put(k, wide), kv.TextLongValue},
		"swap of a long value":  {kv.CompareAndSwap(k, kv.None, kv.Some(wide)), kv.TextLongValue},
		"compare of no key":     {kv.Txn([]kv.Compare{kv.Exists(nil)}, nil, nil), kv.TextEmptyKey},
		"long key in a txn":     {kv.Txn(nil, [][]byte{kv.Put(k, k), kv.Delete(long)}, nil), kv.TextLongKey},
		"range from a long key": {kv.Range(make([]byte, 10), nil, 0, false), kv.TextLongKey},
		"range backwards":       {kv.Range([]byte("b"), []byte("a"), 0, false), kv.TextBadRange},
	}
	for name, test := range tests {
		r := newBed(t).execute(test.op)
		if r.Code != consensus.ResultFailed || string(r.Data) != test.text {
			t.Errorf("%s: result %d %q, want %q", name, r.Code, r.Data, test.text)
		}
	}
}

// What does not fit the room of its result says so, whatever it is.
func TestResultsAreBounded(t *testing.T) {
	k := []byte("k")
	for name, op := range map[string][]byte{
		"get":                  kv.Get(k),
		"put":                  kv.Put(k, nil),
		"delete":               kv.Delete(k),
		"swap done":            kv.CompareAndSwap(k, kv.Some([]byte("12345678901234567890")), kv.None),
		"swap not done":        kv.CompareAndSwap(k, kv.None, kv.None),
		"range":                kv.Range(nil, nil, 0, false),
		"range of nothing":     kv.Range([]byte("z"), nil, 0, false),
		"transaction":          kv.Txn(nil, [][]byte{kv.Get(k)}, nil),
		"transaction of many":  kv.Txn(nil, slices.Repeat([][]byte{kv.Get([]byte("x"))}, 100), nil),
		"transaction of none ": kv.Txn(nil, nil, nil),
	} {
		fits := false
		for room := range 500 {
			b := newBed(t)
			b.put("k", "12345678901234567890")
			b.ctx.ResultBytes = room
			switch r := b.execute(op); {
			case r.Code == consensus.ResultOK && len(r.Data) <= room:
				fits = true
			case r.Code != consensus.ResultTooLarge || len(r.Data) > 0 || fits:
				t.Errorf("%s: result %d of %d bytes in a room of %d", name, r.Code, len(r.Data), room)
			}
		}
		if !fits {
			t.Errorf("%s never fits", name)
		}
	}
}

// Whatever may write is known by its first byte, a transaction too.
func TestWrites(t *testing.T) {
	k := []byte("k")
	for name, test := range map[string]struct {
		op   []byte
		want bool
	}{
		"get": {kv.Get(k), false}, "range": {kv.Range(k, nil, 0, true), false}, "nothing": {nil, false},
		"put": {kv.Put(k, k), true}, "delete": {kv.Delete(k), true}, "swap": {kv.CompareAndSwap(k, kv.None, kv.Some(k)), true},
		"transaction": {kv.Txn(nil, [][]byte{kv.Get(k)}, nil), true},
	} {
		if got := kv.Writes(test.op); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
