package storage

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

var me = Identity{Cluster: crypto.Hash([]byte("a cluster")), Replica: 2}

func small() LogOptions { return LogOptions{Identity: me, SegmentBytes: 512} }

func open(t testing.TB, dir string, o LogOptions) (*Log, []consensus.Record) {
	t.Helper()
	l, records, err := OpenLog(dir, o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return l, records
}

func record(i int) consensus.Record {
	return consensus.Record{Slot: consensus.Seq(i), Lazy: i%5 == 0, Bytes: bytes.Repeat([]byte{byte(i)}, i%37)}
}

// fill appends records [from, to) and syncs them as one group.
func fill(t testing.TB, l *Log, from, to int) {
	t.Helper()
	var group []consensus.Record
	for i := from; i < to; i++ {
		group = append(group, record(i))
	}
	if err := l.Append(group); err != nil {
		t.Fatalf("append: %v", err)
	}
	if err := l.Sync(); err != nil {
		t.Fatalf("sync: %v", err)
	}
}

// want fails unless records are record(from), record(from+1) ... record(to-1).
func want(t testing.TB, records []consensus.Record, from, to int) {
	t.Helper()
	if len(records) != to-from {
		t.Fatalf("%d records, want %d", len(records), to-from)
	}
	for i, r := range records {
		w := record(from + i)
		if r.Slot != w.Slot || r.Lazy != w.Lazy || !bytes.Equal(r.Bytes, w.Bytes) {
			t.Fatalf("record %d is %+v, want %+v", i, r, w)
		}
	}
}

func closed(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

func TestLogKeepsRecordsAcrossReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	for round := range 12 {
		l, records := open(t, dir, small())
		want(t, records, 0, round*7)
		if l.Torn() != nil {
			t.Fatalf("round %d: a log that was closed is torn: %v", round, l.Torn())
		}
		fill(t, l, round*7, round*7+3)
		fill(t, l, round*7+3, round*7+7)
		closed(t, l)
	}
}

func TestLogKeepsRecordsOfAKilledProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	for round := range 12 {
		l, records := open(t, dir, small())
		want(t, records, 0, round*7)
		fill(t, l, round*7, round*7+7)
		l.active.Close() // no seal, no sync, no goodbye
	}
}

func TestLogTakesRecordsLargerThanASegment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l, _ := open(t, dir, small())
	big := consensus.Record{Slot: 2, Bytes: bytes.Repeat([]byte("q"), 3<<20)}
	if err := l.Append([]consensus.Record{record(1), big, record(3)}); err != nil {
		t.Fatal(err)
	}
	closed(t, l)
	l, records := open(t, dir, small())
	defer l.Close()
	if len(records) != 3 || !bytes.Equal(records[1].Bytes, big.Bytes) {
		t.Fatalf("the large record did not come back: %d records", len(records))
	}
	err := l.Append([]consensus.Record{record(4), {Bytes: make([]byte, maxRecordBytes+1)}})
	if !errors.Is(err, errTooBig) {
		t.Fatalf("a record over the limit: %v", err)
	}
	if err := l.Append([]consensus.Record{record(4)}); err != nil {
		t.Fatalf("after a refused record: %v", err)
	}
	if s := l.Status(); s.Last != 4 {
		t.Fatalf("%d records, want 4: a refused group leaves nothing", s.Last)
	}
}

func TestForgetDropsWholeSegmentsFromTheFront(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l, _ := open(t, dir, small())
	for i := 0; i < 120; i += 4 {
		fill(t, l, i, i+4)
	}
	before := l.Status()
	if before.Segments < 5 {
		t.Fatalf("only %d segments", before.Segments)
	}
	if err := l.Forget(0); err != nil || l.Status().Segments != before.Segments {
		t.Fatalf("forgetting nothing: %v, %+v", err, l.Status())
	}
	if err := l.Forget(60); err != nil {
		t.Fatal(err)
	}
	after := l.Status()
	if after.Segments >= before.Segments || l.segments[0].maxSlot <= 60 {
		t.Fatalf("after forgetting 60: %+v, oldest segment up to %d", after, l.segments[0].maxSlot)
	}
	first := int(l.segments[0].first - 1)
	fill(t, l, 120, 160) // reuses the forgotten files
	closed(t, l)
	l, records := open(t, dir, small())
	want(t, records, first, 160)
	if err := l.Forget(1 << 40); err != nil {
		t.Fatal(err)
	}
	if s := l.Status(); s.Segments != 1 {
		t.Fatalf("%d segments left, want the active one", s.Segments)
	}
	fill(t, l, 160, 170)
	closed(t, l)
	l, records = open(t, dir, small())
	defer l.Close()
	want(t, records, 170-len(records), 170)
}

