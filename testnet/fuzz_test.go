package testnet

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzFiles: whatever stands in a cluster's testnet.toml or in a traitor's
// byzantine.toml, reading it does not panic, and what is wrong is said in one
// line.
func FuzzFiles(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "net")
	c, err := Init(Options{Dir: dir, Seed: "fuzz"})
	if err != nil {
		f.Fatal(err)
	}
	paths := []string{filepath.Join(dir, manifestName), filepath.Join(c.Home(0), traitorName)}
	b, err := os.ReadFile(paths[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(0), b)
	f.Add(uint8(0), bytes.ReplaceAll(b, []byte("replica"), []byte("byzantine")))
	f.Add(uint8(1), []byte("behaviours = [\"equivocate\", \"delay 80%\"]\n"))
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		path := paths[int(which)%len(paths)]
		before, missing := os.ReadFile(path)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if missing != nil {
				before = nil
				_ = os.Remove(path)
				return
			}
			if err := os.WriteFile(path, before, 0o600); err != nil {
				t.Fatal(err)
			}
		}()
		if _, err := readTraitor(c.Home(0)); err != nil {
			oneLine(t, err)
		}
		if _, err := Open(dir); err != nil {
			oneLine(t, err)
		}
	})
}

// oneLine: an error about a file is for a person at a terminal.
func oneLine(t *testing.T, err error) {
	if strings.ContainsAny(err.Error(), "\n\x00") && !errors.Is(err, os.ErrInvalid) {
		t.Errorf("more than a line: %q", err)
	}
}
