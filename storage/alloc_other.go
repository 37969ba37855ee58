//go:build !linux

package storage

import "os"

// allocate gives f its size; on this system without reserving the room, so
// that a full disk is met by a write instead.
func allocate(f *os.File, size int64) error { return f.Truncate(size) }

// datasync makes f durable.
func datasync(f *os.File) error { return f.Sync() }
