package testnet

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
)

// FuzzConfig: whatever stands in a home's config.toml, in a traitor's
// byzantine.toml or in a cluster's testnet.toml, reading it does not panic, and
// what is wrong is said in one line. What is accepted makes a protocol.
func FuzzConfig(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "net")
	c, err := Init(Options{Dir: dir, Replicas: 4, Seed: "fuzz", Adjust: func(g *consensus.Genesis) { g.CheckpointInterval, g.Window = 8, 32 }})
	if err != nil {
		f.Fatal(err)
	}
	files := []string{filepath.Join(c.Home(0), "config.toml"), filepath.Join(dir, manifestName), filepath.Join(c.Home(0), "byzantine.toml")}
	for i, path := range files[:2] {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), b)
		f.Add(uint8(i), bytes.ReplaceAll(b, []byte("replica"), []byte("byzantine")))
	}
	f.Add(uint8(2), []byte("behaviours = [\"equivocate\", \"delay 80%\"]\n"))
	f.Add(uint8(0), []byte("[engine]\ntick = \"1ns\"\npatience = \"-1s\"\n"))
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		path := files[int(which)%len(files)]
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
		if h, err := LoadHome(c.Home(0), Overrides{}, nil); err == nil {
			if _, err := h.nodeConfig(h.Logger()); err != nil {
				oneLine(t, err)
			}
		} else {
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
