package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
)

// reseated sets byte at of a block and makes its checksum right again.
func reseated(raw []byte, at int, value byte) []byte {
	raw[at] = value
	binary.BigEndian.PutUint32(raw[blockBytes-4:], crc32.Checksum(raw[:blockBytes-4], castagnoli))
	return raw
}

func origin(t *testing.T, data string, want Origin) {
	t.Helper()
	got, err := Birth(data, me)
	if err != nil || got != want {
		t.Fatalf("origin %v, %v; want %v", got, err, want)
	}
}

func TestHomeIsBornOnce(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	origin(t, data, Wiped)
	if err := Init(data, me); err != nil {
		t.Fatal(err)
	}
	origin(t, data, Born)
	if err := Init(data, me); !errors.Is(err, errBorn) {
		t.Fatalf("second init: %v", err)
	}
	if err := Readmit(data, me); !errors.Is(err, errBorn) {
		t.Fatalf("readmission of a home that lost nothing: %v", err)
	}
}

// PROTOCOL.md §8: a wiped disk is amnesiac, and stays so through restarts
// until it has rejoined.
func TestWipedHomeStaysAmnesiacUntilSettled(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := Init(data, me); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	origin(t, data, Wiped)
	if err := Readmit(data, me); err != nil {
		t.Fatal(err)
	}
	origin(t, data, Reborn)
	if !Reborn.Amnesiac() || !Wiped.Amnesiac() || Born.Amnesiac() {
		t.Fatal("wiped and reborn homes are amnesiac, born ones are not")
	}
	if err := Settle(data, me); err != nil {
		t.Fatal(err)
	}
	origin(t, data, Born)
}

func TestHalfAHomeIsRefused(t *testing.T) {
	cases := []struct {
		name string
		do   func(data string) error
		want error
	}{
		{"log removed", func(data string) error { return os.RemoveAll(LogDir(data)) }, ErrNoLog},
		{"birth removed", func(data string) error { return os.Remove(birthPath(data)) }, ErrNoBirth},
		{"birth cut", func(data string) error { return os.Truncate(birthPath(data), 40) }, ErrDamaged},
		{"birth longer", func(data string) error { return os.Truncate(birthPath(data), 4000) }, ErrDamaged},
		{"birth empty", func(data string) error { return os.Truncate(birthPath(data), 0) }, ErrDamaged},
		{"birth and damaged log", func(data string) error {
			return errors.Join(os.Remove(birthPath(data)), os.Truncate(filepath.Join(LogDir(data), baseName), 3))
		}, ErrDamaged},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			if err := Init(data, me); err != nil {
				t.Fatal(err)
			}
			l, _ := open(t, LogDir(data), LogOptions{Identity: me})
			if err := l.Append([]consensus.Record{record(1)}); err != nil {
				t.Fatal(err)
			}
			closed(t, l)
			if err := c.do(data); err != nil {
				t.Fatal(err)
			}
			_, err := Birth(data, me)
			if !errors.Is(err, c.want) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("error %v, want one line with %v", err, c.want)
			}
		})
	}
}

func TestEveryFlippedBitInTheBirthRecordIsRefused(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := Init(data, me); err != nil {
		t.Fatal(err)
	}
	for at := range int64(blockBytes) {
		flip(t, birthPath(data), at, 0x04)
		if _, err := Birth(data, me); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d flipped: %v", at, err)
		}
		flip(t, birthPath(data), at, 0x04)
	}
}

func TestBirthOfAnotherReplicaIsRefused(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := Init(data, me); err != nil {
		t.Fatal(err)
	}
	other := me
	other.Replica = 0
	if _, err := Birth(data, other); !errors.Is(err, ErrForeign) {
		t.Fatalf("another replica's home: %v", err)
	}
}

// A crash inside Init leaves an empty log without birth record; the home can
// still be born.
func TestInitAfterACrashInsideInit(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := Init(data, me); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(birthPath(data)); err != nil {
		t.Fatal(err)
	}
	origin(t, data, Wiped)
	if err := os.Remove(filepath.Join(LogDir(data), baseName)); err != nil {
		t.Fatal(err)
	}
	origin(t, data, Wiped)
	if err := Init(data, me); err != nil {
		t.Fatal(err)
	}
	origin(t, data, Born)
}

func TestHomeHasOneProcess(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	lock, err := LockHome(data, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockHome(data, ""); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprintf("process %d holds", os.Getpid())) {
		t.Fatalf("second lock: %v", err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	lock, err = LockHome(data, "")
	if err != nil {
		t.Fatalf("after unlocking: %v", err)
	}
	lock.Unlock()
}
