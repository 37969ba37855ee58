package state

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

var errCrash = errors.New("the machine lost power")

// failing is a disk whose machine loses power at a chosen Apply: just before
// it, or just after, when the caller has not heard of it yet.
type failing struct {
	*Memory
	left  int // applies until then; negative: never
	after bool
}

func (f *failing) Apply(b *Batch, sync bool) error {
	if f.left == 0 {
		if f.after {
			_ = f.Memory.Apply(b, sync)
		}
		return errCrash
	}
	f.left--
	return f.Memory.Apply(b, sync)
}

// kept makes a store that holds content at seq.
func kept(t fataler, seq consensus.Seq, content map[string]string) (*Memory, *State, crypto.Digest) {
	t.Helper()
	store := NewMemory()
	s := open(t, store)
	for _, key := range slices.Sorted(maps.Keys(content)) {
		put(t, s, key, content[key])
	}
	root := mark(t, s, seq)
	check(t, s.Keep(seq, root, []byte("proof")))
	return store, s, root
}

// serve returns the snapshot of a kept height, which is there at the second ask
// at the latest.
func serve(t fataler, s *State, seq consensus.Seq, root crypto.Digest) *Snapshot {
	t.Helper()
	p, err := s.Snapshot(seq, root)
	if errors.Is(err, ErrGone) {
		p, err = s.Snapshot(seq, root)
	}
	check(t, err)
	return p
}

// fetch is what a replica does to restore: ask, put, ask again, end. It asks
// for few items at a time and notes all of them.
func fetch(t fataler, s *State, from *Snapshot, asked map[string]bool) error {
	t.Helper()
	for range 100_000 {
		missing, more, err := s.RestoreBegin(from.Seq, from.Root, []byte("proof"))
		if err != nil {
			return err
		}
		if len(missing) == 0 {
			if more {
				t.Fatalf("nothing is missing, but more is")
			}
			ok, err := s.RestoreEnd()
			if err == nil && !ok {
				t.Fatalf("nothing was missing, but the restore does not end")
			}
			return err
		}
		for len(missing) > 0 {
			batch := missing[:min(len(missing), 7)]
			parts, err := from.Read(batch, 3000)
			check(t, err)
			batch = batch[:len(parts)]
			for _, item := range batch {
				asked[item.ID] = true
			}
			done, bad, next, _, err := s.RestorePut(batch, parts)
			if err != nil {
				return err
			}
			if len(bad) > 0 || len(done) != len(batch) {
				t.Fatalf("put of %d honest parts: %d done, %d bad", len(batch), len(done), len(bad))
			}
			missing = append(missing[len(batch):], next...)
		}
	}
	t.Fatalf("the restore does not end")
	return nil
}

func drawContent(t *rapid.T, base map[string]string, label string) map[string]string {
	content := maps.Clone(base)
	space := rapid.SampledFrom([]int{1, 30, 300, 1500}).Draw(t, label+" space")
	stride := rapid.IntRange(1, 7).Draw(t, label+" stride")
	for i := 0; i < space; i += stride {
		key := fmt.Sprintf("key %d", i)
		switch rapid.IntRange(0, 5).Draw(t, label+" value") {
		case 0:
			delete(content, key)
		case 1:
			content[key] = ""
		case 2:
			content[key] = strings.Repeat("long", 300+i)
		default:
			content[key] = fmt.Sprint(label, i)
		}
	}
	return content
}

// TestRestoreBetweenAnyStates restores from any state to any other, with a
// crash at every Apply in turn, turning on the way to a newer state sometimes.
func TestRestoreBetweenAnyStates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mine := drawContent(t, map[string]string{}, "mine")
		base := map[string]string{}
		if rapid.Bool().Draw(t, "related") {
			base = mine
		}
		theirs := drawContent(t, base, "theirs")
		newer := drawContent(t, theirs, "newer")
		memory, _, _ := kept(t, 64, mine)
		_, first, firstRoot := kept(t, 128, theirs)
		_, second, secondRoot := kept(t, 192, newer)
		turn := rapid.IntRange(0, 30).Draw(t, "turn")
		source := serve(t, first, 128, firstRoot)
		target := theirs
		disk := &failing{Memory: memory, after: rapid.Bool().Draw(t, "after")}
		asked := map[string]bool{}
		config := Config{NodeCacheBytes: 5000, swapWrites: rapid.SampledFrom([]int{1, 5, 100}).Draw(t, "batch")}
		for crashes := 0; ; crashes++ {
			if crashes == turn {
				source = serve(t, second, 192, secondRoot)
				target = newer
			}
			disk.left = rapid.SampledFrom([]int{0, 1, 2, 5, 12, 80, 1000}).Draw(t, "crash") + crashes
			s, err := Open(disk, config)
			if seq, _, _ := heightOf(s, err); err == nil && seq == source.Seq {
				break // finished at Open
			}
			if err == nil {
				err = fetch(t, s, source, asked)
			}
			if err == nil {
				break
			}
			if !errors.Is(err, errCrash) {
				t.Fatalf("after %d crashes: %v", crashes, err)
			}
			memory.Crash()
		}
		finished(t, memory, source, target)
	})
}

