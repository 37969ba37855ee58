package storage

import (
	"cmp"
	"fmt"
	"os"
	"strings"
)

// resume makes the log ready to append where recovery found its end. Only here
// are files changed: remains of crashes go, the tail is cleared, a missing seal
// and base are written, and what was read is synced, since a process that was
// killed leaves records in memory that the disk does not have yet.
func (l *Log) resume(r *recovery, files listing) error {
	// A killed process may have given files their names without having synced
	// the directory. Nothing may rest on a name that a power loss takes back:
	// an old base would ask for the segments that are removed next.
	if !l.options.Volatile {
		if err := syncDir(l.dir); err != nil {
			return err
		}
	}
	if err := removeFiles(files.temps, r.stale); err != nil {
		return err
	}
	if !files.base {
		if err := l.writeBase(r.base); err != nil {
			return err
		}
	}
	if err := l.keepSpares(files.spares); err != nil {
		return err
	}
	l.segments, l.seq, l.chain = r.segments, r.seq, r.chain
	if err := l.settleSeal(r.reseal); err != nil {
		return err
	}
	return l.openActive(r.end)
}

// settleSeal writes the seal of the last segment but one, if a crash kept it from
// being written, and syncs it. A process that was killed while it turned to a new
// segment may have written the seal and not synced it: once there are records
// behind it, a power loss that takes it back would look like damage, and the
// replica would not start.
func (l *Log) settleSeal(r *reseal) error {
	if len(l.segments) < 2 || l.options.Volatile && r == nil {
		return nil
	}
	f, err := os.OpenFile(segmentPath(l.dir, l.segments[len(l.segments)-2].index), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	sealed := l.wrapped(f)
	if r != nil {
		seal := frame{seq: r.seq, slot: r.segment.index + 1, synced: r.seq, kind: frameSeal}
		_, err = sealed.WriteAt(appendFrame(nil, r.segment.salt, r.chain, &seal, nil), r.offset)
	}
	if err == nil {
		err = sealed.Sync()
	}
	return cmp.Or(err, sealed.Close())
}

// wrapped is the file as appending sees it.
func (l *Log) wrapped(f *os.File) device {
	if l.options.wrap != nil {
		return l.options.wrap(disk{f})
	}
	return disk{f}
}

// keepSpares takes over the spare files of the right size.
func (l *Log) keepSpares(paths []string) error {
	for _, p := range paths {
		stat, err := os.Stat(p)
		if err == nil && stat.Size() == l.options.SegmentBytes && len(l.spares) < maxSpares {
			l.spares = append(l.spares, p)
			continue
		}
		if err := os.Remove(p); err != nil {
			return err
		}
	}
	return nil
}

// openActive opens the last segment for appending at end.
func (l *Log) openActive(end int64) error {
	s := l.head()
	f, err := os.OpenFile(segmentPath(l.dir, s.index), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	active := l.wrapped(f)
	if err = l.clearTail(f, end); err == nil && !l.options.Volatile {
		err = active.Sync() // the records too, which a killed process may have left unsynced
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("cut the tail: %w", err)
	}
	l.begins(active, end)
	l.synced = l.seq
	return nil
}

// clearTail leaves nothing but zeros behind end: bytes of a group that never
// happened must not be found by a later recovery.
func (l *Log) clearTail(f *os.File, end int64) error {
	s := l.head()
	t, err := search(f, end, s.size, s.salt, l.seq+1)
	if err != nil {
		return err
	}
	if t.frames > 0 || t.dirty && !s.reused {
		l.torn = &Torn{File: strings.TrimPrefix(f.Name(), l.dir+string(os.PathSeparator)), Offset: end, Records: t.frames}
	}
	size := max(s.size, l.options.SegmentBytes, end+frameHead)
	if t.dirty {
		if err := f.Truncate(end); err != nil {
			return err
		}
	}
	if t.dirty || size != s.size {
		if err := allocate(f, size); err != nil {
			return err
		}
		s.size = size
	}
	return nil
}
