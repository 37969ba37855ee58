package storage

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	lstorage "github.com/syndtr/goleveldb/leveldb/storage"

	"quorate.dev/quorate/app/state"
)

// crashingFiles calls before each step that changes a file, and remembers how much of
// each is synced.
type crashingFiles struct {
	lstorage.Storage
	synced map[string]int64
	before func(what string)
}

func (f *crashingFiles) Create(fd lstorage.FileDesc) (lstorage.Writer, error) {
	f.before("create " + fd.String())
	w, err := f.Storage.Create(fd)
	f.synced[fd.String()] = 0
	return &crashingWriter{Writer: w, files: f, name: fd.String()}, err
}

func (f *crashingFiles) Remove(fd lstorage.FileDesc) error {
	f.before("remove " + fd.String())
	return f.Storage.Remove(fd)
}

type crashingWriter struct {
	lstorage.Writer
	files *crashingFiles
	name  string
	size  int64
}

func (w *crashingWriter) Write(b []byte) (int, error) {
	w.files.before("write " + w.name)
	n, err := w.Writer.Write(b)
	w.size += int64(n)
	return n, err
}

func (w *crashingWriter) Sync() error {
	w.files.before("sync " + w.name)
	err := w.Writer.Sync()
	w.files.synced[w.name] = w.size
	return err
}

// crash is the store as a killed process leaves it, or, with a power loss, as a disk
// does that has nothing but what was synced.
func (f *crashingFiles) crash(t *testing.T, dir string, powerLoss bool) string {
	t.Helper()
	to := copyState(t, dir)
	for name, size := range f.synced {
		path := filepath.Join(to, name)
		if _, err := os.Stat(path); err != nil || !powerLoss {
			continue
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// A batch that is written into tables is there after a crash at any step of it, or
// not at all; what was there before stays; and once Apply returns it is there.
func TestCrashInABatchOfTables(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	raw, err := openStateFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := &crashingFiles{Storage: raw, synced: map[string]int64{}, before: func(string) {}}
	s, err := openOn(dir, files, 2<<20, newPace())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	apply(t, s, "0=old", "2=old", "4=old")
	steps, had := 0, 0
	look := func(what string) {
		steps++
		for _, powerLoss := range []bool{false, true} {
			again := openState(t, files.crash(t, dir, powerLoss))
			got := tableBatch(again)
			if got != "old" && got != "new" {
				t.Errorf("crash at %q, power loss %v: the store has %s", what, powerLoss, got)
			}
			if got == "new" {
				had++
			}
			again.Close()
		}
	}
	files.before = look
	b := &state.Batch{}
	b.Delete("0")
	value := make([]byte, 1<<20)
	for i := range batchValues {
		b.Put(fmt.Sprintf("1/%03d", i), value)
	}
	b.Put("2", []byte("new"))
	if err := s.Apply(b, true); err != nil {
		t.Fatal(err)
	}
	before := had
	look("the end")
	files.before = func(string) {}
	if got := tableBatch(s); got != "new" || had != before+2 || steps < 12 {
		t.Errorf("after Apply the store has %s, and %d of 2 crashed ones have the batch; %d steps", got, had-before, steps)
	}
}

// batchValues of a MiB each are more than the journal takes, and several tables.
const batchValues = 5

// tableBatch says whether the store has the batch of the test, as a whole.
func tableBatch(s *StateStore) string {
	var found []string
	it := s.Iterate("", "")
	defer it.Release()
	for it.Next() {
		if key := string(it.Key()); len(it.Value()) < 10 {
			found = append(found, key+"="+string(it.Value()))
		} else {
			found = append(found, key)
		}
	}
	if it.Err() == nil && slices.Equal(found, []string{"0=old", "2=old", "4=old"}) {
		return "old"
	}
	if n := batchValues; it.Err() == nil && len(found) == n+2 && found[n] == "2=new" && found[n+1] == "4=old" {
		return "new"
	}
	return fmt.Sprint(found, it.Err())
}

// Writes in the order of backwards come to the same as in theirs.
func TestBackwardsComesToTheSame(t *testing.T) {
	writes := []state.Write{}
	for _, k := range []string{"a", "b", "c", "c", "a", "d", "e", "b", "b"} {
		writes = append(writes, state.Write{Key: k, Value: []byte(fmt.Sprint(len(writes)))})
	}
	want, got, order := map[string]string{}, map[string]string{}, ""
	for _, w := range writes {
		want[w.Key] = string(w.Value)
	}
	for w := range backwards(writes) {
		got[w.Key] = string(w.Value)
		order += w.Key
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || order != "cbacedabb" {
		t.Errorf("%v in the order %s, want %v", got, order, want)
	}
	for range backwards(writes) {
		break
	}
}

// Whoever keeps a state may pause on the way through a large batch.
func TestAKeepPausesInItsWrite(t *testing.T) {
	s, err := state.Open(openState(t, t.TempDir()), state.Config{})
	if err != nil {
		t.Fatal(err)
	}
	tx := s.Begin()
	value := make([]byte, 1000)
	for i := range 4000 {
		tx.Put(fmt.Sprint("key ", i), value)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	root, err := s.Mark(64)
	if err != nil {
		t.Fatal(err)
	}
	task, err := s.BeginKeep(64, root, nil)
	if err != nil {
		t.Fatal(err)
	}
	steps, pauses := 0, 0
	task.Pausing(func() { pauses++ })
	for task.Step() {
		steps++
	}
	if err := s.Finish(task); err != nil || pauses < 10 {
		t.Errorf("%d pauses in %d steps, %v", pauses, steps, err)
	}
}