// TestCrashAtEveryStepOfASwap crashes at each Apply between the marker and the
// end, and again at each while Open finishes, where the two states have every
// pair of kinds of nodes at some path: nothing, leaf, and inner node.
func TestCrashAtEveryStepOfASwap(t *testing.T) {
	few, many := map[string]string{}, map[string]string{}
	for i, key := range append(aimed(40, "3"), aimed(40, "77")...) {
		switch {
		case i%3 == 0:
			few[key] = "few"
		case i%40 < 4 || i > 40:
			many[key] = "many"
		default:
			few[key], many[key] = "few and many", "few and many"
		}
	}
	some := map[string]string{aimed(1, "3")[0]: "some"}
	for name, pair := range map[string][2]map[string]string{
		"few to many": {few, many}, "many to few": {many, few}, "many to some": {many, some},
		"some to many": {some, many}, "all to none": {many, {}}, "none to all": {{}, few},
	} {
		_, other, root := kept(t, 128, pair[1])
		from := serve(t, other, 128, root)
		for first := 0; ; first++ {
			memory, _, _ := kept(t, 64, pair[0])
			disk := &failing{Memory: memory, left: first, after: first%2 == 0}
			s, err := Open(disk, Config{swapWrites: 1 + first%4})
			if err == nil {
				err = fetch(t, s, from, map[string]bool{})
			}
			crashed := errors.Is(err, errCrash)
			for second := 0; errors.Is(err, errCrash); second += 3 {
				memory.Crash()
				disk.left = second
				if s, err = Open(disk, Config{swapWrites: 2}); err == nil {
					err = fetch(t, s, from, map[string]bool{})
				}
			}
			must(t, err)
			finished(t, memory, from, pair[1])
			if !crashed {
				if first < 4 {
					t.Errorf("%s: only %d applies", name, first)
				}
				break
			}
		}
	}
}

func heightOf(s *State, err error) (consensus.Seq, crypto.Digest, []byte) {
	if err != nil {
		return 0, crypto.Digest{}, nil
	}
	return s.Height()
}

// finished checks that the store on memory is exactly what was to be restored.
func finished(t fataler, memory *Memory, source *Snapshot, want map[string]string) {
	t.Helper()
	memory.Crash()
	s := open(t, memory)
	seq, root, proof := s.Height()
	if seq != source.Seq || root != source.Root || !bytes.Equal(proof, []byte("proof")) {
		t.Fatalf("height %d root %s, want %d %s", seq, root.Short(), source.Seq, source.Root.Short())
	}
	if _, all := contents(t, s); !maps.Equal(all, want) {
		t.Fatalf("the restored state has another content")
	}
	exact(t, memory, s, want)
	serve(t, s, seq, root)
}

// TestRestoreAsksOnlyForDifferences checks each item against the own state.
func TestRestoreAsksOnlyForDifferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mine := drawContent(t, map[string]string{}, "mine")
		theirs := drawContent(t, mine, "theirs")
		memory, s, _ := kept(t, 64, mine)
		before := memory.clone()
		_, other, root := kept(t, 128, theirs)
		source := serve(t, other, 128, root)
		asked := map[string]bool{}
		check(t, fetch(t, s, source, asked))
		finished(t, memory, source, theirs)
		for id := range asked {
			switch id[0] {
			case idValue:
				if v, ok := mine[id[1:]]; ok && v == theirs[id[1:]] {
					t.Fatalf("asked for the value of %q, which is here", id[1:])
				}
			default:
				mineEnc, ok, _ := before.Get(nodePrefix + id[1:])
				theirsEnc, _, _ := memory.Get(nodePrefix + id[1:])
				if ok && bytes.Equal(mineEnc, theirsEnc) {
					t.Fatalf("asked for node %q, which is here", id[1:])
				}
			}
		}
		it := memory.Iterate("", "")
		for it.Next() {
			if k := string(it.Key()); strings.HasPrefix(k, stagePrefix) || k == stageKey || k == markerKey {
				t.Fatalf("%q is left behind", k)
			}
		}
	})
}

// clone returns an independent copy, as it is now; what was not synced in m
// counts as synced in the copy.
func (m *Memory) clone() *Memory { return &Memory{seen: *m.seen.Copy()} }
