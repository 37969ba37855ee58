package storage

import (
	"cmp"
	"fmt"
	"io"
	"os"

	"quorate.dev/quorate/consensus"
)

// LogOptions configure OpenLog.
type LogOptions struct {
	Identity
	SegmentBytes int64 // size of one segment; 0 = defaultSegmentBytes, at least minSegmentBytes
	Volatile     bool  // never sync: to measure what syncing costs, not to keep anything

	wrap func(device) device // tests put a failing disk here
}

// Sizes of segments, bytes. A record larger than a segment gets one of its own.
const (
	defaultSegmentBytes = 32 << 20
	minSegmentBytes     = 256
)

// writeBytes is how much is gathered before it is written, and the buffer that
// is kept between groups.
const writeBytes = 1 << 20

// fillBytes is how much of a fresh segment is written at a time, with zeros behind
// its records. Where nothing was ever written a sync has to note in the file
// system that something is, which doubles what it takes; so that is done once for
// many syncs.
const fillBytes = 256 << 10

// Log is the log of records of one replica. Append and Sync belong to one
// goroutine. After an error other than errTooBig it takes nothing more: the
// process must stop, and nothing that was synced is lost.
type Log struct {
	dir      string
	options  LogOptions
	segments []segment // oldest first; the last is the active one
	spares   []string  // files to use again
	active   device    // the active segment's file
	offset   int64     // in the active segment: where buf goes
	filled   int64     // ... and up to where it was written before, zeros if nothing else
	buf      []byte    // frames not yet handed to the system
	seq      uint64    // of the last record appended
	chain    uint32    // after the last record appended
	synced   uint64    // everything up to this sequence number is synced
	dirty    bool      // written since the last sync
	torn     *Torn
	err      error // sticky
}

// device is the part of a file that appending needs.
type device interface {
	io.WriterAt
	Sync() error
	Close() error
}

// disk is the device that is a file.
type disk struct{ *os.File }

func (d disk) Sync() error { return datasync(d.File) }

// Append writes the records, in order, and promises nothing: Sync does. It
// keeps no reference to the records' bytes. The writes may reach the disk in
// any order until then. A full disk, a failed write and a record over
// maxRecordBytes are errors; after the first two the log is unusable.
func (l *Log) Append(records []consensus.Record) error {
	if l.err != nil {
		return l.err
	}
	for i := range records {
		if n := len(records[i].Bytes); n > maxRecordBytes {
			return fmt.Errorf("record %d of %d: %d bytes, limit %d: %w", i, len(records), n, maxRecordBytes, errTooBig)
		}
	}
	for i := range records {
		if err := l.push(&records[i]); err != nil {
			return l.fail(err)
		}
	}
	return l.fail(l.flush())
}

// push frames one record into the buffer, turning to a new segment when the
// active one is full. A seal must always still fit.
func (l *Log) push(r *consensus.Record) error {
	size := frameSize(len(r.Bytes))
	if l.offset+int64(len(l.buf))+size+frameHead > l.head().size {
		if err := l.rotate(size); err != nil {
			return err
		}
	}
	f := frame{seq: l.seq + 1, slot: uint64(r.Slot), synced: l.synced, kind: frameRecord}
	if r.Lazy {
		f.kind = frameLazy
	}
	l.buf = appendFrame(l.buf, l.head().salt, l.chain, &f, r.Bytes)
	l.seq, l.chain = f.seq, f.chain
	l.head().last = f.seq
	l.head().maxSlot = max(l.head().maxSlot, r.Slot)
	if len(l.buf) >= writeBytes {
		return l.flush()
	}
	return nil
}

// flush hands the buffer to the system.
func (l *Log) flush() error {
	if len(l.buf) == 0 {
		return nil
	}
	end := l.offset + int64(len(l.buf))
	if end > l.filled && !l.options.Volatile {
		l.filled = min((end/fillBytes+1)*fillBytes, l.head().size)
		l.buf = append(l.buf, make([]byte, l.filled-end)...)
	}
	if _, err := l.active.WriteAt(l.buf, l.offset); err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	l.offset, l.dirty = end, true
	if l.buf = l.buf[:0]; cap(l.buf) > 2*writeBytes {
		l.buf = nil
	}
	return nil
}

