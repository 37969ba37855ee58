package testnet

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk is a directory with a file system of its own, which is soon full.
func smallDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size+",mode=700"); err != nil {
		t.Skip("no file system can be mounted here: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes all room but so many pages.
func fill(t *testing.T, dir string, pages int64) (release func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	written := int64(0)
	for page := make([]byte, 4<<10); err == nil; written++ {
		_, err = f.Write(page)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate((written-1-pages)*4<<10), f.Close()); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// A replica that finds its disk full when it starts says so in our words, whichever
// file it was that found no room, and starts when there is some.
func TestFullDiskAtTheStart(t *testing.T) {
	dir := smallDisk(t, "96m")
	c, err := Init(Options{Dir: filepath.Join(dir, "net"), Replicas: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Down(); err != nil {
			t.Error(err)
		}
	})
	if _, err := c.Up(); err != nil {
		t.Fatal(err)
	}
	ready(t, c)
	for pages := range int64(6) {
		if err := c.Down(); err != nil {
			t.Fatal(err)
		}
		release := fill(t, dir, pages)
		_, err := c.Up()
		for end := time.Now().Add(ReadyWithin); err == nil && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if s := c.Status(t.Context(), 0); s.Condition == Stopped {
				err = errors.New(s.Health)
			} else if s.Ready {
				break
			}
		}
		if err != nil {
			said := err.Error()
			if !strings.Contains(said, "no space left on device") || !strings.Contains(said, "make room") ||
				strings.Contains(said, "newManifest") || strings.Contains(said, "cleanup") || strings.Contains(said, "\n") {
				t.Errorf("with %d pages: %s", pages, said)
			}
		}
		release()
		if _, err := c.Up(); err != nil {
			t.Fatalf("after making room: %v", err)
		}
		ready(t, c)
	}
}

// An init that fails removes what it made, and nothing else.
func TestFailedInitLeavesNothing(t *testing.T) {
	disk := smallDisk(t, "4m")
	defer fill(t, disk, 12)()
	for _, dir := range []string{"net", "deep/er/net", "there/net", "mine"} {
		at := filepath.Join(disk, dir)
		kept := map[string]string{"there": "", "mine/notes": "mine", "mine/lock": "mine", "mine/replica-9/key": "mine"}
		for path, text := range kept {
			if err := os.MkdirAll(filepath.Join(disk, filepath.Dir(path)), 0o755); err != nil {
				t.Fatal(err)
			}
			if text == "" {
				if err := os.MkdirAll(filepath.Join(disk, path), 0o755); err != nil {
					t.Fatal(err)
				}
			} else if err := os.WriteFile(filepath.Join(disk, path), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		before := tree(t, disk)
		_, err := Init(Options{Dir: at})
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "make room on the disk") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", dir, err)
		}
		if after := tree(t, disk); after != before {
			t.Errorf("%s: there was\n%s and there is\n%s", dir, before, after)
		}
	}
}

// tree lists all that is in a directory.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		b.WriteString(path + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
