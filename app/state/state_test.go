package state

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func check(t fataler, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func open(t fataler, store Store) *State {
	t.Helper()
	s, err := Open(store, Config{})
	check(t, err)
	return s
}

func mark(t fataler, s *State, seq consensus.Seq) crypto.Digest {
	t.Helper()
	root, err := s.Mark(seq)
	check(t, err)
	return root
}

func put(t fataler, s *State, key, value string) {
	t.Helper()
	tx := s.Begin()
	tx.Put(key, []byte(value))
	check(t, tx.Commit())
}

// contents reads the whole state in order.
func contents(t fataler, s *State) (keys []string, all map[string]string) {
	t.Helper()
	all = map[string]string{}
	tx := s.Begin()
	tx.Range("", "", 0, func(key string, value []byte) bool {
		keys = append(keys, key)
		all[key] = string(value)
		return true
	})
	check(t, tx.Commit())
	return keys, all
}

// rootOf computes the root of a content from nothing, in one step.
func rootOf(t fataler, content map[string]string) crypto.Digest {
	t.Helper()
	s := open(t, NewMemory())
	for _, key := range slices.Sorted(maps.Keys(content)) {
		put(t, s, key, content[key])
	}
	return mark(t, s, 1)
}

// model is the dumb twin of a State: plain maps.
type model struct {
	seq     consensus.Seq // of the last mark
	now     map[string]string
	marks   map[consensus.Seq]map[string]string
	roots   map[consensus.Seq]crypto.Digest
	kept    consensus.Seq
	keptMap map[string]string
}

func (m *model) drop() {
	m.now, m.seq = maps.Clone(m.keptMap), m.kept
	for seq := range m.marks {
		if seq > m.kept {
			delete(m.marks, seq)
		}
	}
}

// TestStateAgainstMap drives a State and a map with the same random history of
// transactions, marks, keeps, drops, crashes and reopenings.
func TestStateAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store := NewMemory()
		config := Config{
			NodeCacheBytes: rapid.SampledFrom([]int{1, 4000, 1 << 20}).Draw(t, "cache"),
			UnsavedBytes:   rapid.SampledFrom([]int{1, 3000, 1 << 20}).Draw(t, "unsaved"),
		}
		s, err := Open(store, config)
		check(t, err)
		m := &model{now: map[string]string{}, keptMap: map[string]string{}, marks: map[consensus.Seq]map[string]string{}, roots: map[consensus.Seq]crypto.Digest{}}
		keys := rapid.SampledFrom([]int{5, 40, 400}).Draw(t, "keys")
		t.Repeat(map[string]func(*rapid.T){
			"transaction": func(t *rapid.T) { transact(t, s, m, keys) },
			"mark": func(t *rapid.T) {
				m.seq++
				m.roots[m.seq] = mark(t, s, m.seq)
				m.marks[m.seq] = maps.Clone(m.now)
				if want := rootOf(t, m.now); m.roots[m.seq] != want {
					t.Fatalf("root at %d is %s, from scratch %s", m.seq, m.roots[m.seq].Short(), want.Short())
				}
			},
			"keep": func(t *rapid.T) {
				seqs := slices.Sorted(maps.Keys(m.marks))
				if len(seqs) == 0 {
					return
				}
				seq := rapid.SampledFrom(seqs).Draw(t, "seq")
				check(t, s.Keep(seq, m.roots[seq], []byte{byte(seq)}))
				if seq > m.kept {
					m.kept, m.keptMap = seq, m.marks[seq]
				}
			},
			"drop": func(t *rapid.T) { s.drop(); m.drop() },
			"ask": func(t *rapid.T) {
				seq, root, _ := s.Height()
				if p, err := s.Snapshot(seq, root); err == nil {
					_, err = p.Read([]consensus.Item{{ID: "N", Hash: root}}, 1<<20)
					if err != nil && s.kept.root.count > 0 {
						t.Fatalf("at %d: %v", seq, err)
					}
				} else if !errors.Is(err, ErrGone) {
					t.Fatalf("at %d: %v", seq, err)
				}
			},
			"crash": func(t *rapid.T) {
				store.Crash()
				s, err = Open(store, config)
				check(t, err)
				m.drop()
			},
			"": func(t *rapid.T) { compare(t, s, m) },
		})
		s.drop()
		m.drop()
		exact(t, store, s, m.keptMap)
	})
}

