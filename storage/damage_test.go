package storage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// copyLog copies a log's files to a new directory.
func copyLog(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "log")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// segments returns the paths of the segments in dir, oldest first.
func segmentFiles(t testing.TB, dir string) []string {
	t.Helper()
	files, err := list(dir)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, index := range files.segments {
		paths = append(paths, segmentPath(dir, index))
	}
	return paths
}

// ruin is what a power loss may do to the bytes behind an offset.
type ruin struct {
	name string
	do   func(raw []byte, from, end int) []byte
}

var ruins = []ruin{
	{"truncated", func(raw []byte, from, _ int) []byte { return raw[:from] }},
	{"zeros", func(raw []byte, from, end int) []byte { clearBytes(raw[from:end]); return raw }},
	{"garbage", func(raw []byte, from, end int) []byte {
		for i := from; i < end; i++ {
			raw[i] ^= byte(i*7 + 1)
		}
		return raw
	}},
	{"garbage to the end", func(raw []byte, from, _ int) []byte {
		for i := from; i < len(raw); i++ {
			raw[i] = byte(i*31 + 5)
		}
		return raw
	}},
	{"one hole", func(raw []byte, from, end int) []byte { clearBytes(raw[from:min(from+8, end)]); return raw }},
}

func clearBytes(b []byte) {
	for i := range b {
		b[i] = 0
	}
}

// A power loss may leave any part of the last, unsynced group. Whatever it
// leaves, all synced records come back, of the group a prefix, and the log
// goes on.
func TestTornTailIsCutAtEveryByte(t *testing.T) {
	o := small()
	o.SegmentBytes, o.Volatile = 4096, true
	dir := filepath.Join(t.TempDir(), "log")
	l, _ := open(t, dir, o)
	fill(t, l, 0, 9)
	synced := int(l.offset)
	fill(t, l, 9, 15)
	end := int(l.offset)
	l.active.Close()
	path := segmentFiles(t, dir)[0]
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range ruins {
		for at := synced; at < end; at++ {
			if err := os.WriteFile(path, r.do(bytes.Clone(whole), at, end), 0o600); err != nil {
				t.Fatal(err)
			}
			survive(t, dir, o, fmt.Sprintf("%s from byte %d", r.name, at))
		}
	}
}

// survive opens a ruined log twice: after the first opening it must be clean.
func survive(t *testing.T, dir string, o LogOptions, what string) {
	t.Helper()
	l, records, err := OpenLog(dir, o)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	kept := len(records)
	if kept < 9 || kept > 15 {
		t.Fatalf("%s: %d records survive, want the 9 synced ones and a prefix of 6 more", what, kept)
	}
	fill(t, l, kept, kept+2)
	l.active.Close()
	l, records, err = OpenLog(dir, o)
	if err != nil {
		t.Fatalf("%s: second opening: %v", what, err)
	}
	want(t, records, 0, kept+2)
	if l.Torn() != nil {
		t.Fatalf("%s: torn again: %v", what, l.Torn())
	}
	closed(t, l)
}

func TestTornTailIsReported(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l, _ := open(t, dir, small())
	fill(t, l, 1, 4)
	end := l.offset
	fill(t, l, 4, 7)
	l.active.Close()
	flip(t, segmentFiles(t, dir)[0], end+1, 0x10)
	l, records := open(t, dir, small())
	defer l.Close()
	want(t, records, 1, 4)
	torn := l.Torn()
	if torn == nil || torn.Offset != end || torn.Records != 2 {
		t.Fatalf("torn = %v, want a cut at %d with 2 heads behind the bad one", torn, end)
	}
}

