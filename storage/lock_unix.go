//go:build unix

package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Lock is the hold of one process on one data directory.
type Lock struct{ file *os.File }

// LockHome takes the lock of the data directory, making the directory if need
// be. It does not wait: ErrInUse if another process has it. The system gives
// the lock back when the process ends, however it ends. The file tells the pid,
// and in lines of TOML what else there is to tell about the process.
func LockHome(dir, about string) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	path := LockFileOf(dir)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	lock, err := LockFile(f)
	if errors.Is(err, ErrInUse) {
		return nil, fmt.Errorf("%w: %s holds %s: stop it first", ErrInUse, holder(path), path)
	}
	if err == nil {
		// For whoever finds the home in use. It says nothing about who has the lock,
		// and may fail where the disk is full: what is there already needs no room.
		text := fmt.Appendf(nil, holderLine+"%s", os.Getpid(), about)
		if _, err := f.WriteAt(text, 0); err == nil {
			_ = f.Truncate(int64(len(text)))
		}
	}
	return lock, err
}

// LockFileOf is the file of a data directory's lock.
func LockFileOf(dir string) string { return filepath.Join(dir, lockName) }

// holderLine is the first line of the file.
const holderLine = "pid = %d\n"

// holder names the process that took a lock last.
func holder(path string) string {
	var pid int
	b, err := os.ReadFile(path)
	if _, bad := fmt.Sscanf(string(b), holderLine, &pid); err == nil && bad == nil {
		return fmt.Sprintf("process %d", pid)
	}
	return "another process"
}

// LockFile is LockHome for an open file, which goes over to the lock.
func LockFile(f *os.File) (*Lock, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return &Lock{file: f}, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("%w: another process holds %s: stop it first", ErrInUse, f.Name())
	}
	return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
}

// Unlock gives the home back.
func (l *Lock) Unlock() error { return l.file.Close() }

// Held fails with ErrGone if the locked file is not in its place any more: then the
// directory was removed or moved, another process may lock what is there now, and
// what is written to open files is found by nobody.
func (l *Lock) Held() error {
	held, err := l.file.Stat()
	if err != nil {
		return nil // it is closed
	}
	there, err := os.Stat(l.file.Name())
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(held, there) {
		return fmt.Errorf("%w: %s was removed, moved or replaced", ErrGone, filepath.Dir(l.file.Name()))
	}
	return nil
}