func transact(t *rapid.T, s *State, m *model, keys int) {
	tx := s.Begin()
	next := maps.Clone(m.now)
	for range rapid.IntRange(1, 40).Draw(t, "writes") {
		key := fmt.Sprintf("%03d", rapid.IntRange(0, keys-1).Draw(t, "key"))
		if rapid.IntRange(0, 2).Draw(t, "what") == 0 {
			tx.Delete(key)
			delete(next, key)
		} else {
			value := rapid.SampledFrom([]string{"", "a", "bb"}).Draw(t, "value")
			tx.Put(key, []byte(value))
			next[key] = value
		}
		got, ok := tx.Get(key)
		if want, wantOK := next[key]; ok != wantOK || string(got) != want {
			t.Fatalf("get %s in transaction: %q %v, want %q %v", key, got, ok, want, wantOK)
		}
	}
	if rapid.Bool().Draw(t, "commit") {
		check(t, tx.Commit())
		m.now = next
	} else {
		tx.Rollback()
	}
}

func compare(t *rapid.T, s *State, m *model) {
	keys, all := contents(t, s)
	if !maps.Equal(all, m.now) || !slices.IsSorted(keys) {
		t.Fatalf("state has %v, want %v", all, m.now)
	}
	seq, root, certificate := s.Height()
	if seq != m.kept || seq > 0 && (root != m.roots[seq] || !bytes.Equal(certificate, []byte{byte(seq)})) {
		t.Fatalf("height %d %s %x, want %d", seq, root.Short(), certificate, m.kept)
	}
	from, to := rapid.IntRange(0, 400).Draw(t, "from"), rapid.IntRange(0, 400).Draw(t, "to")
	limit := rapid.IntRange(0, 10).Draw(t, "limit")
	lo, hi := fmt.Sprintf("%03d", from), fmt.Sprintf("%03d", to)
	var want, got []string
	for _, k := range keys {
		if k >= lo && k < hi && (limit == 0 || len(want) < limit) {
			want = append(want, k)
		}
	}
	tx := s.Begin()
	tx.Range(lo, hi, limit, func(key string, _ []byte) bool { got = append(got, key); return true })
	check(t, tx.Commit())
	if !slices.Equal(got, want) {
		t.Fatalf("range [%s,%s) limit %d: %v, want %v", lo, hi, limit, got, want)
	}
}

// exact checks that the store holds the data and the trie of content and
// nothing else.
func exact(t fataler, store *Memory, s *State, content map[string]string) {
	t.Helper()
	check(t, s.complete())
	other := NewMemory()
	o := open(t, other)
	for _, key := range slices.Sorted(maps.Keys(content)) {
		put(t, o, key, content[key])
	}
	root := mark(t, o, 1)
	check(t, o.Keep(1, root, nil))
	check(t, o.complete())
	for _, space := range [][2]string{{dataPrefix, dataEnd}, {nodePrefix, "t0"}, {recordPrefix, recordEnd}} {
		a, b := store.Iterate(space[0], space[1]), other.Iterate(space[0], space[1])
		for {
			moreA, moreB := a.Next(), b.Next()
			if moreA != moreB {
				t.Fatalf("store has more or fewer keys under %s than it should", space[0])
			}
			if !moreA {
				break
			}
			if !bytes.Equal(a.Key(), b.Key()) || !bytes.Equal(a.Value(), b.Value()) {
				t.Fatalf("store has %q, should have %q, or another value there", a.Key(), b.Key())
			}
		}
	}
	if _, got, _ := s.Height(); got != root && s.kept.seq > 0 {
		t.Fatalf("root %s, want %s", got.Short(), root.Short())
	}
}

func TestKeepOfAnotherRootSaysDiverged(t *testing.T) {
	s := open(t, NewMemory())
	put(t, s, "k", "v")
	own := mark(t, s, 64)
	err := s.Keep(64, crypto.Hash([]byte("other")), nil)
	var diverged *DivergedError
	if !errors.As(err, &diverged) || diverged.Own != own || diverged.Seq != 64 {
		t.Fatalf("got %v", err)
	}
	if seq, root, _ := s.Height(); seq != 0 || root != EmptyRoot {
		t.Fatalf("height moved to %d", seq)
	}
	if err := s.Keep(65, own, nil); !errors.Is(err, ErrNotMarked) {
		t.Fatalf("keep without mark: %v", err)
	}
	must(t, s.Keep(64, own, []byte("proof")))
	must(t, s.Keep(64, own, []byte("proof")))
	must(t, s.Keep(3, own, nil))
}
