package state

import (
	"bytes"

	"github.com/tidwall/btree"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// The store's keyspace.
const (
	dataPrefix = "d/"
	dataEnd    = "d0" // the first key after every one that begins with d/
	nodePrefix = "t/"
)

// layer is what was written between two marks. Once closed, its data is not changed,
// and the rest belongs to tasks. It is a B-tree and not a hash map because ranges
// must be merged in order, and because a batch in key order is what the store
// sorts fastest.
type layer struct {
	seq     consensus.Seq             // the height it leads to, once closed
	data    btree.Map[string, []byte] // a nil value is a removal
	bytes   int                       // estimate of the memory of data
	root    ref                       // the trie after it, once marked
	removed []string                  // node paths that this layer emptied
	stored  bool                      // the store has it
}

// entryOverhead estimates what an entry of a layer costs beside key and value:
// its place in the layer and its share of the dirty nodes, in bytes.
const entryOverhead = 256

func cost(key string, value []byte) int { return len(key) + len(value) + entryOverhead }

// set writes value (nil: a removal) at key and returns what the layer had.
func (l *layer) set(key string, value []byte) (previous []byte, had bool) {
	previous, had = l.data.Set(key, value)
	l.bytes += cost(key, value)
	if had {
		l.bytes -= cost(key, previous)
	}
	return previous, had
}

// restore takes a set back. Sets are taken back in the reverse of their order, so
// that a key written twice comes back to what it was before the first.
func (l *layer) restore(key string, previous []byte, had bool) {
	if had {
		l.set(key, previous)
		return
	}
	if value, ok := l.data.Delete(key); ok {
		l.bytes -= cost(key, value)
	}
}

// newChange is the change that a value (nil: a removal) at key is to the trie.
func newChange(key string, value []byte) change {
	c := change{entry: entry{hash: hashKey(key), key: key}, gone: value == nil}
	if !c.gone {
		c.length, c.value = uint32(len(value)), crypto.Hash(value)
	}
	return c
}

// hashKey keeps the conversion on the stack for keys of usual length.
func hashKey(key string) crypto.Digest {
	var buf [128]byte
	return crypto.Hash(append(buf[:0], key...))
}

// merged walks over layers and, below them, a store's data, in key order: of
// entries with the same key only that of the newest layer is seen. There are a
// handful of sources, so the smallest key is found by looking at all of them.
type merged struct {
	layers []cursor // newest first
	base   Iterator // over data; nil: layers only
	key    string   // of the base's entry
	baseOK bool
}

type cursor struct {
	it btree.MapIter[string, []byte]
	ok bool
}

// newMerged starts at the first key >= from. base may be nil.
func newMerged(layers []*layer, base Reader, from, to string) *merged {
	m := &merged{layers: make([]cursor, len(layers))}
	for i, l := range layers {
		c := &m.layers[i]
		c.it = l.data.Iter()
		c.ok = c.it.Seek(from)
	}
	if base != nil {
		end := dataEnd
		if to != "" {
			end = dataPrefix + to
		}
		m.base = base.Iterate(dataPrefix+from, end)
		m.advanceBase()
	}
	return m
}

func (m *merged) advanceBase() {
	if m.baseOK = m.base.Next(); m.baseOK {
		m.key = string(m.base.Key()[len(dataPrefix):])
	}
}

// next returns the next key with its value: nil is a removal. The value is the
// caller's to keep, not to write to.
func (m *merged) next() (key string, value []byte, ok bool) {
	newest := -1
	for i := range m.layers {
		if c := &m.layers[i]; c.ok && (newest < 0 || c.it.Key() < key) {
			newest, key = i, c.it.Key()
		}
	}
	fromBase := m.baseOK && (newest < 0 || m.key < key)
	switch {
	case fromBase:
		key, value = m.key, bytes.Clone(m.base.Value())
		if value == nil {
			value = []byte{}
		}
	case newest >= 0:
		value = m.layers[newest].it.Value()
	default:
		return "", nil, false
	}
	m.pass(key)
	return key, value, true
}

// pass moves every source that stands at key on.
func (m *merged) pass(key string) {
	for i := range m.layers {
		if c := &m.layers[i]; c.ok && c.it.Key() == key {
			c.ok = c.it.Next()
		}
	}
	if m.baseOK && m.key == key {
		m.advanceBase()
	}
}

// close releases the base and returns its failure, if any.
func (m *merged) close() error {
	if m.base == nil {
		return nil
	}
	err := m.base.Err()
	m.base.Release()
	if err != nil {
		return storeError("read a range", err)
	}
	return nil
}
