package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// compareTrees says how two trees of regular files differ; "" if they do not.
func compareTrees(a, b string) string {
	left, err := listTree(a)
	if err != nil {
		return err.Error()
	}
	right, err := listTree(b)
	if err != nil {
		return err.Error()
	}
	for name := range right {
		if !left[name] {
			return fmt.Sprintf("%s is in %s only", name, b)
		}
	}
	for name := range left {
		if !right[name] {
			return fmt.Sprintf("%s is in %s only", name, a)
		}
		if diff := compareFiles(filepath.Join(a, name), filepath.Join(b, name)); diff != "" {
			return diff
		}
	}
	if len(left) == 0 {
		return a + " holds no files: nothing was compared"
	}
	return ""
}

func compareFiles(a, b string) string {
	x, err := os.ReadFile(a)
	if err != nil {
		return err.Error()
	}
	y, err := os.ReadFile(b)
	if err != nil {
		return err.Error()
	}
	if !bytes.Equal(x, y) {
		return fmt.Sprintf("%s (%d bytes) and %s (%d bytes) differ", a, len(x), b, len(y))
	}
	return ""
}

// listTree lists the regular files below dir.
func listTree(dir string) (map[string]bool, error) {
	files := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		files[rel] = true
		return err
	})
	return files, err
}
