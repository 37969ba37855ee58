package state

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"quorate.dev/quorate/crypto"
)

// entry is what the trie knows of one key.
type entry struct {
	hash   crypto.Digest // of the key
	key    string
	length uint32        // of the value, in bytes
	value  crypto.Digest // hash of the value
}

// A leaf stays in memory as it is encoded, beside the hashes of its keys: two
// objects without pointers, which the garbage collector need not look into, that
// are merged, hashed and stored as they are. An entry's encoding is the key's
// length (2 bytes), the key, the value's length (4) and its hash (32).
const (
	leafHead  = len(nodeTag) + 2 // tag, kind, number of entries
	entryTail = 4 + crypto.DigestSize
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

// list decodes a leaf's entries; of an inner node there are none. It is for
// transfers; executing never needs it.
func (n *node) list() []entry {
	if n.kids != nil {
		return nil
	}
	entries := make([]entry, len(n.hashes))
	rest := n.text[leafHead:]
	for i := range entries {
		var first []byte
		first, rest = cutEntry(rest)
		entries[i] = parseEntry(first, n.hashes[i])
	}
	return entries
}

// has reports whether the leaf n has exactly the entry e.
func (n *node) has(e *entry) bool {
	rest := n.text[leafHead:]
	for i := range n.hashes {
		var first []byte
		first, rest = cutEntry(rest)
		if n.hashes[i] == e.hash {
			return parseEntry(first, e.hash) == *e
		}
	}
	return false
}

// decodeLeaf reads a leaf at path from exactly enc. The order of the entries and
// their place under path are checked by hashing the keys, so that one content has
// one encoding, and an entry cannot stand where nobody would look for it.
func decodeLeaf(enc []byte, path string) (*node, error) {
	count := int(enc[1])
	if count < 1 || count > leafEntries {
		return nil, fmt.Errorf("%w: leaf of %d entries", errNode, count)
	}
	n := &node{hashes: make([]crypto.Digest, count)}
	rest := enc[2:]
	for i := range n.hashes {
		if len(rest) < 2 {
			return nil, fmt.Errorf("%w: cut short", errNode)
		}
		size := int(binary.BigEndian.Uint16(rest))
		if size > MaxKeyBytes || len(rest) < 2+size+entryTail {
			return nil, fmt.Errorf("%w: cut short", errNode)
		}
		n.hashes[i] = crypto.Hash(rest[2 : 2+size])
		length := binary.BigEndian.Uint32(rest[2+size:])
		rest = rest[2+size+entryTail:]
		if length > MaxValueBytes || !under(n.hashes[i], path) {
			return nil, fmt.Errorf("%w: entry %d does not belong here", errNode, i)
		}
		if i > 0 && bytes.Compare(n.hashes[i-1][:], n.hashes[i][:]) >= 0 {
			return nil, fmt.Errorf("%w: entries out of order", errNode)
		}
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: trailing bytes", errNode)
	}
	n.text = append(append(make([]byte, 0, len(nodeTag)+len(enc)), nodeTag...), enc...)
	return n, nil
}

// gathering is the place where entries are merged before they become leaves. Its
// memory is reused.
type gathering struct {
	text   []byte
	ends   []int // where each entry ends in text
	hashes []crypto.Digest
}

func (g *gathering) reset() { g.text, g.ends, g.hashes = g.text[:0], g.ends[:0], g.hashes[:0] }

func (g *gathering) add(first []byte, hash crypto.Digest) {
	g.text = append(g.text, first...)
	g.ends, g.hashes = append(g.ends, len(g.text)), append(g.hashes, hash)
}

// addLeaf adds all entries of a leaf.
func (g *gathering) addLeaf(n *node) {
	rest := n.text[leafHead:]
	for i := range n.hashes {
		var first []byte
		first, rest = cutEntry(rest)
		g.add(first, n.hashes[i])
	}
}

// leaf makes a leaf of the entries from up to to.
func (g *gathering) leaf(from, to int) *node {
	start := 0
	if from > 0 {
		start = g.ends[from-1]
	}
	text := make([]byte, 0, leafHead+g.ends[to-1]-start)
	text = append(append(text, nodeTag...), leafByte, byte(to-from))
	return &node{
		text:   append(text, g.text[start:g.ends[to-1]]...),
		hashes: append(make([]crypto.Digest, 0, to-from), g.hashes[from:to]...),
	}
}

// merge adds the entries of the leaf n (nil: none) with changes applied, both
// sorted by hash, and reports whether nothing became different. Old entries are
// copied as they are encoded; they are looked into only where a change meets one.
func (g *gathering) merge(n *node, ch []change) (same bool) {
	var old []crypto.Digest
	var rest, first []byte
	if n != nil {
		old, rest = n.hashes, n.text[leafHead:]
	}
	same = true
	for len(old) > 0 || len(ch) > 0 {
		order := -1
		if len(old) == 0 {
			order = 1
		} else if len(ch) > 0 {
			order = bytes.Compare(old[0][:], ch[0].hash[:])
		}
		if order <= 0 {
			first, rest = cutEntry(rest)
		}
		if order < 0 {
			g.add(first, old[0])
			old = old[1:]
			continue
		}
		start := len(g.text)
		if !ch[0].gone {
			g.text = ch[0].append(g.text)
			g.ends, g.hashes = append(g.ends, len(g.text)), append(g.hashes, ch[0].hash)
		}
		if order == 0 {
			same = same && !ch[0].gone && bytes.Equal(first, g.text[start:])
			old = old[1:]
		} else {
			same = same && ch[0].gone
		}
		ch = ch[1:]
	}
	return same
}
