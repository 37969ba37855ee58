package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// aimed returns n keys whose hashes all begin with the same digits, as somebody
// would choose them who wants one leaf to grow without bound.
func aimed(n int, prefix string) []string {
	var keys []string
	for i := 0; len(keys) < n; i++ {
		key := fmt.Sprint("aimed ", i)
		if h := hashKey(key); under(h, prefix) {
			keys = append(keys, key)
		}
	}
	return keys
}

// TestAimedKeysSplitTheirLeaf: keys that share three digits of their hashes
// share three inner nodes and no leaf larger than the limit, and when they go,
// the nodes go.
func TestAimedKeysSplitTheirLeaf(t *testing.T) {
	keys := aimed(40, "a5c")
	memory := NewMemory()
	s := open(t, memory)
	content := map[string]string{}
	step := func(n int, value string) {
		for _, key := range keys[:n] {
			if value == "" {
				tx := s.Begin()
				tx.Delete(key)
				must(t, tx.Commit())
				delete(content, key)
			} else {
				put(t, s, key, value)
				content[key] = value
			}
		}
		seq, _, _ := s.Height()
		must(t, s.Keep(seq+1, mark(t, s, seq+1), nil))
		exact(t, memory, s, content)
	}
	depth := func() string {
		var paths []string
		it := memory.Iterate(nodePrefix, "t0")
		for it.Next() {
			paths = append(paths, string(it.Key()[2:]))
			n, err := decodeNode(it.Value(), string(it.Key()[2:]))
			must(t, err)
			if n.kids == nil && n.length() > leafEntries {
				t.Errorf("a leaf of %d entries", n.length())
			}
		}
		return fmt.Sprint(len(paths[0]), " ", len(paths) > 1, " ", strings.HasPrefix(paths[len(paths)-1], "a5c"))
	}
	step(16, "one leaf at the root")
	if got := depth(); got != "0 false false" {
		t.Errorf("16 keys: %s", got)
	}
	step(17, "a chain of nodes")
	if got := depth(); got != "0 true true" {
		t.Errorf("17 keys: %s", got)
	}
	step(40, "more")
	step(24, "")
	if got := depth(); got != "0 false false" || s.Entries() != 16 {
		t.Errorf("16 keys again: %s", got)
	}
	step(40, "")
	if s.Entries() != 0 {
		t.Errorf("%d entries are left", s.Entries())
	}
}

// TestRootDependsOnContentOnly reaches one content along two ways: other
// orders, other marks, detours over keys that are gone at the end.
func TestRootDependsOnContentOnly(t *testing.T) {
	crowd := aimed(25, "0b")
	rapid.Check(t, func(t *rapid.T) {
		var keys []string
		for i := range rapid.SampledFrom([]int{0, 3, 17, 300}).Draw(t, "plain") {
			keys = append(keys, fmt.Sprint("key ", i))
		}
		keys = append(keys, crowd[:rapid.IntRange(0, len(crowd)).Draw(t, "aimed")]...)
		walk := func(label string) crypto.Digest {
			s := open(t, NewMemory())
			order := rapid.Permutation(keys).Draw(t, label)
			every := rapid.IntRange(1, 50).Draw(t, label+" marks")
			for i, key := range order {
				put(t, s, key, key+" at last")
				if detour := order[i/2]; detour != key && i%3 == 0 {
					put(t, s, detour+" or so", "soon gone")
				}
				if i%every == 0 {
					mark(t, s, s.nextMark())
				}
			}
			for i, key := range order {
				tx := s.Begin()
				tx.Delete(key + " or so")
				check(t, tx.Commit())
				if i%every == 0 {
					mark(t, s, s.nextMark())
				}
			}
			return mark(t, s, s.nextMark())
		}
		if a, b := walk("first"), walk("second"); a != b {
			t.Fatalf("roots %s and %s of one content", a.Short(), b.Short())
		}
	})
}

// nextMark is a sequence number that may be marked.
func (s *State) nextMark() (seq consensus.Seq) {
	if n := len(s.layers); n > 0 {
		return s.layers[n-1].seq + 1
	}
	return s.kept.seq + 1
}

// TestRootsAreDistinct: what differs in any way has another root.
func TestRootsAreDistinct(t *testing.T) {
	contents := []map[string]string{
		{}, {"": ""}, {"a": ""}, {"a": "b"}, {"a": "c"}, {"ab": ""}, {"a": "", "b": ""}, {"b": "a"},
		{"a": "\x00"}, {"a\x00": ""},
	}
	seen := map[crypto.Digest]int{}
	for i, content := range contents {
		root := rootOf(t, content)
		if other, ok := seen[root]; ok {
			t.Errorf("%v and %v have one root", content, contents[other])
		}
		seen[root] = i
	}
	if rootOf(t, nil) != EmptyRoot {
		t.Error("the empty state does not have the empty root")
	}
}