func flip(t testing.TB, path string, at int64, mask byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= mask
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// damagedLog makes a log of three segments or more, all synced.
func damagedLog(t testing.TB) (string, LogOptions) {
	o := small()
	o.Volatile = true
	dir := filepath.Join(t.TempDir(), "log")
	l, _ := open(t, dir, o)
	for i := 0; len(l.segments) < 4; i += 3 {
		fill(t, l, i, i+3)
	}
	l.active.Close()
	return dir, o
}

func refused(t testing.TB, dir string, o LogOptions, reason error, what string) {
	t.Helper()
	l, _, err := OpenLog(dir, o)
	if err == nil {
		l.Close()
		t.Fatalf("%s: the log opens", what)
	}
	if !errors.Is(err, reason) {
		t.Fatalf("%s: %v, want %v", what, err, reason)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Fatalf("%s: the error has more than one line: %q", what, err)
	}
}

func TestEveryFlippedBitInAnEarlierSegmentIsRefused(t *testing.T) {
	dir, o := damagedLog(t)
	for n, path := range segmentFiles(t, dir)[:3] {
		for at := range usedBytes(t, path) {
			mask := byte(1) << (at % 8)
			flip(t, path, at, mask)
			refused(t, dir, o, ErrDamaged, fmt.Sprintf("segment %d, byte %d", n+1, at))
			flip(t, path, at, mask)
		}
	}
	l, _ := open(t, dir, o)
	closed(t, l)
}

// usedBytes is where the seal of a segment ends; what follows is unused.
func usedBytes(t testing.TB, path string) int64 {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := decodeBlock(path, segmentMagic, me, raw)
	if err != nil {
		t.Fatal(err)
	}
	for off := int64(blockBytes); ; {
		f, ok := readFrame(raw[off:off+frameHead], b.fields[3])
		if !ok {
			t.Fatalf("%s: no frame at %d", path, off)
		}
		off += frameSize(int(f.length))
		if f.kind == frameSeal {
			return off
		}
	}
}

// In the active segment, damage to a record is damage as soon as something
// written after its sync says so.
func TestDamageBeforeTheLastGroupOfTheActiveSegmentIsRefused(t *testing.T) {
	o := small()
	o.SegmentBytes, o.Volatile = 4096, true
	dir := filepath.Join(t.TempDir(), "log")
	l, _ := open(t, dir, o)
	fill(t, l, 0, 5)
	first := l.offset
	fill(t, l, 5, 8)
	l.active.Close()
	path := segmentFiles(t, dir)[0]
	for at := range first {
		flip(t, path, at, 0x20)
		refused(t, dir, o, ErrDamaged, fmt.Sprintf("byte %d", at))
		flip(t, path, at, 0x20)
	}
}

func TestMisplacedSegmentsAreRefused(t *testing.T) {
	dir, o := damagedLog(t)
	cases := []struct {
		name string
		do   func(paths []string) error
	}{
		{"first missing", func(p []string) error { return os.Remove(p[0]) }},
		{"middle missing", func(p []string) error { return os.Remove(p[1]) }},
		{"last missing", func(p []string) error { return os.Remove(p[len(p)-1]) }},
		{"all missing", func(p []string) error {
			for _, path := range p {
				if err := os.Remove(path); err != nil {
					return err
				}
			}
			return nil
		}},
		{"two swapped", func(p []string) error {
			for _, step := range [][2]string{{p[1], p[1] + "x"}, {p[2], p[1]}, {p[1] + "x", p[2]}} {
				if err := os.Rename(step[0], step[1]); err != nil {
					return err
				}
			}
			return nil
		}},
		{"base missing", func(p []string) error { return os.Remove(filepath.Join(filepath.Dir(p[0]), baseName)) }},
		{"middle truncated", func(p []string) error { return os.Truncate(p[1], blockBytes+frameHead+3) }},
		{"last emptied", func(p []string) error { return os.Truncate(p[len(p)-1], 0) }},
	}
	for _, c := range cases {
		victim := copyLog(t, dir)
		if err := c.do(segmentFiles(t, victim)); err != nil {
			t.Fatal(err)
		}
		refused(t, victim, o, ErrDamaged, c.name)
	}
}

// A segment of the same number from another life of the same replica has a
// chain of its own.
func TestSegmentOfAnotherLogIsRefused(t *testing.T) {
	dir, o := damagedLog(t)
	other := filepath.Join(t.TempDir(), "log")
	l, _ := open(t, other, o)
	for i := 100; len(l.segments) < 4; i += 3 {
		fill(t, l, i, i+3)
	}
	l.active.Close()
	raw, err := os.ReadFile(segmentPath(other, 2))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segmentPath(dir, 2), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, o, ErrDamaged, "segment of another log")
}

func TestForeignLogIsRefused(t *testing.T) {
	dir, o := damagedLog(t)
	o.Replica++
	refused(t, dir, o, ErrForeign, "other replica")
	o.Replica--
	o.Cluster[0]++
	refused(t, dir, o, ErrForeign, "other cluster")
}

func TestOtherVersionIsRefused(t *testing.T) {
	dir, o := damagedLog(t)
	path := filepath.Join(dir, baseName)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, reseated(raw, 11, 9), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, o, errVersion, "a later version")
}

// A crash may come between any two steps of turning to a new segment.
func TestCrashWhileTurningToANewSegment(t *testing.T) {
	dir, o := damagedLog(t)
	paths := segmentFiles(t, dir)
	sealless := copyLog(t, dir)
	last, before := segmentPath(sealless, uint64(len(paths))), segmentPath(sealless, uint64(len(paths)-1))
	seal := usedBytes(t, before) - frameHead
	// The new segment is in place and empty, the seal is not written yet.
	zero(t, before, seal, frameHead)
	zero(t, last, blockBytes, int(o.SegmentBytes)-blockBytes)
	l, records := open(t, sealless, o)
	n := len(records)
	fill(t, l, n, n+1)
	l.active.Close()
	if usedBytes(t, before) != seal+frameHead {
		t.Fatal("the missing seal was not written")
	}
	// The same without the new segment, but with its unfinished file.
	if err := os.Rename(last, last+tempSuffix); err != nil {
		t.Fatal(err)
	}
	zero(t, before, seal, frameHead)
	l, records = open(t, sealless, o)
	want(t, records, 0, n)
	closed(t, l)
	if _, err := os.Stat(last + tempSuffix); err == nil {
		t.Fatal("the unfinished file is still there")
	}
}

// syncing tells which file is synced.
type syncing struct {
	disk
	tell func(path string)
}

func (s syncing) Sync() error {
	s.tell(s.Name())
	return s.disk.Sync()
}

// A process that was killed between writing a seal and syncing it leaves it in
// the system's memory. Who goes on behind it must sync it first: after a power
// loss, records behind a missing seal are damage.
func TestSealOfAKilledProcessIsSynced(t *testing.T) {
	dir, o := damagedLog(t)
	paths := segmentFiles(t, dir)
	synced := map[string]bool{}
	o.Volatile = false
	o.wrap = func(d device) device {
		return syncing{d.(disk), func(path string) { synced[path] = true }}
	}
	l, _ := open(t, dir, o)
	defer l.Close()
	if sealed := paths[len(paths)-2]; !synced[sealed] {
		t.Fatalf("%s was not synced, only %v", sealed, synced)
	}
}

func zero(t testing.TB, path string, at int64, n int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, n), at); err != nil {
		t.Fatal(err)
	}
}
