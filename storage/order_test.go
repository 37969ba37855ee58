package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
)

// written is a device that knows whether all of it was synced.
type written struct {
	disk
	dirty  map[string]bool
	closed func(path string, dirty bool)
}

func (w written) WriteAt(b []byte, off int64) (int, error) {
	w.dirty[w.Name()] = true
	return w.disk.WriteAt(b, off)
}

func (w written) Sync() error {
	delete(w.dirty, w.Name())
	return w.disk.Sync()
}

func (w written) Close() error {
	w.closed(w.Name(), w.dirty[w.Name()])
	return w.disk.Close()
}

// A segment is left with its seal synced: nobody comes back to it, and records
// behind a missing seal are damage.
func TestSealedSegmentIsSynced(t *testing.T) {
	sealed := 0
	o, dirty := small(), map[string]bool{}
	o.wrap = func(d device) device {
		return written{d.(disk), dirty, func(path string, dirty bool) {
			if sealed++; dirty {
				t.Errorf("%s is left behind unsynced", filepath.Base(path))
			}
		}}
	}
	l, _ := open(t, filepath.Join(t.TempDir(), "log"), o)
	fill(t, l, 0, 60)
	if sealed < 3 {
		t.Fatalf("%d segments are sealed", sealed)
	}
	closed(t, l)
}

// reaching is a device that knows how far each file was written.
type reaching struct {
	disk
	end map[string]int64
}

func (r reaching) WriteAt(b []byte, off int64) (int, error) {
	name := strings.TrimSuffix(filepath.Base(r.Name()), tempSuffix) // of which it is created
	r.end[name] = max(r.end[name], off+int64(len(b)))
	return r.disk.WriteAt(b, off)
}

// Where a segment was never written a sync takes twice as long. So a fresh one is
// written ahead of its records, each time for many syncs, and also when it is
// gone on with; one that is used again was written before.
func TestFreshSegmentIsWrittenAhead(t *testing.T) {
	dir, end := filepath.Join(t.TempDir(), "log"), map[string]int64{}
	o := LogOptions{Identity: me, SegmentBytes: 2*fillBytes + 1000}
	o.wrap = func(d device) device { return reaching{d.(disk), end} }
	l, _ := open(t, dir, o)
	at := func() int64 { return end[filepath.Base(segmentPath(dir, l.head().index))] }
	big := []consensus.Record{{Slot: 1, Bytes: make([]byte, fillBytes/2)}}
	for i, want := range []int64{fillBytes, 2 * fillBytes, 2 * fillBytes, o.SegmentBytes, fillBytes} {
		if i == 2 {
			closed(t, l)
			l, _ = open(t, dir, o) // does not know any more how far it was written
		}
		if err := l.Append(big); err != nil {
			t.Fatal(err)
		}
		if got := at(); got != want {
			t.Errorf("after %d records segment %d is written up to %d, want %d", i+1, l.head().index, got, want)
		}
	}
	for !l.head().reused {
		if err := l.Append(big); err != nil {
			t.Fatal(err)
		}
		if err := l.Forget(1); err != nil {
			t.Fatal(err)
		}
	}
	if got := at(); got != l.offset {
		t.Errorf("a segment that is used again is written up to %d, with records up to %d", got, l.offset)
	}
	closed(t, l)
}

// What a killed process wrote and never synced is read and answered for: it must
// not go with the next power loss.
func TestWhatAKilledProcessWroteIsSynced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l, _ := open(t, dir, small())
	fill(t, l, 0, 3)
	if err := l.Append([]consensus.Record{record(3)}); err != nil {
		t.Fatal(err)
	}
	paths := segmentFiles(t, dir)
	synced := map[string]bool{}
	o := small()
	o.wrap = func(d device) device { return syncing{d.(disk), func(path string) { synced[path] = true }} }
	again, records := open(t, copyLog(t, dir), o) // as the killed process left it
	closed(t, l)
	defer again.Close()
	want(t, records, 0, 4)
	active := filepath.Join(again.dir, filepath.Base(paths[len(paths)-1]))
	if !synced[active] {
		t.Errorf("%s was read and not synced, only %v", active, synced)
	}
}

// A segment stays for the highest of its records, wherever in it that stands,
// also after a restart.
func TestHighestSlotOfASegmentSurvivesARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l, _ := open(t, dir, small())
	body := make([]byte, 100)
	for _, slot := range []consensus.Seq{9, 1, 2, 2, 3, 3, 4, 4, 10, 10, 10, 10} {
		if err := l.Append([]consensus.Record{{Slot: slot, Bytes: body}}); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, l)
	l, before := open(t, dir, small())
	segments := l.Status().Segments
	if segments < 3 {
		t.Fatalf("%d segments", segments)
	}
	for _, step := range []struct {
		cut  consensus.Seq
		gone bool
	}{{8, false}, {9, true}} {
		if err := l.Forget(step.cut); err != nil {
			t.Fatal(err)
		}
		if gone := l.Status().Segments < segments; gone != step.gone {
			t.Errorf("cut at %d: the segment with slot 9 is gone %v", step.cut, gone)
		}
	}
	closed(t, l)
	l, after := open(t, dir, small())
	defer l.Close()
	if len(after) == 0 || len(after) >= len(before) || after[0].Slot == 9 {
		t.Errorf("%d of %d records are left, the first of slot %d", len(after), len(before), after[0].Slot)
	}
}

// Segments are removed when the base says that they may be missing, and not
// before: a crash in between would leave a log that lacks its beginning.
func TestSegmentsStayUntilTheBaseIsWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l, _ := open(t, dir, small())
	fill(t, l, 0, 60)
	before := segmentFiles(t, dir)
	obstacle := filepath.Join(dir, baseName+tempSuffix)
	if err := os.Mkdir(obstacle, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := l.Forget(40); err == nil {
		t.Fatal("the base cannot be written, and the log is cut")
	}
	l.Close()
	if after := segmentFiles(t, dir); len(after) != len(before) {
		t.Errorf("%d of %d segments are left", len(after), len(before))
	}
	if err := os.Remove(obstacle); err != nil {
		t.Fatal(err)
	}
	l, records := open(t, dir, small())
	defer l.Close()
	want(t, records, 0, 60)
}

// A synced write to the state lasts with the name of the file that it stands in:
// the directory is synced, too. One that need not last is not waited for.
func TestNamesOfTheStateAreSynced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := openState(t, dir)
	apply(t, s, "a=1")
	if err := os.Rename(dir, dir+"-elsewhere"); err != nil { // so that only the directory is out of reach
		t.Fatal(err)
	}
	b := &state.Batch{}
	b.Put("b", []byte("2"))
	if err := s.Apply(b, false); err != nil {
		t.Errorf("a write that need not last: %v", err)
	}
	if err := s.Apply(b, true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a synced write without a directory to sync: %v", err)
	}
	if err := os.Rename(dir+"-elsewhere", dir); err != nil {
		t.Fatal(err)
	}
	s.Close()
}
