package storage

import (
	"bufio"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	lstorage "github.com/syndtr/goleveldb/leveldb/storage"
)

// tableBuffer gathers what goleveldb writes to a table, block by block of 4 KiB, so
// that a table costs a hundredth of the system calls.
const tableBuffer = 256 << 10

// tableFiles is a directory of goleveldb's whose tables are written in large pieces.
// A table is written once, from its beginning to its end, then synced, and read by
// nobody before: so it does not matter when its bytes reach the file. Journals and
// manifests are written as they were.
type tableFiles struct {
	lstorage.Storage
	pace *pace
}

// Create makes a file.
func (f tableFiles) Create(fd lstorage.FileDesc) (lstorage.Writer, error) {
	w, err := f.Storage.Create(fd)
	if err != nil || fd.Type != lstorage.TypeTable {
		return w, err
	}
	t := &tableWriter{file: w}
	if f.pace.merges() {
		t.pace, t.begin = f.pace, time.Now()
	}
	t.buffer = bufio.NewWriterSize(pieces{t}, tableBuffer)
	return t, nil
}

// tableWriter is a table that is being written.
type tableWriter struct {
	file   lstorage.Writer
	buffer *bufio.Writer
	pace   *pace     // nil: a batch writes it, which rests by itself
	begin  time.Time // of the piece that is gathered
}

func (w *tableWriter) Write(b []byte) (int, error) { return w.buffer.Write(b) }

// Sync makes everything that was written durable.
func (w *tableWriter) Sync() error {
	if err := w.buffer.Flush(); err != nil {
		return err
	}
	return w.file.Sync()
}

// Close ends a table that was synced, or drops one that was not.
func (w *tableWriter) Close() error { return errors.Join(w.buffer.Flush(), w.file.Close()) }

// pieces takes the pieces of a table, and rests after each.
type pieces struct{ *tableWriter }

func (w pieces) Write(b []byte) (int, error) {
	n, err := w.file.Write(b)
	if w.pace != nil {
		w.pace.sleep(w.pace.rest(time.Since(w.begin)))
		w.begin = time.Now()
	}
	return n, err
}

const (
	mergeRest = 3                     // a merge rests so many times as long as a piece took
	restMost  = 20 * time.Millisecond // ... and no longer: it may have waited for a core
)

// pace is how fast the library merges tables. It does that on its own, at all replicas
// at about the same moment, as fast as it can: on a machine that several share nobody
// is answered meanwhile. So a merge rests after each piece that it has written, the
// less the more tables wait to be merged.
type pace struct {
	db     atomic.Pointer[leveldb.DB] // nil until it is open: nobody is served before
	batch  atomic.Bool                // a batch is written, and not at rest
	closed atomic.Bool
	sleep  func(time.Duration)
}

func newPace() *pace { return &pace{sleep: time.Sleep} }

// merges reports whether a table that is begun now is one of a merge, for all that can
// be told: one that is begun beside a batch is taken for the batch's, and does not rest.
func (p *pace) merges() bool { return p.db.Load() != nil && !p.batch.Load() }

// rest is how long to rest after what took so long.
func (p *pace) rest(took time.Duration) time.Duration {
	db := p.db.Load()
	if db == nil || p.closed.Load() {
		return 0
	}
	wait, err := db.GetProperty("leveldb.num-files-at-level0")
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(wait)
	if err != nil {
		return 0
	}
	return restOf(took, n)
}

// restOf is the rest while n tables wait. There is none when there are twice as many as
// a merge begins with: from there on the library holds up writes.
func restOf(took time.Duration, n int) time.Duration {
	left := min(max(2*firstTables-n, 0), firstTables)
	return min(mergeRest*took*time.Duration(left)/firstTables, restMost)
}
