package state

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

func count(s Reader, from, to string) (n, bytes int) {
	it := s.Iterate(from, to)
	defer it.Release()
	for it.Next() {
		n, bytes = n+1, bytes+len(it.Value())
	}
	return n, bytes
}

// history writes, step by step, contents that grow, shrink and change, so that
// leaves split and merge between two full saves, and returns what stands at the end
// of each.
func history(t fataler, s *State, steps int, kept func(seq consensus.Seq, root crypto.Digest, content map[string]string)) {
	crowd := aimed(60, "3c")
	content := map[string]string{}
	for seq := consensus.Seq(1); int(seq) <= steps; seq++ {
		tx := s.Begin()
		for i := range 40 {
			key := fmt.Sprint((int(seq)*31 + i*7) % 300)
			if i%3 == 0 {
				tx.Delete(key)
				delete(content, key)
			} else {
				content[key] = fmt.Sprint(seq, i)
				tx.Put(key, []byte(content[key]))
			}
		}
		for i, key := range crowd {
			if (int(seq)/3+i/20)%2 == 0 {
				content[key] = fmt.Sprint(seq)
				tx.Put(key, []byte(content[key]))
			} else {
				delete(content, key)
				tx.Delete(key)
			}
		}
		check(t, tx.Commit())
		root := mark(t, s, seq)
		if err := s.Keep(seq, root, []byte("proof")); err != nil {
			return
		}
		kept(seq, root, content)
	}
}

// TestLightKeepsWriteNoNodes, and the state that they leave is the same after a
// crash: its root, its content, and what it stores in the end.
func TestLightKeepsWriteNoNodes(t *testing.T) {
	memory := NewMemory()
	s := open(t, memory)
	history(t, s, 25, func(seq consensus.Seq, root crypto.Digest, content map[string]string) {
		if n, _ := count(memory, nodePrefix, "t0"); n > 0 && seq < 12 {
			t.Fatalf("at %d the store has %d nodes", seq, n)
		}
		if seq >= 10 && seq%3 == 0 { // from here on the store has those of an older height
			must(t, s.complete())
			exact(t, memory, s, content)
		}
		disk := memory.clone()
		again := open(t, disk)
		if at, got, _ := again.Height(); at != seq || got != root {
			t.Fatalf("reopened at %d %s, want %d %s", at, got.Short(), seq, root.Short())
		}
		if a, b := again.lower.tree.unsaved, s.lower.tree.unsaved; a > b {
			t.Fatalf("at %d %d bytes of nodes are unsaved after a crash, %d before", seq, a, b)
		}
		if _, all := contents(t, again); !maps.Equal(all, content) {
			t.Fatalf("at %d another content", seq)
		}
		put(t, again, "goes", "on")
		put(t, s, "goes", "on")
		if a, b := mark(t, again, seq+1), mark(t, s, seq+1); a != b {
			t.Fatalf("after %d roots %s and %s", seq, a.Short(), b.Short())
		}
		s.drop()
		again.drop()
		exact(t, disk, again, content)
	})
}

// TestFullKeepsComeInTime: memory for nodes, and what Open would read, are bounded.
func TestFullKeepsComeInTime(t *testing.T) {
	const limit = 60_000
	for _, what := range []string{"many keys", "large values", "keys that come and go"} {
		memory := NewMemory()
		s, err := Open(memory, Config{UnsavedBytes: limit, NodeCacheBytes: limit / 2 * 3})
		must(t, err)
		full, most := 0, 0
		for seq := consensus.Seq(1); seq <= 300; seq++ {
			tx := s.Begin()
			for i := range 20 {
				switch what {
				case "many keys":
					tx.Put(fmt.Sprint(seq, " ", i), nil)
				case "large values":
					tx.Put(fmt.Sprint(i), make([]byte, 500+int(seq)))
				default:
					tx.Put(fmt.Sprint(seq, " ", i), nil)
					tx.Delete(fmt.Sprint(seq-1, " ", i))
				}
			}
			must(t, tx.Commit())
			must(t, s.Keep(seq, mark(t, s, seq), nil))
			if len(s.lower.unsaved.records) == 0 {
				full++
			}
			most = max(most, s.lower.tree.unsaved, s.lower.unsaved.bytes)
			if n, bytes := count(memory, recordPrefix, recordEnd); n != len(s.lower.unsaved.records) || bytes > limit+1000 {
				t.Fatalf("%s: %d records of %d bytes, known are %d", what, n, bytes, len(s.lower.unsaved.records))
			}
		}
		if most > limit+40_000 || full == 0 || full > 120 {
			t.Errorf("%s: %d of 300 Keeps were full, %d bytes at most, limit %d", what, full, most, limit)
		}
	}
}