// One record with a high slot keeps everything behind it.
func TestForgetKeepsWhatTheChainNeeds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l, _ := open(t, dir, small())
	if err := l.Append([]consensus.Record{{Slot: 1000, Bytes: []byte("stays")}}); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 60; i += 4 {
		fill(t, l, i, i+4)
	}
	if err := l.Forget(500); err != nil {
		t.Fatal(err)
	}
	closed(t, l)
	l, records := open(t, dir, small())
	defer l.Close()
	if len(records) != 61 || string(records[0].Bytes) != "stays" {
		t.Fatalf("%d records come back, want 61", len(records))
	}
}

// A crash between writing the base and removing files leaves segments that no
// longer count.
func TestForgottenSegmentsThatACrashLeftAreRemoved(t *testing.T) {
	dir, o := damagedLog(t)
	if err := (&Log{dir: dir, options: o}).writeBase(3); err != nil {
		t.Fatal(err)
	}
	l, records := open(t, dir, o)
	first := int(l.segments[0].first - 1)
	want(t, records, first, first+len(records))
	closed(t, l)
	if paths := segmentFiles(t, dir); paths[0] != segmentPath(dir, 3) {
		t.Fatalf("the oldest file is %s", paths[0])
	}
}

// faulty is a disk that fails once and then pretends that all is well: after a
// failed sync the system may have dropped what it could not write.
type faulty struct {
	device
	writes, syncs *int
	err           error
}

func (f faulty) WriteAt(b []byte, off int64) (int, error) {
	if *f.writes--; *f.writes == -1 {
		n, _ := f.device.WriteAt(b[:len(b)/2], off)
		return n, f.err
	}
	return f.device.WriteAt(b, off)
}

func (f faulty) Sync() error {
	if *f.syncs--; *f.syncs == -1 {
		return f.err
	}
	return f.device.Sync()
}

func TestFailedWriteStopsTheLogAndLosesNothing(t *testing.T) {
	for _, c := range []struct {
		name          string
		writes, syncs int
		err           error
	}{
		{"full disk", 3, 1000, syscall.ENOSPC},
		{"failed write", 20, 1000, syscall.EIO},
		{"failed sync", 1000, 7, syscall.EIO},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "log")
			o := small()
			o.wrap = func(d device) device { return faulty{d, &c.writes, &c.syncs, c.err} }
			l, _ := open(t, dir, o)
			synced, err := 0, error(nil)
			for i := 0; err == nil; i++ {
				if err = l.Append([]consensus.Record{record(i)}); err == nil {
					if err = l.Sync(); err == nil {
						synced = i + 1
					}
				}
			}
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if again := l.Append([]consensus.Record{record(0)}); !errors.Is(again, c.err) {
				t.Fatalf("a failed log takes more: %v", again)
			}
			if again := l.Sync(); !errors.Is(again, c.err) {
				t.Fatalf("a failed log syncs again: %v", again)
			}
			l.Close()
			l, records := open(t, dir, small())
			defer l.Close()
			if len(records) < synced {
				t.Fatalf("%d records come back of %d synced", len(records), synced)
			}
			want(t, records, 0, len(records))
		})
	}
}

// Model: a list of records. Whatever sequence of appends, syncs, kills,
// forgettings and reopenings, the log holds a suffix of it.
func TestLogIsAListOfRecords(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		root, err := os.MkdirTemp(t.TempDir(), "model")
		if err != nil {
			rt.Fatal(err)
		}
		dir, o := filepath.Join(root, "log"), small()
		o.Volatile = true
		l, _ := open(t, dir, o)
		next := 0
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				n := rapid.IntRange(0, 20).Draw(rt, "n")
				fill(t, l, next, next+n)
				next += n
			},
			"forget": func(rt *rapid.T) {
				if err := l.Forget(consensus.Seq(rapid.IntRange(0, next).Draw(rt, "slot"))); err != nil {
					rt.Fatal(err)
				}
			},
			"kill": func(rt *rapid.T) {
				l.active.Close()
				first := int(l.segments[0].first - 1)
				var records []consensus.Record
				l, records = open(t, dir, o)
				want(t, records, first, next)
			},
		})
		l.Close()
	})
}
