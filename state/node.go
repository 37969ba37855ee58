package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"quorate/consensus"
	"quorate/crypto"
)

// Limits of what the state holds.
const (
	LeafEntries   = 16                                         // a subtree with more entries is an inner node
	MaxKeyBytes   = consensus.MaxItemID - 1                    // so that a key fits an item's id
	MaxValueBytes = consensus.MaxFrame - 2*consensus.MaxItemID // so that a value fits a frame
)

// maxDepth is the number of hexadecimal digits of a key's hash: no path is longer.
const maxDepth = 2 * crypto.DigestSize

// entry is what the trie knows of one key: a leaf holds them sorted by hash.
type entry struct {
	hash   crypto.Digest // of the key
	key    string
	length uint32        // of the value, in bytes
	value  crypto.Digest // hash of the value
}

// ref is a subtree as its parent knows it. The zero ref is the empty subtree.
// The count tells a leaf from an inner node.
type ref struct {
	hash  crypto.Digest
	count uint64
	node  *node // nil if it is in the store only
}

// node is a leaf or an inner node. It is never changed once made, but for the
// node pointers of its children, which are a cache, and the two marks.
type node struct {
	entries []entry  // of a leaf
	kids    *[16]ref // of an inner node; nil in a leaf
	stored  bool     // the store has this node at its path: it may be dropped from memory
	used    uint32   // the tree's clock when it was last needed
}

// Every node is hashed behind this tag, and its first byte tells leaf from
// inner node, so that no value and no node can stand for another.
const nodeTag = "quorate/1/state/node"

const (
	leafByte  = 0x01
	innerByte = 0x02
	emptyByte = 0x00
)

// EmptyRoot is the root of the state that holds nothing.
var EmptyRoot = crypto.Hash(append([]byte(nodeTag), emptyByte))

// rootHash is the hash of a whole state, also of the empty one.
func (r ref) rootHash() crypto.Digest {
	if r.count == 0 {
		return EmptyRoot
	}
	return r.hash
}

// appendNode appends the one encoding of n: a leaf is 0x01, the number of
// entries (1 byte) and for each the key's length (2), the key, the value's
// length (4) and hash (32); an inner node is 0x02, a bit for each child that is
// not empty (2), and for each of them its count (8) and hash (32).
func appendNode(dst []byte, n *node) []byte {
	if n.kids == nil {
		dst = append(dst, leafByte, byte(len(n.entries)))
		for i := range n.entries {
			e := &n.entries[i]
			dst = binary.BigEndian.AppendUint16(dst, uint16(len(e.key)))
			dst = append(dst, e.key...)
			dst = binary.BigEndian.AppendUint32(dst, e.length)
			dst = append(dst, e.value[:]...)
		}
		return dst
	}
	var present uint16
	for i := range n.kids {
		if n.kids[i].count > 0 {
			present |= 1 << i
		}
	}
	dst = append(dst, innerByte)
	dst = binary.BigEndian.AppendUint16(dst, present)
	for i := range n.kids {
		if k := &n.kids[i]; k.count > 0 {
			dst = binary.BigEndian.AppendUint64(dst, k.count)
			dst = append(dst, k.hash[:]...)
		}
	}
	return dst
}

// encodeNode returns the encoding in memory of its own, of just its size.
func encodeNode(n *node) []byte {
	size := 2
	if n.kids != nil {
		size++
		for i := range n.kids {
			if n.kids[i].count > 0 {
				size += 8 + crypto.DigestSize
			}
		}
	}
	for i := range n.entries {
		size += 2 + len(n.entries[i].key) + 4 + crypto.DigestSize
	}
	return appendNode(make([]byte, 0, size), n)
}

// hashNode returns the hash of a node's encoding. scratch is reused memory.
func hashNode(scratch, enc []byte) (crypto.Digest, []byte) {
	scratch = append(append(scratch[:0], nodeTag...), enc...)
	return crypto.Hash(scratch), scratch
}

var errNode = errors.New("malformed node")

