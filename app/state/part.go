package state

import (
	"encoding/binary"
	"errors"
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// An item's id is one of these letters and a name. To everyone else it is opaque.
const (
	idNode  = 'n' // name: path. The node there, with the small values if it is a leaf
	idTree  = 'N' // name: path. The node there and as much of what is below it as fits
	idValue = 'v' // name: key. Its value
)

// How much a part carries beside the node that was asked for. A value that does
// not fit is fetched as an item of its own.
const (
	inlineBytes     = 1 << 10   // the longest value inside a node's part
	treeInlineBytes = 64 << 10  // the longest value inside a tree's part
	treePartBytes   = 512 << 10 // a tree's part closes at this size
)

func splitID(id string) (kind byte, name string, ok bool) {
	if len(id) == 0 || len(id) > consensus.MaxItemID {
		return 0, "", false
	}
	kind, name = id[0], id[1:]
	switch kind {
	case idValue:
		return kind, name, true
	case idNode, idTree:
		return kind, name, isPath(name)
	}
	return 0, "", false
}

func isPath(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) <= maxDepth
}

// A bundle is a node with some of what hangs on it: the encoding behind its
// length (3 bytes), then for each entry of a leaf, or for each child of an inner
// node that is not empty, a byte: 0, it is not here; 1, it follows: a leaf's
// value in the length that the leaf gives, a child as a bundle. Everything is
// verified top down against the hash of the first node: a byte is believed only
// because a node that has been verified says what it must hash to, so a server
// can leave out, but not put in.

// bundleWriter writes bundles out of a snapshot. What is here is damaged if it does
// not fit together; that is this replica's disk, and not the asking peer's fault.
type bundleWriter struct {
	view   Reader
	inline int // the longest value to include, in bytes
	room   int // no more is included once the part has this size
	deep   bool
}

func (w *bundleWriter) append(dst, enc []byte, path string) ([]byte, error) {
	n, err := decodeNode(enc, path)
	if err != nil {
		return nil, fmt.Errorf("%w: node %q: %w", ErrDamaged, path, err)
	}
	dst = consensus.AppendBytes(dst, enc)
	if n.kids == nil {
		for _, e := range n.list() {
			if dst, err = w.appendValue(dst, &e); err != nil {
				return nil, err
			}
		}
		return dst, nil
	}
	for d := range n.kids {
		if k := &n.kids[d]; k.count == 0 {
			continue
		} else if dst, err = w.appendChild(dst, k, path+digits[d:d+1]); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// appendValue writes a leaf's value or says that it is not here. Outside a deep
// part all small values go along, so that an ordinary leaf takes one round trip.
func (w *bundleWriter) appendValue(dst []byte, e *entry) ([]byte, error) {
	if int(e.length) > w.inline || w.deep && len(dst) > 0 && len(dst)+int(e.length) > w.room {
		return append(dst, 0), nil
	}
	value, ok, err := w.view.Get(dataPrefix + e.key)
	if err != nil {
		return nil, storeError("read value of a snapshot", err)
	}
	if !ok || len(value) != int(e.length) {
		return nil, fmt.Errorf("%w: the value of a key is missing", ErrDamaged)
	}
	return append(append(dst, 1), value...), nil
}

// appendChild writes a child with what is below it, depth first, as long as there
// is room: so the receiver gets whole subtrees, and few stumps at the end.
func (w *bundleWriter) appendChild(dst []byte, k *ref, path string) ([]byte, error) {
	if !w.deep || len(dst) >= w.room {
		return append(dst, 0), nil
	}
	enc, ok, err := w.view.Get(nodePrefix + path)
	if err != nil {
		return nil, storeError("read node of a snapshot", err)
	}
	if !ok {
		return nil, fmt.Errorf("%w: node %q is missing", ErrDamaged, path)
	}
	return w.append(append(dst, 1), enc, path)
}

var errPart = errors.New("malformed part")

// bundle is a node as it came in a part, verified, with what came with it.
type bundle struct {
	node    *node
	enc     []byte
	entries []entry     // of a leaf
	values  [16][]byte  // of these entries; nil: not here
	kids    [16]*bundle // of an inner node's children; nil: not here
}

// readBundle reads and verifies the whole part for the node at path with hash.
// The result aliases b.
func readBundle(b []byte, path string, hash crypto.Digest) (*bundle, error) {
	r := bundleReader{in: b}
	top, err := r.read(path, hash)
	if err == nil && len(r.in) > 0 {
		err = fmt.Errorf("%w: trailing bytes", errPart)
	}
	return top, err
}

// bundleReader allocates no more than a small multiple of what it has read: no
// length in a part is believed before so many bytes are there.
type bundleReader struct {
	in      []byte
	scratch []byte
}

func (r *bundleReader) take(n int) ([]byte, error) {
	if n > len(r.in) {
		return nil, fmt.Errorf("%w: cut short", errPart)
	}
	out := r.in[:n:n]
	r.in = r.in[n:]
	return out, nil
}

// here reads the byte that says whether something follows.
func (r *bundleReader) here() (bool, error) {
	b, err := r.take(1)
	if err != nil {
		return false, err
	}
	if b[0] > 1 {
		return false, fmt.Errorf("%w: mark %d", errPart, b[0])
	}
	return b[0] == 1, nil
}

// read verifies a node before it looks at what the node says of the rest. Its
// depth is bounded by the length of a path, since decodeNode refuses longer ones.
func (r *bundleReader) read(path string, hash crypto.Digest) (*bundle, error) {
	size, err := r.take(3)
	if err != nil {
		return nil, err
	}
	enc, err := r.take(int(binary.BigEndian.Uint32([]byte{0, size[0], size[1], size[2]})))
	if err != nil {
		return nil, err
	}
	var got crypto.Digest
	if got, r.scratch = hashNode(r.scratch, enc); got != hash {
		return nil, fmt.Errorf("%w: node %q has another hash", errPart, path)
	}
	b := &bundle{enc: enc}
	if b.node, err = decodeNode(enc, path); err != nil {
		return nil, err
	}
	if b.node.kids == nil {
		b.entries = b.node.list()
		return b, r.readValues(b)
	}
	for d := range b.node.kids {
		k := &b.node.kids[d]
		if k.count == 0 {
			continue
		}
		here, err := r.here()
		if err != nil {
			return nil, err
		}
		if !here {
			continue
		}
		if b.kids[d], err = r.read(path+digits[d:d+1], k.hash); err != nil {
			return nil, err
		}
		if b.kids[d].node.count() != k.count {
			return nil, fmt.Errorf("%w: node %q has another count", errPart, path)
		}
	}
	return b, nil
}

// readValues takes the values that came with a leaf. Their lengths are the leaf's,
// which its hash vouches for.
func (r *bundleReader) readValues(b *bundle) error {
	for i, e := range b.entries {
		here, err := r.here()
		if err != nil {
			return err
		}
		if !here {
			continue
		}
		if b.values[i], err = r.take(int(e.length)); err != nil {
			return err
		}
		if crypto.Hash(b.values[i]) != e.value {
			return fmt.Errorf("%w: a value has another hash", errPart)
		}
	}
	return nil
}
