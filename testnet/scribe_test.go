package testnet

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
)

// written reads all entries of a home's transcript.
func written(t *testing.T, h *Home) (entries []check.Entry, lives []uint64) {
	t.Helper()
	all, err := volumes(h.TranscriptDir())
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

// scribed is a scribe of a home that no process runs.
func scribed(t *testing.T) (*Home, *scribe) {
	t.Helper()
	c := made(t, Options{Seed: "scribe", Replicas: 1})
	h, err := c.LoadHome(0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := h.newScribe(&recorder{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return h, s
}

func commit(n consensus.Seq) check.Entry {
	return check.Entry{Kind: check.EntryCommitted, At: 1, Seq: n}
}

// TestRecordGoesOnAfterALoss: what finds no room is dropped, never waited for,
// and what follows begins anew.
func TestRecordGoesOnAfterALoss(t *testing.T) {
	h, s := scribed(t)
	for n := range consensus.Seq(maxWaiting) + 10 {
		s.recorder.book.add(commit(n + 1))
	}
	s.write()
	s.recorder.book.add(commit(maxWaiting + 11))
	s.write()
	if s.lost != 10 {
		t.Errorf("%d entries are counted as lost, want 10", s.lost)
	}
	got, _ := written(t, h)
	if len(got) != maxWaiting+2 {
		t.Fatalf("%d entries, want %d", len(got), maxWaiting+2)
	}
	if mark := got[maxWaiting]; mark.Kind != check.EntryStarted || mark.Seq != maxWaiting || got[maxWaiting+1].Seq != maxWaiting+11 {
		t.Errorf("the gap shows as %+v, followed by %+v", mark, got[maxWaiting+1])
	}
}

// TestRecordLivesWithoutADisk: a disk that refuses costs the record, and nothing
// else; it is tried again.
func TestRecordLivesWithoutADisk(t *testing.T) {
	h, s := scribed(t)
	s.recorder.book.add(commit(1))
	s.write()
	if err := s.shelf.file.Close(); err != nil {
		t.Fatal(err)
	}
	s.recorder.book.add(commit(2))
	s.write()
	if s.failed.IsZero() {
		t.Fatal("the disk refused, and nobody noticed")
	}
	s.recorder.book.add(commit(3))
	s.write()
	if s.lost == 0 {
		t.Error("nothing is counted as lost")
	}
	s.failed = s.failed.Add(-retryAfter)
	s.recorder.book.add(commit(4))
	s.write()
	got, _ := written(t, h)
	if n := len(got); n != 3 || got[1].Kind != check.EntryStarted || got[2].Seq != 4 || !s.failed.IsZero() {
		t.Errorf("the transcript has %+v", got)
	}
}

// TestRecordCountsLivesAndSparesRepetitions: each start is a life, and a large
// frame that is said again stands once in it.
func TestRecordCountsLivesAndSparesRepetitions(t *testing.T) {
	h, s := scribed(t)
	frame := bytes.Repeat([]byte{0x14}, 2*largeFrame)
	for range 3 {
		s.recorder.book.add(check.Entry{Kind: check.EntrySent, At: 1, Peer: consensus.Peer{Kind: consensus.Everyone}, Bytes: frame})
		s.recorder.book.add(check.Entry{Kind: check.EntryReceived, At: 1, Peer: consensus.ReplicaPeer(2), Bytes: frame})
	}
	s.write()
	if err := s.shelf.close(); err != nil {
		t.Fatal(err)
	}
	again, err := h.newScribe(&recorder{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.shelf.close(); err != nil {
		t.Fatal(err)
	}
	got, lives := written(t, h)
	if len(got) != 2 || len(lives) != 2 || lives[0] != 1 || lives[1] != 2 {
		t.Errorf("entries %+v, lives %v", got, lives)
	}
}

// TestRecordTurnsPages: within its room, each file with a head of its own.
func TestRecordTurnsPages(t *testing.T) {
	h, s := scribed(t)
	s.shelf.room = 4 << 10
	for n := range consensus.Seq(200) {
		s.recorder.book.add(commit(n + 1))
	}
	s.write()
	got, lives := written(t, h)
	if len(lives) < 2 || len(got) == 0 || got[len(got)-1].Seq != 200 {
		t.Fatalf("%d files, the last entry %+v", len(lives), got[len(got)-1])
	}
	for i := range got {
		if want := 200 - consensus.Seq(len(got)-1-i); got[i].Seq != want {
			t.Fatalf("entry %d is of %d, want %d", i, got[i].Seq, want)
		}
	}
	if _, err := os.Stat(filepath.Join(h.TranscriptDir(), "000001"+volumeSuffix)); err == nil {
		t.Error("the oldest file is still there")
	}
}
