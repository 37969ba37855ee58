package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFullDiskLeavesTheOlderFile: on a disk without room each flag that names a file
// leaves yesterday's whole, says which file it was, and is no success.
func TestFullDiskLeavesTheOlderFile(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64k,mode=700"); err != nil {
		t.Skip("no file system can be mounted here: ", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(disk, 0)) })
	tables := "before\n" + strings.Repeat("yesterday's\n", 500) + "<!-- quorate costs: from here -->\n<!-- quorate costs: to here -->\n"
	old := filepath.Join(disk, "old")
	must(t, os.WriteFile(old, []byte(tables), 0o600))
	filler, err := os.Create(filepath.Join(disk, "filler"))
	must(t, err)
	for err == nil {
		_, err = filler.Write(make([]byte, 4<<10))
	}
	must(t, filler.Close())
	for _, line := range []string{
		"bounds --only raft-n-3-one --html FILE", "costs --protocol raft --sizes 3 --decisions 1 --svg FILE",
		"costs --sizes 4 --decisions 1 --write FILE", "testnet compare --duration 1s --html FILE",
	} {
		args := strings.Fields(strings.Replace(line, "FILE", old, 1))
		code, said := into(t, open(t, os.DevNull), args...)
		if code == 0 || !strings.Contains(said, old) || !strings.Contains(said, "no space left") {
			t.Errorf("quorate %s: exit code %d, %s", line, code, said)
		}
		if b, err := os.ReadFile(old); err != nil || string(b) != tables {
			t.Errorf("quorate %s: yesterday's file has %d bytes, %v", line, len(b), err)
		}
		if left, err := os.ReadDir(disk); err != nil || len(left) != 2 {
			t.Errorf("quorate %s leaves %v, %v", line, left, err)
		}
	}
}