// TestRootIsFrozen pins the encoding: a change of it splits a cluster whose
// replicas run two versions, so it needs a new protocol version.
func TestRootIsFrozen(t *testing.T) {
	content := map[string]string{"empty": ""}
	for i := range 100 {
		content[fmt.Sprint("key ", i)] = fmt.Sprint("value ", i)
	}
	const want = "215ea2fff8e8318f8e45288e41c366a6df52a7058475e8b34e4be620cc5b1cff"
	if got := rootOf(t, content).String(); got != want {
		t.Errorf("root is %s, was %s", got, want)
	}
}

// TestCacheStaysWithinItsBound reads and writes a state much larger than the
// cache, and gets the roots that a large cache gives.
func TestCacheStaysWithinItsBound(t *testing.T) {
	const limit = 40_000
	small, err := Open(NewMemory(), Config{NodeCacheBytes: limit, UnsavedBytes: limit})
	must(t, err)
	large := open(t, NewMemory())
	random := uint64(7)
	for seq := consensus.Seq(1); seq <= 60; seq++ {
		for range 100 {
			random = random*6364136223846793005 + 1442695040888963407
			key := fmt.Sprint(random >> 40 % 3000)
			put(t, small, key, fmt.Sprint(random))
			put(t, large, key, fmt.Sprint(random))
		}
		a, b := mark(t, small, seq), mark(t, large, seq)
		if a != b {
			t.Fatalf("at %d: roots %s and %s", seq, a.Short(), b.Short())
		}
		must(t, small.Keep(seq, a, nil))
		must(t, large.Keep(seq, a, nil))
		stored, unsaved := small.CacheBytes()
		if stored+unsaved > limit && stored > 20_000 || unsaved > limit+40_000 {
			t.Fatalf("at %d: %d and %d bytes of nodes, limit %d", seq, stored, unsaved, limit)
		}
		if c, u := size(small.lower.tree.root.node); c != stored || u != unsaved {
			t.Fatalf("at %d: %d and %d bytes of nodes are counted as %d and %d", seq, c, u, stored, unsaved)
		}
	}
	if stored, unsaved := large.CacheBytes(); stored+unsaved < 4*limit {
		t.Errorf("the state has only %d bytes of nodes: it proves nothing", stored+unsaved)
	}
}

// TestDamagedNodesAreNoticed flips each node in turn and works on it.
func TestDamagedNodesAreNoticed(t *testing.T) {
	content := map[string]string{}
	for i := range 100 {
		content[fmt.Sprint(i)] = "v"
	}
	memory, _, _ := kept(t, 1, content)
	var nodes []string
	it := memory.Iterate(nodePrefix, "t0")
	for it.Next() {
		nodes = append(nodes, string(it.Key()))
	}
	for _, at := range nodes {
		for _, how := range []string{"flipped", "missing"} {
			disk := memory.clone()
			b := &Batch{}
			if value, _, _ := disk.Get(at); how == "flipped" {
				value = bytes.Clone(value)
				value[len(value)-1] ^= 1
				b.Put(at, value)
			} else {
				b.Delete(at)
			}
			must(t, disk.Apply(b, true))
			s := open(t, disk)
			for key := range content {
				put(t, s, key, "w")
			}
			if _, err := s.Mark(2); err == nil || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("%s %s: %v", at, how, err)
			}
		}
	}
}

// FuzzNode: what decodes encodes to the same bytes, and nothing else decodes.
func FuzzNode(f *testing.F) {
	leaf := (&entry{key: "k", length: 3}).append([]byte{leafByte, 1})
	f.Add(leaf, "")
	f.Add(leaf, "a")
	inner := &node{kids: new([16]ref)}
	inner.kids[3].count, inner.kids[15].count = 9, 8
	f.Add(inner.encode(), "00")
	f.Add([]byte{innerByte, 0xff, 0xff}, "")
	f.Add([]byte{leafByte, 16, 0xff, 0xff}, "")
	f.Fuzz(func(t *testing.T, enc []byte, path string) {
		n, err := decodeNode(enc, path)
		if err != nil {
			return
		}
		if again := n.encode(); !bytes.Equal(again, enc) || len(again) != cap(again) {
			t.Fatalf("%x decodes, but encodes to %x", enc, again)
		}
		if n.kids == nil == (n.count() > leafEntries) {
			t.Fatalf("a node of %d entries of the wrong kind", n.count())
		}
	})
}

// FuzzHeight: the same for the record of the height.
func FuzzHeight(f *testing.F) {
	f.Add(encodeHeight(height{seq: 64, root: ref{hash: EmptyRoot, count: 3}, certificate: []byte("proof")}))
	f.Add(binary.BigEndian.AppendUint64([]byte{2}, 1))
	f.Fuzz(func(t *testing.T, enc []byte) {
		if h, err := decodeHeight(enc); err == nil && !bytes.Equal(encodeHeight(h), enc) {
			t.Fatalf("%x decodes, but encodes otherwise", enc)
		}
	})
}
