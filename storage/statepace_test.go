package storage

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/app/state"
)

func TestRestOfAMerge(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		took   time.Duration
		tables int
		want   time.Duration
	}{
		{2 * ms, 0, 6 * ms},
		{2 * ms, firstTables, 6 * ms},
		{2 * ms, firstTables * 3 / 2, 3 * ms},
		{2 * ms, 2 * firstTables, 0},
		{2 * ms, 3 * firstTables, 0}, // writes wait for the merge by now
		{50 * ms, 0, restMost},       // it waited for a core, which is no work
		{0, 0, 0},
	} {
		if got := restOf(c.took, c.tables); got != c.want {
			t.Errorf("a piece of %v with %d tables waiting: rest %v, not %v", c.took, c.tables, got, c.want)
		}
	}
}

// overwrite writes batch i, large enough to be tables at once, over the same keys.
func overwrite(t *testing.T, s *StateStore, i int) {
	t.Helper()
	b := &state.Batch{}
	for k := range 20 {
		b.Put(fmt.Sprintf("key %02d", k), fmt.Appendf(nil, "%04d%65536d", i, 0))
	}
	if err := s.Apply(b, true); err != nil {
		t.Fatal(err)
	}
}

// hasBatch checks that a store has what batch i wrote.
func hasBatch(t *testing.T, s *StateStore, i int) {
	t.Helper()
	for k := range 20 {
		key, want := fmt.Sprintf("key %02d", k), fmt.Sprintf("%04d", i)
		if got, ok, err := s.Get(key); err != nil || !ok || !strings.HasPrefix(string(got), want) {
			t.Fatalf("%s is %.4q, %v; the last batch wrote %s", key, got, err, want)
		}
	}
}

// Merges rest and batches do not. Nothing is lost when the process is killed while one
// rests, or when the store is closed, which no merge then holds up with another rest.
func TestMergesRest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	files, err := openStateFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	rests, begun, end := []time.Duration{}, make(chan struct{}), make(chan struct{})
	s, err := openOn(dir, files, 256<<10, &pace{sleep: func(d time.Duration) { // merges are one goroutine's
		if rests = append(rests, d); len(rests) == 1 {
			close(begun)
			<-end
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for resting := false; !resting; last++ {
		if last > 1000 {
			t.Fatal("no merge rested")
		}
		overwrite(t, s, last)
		select {
		case <-begun:
			resting = true
		default:
		}
	}
	last--
	if last == 0 {
		t.Error("a batch rested: alone it makes too few tables for a merge")
	}
	hasBatch(t, s, last)

	killed := openState(t, copyState(t, dir))
	hasBatch(t, killed, last)
	if err := killed.Close(); err != nil {
		t.Fatal(err)
	}

	done := make(chan error, 1)
	go func() { done <- s.Close() }()
	for !s.pace.closed.Load() {
		time.Sleep(time.Millisecond)
	}
	close(end)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, d := range rests[1:] {
		if d != 0 {
			t.Errorf("a merge rested %v while the store was closing", d)
		}
	}
	again := openState(t, dir)
	defer again.Close()
	hasBatch(t, again, last)
}
