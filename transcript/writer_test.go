package transcript

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// written reads all entries of a directory's transcript.
func written(t *testing.T, dir string) (entries []check.Entry, lives []uint64) {
	t.Helper()
	all, err := segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := check.NewReader(path, bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		lives = append(lives, r.Header().Life)
		for {
			e, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, e)
		}
	}
	return entries, lives
}

// newTestWriter makes a writer that no goroutine runs, and its directory.
func newTestWriter(t *testing.T) (Config, *writer) {
	t.Helper()
	g := consensus.NewGenesis("writer", "pbft", []crypto.PublicKey{{1}})
	c := Config{Dir: filepath.Join(t.TempDir(), "transcript"), Genesis: &g, Bytes: 64 << 20, Log: slog.New(slog.DiscardHandler)}
	w, err := newWriter(&c, &buffer{})
	if err != nil {
		t.Fatal(err)
	}
	return c, w
}

func commit(n consensus.Seq) check.Entry {
	return check.Entry{Kind: check.EntryCommitted, At: 1, Seq: n}
}

// TestWriterGoesOnAfterALoss: what finds no room is dropped, never waited for,
// and what follows begins anew.
func TestWriterGoesOnAfterALoss(t *testing.T) {
	c, w := newTestWriter(t)
	for n := range consensus.Seq(maxWaiting) + 10 {
		w.buffer.add(commit(n + 1))
	}
	w.write()
	w.buffer.add(commit(maxWaiting + 11))
	w.write()
	if w.lost != 10 {
		t.Errorf("%d entries are counted as lost, want 10", w.lost)
	}
	got, _ := written(t, c.Dir)
	if len(got) != maxWaiting+2 {
		t.Fatalf("%d entries, want %d", len(got), maxWaiting+2)
	}
	if mark := got[maxWaiting]; mark.Kind != check.EntryStarted || mark.Seq != maxWaiting || got[maxWaiting+1].Seq != maxWaiting+11 {
		t.Errorf("the gap shows as %+v, followed by %+v", mark, got[maxWaiting+1])
	}
}

// TestWriterLivesWithoutADisk: a disk that refuses costs the record, and nothing
// else; it is tried again.
func TestWriterLivesWithoutADisk(t *testing.T) {
	c, w := newTestWriter(t)
	w.buffer.add(commit(1))
	w.write()
	if err := w.disk.file.Close(); err != nil {
		t.Fatal(err)
	}
	w.buffer.add(commit(2))
	w.write()
	if w.failed.IsZero() {
		t.Fatal("the disk refused, and nobody noticed")
	}
	w.buffer.add(commit(3))
	w.write()
	if w.lost == 0 {
		t.Error("nothing is counted as lost")
	}
	w.failed = w.failed.Add(-retryAfter)
	w.buffer.add(commit(4))
	w.write()
	got, _ := written(t, c.Dir)
	if n := len(got); n != 3 || got[1].Kind != check.EntryStarted || got[2].Seq != 4 || !w.failed.IsZero() {
		t.Errorf("the transcript has %+v", got)
	}
}

// TestWriterCountsLivesAndSparesRepetitions: each start is a life, and a large
// frame that is said again stands once in it.
func TestWriterCountsLivesAndSparesRepetitions(t *testing.T) {
	c, w := newTestWriter(t)
	frame := bytes.Repeat([]byte{0x14}, 2*largeFrame)
	for range 3 {
		w.buffer.add(check.Entry{Kind: check.EntrySent, At: 1, Peer: consensus.Peer{Kind: consensus.Everyone}, Bytes: frame})
		w.buffer.add(check.Entry{Kind: check.EntryReceived, At: 1, Peer: consensus.ReplicaPeer(2), Bytes: frame})
	}
	w.write()
	if err := w.disk.close(); err != nil {
		t.Fatal(err)
	}
	again, err := newWriter(&c, &buffer{})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.disk.close(); err != nil {
		t.Fatal(err)
	}
	got, lives := written(t, c.Dir)
	if len(got) != 2 || len(lives) != 2 || lives[0] != 1 || lives[1] != 2 {
		t.Errorf("entries %+v, lives %v", got, lives)
	}
}

// TestWriterFillsSegments: within its room, each file with a head of its own.
func TestWriterFillsSegments(t *testing.T) {
	c, w := newTestWriter(t)
	w.disk.room = 4 << 10
	for n := range consensus.Seq(200) {
		w.buffer.add(commit(n + 1))
	}
	w.write()
	got, lives := written(t, c.Dir)
	if len(lives) < 2 || len(got) == 0 || got[len(got)-1].Seq != 200 {
		t.Fatalf("%d files, the last entry %+v", len(lives), got[len(got)-1])
	}
	for i := range got {
		if want := 200 - consensus.Seq(len(got)-1-i); got[i].Seq != want {
			t.Fatalf("entry %d is of %d, want %d", i, got[i].Seq, want)
		}
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "000001"+suffix)); err == nil {
		t.Error("the oldest file is still there")
	}
}

// TestFailureIsToldOnce: what one full disk refuses in several places is one failure,
// until the next attempt.
func TestFailureIsToldOnce(t *testing.T) {
	_, w := newTestWriter(t)
	var told bytes.Buffer
	w.log = slog.New(slog.NewTextHandler(&told, nil))
	count := func() int { return strings.Count(told.String(), "no transcript is written") }
	if err := w.disk.file.Close(); err != nil {
		t.Fatal(err)
	}
	for n := range consensus.Seq(maxWaiting) + 10 { // so many that some are dropped
		w.buffer.add(commit(n + 1))
	}
	w.write()
	w.write()
	w.failing(w.disk.close())
	if n := count(); n != 1 {
		t.Errorf("told %d times:\n%s", n, told.String())
	}
	w.failed = w.failed.Add(-retryAfter)
	w.failing(errors.New("full again"))
	w.failing(errors.New("full still"))
	if n := count(); n != 2 {
		t.Errorf("told %d times:\n%s", n, told.String())
	}
}
