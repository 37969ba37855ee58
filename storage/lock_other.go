//go:build !unix

package storage

import "errors"

// Lock is the hold of one process on one data directory.
type Lock struct{}

// LockHome needs flock, which this system lacks: without a lock that dies with
// its process, two replicas could share one key and one log.
func LockHome(string) (*Lock, error) {
	return nil, errors.New("a replica's home cannot be locked on this system: run it on Linux, macOS or a BSD")
}

// Unlock gives the home back.
func (l *Lock) Unlock() error { return nil }
