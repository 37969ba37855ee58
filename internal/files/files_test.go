package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReplaceIsWhole: what cannot be written whole leaves what was there, and no
// trace beside it.
func TestReplaceIsWhole(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		old   string
		write func(io.Writer) error
		want  string
	}{
		"new":           {"", func(w io.Writer) error { _, err := io.WriteString(w, "b"); return err }, "b"},
		"over":          {"a", func(w io.Writer) error { _, err := io.WriteString(w, "b"); return err }, "b"},
		"broken":        {"a", func(w io.Writer) error { _, _ = io.WriteString(w, "half"); return broken }, "a"},
		"broken at new": {"", func(w io.Writer) error { return broken }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			if test.old != "" {
				if err := os.WriteFile(path, []byte(test.old), 0o604); err != nil {
					t.Fatal(err)
				}
			}
			if err := Replaceable(path); err != nil {
				t.Fatal(err)
			}
			err := Replace(path, test.write)
			if strings.Contains(name, "broken") != errors.Is(err, broken) {
				t.Errorf("error %v", err)
			}
			if b, _ := os.ReadFile(path); string(b) != test.want {
				t.Errorf("%q, want %q", b, test.want)
			}
			if stat, err := os.Stat(path); test.old != "" && (err != nil || stat.Mode().Perm() != 0o604) {
				t.Errorf("mode %v, %v", stat, err)
			}
			left, err := os.ReadDir(filepath.Dir(path))
			if want := min(1, len(test.want)); err != nil || len(left) != want {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}

// TestReplaceWritesIntoDevices: a device is not replaced by a file, and says when it
// takes no more.
func TestReplaceWritesIntoDevices(t *testing.T) {
	write := func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }
	for path, fails := range map[string]bool{os.DevNull: false, "/dev/full": true} {
		before, err := os.Lstat(path)
		if err != nil {
			continue
		}
		if err := Replaceable(path); err != nil {
			t.Error(err)
		}
		if err := Replace(path, write); (err != nil) != fails {
			t.Errorf("%s: %v", path, err)
		}
		if after, err := os.Lstat(path); err != nil || after.Mode() != before.Mode() {
			t.Fatalf("%s is now %v, %v", path, after, err)
		}
	}
}

// TestWhereNothingCanBeWritten: the sentence says what to do.
func TestWhereNothingCanBeWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nowhere", "file")
	want := path + " cannot be written: there is no directory " + filepath.Dir(path) + ": make it first"
	for _, err := range []error{Replaceable(path), Replace(path, func(io.Writer) error { return nil }), Write(path, nil, 0o600)} {
		if err == nil || err.Error() != want || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestWhereTheSystemMakesNoFiles: a directory that is there is not called missing.
func TestWhereTheSystemMakesNoFiles(t *testing.T) {
	const path = "/proc/file"
	if _, err := os.Stat("/proc/self"); err != nil {
		t.Skip(err)
	}
	if err := Replaceable(path); err == nil || err.Error() != path+" cannot be written: no file may be made in /proc: choose another directory" {
		t.Error(err)
	}
}

// TestReadIsBounded: also of what does not say how long it is.
func TestReadIsBounded(t *testing.T) {
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip(err)
	}
	if b, err := Read("/dev/zero", 1000); !errors.Is(err, ErrInvalid) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}
