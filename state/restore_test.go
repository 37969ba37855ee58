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

	"quorate/consensus"
	"quorate/crypto"
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
		source, _ := first.Snapshot(128, firstRoot)
		target := theirs
		disk := &failing{Memory: memory, after: rapid.Bool().Draw(t, "after")}
		asked := map[string]bool{}
		config := Config{NodeCacheBytes: 5000, swapWrites: rapid.SampledFrom([]int{1, 5, 100}).Draw(t, "batch")}
		for crashes := 0; ; crashes++ {
			if crashes == turn {
				source, _ = second.Snapshot(192, secondRoot)
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
		from, _ := other.Snapshot(128, root)
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
	if _, ok := s.Snapshot(seq, root); !ok {
		t.Fatalf("a restored state is not servable")
	}
}

// TestRestoreAsksOnlyForDifferences checks each item against the own state.
func TestRestoreAsksOnlyForDifferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mine := drawContent(t, map[string]string{}, "mine")
		theirs := drawContent(t, mine, "theirs")
		memory, s, _ := kept(t, 64, mine)
		before := memory.Clone()
		_, other, root := kept(t, 128, theirs)
		source, _ := other.Snapshot(128, root)
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

// TestRestoreListsWithinItsBound restores a state in which everything differs,
// all nodes before the first value, so that far more is missing at a time than
// may be listed; once from the first path on and once from the last.
func TestRestoreListsWithinItsBound(t *testing.T) {
	mine, theirs := map[string]string{}, map[string]string{}
	long := strings.Repeat("l", inlineBytes)
	for i := range MaxListed + 1000 {
		mine[fmt.Sprint(i)] = "mine"
		theirs[fmt.Sprint(i)] = fmt.Sprint(long, i)
	}
	_, other, root := kept(t, 128, theirs)
	from, _ := other.Snapshot(128, root)
	for _, sign := range []int{1, -1} {
		memory, s, _ := kept(t, 64, mine)
		rounds, cut := 0, 0
		for {
			missing, more, err := s.RestoreBegin(128, root, []byte("proof"))
			must(t, err)
			if len(missing) == 0 {
				break
			}
			rounds++
			for len(missing) > 0 {
				if len(missing) > MaxListed || len(missing) != len(s.restore.listed) {
					t.Fatalf("%d items are listed, the state has %d, limit %d", len(missing), len(s.restore.listed), MaxListed)
				}
				slices.SortFunc(missing, func(a, b consensus.Item) int {
					if a.ID[0] != b.ID[0] {
						return int(a.ID[0]) - int(b.ID[0])
					}
					return sign * strings.Compare(a.ID, b.ID)
				})
				batch := missing[:min(len(missing), 40)]
				parts, err := from.Read(batch, consensus.ChunkBytes)
				must(t, err)
				done, _, next, cutShort, err := s.RestorePut(batch[:len(parts)], parts)
				must(t, err)
				missing = append(missing[len(done):], next...)
				more = more || cutShort
			}
			if more {
				cut++
			}
		}
		if rounds < 2 || cut == 0 {
			t.Errorf("%d rounds, %d of them cut short: the bound was not reached", rounds, cut)
		}
		if ok, err := s.RestoreEnd(); !ok || err != nil {
			t.Fatalf("end: %v %v", ok, err)
		}
		finished(t, memory, from, theirs)
	}
}

// TestRestoreOfNothingHereTakesFewParts: a replica that has nothing asks for
// whole subtrees instead of node after node.
func TestRestoreOfNothingHereTakesFewParts(t *testing.T) {
	theirs := map[string]string{}
	for i := range 5_000 {
		theirs[fmt.Sprint(i)] = strings.Repeat("v", 200)
	}
	_, other, root := kept(t, 128, theirs)
	from, _ := other.Snapshot(128, root)
	s := open(t, NewMemory())
	parts, requests := 0, 0
	missing, _, err := s.RestoreBegin(128, root, nil)
	must(t, err)
	for ; len(missing) > 0; requests++ {
		batch := missing[:min(len(missing), consensus.MaxItemsPerFetch)]
		got, err := from.Read(batch, consensus.ChunkBytes)
		must(t, err)
		parts += len(got)
		_, _, next, _, err := s.RestorePut(batch[:len(got)], got)
		must(t, err)
		missing = append(missing[len(got):], next...)
	}
	if ok, err := s.RestoreEnd(); !ok || err != nil {
		t.Fatalf("end: %v %v", ok, err)
	}
	if requests > 8 || parts > 150 {
		t.Errorf("1.3 MB took %d requests and %d parts", requests, parts)
	}
}

// TestRestoreRefusesBadParts serves each kind of part with each kind of fault.
func TestRestoreRefusesBadParts(t *testing.T) {
	theirs := map[string]string{"large": strings.Repeat("L", 100<<10)}
	for i := range 600 {
		theirs[fmt.Sprint(i)] = fmt.Sprint("value ", i)
	}
	_, other, root := kept(t, 128, theirs)
	from, _ := other.Snapshot(128, root)
	memory, s, _ := kept(t, 64, map[string]string{"0": "mine"})
	faults := map[string]func([]byte) []byte{
		"empty":    func([]byte) []byte { return nil },
		"short":    func(b []byte) []byte { return b[:len(b)-1] },
		"long":     func(b []byte) []byte { return append(bytes.Clone(b), 0) },
		"flipped":  func(b []byte) []byte { c := bytes.Clone(b); c[len(c)/2] ^= 1; return c },
		"last bit": func(b []byte) []byte { c := bytes.Clone(b); c[len(c)-1] ^= 1; return c },
	}
	missing, _, err := s.RestoreBegin(128, root, []byte("proof"))
	must(t, err)
	kinds := map[byte]bool{}
	for len(missing) > 0 {
		item := missing[0]
		kinds[item.ID[0]] = true
		parts, err := from.Read(missing[:1], 1<<20)
		must(t, err)
		for name, fault := range faults {
			bad := []consensus.Part{{ID: item.ID, Bytes: fault(parts[0].Bytes)}}
			done, refused, next, _, err := s.RestorePut(missing[:1], bad)
			if err != nil || len(done) != 0 || len(next) != 0 || !slices.Equal(refused, missing[:1]) {
				t.Fatalf("%s part of %q: %v %v %v %v", name, item.ID, done, refused, next, err)
			}
		}
		for name, parts := range map[string][]consensus.Part{"no part": nil, "another part": {{ID: "other", Bytes: parts[0].Bytes}}} {
			if _, refused, _, _, _ := s.RestorePut(missing[:1], parts); len(refused) != 1 {
				t.Fatalf("%s is accepted for %q", name, item.ID)
			}
		}
		if ok, err := s.RestoreEnd(); ok || err != nil {
			t.Fatalf("ended with %q missing: %v", item.ID, err)
		}
		// The list is to be asked for again after a vain end.
		_, _, err = s.RestoreBegin(128, root, []byte("proof"))
		must(t, err)
		if done, _, _, _, err := s.RestorePut([]consensus.Item{item}, parts); err != nil || len(done) != 1 {
			t.Fatalf("the true part of %q: %v %v", item.ID, done, err)
		}
		// The same part again is done again, and changes nothing.
		if done, _, next, _, err := s.RestorePut([]consensus.Item{item}, parts); err != nil || len(done) != 1 || len(next) != 0 {
			t.Fatalf("the part of %q twice: %v %v %v", item.ID, done, next, err)
		}
		missing, _, err = s.RestoreBegin(128, root, []byte("proof"))
		must(t, err)
	}
	if !kinds[idNode] || !kinds[idTree] || !kinds[idValue] {
		t.Errorf("only some kinds of items were asked for: %v", kinds)
	}
	if ok, err := s.RestoreEnd(); !ok || err != nil {
		t.Fatalf("end: %v %v", ok, err)
	}
	finished(t, memory, from, theirs)
}

// TestRestoreRepairsADivergedState: the same height, another root.
func TestRestoreRepairsADivergedState(t *testing.T) {
	wrong, right := map[string]string{}, map[string]string{}
	for i := range 300 {
		right[fmt.Sprint(i)] = "right"
		wrong[fmt.Sprint(i)] = "right"
	}
	wrong["77"] = "wrong"
	memory, s, _ := kept(t, 128, wrong)
	_, other, root := kept(t, 128, right)
	from, _ := other.Snapshot(128, root)
	put(t, s, "executed", "above the disk's height")
	asked := map[string]bool{}
	must(t, fetch(t, s, from, asked))
	if len(asked) > 4 {
		t.Errorf("one wrong value took %d items", len(asked))
	}
	finished(t, memory, from, right)
	if keys, _ := contents(t, s); len(keys) != 300 {
		t.Errorf("%d keys", len(keys))
	}
	put(t, s, "300", "goes on")
	must(t, s.Keep(129, mark(t, s, 129), nil))
}

func stagedKeys(t *testing.T, m *Memory) (n int) {
	t.Helper()
	it := m.Iterate(stagePrefix, stageEnd)
	for it.Next() {
		n++
	}
	return n
}

// TestAbortedRestore leaves what it staged to the next one, and to be cleared
// once the state gets past its height in another way.
func TestAbortedRestore(t *testing.T) {
	theirs := map[string]string{}
	for i := range 200 {
		theirs[fmt.Sprint(i)] = fmt.Sprint("value ", i)
	}
	_, other, root := kept(t, 128, theirs)
	from, _ := other.Snapshot(128, root)
	memory, s, _ := kept(t, 64, map[string]string{"0": "mine"})
	first, _, err := s.RestoreBegin(128, root, nil)
	must(t, err)
	parts, err := from.Read(first, 1)
	must(t, err)
	_, _, rest, _, err := s.RestorePut(first, parts)
	must(t, err)
	if s.Restoring() != 128 || stagedKeys(t, memory) == 0 {
		t.Error("nothing is staged")
	}
	if _, err := s.Mark(65); !errors.Is(err, ErrRestoring) {
		t.Errorf("mark: %v", err)
	}
	if err := s.Keep(64, root, nil); !errors.Is(err, ErrRestoring) {
		t.Errorf("keep: %v", err)
	}
	s.RestoreAbort()
	if ok, err := s.RestoreEnd(); ok || err != nil || s.Restoring() != 0 {
		t.Errorf("end after abort: %v %v", ok, err)
	}
	if done, _, _, _, _ := s.RestorePut(first, parts); len(done) != 0 {
		t.Errorf("put after abort: %v", done)
	}
	again, _, err := s.RestoreBegin(128, root, nil)
	must(t, err)
	if fmt.Sprint(again) != fmt.Sprint(rest) {
		t.Errorf("the next restore lacks %v, the first one lacked %v", again, rest)
	}
	s.RestoreAbort()
	for seq := consensus.Seq(65); seq <= 128; seq++ {
		put(t, s, "0", fmt.Sprint(seq))
		must(t, s.Keep(seq, mark(t, s, seq), nil))
		if left := stagedKeys(t, memory) > 0; left != (seq < 128) {
			t.Fatalf("at %d: parts for 128 are staged: %v", seq, left)
		}
	}
	exact(t, memory, s, map[string]string{"0": "128"})
}

// FuzzRestorePut feeds a restore with arbitrary bytes for each item that it
// lists: nothing but the true part is ever accepted.
func FuzzRestorePut(f *testing.F) {
	theirs := map[string]string{"large": strings.Repeat("L", 70<<10)}
	for i := range 40 {
		theirs[fmt.Sprint(i)] = fmt.Sprint("value ", i)
	}
	_, other, root := kept(f, 128, theirs)
	from, _ := other.Snapshot(128, root)
	for _, item := range []consensus.Item{{ID: "n", Hash: root}, {ID: "N", Hash: root}, {ID: "vlarge", Hash: crypto.Hash([]byte(theirs["large"]))}} {
		parts, err := from.Read([]consensus.Item{item}, 1<<20)
		must(f, err)
		f.Add(item.ID, parts[0].Bytes)
		f.Add(item.ID, parts[0].Bytes[:len(parts[0].Bytes)/2])
	}
	f.Fuzz(func(t *testing.T, id string, part []byte) {
		s := open(t, NewMemory())
		if _, _, err := s.RestoreBegin(128, root, nil); err != nil {
			t.Fatal(err)
		}
		item := consensus.Item{ID: id, Hash: root}
		done, bad, _, _, err := s.RestorePut([]consensus.Item{item}, []consensus.Part{{ID: id, Bytes: part}})
		if err != nil || len(done)+len(bad) != 1 {
			t.Fatalf("%d done, %d bad, %v", len(done), len(bad), err)
		}
		if len(done) == 1 && id != "n" && id != "N" {
			t.Fatalf("a part for %q is accepted as the root", id)
		}
		// Read, too, gets ids from peers.
		if parts, err := from.Read([]consensus.Item{item}, 1000); err == nil && id != "n" && id != "N" {
			t.Fatalf("%q is served as %v", id, parts)
		}
	})
}
