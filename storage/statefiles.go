package storage

import (
	"bufio"
	"errors"

	lstorage "github.com/syndtr/goleveldb/leveldb/storage"
)

// tableBuffer gathers what goleveldb writes to a table, block by block of 4 KiB, so
// that a table costs a hundredth of the system calls.
const tableBuffer = 256 << 10

// tableFiles is a directory of goleveldb's whose tables are written in large pieces.
// A table is written once, from its beginning to its end, then synced, and read by
// nobody before: so it does not matter when its bytes reach the file. Journals and
// manifests are written as they were.
type tableFiles struct{ lstorage.Storage }

// Create makes a file.
func (f tableFiles) Create(fd lstorage.FileDesc) (lstorage.Writer, error) {
	w, err := f.Storage.Create(fd)
	if err != nil || fd.Type != lstorage.TypeTable {
		return w, err
	}
	return &tableWriter{file: w, buffer: bufio.NewWriterSize(w, tableBuffer)}, nil
}

// tableWriter is a table that is being written.
type tableWriter struct {
	file   lstorage.Writer
	buffer *bufio.Writer
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