// TestCrashAroundEveryKeep loses power before and after each Apply of a history
// with light and full Keeps: what is there afterwards is the height before or the
// one after, exactly.
func TestCrashAroundEveryKeep(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at := range 16 {
			disk := &failing{Memory: NewMemory(), left: at, after: after}
			s, err := Open(disk, Config{NodeCacheBytes: 30_000})
			must(t, err)
			roots, wants := map[consensus.Seq]crypto.Digest{0: EmptyRoot}, map[consensus.Seq]map[string]string{}
			full := 0
			history(t, s, 16, func(seq consensus.Seq, root crypto.Digest, content map[string]string) {
				roots[seq], wants[seq] = root, maps.Clone(content)
				if len(s.lower.unsaved.records) == 0 {
					full++
				}
			})
			want := consensus.Seq(at)
			if after {
				want++
			}
			disk.Crash()
			again := open(t, disk.Memory)
			seq, root, _ := again.Height()
			if seq != want || seq <= consensus.Seq(at) && root != roots[seq] {
				t.Fatalf("crash %d (after: %v): height %d %s", at, after, seq, root.Short())
			}
			if content, ok := wants[seq]; ok {
				exact(t, disk.Memory, again, content)
			}
			if at == 15 && (full == 0 || full > 12) {
				t.Errorf("%d full Keeps of 15: the test shows less than it should", full)
			}
		}
	}
}

// TestDamagedRecordsAreNoticed: one that is missing, cut short, or names another key.
func TestDamagedRecordsAreNoticed(t *testing.T) {
	for how, damage := range map[string]func([]byte) []byte{
		"missing": func([]byte) []byte { return nil },
		"empty":   func([]byte) []byte { return []byte{} },
		"short":   func(b []byte) []byte { return b[:len(b)-1] },
		"long":    func(b []byte) []byte { return append(b, 0) },
		"flipped": func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"length":  func(b []byte) []byte { b[1]++; return b },
	} {
		memory := NewMemory()
		s := open(t, memory)
		history(t, s, 5, func(consensus.Seq, crypto.Digest, map[string]string) {})
		put(t, s, "~ which no other record has", "v")
		must(t, s.Keep(6, mark(t, s, 6), nil))
		name := s.lower.unsaved.records[5]
		record, _, _ := memory.Get(name)
		b := &Batch{}
		if bad := damage(bytes.Clone(record)); bad == nil {
			b.Delete(name)
		} else {
			b.Put(name, bad)
		}
		must(t, memory.Apply(b, true))
		if _, err := Open(memory, Config{}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", how, err)
		}
	}
}

// TestLongRecordsAreCut, and read again as one.
func TestLongRecordsAreCut(t *testing.T) {
	memory := NewMemory()
	s := open(t, memory)
	tx := s.Begin()
	for i := range 400 {
		tx.Put(fmt.Sprint(strings.Repeat("k", 8000), i), nil)
	}
	must(t, tx.Commit())
	root := mark(t, s, 1)
	must(t, s.Keep(1, root, nil))
	if n := len(s.lower.unsaved.records); n != 4 {
		t.Errorf("3.2 MB of keys are in %d records", n)
	}
	if _, got, _ := open(t, memory).Height(); got != root {
		t.Errorf("root %s, was %s", got.Short(), root.Short())
	}
}

// TestStoreWithoutRecordsOpensAsItIs: so earlier versions left it.
func TestStoreWithoutRecordsOpensAsItIs(t *testing.T) {
	memory := NewMemory()
	s := open(t, memory)
	var want crypto.Digest
	history(t, s, 8, func(_ consensus.Seq, root crypto.Digest, _ map[string]string) { want = root })
	must(t, s.complete())
	again := open(t, memory)
	if stored, unsaved := again.CacheBytes(); stored+unsaved > 0 {
		t.Errorf("%d and %d bytes of nodes were loaded or made", stored, unsaved)
	}
	if root := mark(t, again, 9); root != want {
		t.Errorf("root %s, was %s", root.Short(), want.Short())
	}
}

// A Keep of two intervals writes, of a key that both have written, what the newer has.
func TestAKeepOfTwoIntervalsWritesTheNewer(t *testing.T) {
	memory := NewMemory()
	s := open(t, memory)
	content := map[string]string{}
	for seq, value := range []string{"older", "newer"} {
		for _, key := range []string{"both", value} {
			put(t, s, key, value)
			content[key] = value
		}
		mark(t, s, consensus.Seq(seq+1))
	}
	root := s.layers[1].root.rootHash()
	must(t, s.Keep(2, root, nil))
	exact(t, memory, s, content)
	again := open(t, memory)
	exact(t, memory, again, content)
}
