package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"quorate.dev/quorate/crypto"
)

// entry is what the trie knows of one key.
type entry struct {
	hash   crypto.Digest // of the key
	key    string
	length uint32        // of the value, in bytes
	value  crypto.Digest // hash of the value
}

// A leaf stays in memory as it is encoded, in front of its places: one object without
// pointers, which the garbage collector need not look into, that is merged, hashed
// and stored as it is. An entry's encoding is the key's length (2 bytes), the key, the
// value's length (4) and its hash (32). Its place is the beginning of the key's hash:
// enough to order entries by, but for the keys that somebody has searched for, whose
// hashes are made again.
const (
	leafHead  = len(nodeTag) + 2 // tag, kind, number of entries
	entryTail = 4 + crypto.DigestSize
	placeSize = 8 // bytes of a place
)

// append appends the encoding of e.
func (e *entry) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(e.key)))
	dst = append(dst, e.key...)
	dst = binary.BigEndian.AppendUint32(dst, e.length)
	return append(dst, e.value[:]...)
}

// cutEntry takes the first entry's encoding off b, which is known to be whole.
func cutEntry(b []byte) (first, rest []byte) {
	size := 2 + int(binary.BigEndian.Uint16(b)) + entryTail
	return b[:size], b[size:]
}

// parseEntry is the entry that is encoded as b, with the hash of its key.
func parseEntry(b []byte, hash crypto.Digest) entry {
	e := entry{hash: hash}
	end := len(b) - entryTail
	e.key, e.length = string(b[2:end]), binary.BigEndian.Uint32(b[end:])
	copy(e.value[:], b[end+4:])
	return e
}

// keyOf is the key in an entry's encoding.
func keyOf(first []byte) []byte { return first[2 : len(first)-entryTail] }

// length is the number of entries of the leaf n.
func (n *node) length() int { return int(n.text[leafHead-1]) }

// hashed is what the hash of the leaf n is of: all but the places.
func (n *node) hashed() []byte { return slices.Clip(n.text[:len(n.text)-placeSize*n.length()]) }

// walk walks over a leaf's entries; of an inner node and of nil there are none.
func (n *node) walk() leafWalk {
	if n == nil || n.kids != nil {
		return leafWalk{}
	}
	end := len(n.hashed())
	return leafWalk{text: n.text[leafHead:end], places: n.text[end:]}
}

// leafWalk is what is left of a walk: the encoded entries and their places.
type leafWalk struct{ text, places []byte }

func (w *leafWalk) more() bool { return len(w.places) > 0 }

// next takes the next entry's encoding and its place; there must be one.
func (w *leafWalk) next() (first, place []byte) {
	first, w.text = cutEntry(w.text)
	place, w.places = w.places[:placeSize], w.places[placeSize:]
	return first, place
}

// compare says where the next entry stands beside a change: 0 is the same key.
func (w *leafWalk) compare(c *change) int {
	if order := bytes.Compare(w.places[:placeSize], c.hash[:placeSize]); order != 0 {
		return order
	}
	first, _ := cutEntry(w.text)
	if string(keyOf(first)) == c.key {
		return 0
	}
	hash := crypto.Hash(keyOf(first))
	return bytes.Compare(hash[:], c.hash[:])
}

// list decodes a leaf's entries; of an inner node there are none. It is for
// transfers; executing never needs it.
func (n *node) list() []entry {
	if n.kids != nil {
		return nil
	}
	entries := make([]entry, 0, n.length())
	for w := n.walk(); w.more(); {
		first, _ := w.next()
		entries = append(entries, parseEntry(first, crypto.Hash(keyOf(first))))
	}
	return entries
}

// find returns the encoding of the leaf's entry with the key, nil if there is none.
func (n *node) find(key string) []byte {
	for w := n.walk(); w.more(); {
		if first, _ := w.next(); string(keyOf(first)) == key {
			return first
		}
	}
	return nil
}

// has reports whether the leaf n has exactly the entry e.
func (n *node) has(e *entry) bool {
	first := n.find(e.key)
	return first != nil && parseEntry(first, e.hash) == *e
}

