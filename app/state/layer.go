package state

import (
	"bytes"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// The store's keyspace.
const (
	dataPrefix = "d/"
	dataEnd    = "d0" // the first key after every one that begins with d/
	nodePrefix = "t/"
)

// layer is what was written between two marks. Once closed, its entries are not
// changed, and the rest belongs to tasks. It is a hash table over a list, so that a
// write costs little; only who walks in key order pays for the order.
type layer struct {
	seq     consensus.Seq // the height it leads to, once closed
	entries []written
	index   map[string]int32 // key → place in entries
	order   []int32          // of the first entries, by key: as far as the owner has asked for it
	arena   []byte           // small values are copied to its end
	bytes   int              // estimate of the memory of all that
	root    ref              // the trie after it, once marked
	removed []string         // node paths that this layer emptied
	stored  bool             // the store has it
}

// written is an entry of a layer. A nil value is a removal.
type written struct {
	key   string
	value []byte
}

// newLayer makes a layer that expects about so many entries.
func newLayer(entries int) *layer {
	entries = min(entries, 1<<16)
	return &layer{index: make(map[string]int32, entries), entries: make([]written, 0, entries)}
}

// entryOverhead estimates what an entry of a layer costs beside key and value:
// its place in the layer and its share of the dirty nodes, in bytes.
const entryOverhead = 256

func cost(key string, value []byte) int { return len(key) + len(value) + entryOverhead }

// The arena grows by chunks that double up to the larger size. A value that is
// longer than a quarter of a chunk has memory of its own.
const (
	leastChunk = 1 << 10
	mostChunk  = 64 << 10
)

// copyOf returns a copy of value, which is not nil. Chunks of many values cost less
// to make than each alone, and nothing to the garbage collector.
func (l *layer) copyOf(value []byte) []byte {
	if len(value) == 0 {
		return []byte{}
	}
	if free := cap(l.arena) - len(l.arena); len(value) > free {
		chunk := min(max(2*cap(l.arena), leastChunk), mostChunk)
		if len(value) > chunk/4 {
			return append(make([]byte, 0, len(value)), value...)
		}
		l.arena = make([]byte, 0, chunk)
	}
	from := len(l.arena)
	l.arena = append(l.arena, value...)
	return l.arena[from:len(l.arena):len(l.arena)]
}

// get returns what the layer has at key: nil is a removal.
func (l *layer) get(key string) (value []byte, found bool) {
	i, found := l.index[key]
	if !found {
		return nil, false
	}
	return l.entries[i].value, true
}

// set writes value (nil: a removal) at key and returns what the layer had.
func (l *layer) set(key string, value []byte) (previous []byte, had bool) {
	l.bytes += cost(key, value)
	if i, had := l.index[key]; had {
		e := &l.entries[i]
		previous, e.value = e.value, value
		l.bytes -= cost(key, previous)
		return previous, true
	}
	l.index[key] = int32(len(l.entries))
	l.entries = append(l.entries, written{key, value})
	return nil, false
}

// restore takes a set back. Sets are taken back in the reverse of their order, so
// that a key written twice comes back to what it was before the first, and one that
// was new is the last entry.
func (l *layer) restore(key string, previous []byte, had bool) {
	if had {
		l.set(key, previous)
		return
	}
	last := len(l.entries) - 1
	e := &l.entries[last]
	if e.key != key {
		panic("state: writes are taken back in another order")
	}
	if len(l.order) > last {
		at, _ := l.find(key)
		l.order = slices.Delete(l.order, at, at+1)
	}
	l.bytes -= cost(key, e.value)
	delete(l.index, key)
	*e = written{}
	l.entries = l.entries[:last]
}

// find returns the place in the order where key is, or would be.
func (l *layer) find(key string) (int, bool) {
	return slices.BinarySearchFunc(l.order, key, func(i int32, key string) int { return strings.Compare(l.entries[i].key, key) })
}

// inOrder returns the places of all entries in the order of their keys. It is the
// owner's: what came since it was asked for last is sorted and put in between.
func (l *layer) inOrder() []int32 {
	sorted := len(l.order)
	fresh := orderOf(l.entries, sorted)
	l.order = append(l.order, fresh...)
	for i, end := len(fresh)-1, sorted; i >= 0; i-- {
		l.order = l.order[:end]
		at, _ := l.find(l.entries[fresh[i]].key)
		l.order = l.order[:end+i+1]
		copy(l.order[at+i+1:], l.order[at:end])
		l.order[at+i] = fresh[i]
		end = at
	}
	l.order = l.order[:len(l.entries)]
	return l.order
}

// newestOf lists what closed layers hold, given oldest first, and the places in it in
// key order: of each key what the newest layer has.
func newestOf(layers []*layer) (entries []written, order []int32) {
	if len(layers) == 1 {
		return layers[0].entries, orderOf(layers[0].entries, 0)
	}
	for _, l := range slices.Backward(layers) {
		entries = append(entries, l.entries...)
	}
	order = slices.CompactFunc(orderOf(entries, 0), func(a, b int32) bool { return entries[a].key == entries[b].key })
	return entries, order
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
	base   Iterator // over data
	key    string   // of the base's entry
	baseOK bool
}

// cursor stands in a layer's entries: those in order are yet to come.
type cursor struct {
	entries []written
	order   []int32
}

func (c *cursor) key() string { return c.entries[c.order[0]].key }

// newMerged starts at the first key >= from of the layers, newest first, of a
// store that is executed on.
func newMerged(layers []*layer, base Reader, from, to string) *merged {
	m := &merged{layers: make([]cursor, len(layers))}
	for i, l := range layers {
		l.inOrder()
		at, _ := l.find(from)
		m.layers[i] = cursor{l.entries, l.order[at:]}
	}
	end := dataEnd
	if to != "" {
		end = dataPrefix + to
	}
	m.base = base.Iterate(dataPrefix+from, end)
	m.advanceBase()
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
		if c := &m.layers[i]; len(c.order) > 0 && (newest < 0 || c.key() < key) {
			newest, key = i, c.key()
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
		c := &m.layers[newest]
		value = c.entries[c.order[0]].value
	default:
		return "", nil, false
	}
	m.pass(key)
	return key, value, true
}

// pass moves every source that stands at key on.
func (m *merged) pass(key string) {
	for i := range m.layers {
		if c := &m.layers[i]; len(c.order) > 0 && c.key() == key {
			c.order = c.order[1:]
		}
	}
	if m.baseOK && m.key == key {
		m.advanceBase()
	}
}

// close releases the base and returns its failure, if any.
func (m *merged) close() error {
	err := m.base.Err()
	m.base.Release()
	if err != nil {
		return storeError("read a range", err)
	}
	return nil
}
