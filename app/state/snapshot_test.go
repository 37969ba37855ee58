package state

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// advance keeps one more height, with something in it that is different.
func advance(t *testing.T, s *State, seq consensus.Seq) crypto.Digest {
	t.Helper()
	put(t, s, "height", fmt.Sprint(seq))
	root := mark(t, s, seq)
	must(t, s.Keep(seq, root, nil))
	return root
}

func TestSnapshotsStayWhileTheyAreAskedFor(t *testing.T) {
	s, err := Open(NewMemory(), Config{SnapshotIdle: 128})
	must(t, err)
	roots := map[consensus.Seq]crypto.Digest{}
	served := func() string {
		var out []string
		for _, p := range s.serving.pinned {
			out = append(out, fmt.Sprint(p.Seq))
		}
		return strings.Join(out, " ")
	}
	steps := []struct {
		ask  consensus.Seq
		want string // after keeping the next height
	}{
		{0, ""},              // nobody ever asked for any
		{64, "64 128"},       // asked for, and what is kept next is servable, too
		{64, "64 128 192"},   // asked for, so it stays
		{64, "64 192 256"},   // at most three: 128 was never asked for
		{0, "64 256 320"},    // not asked for since 192, two heights ago
		{0, "320 384"},       // idle for more than 128
		{384, "384 448"},     // 320 was never asked for
		{448, "384 448 512"}, // both were
		{512, "448 512 576"}, // the oldest goes
	}
	for i, step := range steps {
		seq := consensus.Seq(64 * (i + 1))
		if step.ask > 0 {
			serve(t, s, step.ask, roots[step.ask])
		}
		roots[seq] = advance(t, s, seq)
		if got := served(); got != step.want {
			t.Errorf("after %d: %s servable, want %s", seq, got, step.want)
		}
	}
	if p, err := s.Snapshot(576, roots[512]); !errors.Is(err, ErrGone) {
		t.Errorf("a snapshot with another root: %v %v", p, err)
	}
	until := consensus.Seq(576 + servedFor*128)
	for seq := consensus.Seq(640); seq <= until; seq += 64 {
		if advance(t, s, seq); len(s.lower.unsaved.records) > 0 {
			t.Errorf("at %d nodes stay in memory while snapshots are asked for", seq)
		}
	}
	if advance(t, s, until+64); served() != "" || len(s.lower.unsaved.records) == 0 {
		t.Errorf("when nobody asks any more: %s, %d records", served(), len(s.lower.unsaved.records))
	}
}

// TestFirstAskIsAnsweredByTheNextKeep: the first ask for a kept height whose nodes are
// in memory stores nothing, and the height that is kept next is servable. The
// second ask for the same height makes it servable.
func TestFirstAskIsAnsweredByTheNextKeep(t *testing.T) {
	for _, next := range []bool{true, false} {
		disk := &failing{Memory: NewMemory(), left: -1}
		s := open(t, disk)
		root := advance(t, s, 64)
		put(t, s, "height", "goes on")
		disk.left = 0 // nothing may be written
		if _, err := s.Snapshot(64, root); !errors.Is(err, ErrGone) {
			t.Fatalf("first ask: %v", err)
		}
		if _, err := s.Snapshot(128, root); !errors.Is(err, ErrGone) {
			t.Fatalf("a height that is not kept yet: %v", err)
		}
		if next {
			disk.left = -1
			root = advance(t, s, 128)
			put(t, s, "height", "goes on")
			disk.left = 0
			if _, err := s.Snapshot(128, root); err != nil {
				t.Errorf("after the next Keep: %v", err)
			}
			continue
		}
		if _, err := s.Snapshot(64, root); !errors.Is(err, errCrash) {
			t.Errorf("second ask on a failed disk: %v", err)
		}
		disk.left = -1
		if _, err := s.Snapshot(64, root); err != nil {
			t.Errorf("second ask: %v", err)
		}
	}
	s := open(t, NewMemory())
	root := advance(t, s, 64)
	if _, err := s.Snapshot(64, root); err != nil {
		t.Errorf("first ask while nothing goes on: %v", err)
	}
}

func TestSnapshotReadStopsAtItsBudget(t *testing.T) {
	s := open(t, NewMemory())
	var items []consensus.Item
	for i := range 50 {
		value := strings.Repeat("x", 2000) + fmt.Sprint(i)
		put(t, s, fmt.Sprint("key", i), value)
		items = append(items, consensus.Item{ID: fmt.Sprint("vkey", i), Hash: crypto.Hash([]byte(value))})
	}
	root := mark(t, s, 1)
	must(t, s.Keep(1, root, nil))
	p := serve(t, s, 1, root)
	for budget, want := range map[int]int{-1: 1, 1: 1, 2003: 2, 5000: 3, 1 << 20: 50} {
		parts, err := p.Read(items, budget)
		if err != nil || len(parts) != want {
			t.Errorf("budget %d: %d parts, want %d (%v)", budget, len(parts), want, err)
		}
	}
	wrong := append([]consensus.Item{}, items...)
	for i := range wrong {
		wrong[i].Hash = root
	}
	for name, items := range map[string][]consensus.Item{
		"none": nil, "wrong hashes": wrong,
		"nonsense": {{ID: ""}, {ID: "x"}, {ID: "n" + strings.Repeat("0", 65)}, {ID: "nG", Hash: root}, {ID: "v" + strings.Repeat("k", 9000)}},
	} {
		if _, err := p.Read(items, 1<<20); !errors.Is(err, ErrGone) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// An item that is not here does not hide those that are.
	if parts, err := p.Read([]consensus.Item{{ID: "n77", Hash: root}, items[3]}, 1<<20); err != nil || len(parts) != 1 || parts[0].ID != items[3].ID {
		t.Errorf("beside an unknown item: %v %v", parts, err)
	}
}

// TestSnapshotIsReadWhileTheStateGoesOn is for the race detector above all.
func TestSnapshotIsReadWhileTheStateGoesOn(t *testing.T) {
	content := map[string]string{}
	for i := range 500 {
		content[fmt.Sprint(i)] = fmt.Sprint("value ", i)
	}
	_, s, root := kept(t, 64, content)
	p := serve(t, s, 64, root)
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			_, taker, _ := kept(t, 0, nil)
			for range 3 {
				if err := fetch(t, taker, p, map[string]bool{}); err != nil {
					t.Error(err)
				}
			}
			if _, got, _ := taker.Height(); got != root {
				t.Error("another state arrived")
			}
		})
	}
	for seq := consensus.Seq(65); seq < 90; seq++ {
		for i := range 50 {
			put(t, s, fmt.Sprint(i*7), fmt.Sprint("later ", seq))
		}
		must(t, s.Keep(seq, mark(t, s, seq), nil))
	}
	wait.Wait()
}
