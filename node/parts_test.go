package node

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/driver"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/storage"
)

// One sync covers whatever waited; what is durable is said after it; a failed
// log ends the node.
func TestJournalSharesSyncsAndStopsWhenTheLogFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	log, _, err := storage.OpenLog(dir, storage.LogOptions{SegmentBytes: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	type word struct {
		durable driver.Ticket
		synced  uint64 // what the log says at that moment
	}
	told := make(chan word, 16)
	failed := make(chan error, 1)
	// All of these run on the journal's goroutine, which owns the log.
	j := newJournal(log, newMetrics(), func(t driver.Ticket) { told <- word{t, log.Status().Synced} }, func(err error) { failed <- err })
	done := make(chan uint64, 1)
	for i := range 10 {
		j.append(entry{ticket: driver.Ticket(i + 1), records: []consensus.Record{{Slot: 1, Bytes: []byte("r")}}})
	}
	j.append(entry{task: func() error { done <- log.Status().Synced; return nil }})
	var wait sync.WaitGroup
	wait.Go(j.run)
	if w := <-told; w != (word{10, 10}) {
		t.Fatalf("after the first group %+v, want all 10 synced and durable", w)
	}
	if synced := <-done; synced != 10 {
		t.Fatalf("a disk task ran when %d records were synced", synced)
	}
	j.append(entry{ticket: 11, records: []consensus.Record{{Slot: 2, Lazy: true, Bytes: []byte("lazy")}}})
	if w := <-told; w != (word{11, 10}) {
		t.Fatalf("after a lazy record alone %+v, want it written and not synced", w)
	}
	closed := make(chan error, 1)
	j.append(entry{task: func() error { closed <- log.Close(); return nil }})
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	j.append(entry{ticket: 12, records: []consensus.Record{{Slot: 3}}})
	if err := <-failed; !errors.Is(err, storage.ErrClosed) {
		t.Fatalf("failed with %v", err)
	}
	wait.Wait()
	if len(told) > 0 {
		t.Fatal("a record that could not be written is called durable")
	}
}

func TestReporterKeepsTheLogShort(t *testing.T) {
	var text bytes.Buffer
	r := newReporter(slog.New(slog.NewTextHandler(&text, nil)), newMetrics(), of(t, protocol.PBFT))
	now := time.Unix(1000, 0)
	r.now = func() time.Time { return now }
	r.report([]consensus.Note{{Kind: consensus.LeftView, View: 4, Reason: "impatient"}, {Kind: consensus.EnteredView, View: 4}})
	for i := range 50 {
		r.report([]consensus.Note{{Kind: consensus.Stable, Seq: consensus.Seq(i)}, {Kind: consensus.Alarm, Text: "look"}, {Kind: consensus.Prepared}})
		now = now.Add(100 * time.Millisecond)
	}
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if n := strings.Count(text.String(), "checkpoint is stable"); n != 5 {
		t.Errorf("%d lines for checkpoints in 5 seconds", n)
	}
	if n := strings.Count(text.String(), "level=WARN msg=alarm"); n != 5 {
		t.Errorf("%d lines for one alarm in 5 seconds", n)
	}
	if len(lines) != 11 || !strings.Contains(lines[0], "entered view") || !strings.Contains(lines[0], "impatient") {
		t.Errorf("the log:\n%s", text.String())
	}
}

func TestReadyMeansInAViewWithinTheWindowReachingAQuorum(t *testing.T) {
	good := consensus.Status{View: 3, Executed: 70, Stable: 64, High: 320, Heard: []consensus.ReplicaID{0, 1, 2}}
	if why := unready(of(t, protocol.PBFT), &good, 3); len(why) != 0 {
		t.Fatalf("not ready: %v", why)
	}
	for name, spoil := range map[string]func(*consensus.Status){
		"changing":    func(s *consensus.Status) { s.Changing = true },
		"rejoining":   func(s *consensus.Status) { s.Rejoining = true },
		"fetching":    func(s *consensus.Status) { s.Fetching = 128 },
		"left behind": func(s *consensus.Status) { s.Executed = 12 },
		"alone":       func(s *consensus.Status) { s.Heard = s.Heard[:2] },
	} {
		s := good
		spoil(&s)
		if why := unready(of(t, protocol.PBFT), &s, 3); len(why) != 1 {
			t.Errorf("%s: %v", name, why)
		}
	}
}

func TestStuckLoopIsNotReady(t *testing.T) {
	p := picture{at: time.Unix(1000, 0)}
	if why := p.stuck(time.Unix(1001, 0)); len(why) != 0 {
		t.Errorf("after a second: %v", why)
	}
	w := httptest.NewRecorder()
	health(w, p.stuck(time.Unix(1000, 0).Add(stuckAfter+1)))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "has not ticked") {
		t.Errorf("after %v: %d %s", stuckAfter, w.Code, w.Body)
	}
}

func TestFullDiskHasARemedy(t *testing.T) {
	if full, other := remedy(fmt.Errorf("append: %w", syscall.ENOSPC)), remedy(syscall.EIO); !strings.Contains(full, "make room") || full == other {
		t.Errorf("a full disk: %q; another failure: %q", full, other)
	}
}

func TestEvidenceIsKeptWithinBounds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "evidence")
	for i := range 5 {
		for r := range consensus.ReplicaID(2) {
			n := consensus.Note{Kind: consensus.EvidenceNote, Replica: r, Bytes: []byte{byte(i % 4)}}
			if err := keepEvidence(dir, &n, 3); err != nil {
				t.Fatal(err)
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 6 {
		t.Fatalf("%d files, %v; want 3 for each replica", len(entries), err)
	}
}