// decodeNode reads the node at path (hexadecimal digits) from exactly enc. It
// refuses whatever appendNode would not have written, and entries that do not
// belong under path. The node shares no memory with enc.
func decodeNode(enc []byte, path string) (*node, error) {
	if len(enc) < 2 {
		return nil, fmt.Errorf("%w: %d bytes", errNode, len(enc))
	}
	switch enc[0] {
	case leafByte:
		return decodeLeaf(enc[1:], path)
	case innerByte:
		return decodeInner(enc[1:], path)
	}
	return nil, fmt.Errorf("%w: kind %d", errNode, enc[0])
}

func decodeLeaf(b []byte, path string) (*node, error) {
	count := int(b[0])
	b = b[1:]
	if count < 1 || count > LeafEntries {
		return nil, fmt.Errorf("%w: leaf of %d entries", errNode, count)
	}
	n := &node{entries: make([]entry, count)}
	// The keys share one string: a tenth of the allocations.
	text := string(b)
	for i := range n.entries {
		e := &n.entries[i]
		if len(b) < 2 {
			return nil, fmt.Errorf("%w: cut short", errNode)
		}
		size := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; size > MaxKeyBytes || len(b) < size+4+crypto.DigestSize {
			return nil, fmt.Errorf("%w: cut short", errNode)
		}
		e.hash, e.key = crypto.Hash(b[:size]), text[len(text)-len(b):][:size]
		e.length = binary.BigEndian.Uint32(b[size:])
		b = b[size+4:]
		b = b[copy(e.value[:], b):]
		if e.length > MaxValueBytes || !under(e.hash, path) {
			return nil, fmt.Errorf("%w: entry %d does not belong here", errNode, i)
		}
		if i > 0 && bytes.Compare(n.entries[i-1].hash[:], e.hash[:]) >= 0 {
			return nil, fmt.Errorf("%w: entries out of order", errNode)
		}
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%w: trailing bytes", errNode)
	}
	return n, nil
}

func decodeInner(b []byte, path string) (*node, error) {
	if len(path) >= maxDepth || len(b) < 2 {
		return nil, fmt.Errorf("%w: cut short or too deep", errNode)
	}
	present := binary.BigEndian.Uint16(b)
	b = b[2:]
	n := &node{kids: new([16]ref)}
	total := uint64(0)
	for i := range n.kids {
		if present&(1<<i) == 0 {
			continue
		}
		if len(b) < 8+crypto.DigestSize {
			return nil, fmt.Errorf("%w: cut short", errNode)
		}
		k := &n.kids[i]
		k.count = binary.BigEndian.Uint64(b)
		b = b[8:]
		b = b[copy(k.hash[:], b):]
		if total += k.count; k.count == 0 || k.count > maxCount {
			return nil, fmt.Errorf("%w: child with count %d", errNode, k.count)
		}
	}
	if len(b) > 0 || total <= LeafEntries {
		return nil, fmt.Errorf("%w: trailing bytes or too few entries", errNode)
	}
	return n, nil
}

// maxCount keeps the sum of sixteen counts from overflowing.
const maxCount = 1 << 56

// count is the number of entries below n.
func (n *node) count() uint64 {
	if n.kids == nil {
		return uint64(len(n.entries))
	}
	total := uint64(0)
	for i := range n.kids {
		total += n.kids[i].count
	}
	return total
}

// size estimates the memory that n itself takes, in bytes.
func (n *node) size() int {
	if n.kids != nil {
		return 880
	}
	size := 64
	for i := range n.entries {
		size += 88 + len(n.entries[i].key)
	}
	return size
}

// nibble is the digit of h at depth i.
func nibble(h *crypto.Digest, i int) byte {
	if i%2 == 0 {
		return h[i/2] >> 4
	}
	return h[i/2] & 15
}

const digits = "0123456789abcdef"

// under reports whether the hash h begins with path.
func under(h crypto.Digest, path string) bool {
	if len(path) > maxDepth {
		return false
	}
	for i := range len(path) {
		if digits[nibble(&h, i)] != path[i] {
			return false
		}
	}
	return true
}
