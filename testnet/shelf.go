package testnet

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

// shelf is a bounded row of files in a directory, the newest of which is written
// to. A start begins a new file, so that what a crash tore is never written
// behind. Nothing is synced.
type shelf struct {
	dir    string
	room   int64 // bytes of all files together
	number int   // of the newest file
	size   int64 // of the newest file, what is buffered included
	file   *os.File
	buffer *bufio.Writer
}

// The files of a shelf.
const (
	volumeSuffix = ".transcript"
	maxVolumes   = 64 // a replica that is restarted again and again makes small ones
)

// volumes lists the files of a shelf, the oldest first.
func volumes(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), volumeSuffix) && volumeNumber(e.Name()) > 0 {
			all = append(all, filepath.Join(dir, e.Name()))
		}
	}
	slices.SortFunc(all, func(a, b string) int { return volumeNumber(a) - volumeNumber(b) })
	return all, nil
}

// volumeNumber is the number in a file's name; 0 if it is none of ours.
func volumeNumber(path string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(path), volumeSuffix))
	if err != nil {
		return 0
	}
	return n
}

// openShelf makes the directory if need be and begins a new file.
func openShelf(dir string, room int64) (*shelf, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("transcript: %w", err)
	}
	s := &shelf{dir: dir, room: room}
	all, err := volumes(dir)
	if err != nil {
		return nil, fmt.Errorf("transcript: %w", err)
	}
	if len(all) > 0 {
		s.number = volumeNumber(all[len(all)-1])
	}
	return s, s.next()
}

// next closes the newest file, makes room, and begins another.
func (s *shelf) next() error {
	if err := s.close(); err != nil {
		return err
	}
	if err := s.clear(); err != nil {
		return fmt.Errorf("transcript: %w", err)
	}
	s.number++
	f, err := os.OpenFile(filepath.Join(s.dir, fmt.Sprintf("%06d%s", s.number, volumeSuffix)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("transcript: %w", err)
	}
	s.file, s.buffer, s.size = f, bufio.NewWriterSize(f, 1<<16), 0
	return nil
}

// clear drops the oldest files until half of the room is free, but never the
// newest.
func (s *shelf) clear() error {
	all, err := volumes(s.dir)
	if err != nil {
		return err
	}
	var used int64
	keep := len(all)
	for ; keep > 0 && len(all)-keep < maxVolumes; keep-- {
		stat, err := os.Stat(all[keep-1])
		if err != nil {
			return err
		}
		if used += stat.Size(); used > s.room/2 && keep < len(all) {
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
func (s *shelf) full() bool { return s.size >= s.room/2 }

// Write implements io.Writer, into the newest file.
func (s *shelf) Write(b []byte) (int, error) {
	if s.file == nil {
		return 0, os.ErrClosed
	}
	n, err := s.buffer.Write(b)
	s.size += int64(n)
	return n, err
}

// flush hands what is buffered to the system, so that it outlives the process.
func (s *shelf) flush() error {
	if s.file == nil {
		return nil
	}
	return s.buffer.Flush()
}

// close closes the newest file, with all that is buffered.
func (s *shelf) close() error {
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.buffer.Flush(), s.file.Close())
	s.file = nil
	return err
}
