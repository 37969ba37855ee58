package transcript

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// What a directory of histories that nobody depends on may hold: each command of a
// client makes one.
const (
	maxHistories    = 1024
	maxHistoriesAll = 64 << 20 // bytes
)

// makeRoom drops the oldest histories of a directory when there are too many, down to
// half of the room, so that this is seldom done. Others may do the same.
func makeRoom(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	type file struct {
		path string
		fs.FileInfo
	}
	var all []file
	var size int64
	for _, e := range entries {
		if filepath.Ext(e.Name()) != suffix {
			continue
		}
		if info, err := e.Info(); err == nil {
			all, size = append(all, file{filepath.Join(dir, e.Name()), info}), size+info.Size()
		}
	}
	if len(all) < maxHistories && size < maxHistoriesAll {
		return nil
	}
	slices.SortFunc(all, func(a, b file) int { return cmp.Compare(a.ModTime().UnixNano(), b.ModTime().UnixNano()) })
	for i := range all {
		if len(all)-i <= maxHistories/2 && size <= maxHistoriesAll/2 {
			break
		}
		if err := os.Remove(all[i].path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		size -= all[i].Size()
	}
	return nil
}
