package client

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// library is a store that is read without an order, with something that happens before
// each page.
type library struct {
	t       *testing.T
	machine *app.Machine
	signer  crypto.Signer
	genesis consensus.Genesis
	writes  uint64
	pages   int
	before  func(page int)
	unnamed bool // no height is told
}

func newLibrary(t *testing.T, entries int) *library {
	t.Helper()
	l := &library{t: t, signer: crypto.NewSigner([crypto.PrivateKeySize]byte{1}), before: func(int) {}}
	l.genesis = consensus.NewGenesis("test", "pbft", nil)
	l.genesis.Limits.ResultBytes = 200 // three entries a page
	l.genesis.Limits.ValueBytes = 64
	for i := range 4 {
		l.genesis.Replicas = append(l.genesis.Replicas, crypto.NewSigner([crypto.PrivateKeySize]byte{2, byte(i)}).Public())
	}
	l.genesis.Clients = []consensus.ClientEntry{{Key: l.signer.Public(), Role: consensus.RoleWriter}}
	m, err := app.Open(state.NewMemory(), kv.Store{}, l.genesis, app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l.machine = m
	for i := range entries {
		l.put(i, "old")
	}
	return l
}

// put has a write decided, and executed.
func (l *library) put(i int, value string) {
	l.t.Helper()
	l.writes++
	op := kv.Put(fmt.Appendf(nil, "key %02d", i), fmt.Appendf(nil, "%-32s", value))
	r := consensus.SignRequest(l.signer, l.genesis.ID(), consensus.Sequence{Epoch: 1, Counter: l.writes}, [][]byte{op})
	b := &consensus.Batch{Stamp: consensus.Time(l.writes), Requests: []*consensus.Request{r}}
	if _, err := l.machine.Do(consensus.Commit{Seq: l.machine.Applied() + 1, Digest: b.Digest(), Batch: b}); err != nil {
		l.t.Fatal(err)
	}
}

func (l *library) Read(_ context.Context, op []byte) (Result, error) {
	l.pages++
	l.before(l.pages)
	f, _, err := l.machine.Look(&consensus.Lookup{Query: &consensus.Query{Client: l.signer.Public(), Operations: [][]byte{op}}})
	if err != nil {
		return Result{}, err
	}
	r := Result{Result: f.Results[0], Seq: f.Index, Unordered: true, Height: f.Height}
	if l.unnamed {
		r.Height = 0
	}
	return r, nil
}

func (l *library) Invoke(ctx context.Context, op []byte) (Result, error) {
	l.t.Error("a read was ordered")
	return l.Read(ctx, op)
}

// A range of many pages is of one state, or is not returned.
func TestWholeIsOfOneState(t *testing.T) {
	for name, c := range map[string]struct {
		before func(*library, int)
		limit  uint64
		want   error
		pages  int
		new    bool // the last entry was written anew
	}{
		"nobody writes":                     {func(*library, int) {}, 0, nil, 4, false},
		"... and not all is asked for":      {func(*library, int) {}, 4, nil, 2, false},
		"a write between two pages":         {at(3, func(l *library) { l.put(9, "new") }), 0, nil, 3 + 4, true},
		"... behind the one that was asked": {at(3, func(l *library) { l.put(0, "new") }), 0, nil, 3 + 4, false},
		"a write before each page":          {func(l *library, _ int) { l.put(5, "new") }, 0, ErrChanged, 2 * wholeTries, false},
		"... of which there is one":         {func(l *library, _ int) { l.put(5, "new") }, 2, nil, 1, false},
		"no height is told":                 {func(l *library, _ int) { l.unnamed = true }, 0, ErrChanged, wholeTries, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLibrary(t, 10)
			l.before = func(page int) { c.before(l, page) }
			got, err := KV{l}.Whole(t.Context(), nil, nil, c.limit, false)
			if !errors.Is(err, c.want) || l.pages != c.pages {
				t.Fatalf("%d pages, error %v; want %d, %v", l.pages, err, c.pages, c.want)
			}
			if c.want != nil {
				return
			}
			want := 10
			if c.limit > 0 {
				want = int(c.limit)
			}
			if len(got) != want || (string(got[len(got)-1].Value[:3]) == "new") != c.new {
				t.Errorf("%d entries, the last is %q", len(got), got[len(got)-1].Value)
			}
		})
	}
}

// at is something that happens before one page.
func at(page int, do func(*library)) func(*library, int) {
	return func(l *library, n int) {
		if n == page {
			do(l)
		}
	}
}
