package transcript

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestLogKeepsTheNewest: within its room, over many starts, in order.
func TestLogKeepsTheNewest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "transcript")
	const room = 1 << 10
	last := byte(0)
	for range 3 {
		s, err := openLog(dir, room)
		if err != nil {
			t.Fatal(err)
		}
		for range 40 {
			if s.full() {
				if err := s.next(); err != nil {
					t.Fatal(err)
				}
			}
			last++
			if _, err := s.Write(bytes.Repeat([]byte{last}, 100)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
	all, err := segments(dir)
	if err != nil || len(all) < 2 {
		t.Fatalf("segments %v, %v", all, err)
	}
	var text []byte
	for _, path := range all {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, b...)
	}
	if len(text) < room/2 || len(text) > room+2*100 {
		t.Errorf("%d bytes are kept, with room for %d", len(text), room)
	}
	for i, b := range text {
		if want := last - byte(len(text)/100-1-i/100); b != want {
			t.Fatalf("byte %d is of record %d, want %d: the newest in order", i, b, want)
		}
	}
}

// TestLogOfManyStarts: small files do not add up.
func TestLogOfManyStarts(t *testing.T) {
	dir := t.TempDir()
	for range maxSegments + 10 {
		s, err := openLog(dir, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := segments(dir); err != nil || len(all) > maxSegments+1 {
		t.Errorf("%d files are kept, %v", len(all), err)
	}
}
