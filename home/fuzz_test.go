package home

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/app/kv"
)

// FuzzConfig: whatever stands in a home's config.toml, reading it does not panic,
// and what is wrong is said in one line. What is accepted makes a protocol.
func FuzzConfig(f *testing.F) {
	c := made(f, "fuzz", 4, nil, nil)
	path := filepath.Join(c.dirs[0], configName)
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(bytes.ReplaceAll(b, []byte("replica"), []byte("byzantine")))
	f.Add([]byte("[engine]\ntick = \"1ns\"\npatience = \"-1s\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := Load(c.dirs[0], Overrides{}, nil)
		if err == nil {
			_, err = h.nodeConfig(kv.Store{}, h.Logger())
		}
		if err != nil {
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
