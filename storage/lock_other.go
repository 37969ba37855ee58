//go:build !unix

package storage

import (
	"errors"
	"os"
	"path/filepath"
)

// Lock is the hold of one process on one data directory.
type Lock struct{ file *os.File }

// LockHome needs flock, which this system lacks: without a lock that dies with
// its process, two replicas could share one key and one log.
func LockHome(string, string) (*Lock, error) {
	return nil, errors.New("a replica's home cannot be locked on this system: run it on Linux, macOS or a BSD")
}

// LockFileOf is the file of a data directory's lock.
func LockFileOf(dir string) string { return filepath.Join(dir, lockName) }

// LockFile cannot lock here either, and does not: commands that are at work at the
// same time need keys of their own.
func LockFile(f *os.File) (*Lock, error) { return &Lock{file: f}, nil }

// Unlock closes the file.
func (l *Lock) Unlock() error { return l.file.Close() }

// Held has nothing to hold here.
func (l *Lock) Held() error { return nil }
