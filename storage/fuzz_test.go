package storage

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// FuzzOpenLog puts arbitrary bytes behind a sound head block, and arbitrary
// files in the place of whole ones. Opening never panics; what opens can be
// appended to and opens again with the same records and more.
func FuzzOpenLog(f *testing.F) {
	s := segment{index: 1, first: 1, salt: 7}
	var raw []byte
	chain, synced := uint32(0), uint64(0)
	for i := range 6 {
		r := record(i)
		fr := frame{seq: uint64(i + 1), slot: uint64(r.Slot), synced: synced, kind: frameRecord}
		raw = appendFrame(raw, s.salt, chain, &fr, r.Bytes)
		if chain = fr.chain; i == 2 {
			synced = 3
		}
	}
	f.Add(raw, false)
	f.Add(raw[:len(raw)-9], false)
	f.Add(append(make([]byte, 64), raw...), false)
	f.Add(s.block(me).encode(), true)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, raw []byte, whole bool) {
		o := small()
		o.Volatile = true
		dir := filepath.Join(t.TempDir(), "log")
		l, _ := open(t, dir, o)
		closed(t, l)
		if !whole {
			raw = append(s.block(me).encode(), raw...)
		}
		if err := os.WriteFile(segmentPath(dir, 1), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		l, records, err := OpenLog(dir, o)
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrForeign) && !errors.Is(err, errVersion) {
				t.Fatalf("an error without a type: %v", err)
			}
			return
		}
		n := 0
		for _, r := range records {
			n += len(r.Bytes)
		}
		if n > len(raw) {
			t.Fatalf("%d bytes of records from %d bytes of file", n, len(raw))
		}
		fill(t, l, 0, 3)
		closed(t, l)
		l, again := open(t, dir, o)
		defer l.Close()
		if len(again) != len(records)+3 {
			t.Fatalf("%d records after appending 3 to %d", len(again), len(records))
		}
	})
}
