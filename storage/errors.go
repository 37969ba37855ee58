package storage

import (
	"errors"
	"fmt"
)

// The reasons why a home cannot be used. Each is wrapped by an error of one
// line that names the file. What to do about a loss depends on the protocol and
// on how many replicas there are, so package node says it.
var (
	ErrDamaged = errors.New("damaged")                         // a damageError has file and offset
	ErrForeign = errors.New("belongs to another replica")      // other cluster id or replica id
	errVersion = errors.New("written by another version")      // format version unknown here
	ErrInUse   = errors.New("home is in use")                  // another process holds the lock
	ErrGone    = errors.New("home is gone")                    // its lock is not where it was
	ErrNoBirth = errors.New("birth record is missing")         // though the log has records
	ErrNoLog   = errors.New("log is missing")                  // though there is a birth record
	errBorn    = errors.New("home is initialised already")     // Init over a birth record
	errTooBig  = errors.New("record is larger than the limit") // more than maxRecordBytes
	ErrClosed  = errors.New("log is closed")
)

// damageError says where a file is not what was written. Nothing was changed.
type damageError struct {
	File   string
	Offset int64 // bytes from the file's start
	What   string
}

// Error is one line.
func (e *damageError) Error() string {
	return fmt.Sprintf("%s is damaged at byte %d: %s; nothing was changed", e.File, e.Offset, e.What)
}

// Unwrap makes errors.Is(err, ErrDamaged) true.
func (e *damageError) Unwrap() error { return ErrDamaged }

func damaged(file string, offset int64, format string, args ...any) error {
	return &damageError{File: file, Offset: offset, What: fmt.Sprintf(format, args...)}
}