// decodeLeaf reads a leaf at path from exactly enc. The order of the entries and
// their place under path are checked by hashing the keys, so that one content has
// one encoding, and an entry cannot stand where nobody would look for it.
func decodeLeaf(enc []byte, path string) (*node, error) {
	count := int(enc[1])
	if count < 1 || count > leafEntries {
		return nil, fmt.Errorf("%w: leaf of %d entries", errNode, count)
	}
	text := append(append(make([]byte, 0, len(nodeTag)+len(enc)+placeSize*count), nodeTag...), enc...)
	rest := enc[2:]
	var last crypto.Digest
	for i := range count {
		if len(rest) < 2 {
			return nil, fmt.Errorf("%w: cut short", errNode)
		}
		size := int(binary.BigEndian.Uint16(rest))
		if size > MaxKeyBytes || len(rest) < 2+size+entryTail {
			return nil, fmt.Errorf("%w: cut short", errNode)
		}
		hash := crypto.Hash(rest[2 : 2+size])
		length := binary.BigEndian.Uint32(rest[2+size:])
		rest = rest[2+size+entryTail:]
		if length > MaxValueBytes || !under(hash, path) {
			return nil, fmt.Errorf("%w: entry %d does not belong here", errNode, i)
		}
		if i > 0 && bytes.Compare(last[:], hash[:]) >= 0 {
			return nil, fmt.Errorf("%w: entries out of order", errNode)
		}
		text, last = append(text, hash[:placeSize]...), hash
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: trailing bytes", errNode)
	}
	return &node{text: text}, nil
}

// gathering is the place where entries are merged before they become leaves. Its
// memory is reused.
type gathering struct {
	text   []byte
	ends   []int // where each entry ends in text
	places []byte
}

func (g *gathering) reset() { g.text, g.ends, g.places = g.text[:0], g.ends[:0], g.places[:0] }

func (g *gathering) add(first, place []byte) {
	g.text = append(g.text, first...)
	g.ends, g.places = append(g.ends, len(g.text)), append(g.places, place...)
}

// addLeaf adds all entries of a leaf.
func (g *gathering) addLeaf(n *node) {
	for w := n.walk(); w.more(); {
		g.add(w.next())
	}
}

// start is where an entry begins in text.
func (g *gathering) start(i int) int {
	if i == 0 {
		return 0
	}
	return g.ends[i-1]
}

// nibble is the digit of an entry's hash at depth. Deeper than its place reaches, the
// hash is made again: there are so many entries with one place only if somebody has
// searched for them.
func (g *gathering) nibble(i, depth int) byte {
	var hash crypto.Digest
	if depth < 2*placeSize {
		copy(hash[:], g.places[placeSize*i:placeSize*(i+1)])
	} else {
		hash = crypto.Hash(keyOf(g.text[g.start(i):g.ends[i]]))
	}
	return nibble(&hash, depth)
}

// leaf makes a leaf of the entries from up to to.
func (g *gathering) leaf(from, to int) *node {
	entries := g.text[g.start(from):g.ends[to-1]]
	text := make([]byte, 0, leafHead+len(entries)+placeSize*(to-from))
	text = append(append(text, nodeTag...), leafByte, byte(to-from))
	return &node{text: append(append(text, entries...), g.places[placeSize*from:placeSize*to]...)}
}

// merge adds the entries of the leaf n (nil: none) with changes applied, both
// sorted by hash, and reports whether nothing became different. Old entries are
// copied as they are encoded; they are looked into only where a change meets one.
func (g *gathering) merge(n *node, ch []change) (same bool) {
	same = true
	old := n.walk()
	for i := range ch {
		c := &ch[i]
		order := 1
		for old.more() {
			if order = old.compare(c); order >= 0 {
				break
			}
			g.add(old.next())
			order = 1
		}
		start := len(g.text)
		if !c.gone {
			g.text = c.append(g.text)
			g.ends, g.places = append(g.ends, len(g.text)), append(g.places, c.hash[:placeSize]...)
		}
		if order == 0 {
			first, _ := old.next()
			same = same && !c.gone && bytes.Equal(first, g.text[start:])
		} else {
			same = same && c.gone
		}
	}
	for old.more() {
		g.add(old.next())
	}
	return same
}
