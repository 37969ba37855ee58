package transcript

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// rotatingLog is a bounded row of files, its segments, in a directory, the newest of which is written
// to. A start begins a new file, so that what a crash tore is never written
// behind. Nothing is synced.
type rotatingLog struct {
	dir    string
	room   int64 // bytes of all files together
	number int   // of the newest file
	size   int64 // of the newest file, what is buffered included
	file   *os.File
	buffer *bufio.Writer
}

// The segments of a rotating log.
const (
	suffix      = ".transcript"
	maxSegments = 64 // a replica that is restarted again and again makes small ones
)

// segments lists the segments in a directory, the oldest first.
func segments(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) && segmentNumber(e.Name()) > 0 {
			all = append(all, filepath.Join(dir, e.Name()))
		}
	}
	slices.SortFunc(all, func(a, b string) int { return segmentNumber(a) - segmentNumber(b) })
	return all, nil
}

// segmentNumber is the number in a file's name; 0 if it is none of ours.
func segmentNumber(path string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(path), suffix))
	if err != nil {
		return 0
	}
	return n
}

// openLog makes the directory if need be and begins a new file.
func openLog(dir string, room int64) (*rotatingLog, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("transcript: %w", err)
	}
	l := &rotatingLog{dir: dir, room: room}
	all, err := segments(dir)
	if err != nil {
		return nil, fmt.Errorf("transcript: %w", err)
	}
	if len(all) > 0 {
		l.number = segmentNumber(all[len(all)-1])
	}
	return l, l.next()
}

// next closes the newest file, makes room, and begins another.
func (l *rotatingLog) next() error {
	if err := l.close(); err != nil {
		return err
	}
	if err := l.clear(); err != nil {
		return fmt.Errorf("transcript: %w", err)
	}
	l.number++
	f, err := os.OpenFile(filepath.Join(l.dir, fmt.Sprintf("%06d%s", l.number, suffix)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("transcript: %w", err)
	}
	l.file, l.buffer, l.size = f, bufio.NewWriterSize(f, 1<<16), 0
	return nil
}

// clear drops the oldest files until half of the room is free, but never the
// newest.
func (l *rotatingLog) clear() error {
	all, err := segments(l.dir)
	if err != nil {
		return err
	}
	var used int64
	keep := len(all)
	for ; keep > 0 && len(all)-keep < maxSegments; keep-- {
		stat, err := os.Stat(all[keep-1])
		if err != nil {
			return err
		}
		if used += stat.Size(); used > l.room/2 && keep < len(all) {
			break
		}
	}
	for _, path := range all[:keep] {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// full says that the newest file has its share of the room.
func (l *rotatingLog) full() bool { return l.size >= l.room/2 }

// Write implements io.Writer, into the newest file.
func (l *rotatingLog) Write(b []byte) (int, error) {
	if l.file == nil {
		return 0, os.ErrClosed
	}
	n, err := l.buffer.Write(b)
	l.size += int64(n)
	return n, err
}

// flush hands what is buffered to the system, so that it outlives the process.
func (l *rotatingLog) flush() error {
	if l.file == nil {
		return nil
	}
	return l.buffer.Flush()
}

// close closes the newest file, with all that is buffered.
func (l *rotatingLog) close() error {
	if l.file == nil {
		return nil
	}
	err := errors.Join(l.buffer.Flush(), l.file.Close())
	l.file = nil
	return err
}
