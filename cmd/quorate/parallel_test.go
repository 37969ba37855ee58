package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"quorate.dev/quorate/testnet"
)

// TestCommandsSideBySide: as a shell starts them with &, while a tree is being
// stored. Each has a session of its own, so that none ends another's.
func TestCommandsSideBySide(t *testing.T) {
	c := startCluster(t, testnet.Options{Seed: "side by side"})
	tree := t.TempDir()
	for i := range 64 {
		must(t, os.WriteFile(filepath.Join(tree, fmt.Sprint(i)), make([]byte, 4096), 0o644))
	}
	const commands = 8
	for _, verb := range []string{"put", "get"} {
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := quorateCommand(t, "kv", "import", "--dir", c.Dir, "--prefix", verb, tree); err != nil {
				t.Error(err)
			}
		})
		for i := range commands {
			all.Go(func() {
				args := []string{"kv", verb, "--dir", c.Dir, fmt.Sprint("side/", i)}
				if verb == "put" {
					args = append(args, "value")
				}
				if out, err := quorateCommand(t, args...); err != nil || verb == "get" && out != "value" {
					t.Errorf("%s %d: %q, %v", verb, i, out, err)
				}
			})
		}
		all.Wait()
	}
	long := strings.Repeat("k", c.Genesis.Limits.KeyBytes+1)
	if _, err := quorateCommand(t, "kv", "get", "--dir", c.Dir, long); err == nil || !strings.Contains(err.Error(), "the cluster's limit for a key is") || strings.Count(err.Error(), long) > 1 {
		t.Errorf("a key that is too long: %v", err)
	}
	large := filepath.Join(t.TempDir(), "large")
	must(t, os.WriteFile(large, make([]byte, c.Genesis.Limits.ValueBytes+1), 0o644))
	for _, args := range [][]string{{"put"}, {"cas", "--absent"}} {
		_, err := quorateCommand(t, append(append([]string{"kv"}, args...), "--dir", c.Dir, "--file", large, "key")...)
		if want := fmt.Sprintf("the value has %d bytes, the cluster's limit for a value is %d", c.Genesis.Limits.ValueBytes+1, c.Genesis.Limits.ValueBytes); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a value that is too long: %v", err)
		}
	}
	claim, err := testnet.ClaimKey(c.BenchKey())
	must(t, err)
	defer claim.Release()
	if _, err := quorateCommand(t, "kv", "get", "--dir", c.Dir, "--key", c.BenchKey(), "side/0"); err == nil {
		t.Error("a command spoke with a key that another holds")
	}
}
