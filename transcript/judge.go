package transcript

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"quorate.dev/quorate/check"
)

// Files lists the transcripts and histories in a directory and those below it;
// none if it is not there.
func Files(dir string) ([]string, error) {
	var all []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && filepath.Ext(path) == suffix {
			all = append(all, path)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil // a running replica may drop its oldest in between
	}
	return all, err
}

// maxFiles bounds the files that are judged together.
const maxFiles = 4096

// Judge judges a run by what was written down, as check.Replay does. Without a
// client's history there is nothing to say about linearizability, and the case's
// model is not asked.
func Judge(c check.Case, files []string) (v check.Verdict, err error) {
	if len(files) > maxFiles {
		return v, fmt.Errorf("%w: %d files, at most %d are judged together", check.ErrLog, len(files), maxFiles)
	}
	model := c.Model
	c.Model = nil
	var open []check.Log
	for _, path := range files {
		file, err := os.Open(path)
		if err != nil {
			return v, err
		}
		defer func() { _ = file.Close() }() // only read
		client, err := ofClient(file, path)
		if errors.Is(err, io.EOF) {
			continue // its process was killed as it began
		}
		if err != nil {
			return v, err
		}
		if client {
			c.Model = model
		}
		open = append(open, check.Log{Name: path, From: bufio.NewReaderSize(file, 1<<16)})
	}
	if len(open) == 0 {
		return v, fmt.Errorf("%w: no transcript has anything in it: do the replicas run with record.level = \"off\"?", check.ErrUnjudged)
	}
	return check.Replay(c, open)
}

// ofClient looks at the head of a log, and goes back to its beginning.
func ofClient(file *os.File, path string) (bool, error) {
	r, err := check.NewReader(path, file)
	if err != nil {
		return false, err
	}
	_, err = file.Seek(0, io.SeekStart)
	return r.Header().Client, err
}
