package live

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"quorate.dev/quorate/internal/netlab"
)

// disk is a small file system of its own, below a replica's directory.
type disk struct{ dir string }

// newDisk puts what is in dir on one. It takes root.
func newDisk(dir string) (*disk, error) {
	kept := dir + ".kept"
	if err := os.Rename(dir, kept); err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=700", diskBytes)); err != nil {
		return nil, fmt.Errorf("%w: mount a file system: %w", netlab.ErrUnavailable, err)
	}
	d := &disk{dir}
	if err := os.CopyFS(dir, os.DirFS(kept)); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// fill takes all room that is left.
func (d *disk) fill() error {
	f, err := os.Create(filepath.Join(d.dir, filler))
	if err != nil {
		return err
	}
	block := make([]byte, 4<<10)
	for err == nil {
		_, err = f.Write(block)
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// close takes the file system away, and all that is on it.
func (d *disk) close() error { return syscall.Unmount(d.dir, 0) }
