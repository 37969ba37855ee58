package state

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestTxKeepsEmptyApartFromAbsent(t *testing.T) {
	s := open(t, NewMemory())
	for _, when := range []string{"in the layer", "in the store"} {
		put(t, s, "empty", "")
		put(t, s, "full", "x")
		if when == "in the store" {
			must(t, s.Keep(1, mark(t, s, 1), nil))
		}
		tx := s.Begin()
		tx.Delete("full")
		for key, want := range map[string]bool{"empty": true, "full": false, "never": false} {
			if v, ok := tx.Get(key); ok != want || len(v) != 0 {
				t.Errorf("%s: %s is %q %v", when, key, v, ok)
			}
		}
		tx.Rollback()
		if _, ok, _ := s.Get("full"); !ok {
			t.Errorf("%s: rolled back, but the deletion stays", when)
		}
	}
}

func TestTxCopiesWhatItIsGiven(t *testing.T) {
	s := open(t, NewMemory())
	value := []byte("before")
	tx := s.Begin()
	tx.Put("k", value)
	copy(value, "after!")
	must(t, tx.Commit())
	if v, _, _ := s.Get("k"); string(v) != "before" {
		t.Errorf("the caller's buffer shows through: %s", v)
	}
}

func TestTxRefusesWhatIsTooLarge(t *testing.T) {
	s := open(t, NewMemory())
	longest := strings.Repeat("k", MaxKeyBytes)
	tx := s.Begin()
	tx.Put(longest, make([]byte, 4<<20))
	must(t, tx.Commit())
	must(t, s.Keep(1, mark(t, s, 1), nil))
	for _, bad := range []func(*Tx){
		func(tx *Tx) { tx.Put(longest+"k", nil) },
		func(tx *Tx) { tx.Put("k", make([]byte, MaxValueBytes+1)) },
	} {
		tx := s.Begin()
		tx.Put("other", nil)
		bad(tx)
		if !errors.Is(tx.Commit(), errTooLarge) {
			t.Error("accepted")
		}
		if _, ok, _ := s.Get("other"); ok {
			t.Error("half of the transaction stays")
		}
	}
}

// TestMistakesOfTheCallerPanic names the misuse instead of going on wrongly.
func TestMistakesOfTheCallerPanic(t *testing.T) {
	mistakes := map[string]func(*State){
		"two at once":   func(s *State) { s.Begin(); s.Begin() },
		"use after end": func(s *State) { tx := s.Begin(); tx.Rollback(); tx.Put("k", nil) },
		"write in a range": func(s *State) {
			tx := s.Begin()
			tx.Put("k", nil)
			tx.Range("", "", 0, func(string, []byte) bool { tx.Delete("k"); return true })
		},
		"mark within":   func(s *State) { s.Begin(); _, _ = s.Mark(1) },
		"mark downward": func(s *State) { _, _ = s.Mark(2); _, _ = s.Mark(2) },
	}
	for name, mistake := range mistakes {
		s := open(t, NewMemory())
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			mistake(s)
		}()
	}
}

// TestPanicInARangeRollsBack is how a faulty application is survived.
func TestPanicInARangeRollsBack(t *testing.T) {
	s := open(t, NewMemory())
	put(t, s, "a", "1")
	func() {
		tx := s.Begin()
		defer func() {
			_ = recover()
			tx.Rollback()
		}()
		tx.Put("b", nil)
		tx.Range("", "", 0, func(string, []byte) bool { panic("the application's fault") })
	}()
	tx := s.Begin()
	tx.Put("c", nil)
	must(t, tx.Commit())
	if keys, _ := contents(t, s); fmt.Sprint(keys) != "[a c]" {
		t.Errorf("state has %v", keys)
	}
}

// broken is a disk that cannot be read any more.
type broken struct {
	*Memory
	bad bool
}

var errIO = errors.New("input/output error")

func (b *broken) Get(key string) ([]byte, bool, error) {
	if b.bad {
		return nil, false, errIO
	}
	return b.Memory.Get(key)
}

func (b *broken) Apply(batch *Batch, sync bool) error {
	if b.bad {
		return errIO
	}
	return b.Memory.Apply(batch, sync)
}

func TestFailuresOfTheStoreAreReported(t *testing.T) {
	disk := &broken{Memory: NewMemory()}
	s := open(t, disk)
	disk.bad = true
	tx := s.Begin()
	if _, ok := tx.Get("k"); ok || !errors.Is(tx.Err(), errStore) || !errors.Is(tx.Commit(), errIO) {
		t.Errorf("a read that failed: %v", tx.Err())
	}
	put(t, s, "k", "v")
	root := mark(t, s, 1)
	if err := s.Keep(1, root, nil); !errors.Is(err, errStore) {
		t.Errorf("a keep that failed: %v", err)
	}
	if _, _, err := s.RestoreBegin(2, root, nil); !errors.Is(err, errStore) {
		t.Errorf("a restore that failed: %v", err)
	}
	if _, err := Open(disk, Config{}); !errors.Is(err, errStore) {
		t.Errorf("an open that failed: %v", err)
	}
	if _, err := Open(NewMemory(), Config{NodeCacheBytes: -1}); err == nil {
		t.Error("a negative number of snapshots is accepted")
	}
}

// TestKeepCanBeRepeatedAfterAFailure: nothing may count as stored that is not.
func TestKeepCanBeRepeatedAfterAFailure(t *testing.T) {
	disk := &broken{Memory: NewMemory()}
	s := open(t, disk)
	content := map[string]string{}
	for i := range 100 {
		content[fmt.Sprint(i)] = "v"
		put(t, s, fmt.Sprint(i), "v")
	}
	root := mark(t, s, 1)
	disk.bad = true
	if err := s.Keep(1, root, nil); !errors.Is(err, errStore) {
		t.Fatal(err)
	}
	disk.bad = false
	must(t, s.Keep(1, root, nil))
	exact(t, disk.Memory, s, content)
}

func TestMemoryCrashForgetsWhatWasNotSynced(t *testing.T) {
	m := NewMemory()
	for i, sync := range []bool{true, false, true} {
		b := &Batch{}
		b.Put(fmt.Sprint(i), []byte("v"))
		b.Put("last", []byte{byte(i)})
		must(t, m.Apply(b, sync))
	}
	clone := m.clone()
	m.Crash()
	for key, want := range map[string]bool{"0": true, "1": false, "2": true} {
		if _, ok, _ := m.Get(key); ok != want {
			t.Errorf("after the crash %s is there: %v", key, ok)
		}
		if _, ok, _ := clone.Get(key); !ok {
			t.Errorf("the clone lost %s", key)
		}
	}
	if v, _, _ := m.Get("last"); !bytes.Equal(v, []byte{2}) {
		t.Errorf("last is %v", v)
	}
}
