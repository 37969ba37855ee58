package state

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// TestRestoreListsWithinItsBound restores a state in which everything differs,
// all nodes before the first value, so that far more is missing at a time than
// may be listed; once from the first path on and once from the last.
func TestRestoreListsWithinItsBound(t *testing.T) {
	mine, theirs := map[string]string{}, map[string]string{}
	long := strings.Repeat("l", inlineBytes)
	for i := range maxListed + 1000 {
		mine[fmt.Sprint(i)] = "mine"
		theirs[fmt.Sprint(i)] = fmt.Sprint(long, i)
	}
	_, other, root := kept(t, 128, theirs)
	from := serve(t, other, 128, root)
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
				if len(missing) > maxListed || len(missing) != len(s.restore.listed) {
					t.Fatalf("%d items are listed, the state has %d, limit %d", len(missing), len(s.restore.listed), maxListed)
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
	from := serve(t, other, 128, root)
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
	from := serve(t, other, 128, root)
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
	from := serve(t, other, 128, root)
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
	from := serve(t, other, 128, root)
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
	from := serve(f, other, 128, root)
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
