package state

import (
	"encoding/binary"
	"errors"
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Limits of what the state holds.
const (
	leafEntries   = 16                                         // a subtree with more entries is an inner node
	MaxKeyBytes   = consensus.MaxItemID - 1                    // so that a key fits an item's id
	MaxValueBytes = consensus.MaxFrame - 2*consensus.MaxItemID // so that a value fits a frame
)

// maxDepth is the number of hexadecimal digits of a key's hash: no path is longer.
const maxDepth = 2 * crypto.DigestSize

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
	text   []byte   // of a leaf: nodeTag, encoding, and places
	kids   *[16]ref // of an inner node; nil in a leaf
	stored bool     // the store has this node at its path: it may be dropped from memory
	used   uint32   // the tree's clock when it was last needed
	swept  uint32   // the pass of the hand that last looked at it
}

// newInner makes an inner node in one piece.
func newInner() *node {
	in := &struct {
		node
		kids [16]ref
	}{}
	in.node.kids = &in.kids
	return &in.node
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

// appendInner appends the one encoding of an inner node: 0x02, a bit for each
// child that is not empty (2 bytes), and for each of them its count (8) and hash
// (32). A leaf is 0x01, the number of entries (1) and the entries (leaf.go).
func appendInner(dst []byte, kids *[16]ref) []byte {
	var present uint16
	for i := range kids {
		if kids[i].count > 0 {
			present |= 1 << i
		}
	}
	dst = append(dst, innerByte)
	dst = binary.BigEndian.AppendUint16(dst, present)
	for i := range kids {
		if k := &kids[i]; k.count > 0 {
			dst = binary.BigEndian.AppendUint64(dst, k.count)
			dst = append(dst, k.hash[:]...)
		}
	}
	return dst
}

// encode returns the encoding of n, which nobody writes to.
func (n *node) encode() []byte {
	if n.kids == nil {
		return n.hashed()[len(nodeTag):]
	}
	size := 3
	for i := range n.kids {
		if n.kids[i].count > 0 {
			size += 8 + crypto.DigestSize
		}
	}
	return appendInner(make([]byte, 0, size), n.kids)
}

// hashNode returns the hash of a node's encoding. scratch is reused memory.
func hashNode(scratch, enc []byte) (crypto.Digest, []byte) {
	scratch = append(append(scratch[:0], nodeTag...), enc...)
	return crypto.Hash(scratch), scratch
}

var errNode = errors.New("malformed node")

// decodeNode reads the node at path (hexadecimal digits) from exactly enc. It
// refuses whatever encode would not have written, and entries that do not
// belong under path. The node shares no memory with enc.
func decodeNode(enc []byte, path string) (*node, error) {
	if len(enc) < 2 {
		return nil, fmt.Errorf("%w: %d bytes", errNode, len(enc))
	}
	switch enc[0] {
	case leafByte:
		return decodeLeaf(enc, path)
	case innerByte:
		return decodeInner(enc[1:], path)
	}
	return nil, fmt.Errorf("%w: kind %d", errNode, enc[0])
}

func decodeInner(b []byte, path string) (*node, error) {
	if len(path) >= maxDepth || len(b) < 2 {
		return nil, fmt.Errorf("%w: cut short or too deep", errNode)
	}
	present := binary.BigEndian.Uint16(b)
	b = b[2:]
	n := newInner()
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
	if len(b) > 0 || total <= leafEntries {
		return nil, fmt.Errorf("%w: trailing bytes or too few entries", errNode)
	}
	return n, nil
}

// maxCount keeps the sum of sixteen counts from overflowing.
const maxCount = 1 << 56

// count is the number of entries below n.
func (n *node) count() uint64 {
	if n.kids == nil {
		return uint64(n.length())
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
		return 896
	}
	return 64 + cap(n.text)
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
