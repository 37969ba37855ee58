package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Read reads a file of at most limit bytes, whatever its size is said to be: a pipe
// has none.
func Read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%w: %s has more than %d bytes, which are possible at most", ErrInvalid, path, limit)
	}
	return b, err
}

// Write puts a file in place whole or not at all, with this mode.
func Write(path string, b []byte, mode os.FileMode) error {
	return replace(path, mode, func(f *os.File) error {
		_, err := f.Write(b)
		return err
	})
}

// Replace puts what write writes in place, whole or not at all: until then, and after
// any error, an older file stays as it was. A link is followed, the mode of an older
// file is kept, and what is no regular file, such as a pipe, is written into.
func Replace(path string, write func(w io.Writer) error) error {
	path, stat, err := target(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return replace(path, 0o644, func(f *os.File) error { return write(f) })
	case err != nil:
		return err
	case stat.Mode().IsRegular():
		mode := stat.Mode().Perm()
		return replace(path, mode, func(f *os.File) error { return errors.Join(f.Chmod(mode), write(f)) })
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// Replaceable fails if Replace could not write there, and leaves no trace.
func Replaceable(path string) error {
	path, stat, err := target(path)
	switch {
	case err == nil && !stat.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			err = f.Close()
		}
		return err
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	f, err := beside(path, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// target follows links. That nothing is there is fs.ErrNotExist. What may not be
// written is an error, though it could be replaced.
func target(path string) (string, os.FileInfo, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path, nil, err
	}
	stat, err := os.Stat(real)
	if err != nil || !stat.Mode().IsRegular() {
		return real, stat, err
	}
	f, err := os.OpenFile(real, os.O_WRONLY, 0)
	if err != nil {
		return real, stat, err
	}
	return real, stat, f.Close()
}

// beside makes the file that is renamed in the end. Its name has the process, so that
// two that write the same file do not write into each other's.
func beside(path string, mode os.FileMode) (*os.File, error) {
	part := fmt.Sprintf("%s.%d.part", path, os.Getpid())
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	dir := filepath.Dir(path)
	_, missing := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && missing != nil:
		return nil, &failure{fmt.Sprintf("%s cannot be written: there is no directory %s: make it first", path, dir), err}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission): // as in /proc
		return nil, &failure{fmt.Sprintf("%s cannot be written: no file may be made in %s: choose another directory", path, dir), err}
	}
	return f, err
}

// failure is an error in our words, and what the system said.
type failure struct {
	text string
	err  error
}

func (e *failure) Error() string { return e.text }

func (e *failure) Unwrap() error { return e.err }

// replace writes beside and renames.
func replace(path string, mode os.FileMode, write func(f *os.File) error) error {
	f, err := beside(path, mode)
	if err != nil {
		return err
	}
	if err = errors.Join(write(f), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}
