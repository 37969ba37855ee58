package storage

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"quorate.dev/quorate/consensus"
)

// OpenLog opens the log in dir, or begins one there, and returns its records
// in order. A torn tail is cut, durably, before it returns; Torn says what was
// cut. Everything else that does not fit is refused with the files unchanged:
// damageError, ErrForeign or errVersion. The caller holds the home's lock.
func OpenLog(dir string, o LogOptions) (*Log, []consensus.Record, error) {
	if o.SegmentBytes = cmp.Or(o.SegmentBytes, defaultSegmentBytes); o.SegmentBytes < minSegmentBytes {
		return nil, nil, fmt.Errorf("log segments of %d bytes: at least %d are needed", o.SegmentBytes, minSegmentBytes)
	}
	files, err := list(dir)
	if err != nil {
		return nil, nil, err
	}
	l := &Log{dir: dir, options: o}
	if len(files.segments) == 0 && !files.base {
		return l, nil, l.begin(files)
	}
	r := &recovery{dir: dir, id: o.Identity}
	if err := r.read(files); err != nil {
		return nil, nil, err
	}
	if err := l.resume(r, files); err != nil {
		return nil, nil, fmt.Errorf("open log: %w", err)
	}
	return l, r.records, nil
}

// begin makes the first segment and then the base. In this order a crash in
// between shows: a first segment without a record and no base.
func (l *Log) begin(files listing) error {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	if !l.options.Volatile {
		if err := syncDir(filepath.Dir(l.dir)); err != nil {
			return err
		}
	}
	if err := removeFiles(files.temps, files.spares); err != nil {
		return err
	}
	first := segment{index: 1, first: 1, size: l.options.SegmentBytes}
	file, err := l.createSegment(&first)
	if err != nil {
		return err
	}
	l.segments = []segment{first}
	l.begins(file, blockBytes)
	if err := l.writeBase(1); err != nil {
		l.active.Close()
		return err
	}
	return nil
}

// removeFiles removes what crashes left.
func removeFiles(lists ...[]string) error {
	for _, paths := range lists {
		for _, p := range paths {
			if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("log: %w", err)
			}
		}
	}
	return nil
}

// recovery reads a log from its oldest segment to its end and changes nothing.
type recovery struct {
	dir      string
	id       Identity
	base     uint64
	records  []consensus.Record
	segments []segment
	seq      uint64 // of the last record read
	chain    uint32 // after it
	end      int64  // where the segment read last ended
	sealed   bool   // ... with a seal
	stale    []string
	reseal   *reseal // a seal that a crash kept from being written
}

// reseal is where that seal belongs, and what it must say.
type reseal struct {
	segment segment
	offset  int64
	seq     uint64
	chain   uint32
}

// read reads everything there is and judges it. Nothing is written: a home that
// is refused stays as evidence of what happened to it.
func (r *recovery) read(files listing) error {
	numbers, err := r.expect(files)
	if err != nil {
		return err
	}
	for i, index := range numbers {
		if want := r.base + uint64(i); index != want {
			return r.missing(want)
		}
		if err := r.segment(index, i == len(numbers)-1); err != nil {
			return err
		}
	}
	if r.sealed {
		return r.missing(r.base + uint64(len(numbers)))
	}
	if !files.base && len(r.records) > 0 {
		return damaged(filepath.Join(r.dir, baseName), 0, "it is missing though the log has records")
	}
	return nil
}

// missing names the segment that must be there: its loss is as bad as damage,
// since nobody knows which votes it held.
func (r *recovery) missing(index uint64) error {
	return damaged(segmentPath(r.dir, index), 0, "this segment of the log is missing")
}

// expect reads the base and splits the segments into those that must be there
// and those that a crash kept from being removed.
func (r *recovery) expect(files listing) ([]uint64, error) {
	r.base = 1
	if files.base {
		path := filepath.Join(r.dir, baseName)
		b, err := readBlock(path, baseMagic, r.id)
		if err != nil {
			return nil, err
		}
		if r.base = b.fields[0]; r.base == 0 {
			return nil, damaged(path, 0, "it names no segment")
		}
	}
	numbers := files.segments
	for len(numbers) > 0 && numbers[0] < r.base {
		r.stale = append(r.stale, segmentPath(r.dir, numbers[0]))
		numbers = numbers[1:]
	}
	if len(numbers) == 0 {
		return nil, r.missing(r.base)
	}
	return numbers, nil
}

// segment reads one segment. What ends without a seal must be the last one, or
// the one before a last one that a crash left empty.
func (r *recovery) segment(index uint64, last bool) error {
	path := segmentPath(r.dir, index)
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	s, err := r.open(f, path, index, stat.Size())
	if err != nil {
		return err
	}
	if err := r.adopt(&s, path, last); err != nil {
		return err
	}
	before := r.seq
	if err := r.frames(f, &s); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if r.reseal != nil && (r.seq != before || r.sealed) {
		return damaged(segmentPath(r.dir, r.reseal.segment.index), r.reseal.offset, "its seal is missing or damaged")
	}
	r.segments = append(r.segments, s)
	if r.sealed {
		return nil
	}
	return r.judge(f, path, &s, last)
}

