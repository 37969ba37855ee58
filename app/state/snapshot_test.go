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
		for _, p := range s.pinned {
			out = append(out, fmt.Sprint(p.Seq))
		}
		return strings.Join(out, " ")
	}
	steps := []struct {
		ask  consensus.Seq
		want string // after keeping the next height
	}{
		{0, "0 64"},
		{64, "64 128"},       // 0 was never asked for
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
			if _, ok := s.Snapshot(step.ask, roots[step.ask]); !ok {
				t.Fatalf("before %d: %d is not servable", seq, step.ask)
			}
		}
		roots[seq] = advance(t, s, seq)
		if got := served(); got != step.want {
			t.Errorf("after %d: %s servable, want %s", seq, got, step.want)
		}
	}
	if _, ok := s.Snapshot(576, roots[512]); ok {
		t.Error("a snapshot with another root")
	}
	s.Release()
	if got := served(); got != "576" {
		t.Errorf("after a release: %s", got)
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
	p, _ := s.Snapshot(1, root)
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
	p, _ := s.Snapshot(64, root)
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