// Sync makes everything appended durable, with one data sync, or none if
// nothing was appended since the last. An error means that what was appended
// since the last Sync may or may not be on disk, now or later: the process
// must stop, since a second sync after a failed one proves nothing.
func (l *Log) Sync() error {
	if l.err != nil {
		return l.err
	}
	return l.fail(l.sync())
}

func (l *Log) sync() error {
	if err := l.flush(); err != nil {
		return err
	}
	if l.dirty && !l.options.Volatile {
		if err := l.active.Sync(); err != nil {
			return fmt.Errorf("sync log: %w", err)
		}
	}
	l.dirty = false
	l.synced = l.seq
	return nil
}

// begins makes file the one that appending goes to, from offset on. Behind that, a
// segment that is used again was written before, and of another one that is not
// known.
func (l *Log) begins(file device, offset int64) {
	l.active, l.offset, l.filled = file, offset, offset
	if l.head().reused {
		l.filled = l.head().size
	}
}

// rotate seals the active segment and goes on in a new one that has room for a
// frame of size bytes. The order matters: everything synced, the new segment
// in place, then the seal that says so, then the first frame of the new one.
func (l *Log) rotate(size int64) error {
	if err := l.sync(); err != nil {
		return err
	}
	next := segment{
		index: l.head().index + 1, first: l.seq + 1, last: l.seq, chain: l.chain,
		size: max(l.options.SegmentBytes, blockBytes+size+frameHead),
	}
	file, err := l.createSegment(&next)
	if err != nil {
		return err
	}
	if err := l.seal(next.index); err != nil {
		file.Close()
		return err
	}
	if err := l.active.Close(); err != nil {
		file.Close()
		return fmt.Errorf("close log segment: %w", err)
	}
	l.segments = append(l.segments, next)
	l.begins(file, blockBytes)
	return nil
}

// seal writes the active segment's last frame: the segment called next exists.
// Without it, the loss of the newest segments would go unseen.
func (l *Log) seal(next uint64) error {
	f := frame{seq: l.seq, slot: next, synced: l.seq, kind: frameSeal}
	raw := appendFrame(nil, l.head().salt, l.chain, &f, nil)
	if _, err := l.active.WriteAt(raw, l.offset); err != nil {
		return fmt.Errorf("seal log segment: %w", err)
	}
	if l.options.Volatile {
		return nil
	}
	if err := l.active.Sync(); err != nil {
		return fmt.Errorf("sync sealed log segment: %w", err)
	}
	return nil
}

// head is the active segment.
func (l *Log) head() *segment { return &l.segments[len(l.segments)-1] }

// fail remembers the first error: what follows it could leave a gap.
func (l *Log) fail(err error) error {
	if err != nil && l.err == nil {
		l.err = err
	}
	return err
}

// LogStatus describes the log for metrics.
type LogStatus struct {
	Segments int
	Bytes    int64  // allocated, spares not counted
	Last     uint64 // sequence number of the last record appended
	Synced   uint64 // ... and of the last one synced
}

// Status describes the log.
func (l *Log) Status() LogStatus {
	s := LogStatus{Segments: len(l.segments), Last: l.seq, Synced: l.synced}
	for i := range l.segments {
		s.Bytes += l.segments[i].size
	}
	return s
}

// Torn says what recovery cut from the end of the log: a group that was never
// synced, so that nothing of it was seen outside (PROTOCOL.md §4).
type Torn struct {
	File    string
	Offset  int64 // where the log ends now
	Records int   // frames that could still be told apart behind it
}

// String is one line for the log of the process.
func (t *Torn) String() string {
	return fmt.Sprintf("cut an unsynced tail from %s at byte %d (%d whole heads in it)", t.File, t.Offset, t.Records)
}

// Torn is what OpenLog cut, nil if the log ended cleanly.
func (l *Log) Torn() *Torn { return l.torn }

// Close syncs and closes the log. It answers the sticky error if there is one.
func (l *Log) Close() error {
	if l.err != nil {
		if l.active != nil {
			l.active.Close()
			l.active = nil
		}
		return l.err
	}
	err := cmp.Or(l.fail(l.sync()), l.active.Close())
	l.active, l.err = nil, ErrClosed
	return err
}
