package transcript

import (
	"log/slog"
	"os"
	"time"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
)

// writer writes down what is left in a buffer: alone, and as late as it likes.
type writer struct {
	buffer  *buffer
	disk    *rotatingLog
	header  check.Header
	to      *check.Writer // the newest segment
	repeats repeats
	log     *slog.Logger
	spare   []check.Entry
	height  consensus.Seq // of the last commit, to go on from after a loss
	lost    uint64        // entries, altogether
	told    time.Time     // when a loss was last logged
	failed  time.Time     // when the disk last refused
}

// How often the writer writes, and how long it leaves a disk alone that refused.
const (
	writeEvery = 100 * time.Millisecond
	retryAfter = 10 * time.Second
	tellEvery  = time.Minute
)

// newWriter begins a transcript for the life that begins now.
func newWriter(c *Config, b *buffer) (*writer, error) {
	w := &writer{buffer: b, log: c.Log, header: check.Header{Cluster: c.Genesis.ID(), Replica: c.Replica, Life: lives(c.Dir) + 1}}
	var err error
	if w.disk, err = openLog(c.Dir, c.Bytes); err != nil {
		return nil, err
	}
	w.to, err = check.NewWriter(w.disk, w.header)
	return w, err
}

// lives is how many lives the newest transcript of a directory has counted.
func lives(dir string) uint64 {
	all, err := segments(dir)
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
func (w *writer) run(quit <-chan struct{}) {
	ticks := time.NewTicker(writeEvery)
	defer ticks.Stop()
	for {
		select {
		case <-quit:
			w.write()
			w.failing(w.disk.close())
			return
		case <-ticks.C:
			w.write()
		}
	}
}

// write writes what waits. It is all lost while the disk refuses. What was
// dropped came behind all that waits.
func (w *writer) write() {
	entries, dropped := w.buffer.take(w.spare)
	w.spare = entries
	if !w.failed.IsZero() {
		if time.Since(w.failed) < retryAfter || w.failing(w.gap()) {
			w.lose(uint64(len(entries)) + dropped)
			return
		}
	}
	for i := range entries {
		if w.failing(w.entry(&entries[i])) {
			w.lose(uint64(len(entries)-i) + dropped)
			return
		}
	}
	if dropped > 0 {
		w.lose(dropped)
		w.failing(w.gap())
	}
	w.failing(w.disk.flush())
}

// entry writes one entry, into the next file if this one is full.
func (w *writer) entry(e *check.Entry) error {
	if w.repeats.again(e) {
		return nil
	}
	if e.Kind == check.EntryCommitted {
		w.height = e.Seq
	}
	if w.disk.full() {
		if err := w.turn(); err != nil {
			return err
		}
	}
	return w.to.Write(e)
}

// turn begins the next file.
func (w *writer) turn() (err error) {
	if err = w.disk.next(); err == nil {
		w.to, err = check.NewWriter(w.disk, w.header)
	}
	w.repeats = repeats{} // what it knows may be dropped with the oldest file
	return err
}

// gap begins a file after a loss, as if the replica had been started again:
// what follows need not go on where the record stopped.
func (w *writer) gap() error {
	if !w.failed.IsZero() {
		_ = w.disk.close() // what it still has is lost with the rest
	}
	if err := w.turn(); err != nil {
		return err
	}
	w.failed = time.Time{}
	return w.to.Write(&check.Entry{Kind: check.EntryStarted, At: now(), Seq: w.height})
}

// failing takes in an error of the disk, if it is one. One failure ends in several
// errors, as the file is given up: it is told once for each attempt to go on.
func (w *writer) failing(err error) bool {
	if err != nil && (w.failed.IsZero() || time.Since(w.failed) >= retryAfter) {
		w.failed = time.Now()
		w.log.Warn("no transcript is written for the moment", "error", err, "retry_after", retryAfter)
	}
	return err != nil
}

// lose counts, and tells now and then.
func (w *writer) lose(entries uint64) {
	if w.lost += entries; entries > 0 && time.Since(w.told) > tellEvery {
		w.told = time.Now()
		w.log.Warn("the transcript has gaps: its disk is too slow or refuses", "entries_lost", w.lost)
	}
}
