package home

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/crypto"
)

// TestKeyFileModes: only a file that nobody else can read is read.
func TestKeyFileModes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	seed := seedOf("modes", 0)
	if err := WriteKey(path, seed, ""); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]error{0o600: nil, 0o400: nil, 0o640: ErrKeyMode, 0o604: ErrKeyMode, 0o644: ErrKeyMode, 0o610: ErrKeyMode} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		got, err := ReadKey(path, nil)
		if !errors.Is(err, want) || err == nil && got != seed {
			t.Errorf("mode %o: got %v, want %v", mode, err, want)
		}
	}
	// What is no key at all is not made one by chmod.
	none := filepath.Join(t.TempDir(), "genesis.toml")
	if err := os.WriteFile(none, []byte("version = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKey(none, nil); !errors.Is(err, crypto.ErrKeyFile) || errors.Is(err, ErrKeyMode) {
		t.Errorf("no key: %v", err)
	}
	if err := WriteKey(path, seed, ""); !errors.Is(err, os.ErrExist) {
		t.Errorf("a key file was overwritten: %v", err)
	}
	lost := filepath.Join(t.TempDir(), "nowhere", "new.key")
	if err := WriteKey(lost, seed, ""); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "there is no directory "+filepath.Dir(lost)+": make it first") {
		t.Errorf("no directory: %v", err)
	}
}
