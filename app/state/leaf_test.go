package state

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"quorate.dev/quorate/crypto"
)

// Keys whose hashes begin alike, as far as a leaf remembers them, are told apart all
// the same. Nobody can find such keys, so the leaf here is made to remember the same of all.
func TestEntriesOfOnePlaceKeepTheirOrder(t *testing.T) {
	var ch []change
	for i := range leafEntries {
		ch = append(ch, newChange(fmt.Sprint("key ", i), []byte("value")))
	}
	ch = sortChanges(ch)
	var g gathering
	if g.merge(nil, ch) {
		t.Fatal("a leaf was made of nothing")
	}
	n := g.leaf(0, len(ch))
	for i, w := 0, n.walk(); w.more(); i++ {
		for _, c := range ch {
			copy(w.places, c.hash[:placeSize])
			if got, want := w.compare(&c), bytes.Compare(ch[i].hash[:], c.hash[:]); got != want {
				t.Errorf("entry %d beside key %q: %d, want %d", i, c.key, got, want)
			}
		}
		w.next()
	}
	clear(n.text[len(n.hashed()):])
	g.reset()
	g.addLeaf(n)
	for i := range ch {
		for _, depth := range []int{2 * placeSize, 2*placeSize + 7, maxDepth - 1} {
			if got, want := g.nibble(i, depth), nibble(&ch[i].hash, depth); got != want {
				t.Errorf("entry %d has digit %d at depth %d, want %d", i, got, depth, want)
			}
		}
	}
	order := slices.IsSortedFunc(n.list(), func(a, b entry) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	if !order || crypto.Hash(n.hashed()) != crypto.Hash(append([]byte(nodeTag), n.encode()...)) {
		t.Error("the entries are not in the order of their hashes, or the hash is of something else")
	}
}
