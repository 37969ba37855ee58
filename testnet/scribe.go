package testnet

import (
	"log/slog"
	"os"
	"time"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
)

// scribe writes down what a recorder leaves in its notebook: alone, and as late
// as it likes.
type scribe struct {
	recorder *recorder
	shelf    *shelf
	header   check.Header
	writer   *check.Writer
	repeats  repeats
	log      *slog.Logger
	spare    []check.Entry
	height   consensus.Seq // of the last commit, to go on from after a loss
	lost     uint64        // entries, altogether
	told     time.Time     // when a loss was last told
	failed   time.Time     // when the disk last refused
}

// transcriptName is the directory of a home's transcript.
const transcriptName = "transcript"

// TranscriptDir is where the replica's transcript is.
func (h *Home) TranscriptDir() string { return h.path(transcriptName) }

// How often the scribe writes, and how long it leaves a disk alone that refused.
const (
	writeEvery = 100 * time.Millisecond
	retryAfter = 10 * time.Second
	tellEvery  = time.Minute
)

// newScribe begins a transcript for the life that begins now. A directory that
// cannot be written to is an error: later, a disk that fails only loses the
// record.
func (h *Home) newScribe(r *recorder, log *slog.Logger) (*scribe, error) {
	s := &scribe{
		recorder: r, log: log,
		header: check.Header{Cluster: h.Genesis.ID(), Replica: consensus.ReplicaID(h.Config.Replica), Life: lives(h.TranscriptDir()) + 1},
	}
	var err error
	if s.shelf, err = openShelf(h.TranscriptDir(), h.Config.Record.Bytes); err != nil {
		return nil, err
	}
	s.writer, err = check.NewWriter(s.shelf, s.header)
	return s, err
}

// lives is how many lives the newest transcript of a directory has counted.
func lives(dir string) uint64 {
	all, err := volumes(dir)
	for i := len(all) - 1; err == nil && i >= 0; i-- {
		f, err := os.Open(all[i])
		if err != nil {
			continue
		}
		r, err := check.NewReader(all[i], f)
		_ = f.Close() // only read
		if err == nil {
			return r.Header().Life
		}
	}
	return 0
}

// run writes until quit is closed, and then what is left.
func (s *scribe) run(quit <-chan struct{}) {
	ticks := time.NewTicker(writeEvery)
	defer ticks.Stop()
	for {
		select {
		case <-quit:
			s.write()
			s.failing(s.shelf.close())
			return
		case <-ticks.C:
			s.write()
		}
	}
}

// write writes what waits. It is all lost while the disk refuses. What was
// dropped came behind all that waits.
func (s *scribe) write() {
	entries, dropped := s.recorder.book.take(s.spare)
	s.spare = entries
	if !s.failed.IsZero() {
		if time.Since(s.failed) < retryAfter || s.failing(s.gap()) {
			s.lose(uint64(len(entries)) + dropped)
			return
		}
	}
	for i := range entries {
		if s.failing(s.entry(&entries[i])) {
			s.lose(uint64(len(entries)-i) + dropped)
			return
		}
	}
	if dropped > 0 {
		s.lose(dropped)
		s.failing(s.gap())
	}
	s.failing(s.shelf.flush())
}

// entry writes one entry, into the next file if this one is full.
func (s *scribe) entry(e *check.Entry) error {
	if s.repeats.again(e) {
		return nil
	}
	if e.Kind == check.EntryCommitted {
		s.height = e.Seq
	}
	if s.shelf.full() {
		if err := s.turn(); err != nil {
			return err
		}
	}
	return s.writer.Write(e)
}

// turn begins the next file.
func (s *scribe) turn() (err error) {
	if err = s.shelf.next(); err == nil {
		s.writer, err = check.NewWriter(s.shelf, s.header)
	}
	s.repeats = repeats{} // what it knows may be dropped with the oldest file
	return err
}

// gap begins a file after a loss, as if the replica had been started again:
// what follows need not go on where the record stopped.
func (s *scribe) gap() error {
	if !s.failed.IsZero() {
		_ = s.shelf.close() // what it still has is lost with the rest
	}
	if err := s.turn(); err != nil {
		return err
	}
	s.failed = time.Time{}
	return s.writer.Write(&check.Entry{Kind: check.EntryStarted, At: now(), Seq: s.height})
}

// failing takes in an error of the disk, if it is one.
func (s *scribe) failing(err error) bool {
	if err != nil {
		s.failed = time.Now()
		s.log.Warn("no transcript is written for the moment", "error", err, "retry_after", retryAfter)
	}
	return err != nil
}

// lose counts, and tells now and then.
func (s *scribe) lose(entries uint64) {
	if s.lost += entries; entries > 0 && time.Since(s.told) > tellEvery {
		s.told = time.Now()
		s.log.Warn("the transcript has gaps: its disk is too slow or refuses", "entries_lost", s.lost)
	}
}
