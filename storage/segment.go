package storage

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"quorate.dev/quorate/consensus"
)

const (
	segmentSuffix = ".seg"
	spareSuffix   = ".spare"
	tempSuffix    = ".tmp"
	baseName      = "base"
	birthName     = "birth"
	lockName      = "lock"
	logName       = "log"

	maxSpares = 2 // forgotten segments kept for reuse
)

// segment is one file of the log. Its head block has index, first, chain and
// salt in fields 0 to 3, and flagReused.
type segment struct {
	index   uint64
	first   uint64 // sequence number of its first record
	last    uint64 // ... and of its last; first-1 if it has none
	chain   uint32 // the chain before its first record
	salt    uint64
	size    int64
	maxSlot consensus.Seq // over its records
	reused  bool          // what stands behind its end is of an earlier use
}

const flagReused uint16 = 1

func segmentPath(dir string, index uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016x%s", index, segmentSuffix))
}

// block is the head block of s as it stands on disk.
func (s *segment) block(id Identity) *block {
	b := &block{magic: segmentMagic, id: id, fields: [5]uint64{s.index, s.first, uint64(s.chain), s.salt}}
	if s.reused {
		b.flags = flagReused
	}
	return b
}

// segmentOf is the segment that b heads, before any of its frames is read.
func segmentOf(b *block, size int64) segment {
	return segment{index: b.fields[0], first: b.fields[1], last: b.fields[1] - 1, chain: uint32(b.fields[2]), salt: b.fields[3],
		size: size, reused: b.flags&flagReused != 0}
}

// createSegment makes the file of s, whole and synced, and only then gives it
// its name. A forgotten segment is used again if there is one: its blocks are
// written already, which halves the cost of a sync on ext4.
func (l *Log) createSegment(s *segment) (device, error) {
	var salt [8]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return nil, err
	}
	s.salt = binary.BigEndian.Uint64(salt[:])
	temp := segmentPath(l.dir, s.index) + tempSuffix
	if n := len(l.spares); n > 0 && s.size == l.options.SegmentBytes {
		if err := os.Rename(l.spares[n-1], temp); err != nil {
			return nil, fmt.Errorf("reuse log segment: %w", err)
		}
		l.spares = l.spares[:n-1]
		s.reused = true
	}
	file, err := l.fillSegment(s, temp)
	if err != nil {
		// The room it took may be what the disk lacks.
		os.Remove(temp)
		return nil, fmt.Errorf("new log segment: %w", err)
	}
	return l.wrapped(file), nil
}

// fillSegment writes the head under the temporary name, syncs, renames, and
// syncs the directory: in this order a crash leaves either no segment or a
// whole one.
func (l *Log) fillSegment(s *segment, temp string) (*os.File, error) {
	file, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if !s.reused {
		err = allocate(file, s.size)
	}
	if err == nil {
		_, err = file.WriteAt(s.block(l.options.Identity).encode(), 0)
	}
	if err == nil && !l.options.Volatile {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(temp, segmentPath(l.dir, s.index))
	}
	if err == nil && !l.options.Volatile {
		err = syncDir(l.dir)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// Forget drops the oldest segments as long as all their records have slots at
// or below slot; never the active one, and never one behind a segment that has
// to stay, since the chain needs it. The caller's law: slot is not beyond its
// own durable checkpoint (PROTOCOL.md §5).
func (l *Log) Forget(slot consensus.Seq) error {
	if l.err != nil {
		return l.err
	}
	drop := 0
	for drop < len(l.segments)-1 && l.segments[drop].maxSlot <= slot {
		drop++
	}
	if drop == 0 {
		return nil
	}
	// First the promise that they may be missing, then their end: a crash in
	// between leaves files that the next start clears away.
	if err := l.writeBase(l.segments[drop].index); err != nil {
		return l.fail(fmt.Errorf("forget log segments: %w", err))
	}
	for i := range l.segments[:drop] {
		if err := l.discard(&l.segments[i]); err != nil {
			return l.fail(fmt.Errorf("forget log segment: %w", err))
		}
	}
	l.segments = append(l.segments[:0], l.segments[drop:]...)
	return nil
}

// discard removes a segment's file or keeps it as a spare. The directory need
// not be synced: the base says already that the segment may be gone.
func (l *Log) discard(s *segment) error {
	path := segmentPath(l.dir, s.index)
	if len(l.spares) >= maxSpares || s.size != l.options.SegmentBytes {
		return os.Remove(path)
	}
	spare := strings.TrimSuffix(path, segmentSuffix) + spareSuffix
	if err := os.Rename(path, spare); err != nil {
		return err
	}
	l.spares = append(l.spares, spare)
	return nil
}

// writeBase says which segment is the oldest that must be there.
func (l *Log) writeBase(index uint64) error {
	b := &block{magic: baseMagic, id: l.options.Identity, fields: [5]uint64{index}}
	return writeBlock(filepath.Join(l.dir, baseName), b, l.options.Volatile)
}

// listing is what stands in a log's directory.
type listing struct {
	segments []uint64 // numbers, ascending
	spares   []string
	temps    []string // left by a crash; never part of the log
	base     bool
}

// list reads the directory; one that does not exist is an empty log.
func list(dir string) (listing, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return listing{}, fmt.Errorf("log: %w", err)
	}
	var out listing
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch filepath.Ext(e.Name()) {
		case segmentSuffix:
			index, err := strconv.ParseUint(strings.TrimSuffix(e.Name(), segmentSuffix), 16, 64)
			if err != nil || segmentPath(dir, index) != path {
				return listing{}, fmt.Errorf("%s is not a segment of the log: move it elsewhere", path)
			}
			out.segments = append(out.segments, index)
		case spareSuffix:
			out.spares = append(out.spares, path)
		case tempSuffix:
			out.temps = append(out.temps, path)
		default:
			out.base = out.base || e.Name() == baseName
		}
	}
	slices.Sort(out.segments)
	return out, nil
}
