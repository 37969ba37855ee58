package storage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
)

func openState(t testing.TB, dir string) *StateStore {
	t.Helper()
	s, err := openWith(dir, 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func apply(t testing.TB, s *StateStore, writes ...string) {
	t.Helper()
	b := &state.Batch{}
	for _, w := range writes {
		if key, value, ok := strings.Cut(w, "="); ok {
			b.Put(key, []byte(value))
		} else {
			b.Delete(w)
		}
	}
	if err := s.Apply(b, true); err != nil {
		t.Fatal(err)
	}
}

func listed(t testing.TB, r state.Reader, from, to string) string {
	t.Helper()
	var out []string
	it := r.Iterate(from, to)
	defer it.Release()
	for it.Next() {
		out = append(out, fmt.Sprintf("%s=%.5s", it.Key(), it.Value()))
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func TestStateStoreKeepsWhatWasApplied(t *testing.T) {
	dir := t.TempDir()
	s := openState(t, dir)
	apply(t, s, "a=1", "b=2", "c=", "gone=x")
	view, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	// The last write to a key within a batch is the one that counts, also
	// in a batch that goes past the journal.
	apply(t, s, "gone", "b", "b=3", "large="+strings.Repeat("L", 200<<10))
	if got := listed(t, view, "", ""); got != "a=1 b=2 c= gone=x" {
		t.Errorf("snapshot: %s", got)
	}
	view.Release()
	if _, _, err := view.Get("a"); !errors.Is(err, state.ErrReleased) {
		t.Errorf("a released snapshot: %v", err)
	}
	for range 2 {
		if got := listed(t, s, "", ""); got != "a=1 b=3 c= large=LLLLL" {
			t.Errorf("store: %s", got)
		}
		if got := listed(t, s, "b", "c"); got != "b=3" {
			t.Errorf("range: %s", got)
		}
		if v, ok, err := s.Get("c"); err != nil || !ok || len(v) != 0 {
			t.Errorf("empty value: %q %v %v", v, ok, err)
		}
		if _, ok, err := s.Get("gone"); ok || err != nil {
			t.Errorf("deleted key: %v %v", ok, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openState(t, dir)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStateStoreHasOneProcess(t *testing.T) {
	dir := t.TempDir()
	s := openState(t, dir)
	if _, err := OpenState(dir); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("opened twice: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b := &state.Batch{}
	b.Put("k", nil)
	first := s.Apply(b, true)
	if second := s.Apply(b, true); first == nil || first != second {
		t.Errorf("a failed store took more: %v, then %v", first, second)
	}
}

// copyState copies the files of a store that is still open, as a crash would
// leave them.
func copyState(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, f.Name()), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func journalOf(t testing.TB, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no journal in %s: %v", dir, err)
	}
	return found[len(found)-1]
}

// threeBatches applies three batches and returns the store's directory after a
// crash, and the length of the journal after each of them. The second one
// spans several blocks.
func threeBatches(t testing.TB) (dir string, ends []int64) {
	t.Helper()
	live := t.TempDir()
	s, err := openWith(live, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, w := range []string{"a=1", "b=" + strings.Repeat("B", 70<<10), "c=3"} {
		apply(t, s, w)
		stat, err := os.Stat(journalOf(t, live))
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, stat.Size())
	}
	return copyState(t, live), ends
}

func TestTornTailOfTheStateIsCut(t *testing.T) {
	dir, ends := threeBatches(t)
	want := []string{"", "a=1", "a=1 b=BBBBB", "a=1 b=BBBBB c=3"}
	for size := int64(0); size <= ends[2]; size++ {
		whole := 0
		for whole < 3 && ends[whole] <= size {
			whole++
		}
		inside := size - ends[max(whole, 1)-1]
		if inside > 20 && size < ends[2]-3 && inside%4099 != 0 {
			continue // inside a batch a sample will do
		}
		torn := copyState(t, dir)
		if err := os.Truncate(journalOf(t, torn), size); err != nil {
			t.Fatal(err)
		}
		s := openState(t, torn)
		if got := listed(t, s, "", ""); got != want[whole] {
			t.Errorf("cut at %d: %s, want %s", size, got, want[whole])
		}
		apply(t, s, "later=1")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestZeroFilledTailOfTheStateIsCut(t *testing.T) {
	dir, ends := threeBatches(t)
	path := journalOf(t, dir)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(raw[ends[1]+3:])
	raw = append(raw, make([]byte, 100<<10)...)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openState(t, dir)
	defer s.Close()
	if got := listed(t, s, "", ""); got != "a=1 b=BBBBB" {
		t.Errorf("got %s", got)
	}
}

// TestDamagedStateIsRefused flips bits in batches that are not the last one:
// each must be refused, and nothing changed.
func TestDamagedStateIsRefused(t *testing.T) {
	dir, ends := threeBatches(t)
	name := filepath.Base(journalOf(t, dir))
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	step := int64(1)
	for at := int64(0); at < ends[1]; at += step {
		if at > 60 {
			step = 977
		}
		hurt := bytes.Clone(raw)
		hurt[at] ^= 0x10
		if err := os.WriteFile(filepath.Join(dir, name), hurt, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := openWith(dir, 64<<10)
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "state in ") {
			if err == nil {
				s.Close()
			}
			t.Fatalf("byte %d flipped: %v", at, err)
		}
		if now, _ := os.ReadFile(filepath.Join(dir, name)); !bytes.Equal(now, hurt) {
			t.Fatalf("byte %d flipped: the journal was changed", at)
		}
	}
}

func TestDamagedManifestIsRefused(t *testing.T) {
	dir, _ := threeBatches(t)
	if err := os.WriteFile(filepath.Join(dir, "CURRENT"), []byte("../elsewhere\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenState(dir); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

func FuzzTrimJournal(f *testing.F) {
	dir, _ := threeBatches(f)
	raw, err := os.ReadFile(journalOf(f, dir))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw[:200])
	f.Add(append(bytes.Clone(raw[:30]), make([]byte, 40<<10)...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "000001.log")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		err := trimJournal(path, true)
		now, readErr := os.ReadFile(path)
		if readErr != nil || !bytes.HasPrefix(raw, now) || err != nil && len(now) != len(raw) {
			t.Fatalf("%v: %d bytes became %d", err, len(raw), len(now))
		}
		if err == nil {
			if err := trimJournal(path, false); err != nil {
				t.Fatalf("what was trimmed is not whole: %v", err)
			}
		}
	})
}

// TestStateOnDisk runs a state on the store, reopens it, and serves what it had.
func TestStateOnDisk(t *testing.T) {
	dir := t.TempDir()
	store := openState(t, dir)
	s, err := state.Open(store, state.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var last consensus.Seq
	for seq := consensus.Seq(64); seq <= 640; seq += 64 {
		tx := s.Begin()
		for i := range 50 {
			tx.Put(fmt.Sprintf("key %d", int(seq)*7%13*50+i), []byte(fmt.Sprint("value of ", seq)))
		}
		tx.Delete(fmt.Sprintf("key %d", seq))
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		root, err := s.Mark(seq)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Keep(seq, root, []byte("proof")); err != nil {
			t.Fatal(err)
		}
		last = seq
	}
	_, root, _ := s.Height()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	store = openState(t, dir)
	defer store.Close()
	if s, err = state.Open(store, state.Config{}); err != nil {
		t.Fatal(err)
	}
	seq, again, proof := s.Height()
	if seq != last || again != root || string(proof) != "proof" {
		t.Errorf("reopened at %d with root %s, want %d %s", seq, again.Short(), last, root.Short())
	}
	snapshot, err := s.Snapshot(seq, root)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := snapshot.Read([]consensus.Item{{ID: "N", Hash: root}}, consensus.ChunkBytes)
	if err != nil || len(parts) != 1 {
		t.Errorf("read: %d parts, %v", len(parts), err)
	}
}