// open reads a segment's head block. The number in it guards against renamed
// files, its chain against one of another life of this replica.
func (r *recovery) open(f io.Reader, path string, index uint64, size int64) (segment, error) {
	raw := make([]byte, blockBytes)
	n, err := io.ReadFull(f, raw)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return segment{}, fmt.Errorf("log: %w", err)
	}
	b, err := decodeBlock(path, segmentMagic, r.id, raw[:n])
	if err != nil {
		return segment{}, err
	}
	s := segmentOf(b, size)
	if s.index != index {
		return segment{}, damaged(path, 0, "it is segment %d of the log under the name of segment %d", s.index, index)
	}
	return s, nil
}

// adopt joins a segment to what was read before it.
func (r *recovery) adopt(s *segment, path string, last bool) error {
	if len(r.segments) == 0 {
		r.seq, r.chain = s.first-1, s.chain
	}
	if s.first != r.seq+1 || s.chain != r.chain {
		return damaged(path, 0, "it begins with record %d, but the segment before it ends with record %d (chain %08x, not %08x)",
			s.first, r.seq, r.chain, s.chain)
	}
	if n := len(r.segments); n > 0 && !r.sealed {
		before := r.segments[n-1]
		if !last {
			return damaged(segmentPath(r.dir, before.index), r.end, "its seal is missing or damaged")
		}
		r.reseal = &reseal{segment: before, offset: r.end, seq: r.seq, chain: r.chain}
	}
	return nil
}

// frames reads frames until the first thing that is not the next one.
func (r *recovery) frames(f io.ReaderAt, s *segment) error {
	r.end, r.sealed = blockBytes, false
	in := bufio.NewReaderSize(io.NewSectionReader(f, blockBytes, s.size-blockBytes), 256<<10)
	var head [frameHead]byte
	for {
		if done, err := ended(io.ReadFull(in, head[:])); done {
			return err
		}
		f, ok := readFrame(head[:], s.salt)
		if !ok || frameSize(int(f.length)) > s.size-r.end {
			return nil
		}
		if f.kind == frameSeal {
			r.sealed = f.length == 0 && f.seq == r.seq && f.slot == s.index+1 && chainOf(r.chain, head[:], nil) == f.chain
			return nil
		}
		body := make([]byte, padded(int(f.length)))
		if done, err := ended(io.ReadFull(in, body)); done {
			return err
		}
		if f.seq != r.seq+1 || f.synced > r.seq || chainOf(r.chain, head[:], body) != f.chain {
			return nil
		}
		r.accept(s, &f, body)
	}
}

// accept takes the frame over. The body is the record's own from here on: the
// engine may keep it as long as it likes.
func (r *recovery) accept(s *segment, f *frame, body []byte) {
	r.seq, r.chain = f.seq, f.chain
	r.end += frameSize(int(f.length))
	s.last = f.seq
	s.maxSlot = max(s.maxSlot, consensus.Seq(f.slot))
	r.records = append(r.records, consensus.Record{
		Slot: consensus.Seq(f.slot), Lazy: f.kind == frameLazy, Bytes: body[:f.length:f.length],
	})
}

// ended tells the end of a file from a failure to read it.
func ended(_ int, err error) (bool, error) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true, nil
	}
	return err != nil, err
}

// judge decides what an end without a seal means. In the last segment it is
// the end of the log or a torn tail, unless a frame behind it says that the
// record missing here was synced when that frame was written. In a segment
// before, adopt has the last word: the next one says where this one ends.
func (r *recovery) judge(f io.ReaderAt, path string, s *segment, last bool) error {
	if !last {
		return nil
	}
	t, err := search(f, r.end, s.size, s.salt, r.seq+1)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if t.contradiction {
		return damaged(path, r.end, "record %d fails its checksum or is missing, though what is written behind it proves that it was synced", r.seq+1)
	}
	return nil
}

// tail is what stands behind the end of the last segment.
type tail struct {
	frames        int  // heads of this segment, from the missing record on
	contradiction bool // one of them calls the missing record synced
	dirty         bool // a byte that is not zero
}

// search looks through the bytes [from, size) for heads of frames. missing is
// the sequence number of the first record that could not be read.
func search(f io.ReaderAt, from, size int64, salt, missing uint64) (tail, error) {
	var t tail
	buf := make([]byte, min(1<<20, max(size-from, frameHead)))
	for off := from; off < size; off += int64(len(buf)) - frameHead + frameAlign {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), size-off)], off)
		if err != nil && !errors.Is(err, io.EOF) {
			return t, err
		}
		t.look(buf[:n], salt, missing)
	}
	return t, nil
}

// look goes through one chunk. Zeros are skipped eight at a time, because most
// of a preallocated segment is nothing else. The last bytes of a chunk that
// cannot hold a head come again at the front of the next one.
func (t *tail) look(b []byte, salt, missing uint64) {
	for ; len(b) >= frameAlign; b = b[frameAlign:] {
		if binary.BigEndian.Uint64(b) == 0 {
			continue
		}
		t.dirty = true
		if len(b) < frameHead {
			continue
		}
		if f, ok := readFrame(b, salt); ok && f.seq+1 > missing {
			t.frames++
			t.contradiction = t.contradiction || f.synced >= missing
		}
	}
	for _, c := range b {
		t.dirty = t.dirty || c != 0
	}
}
