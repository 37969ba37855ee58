package state

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// A Keep is light or full. A light one writes the values and a record of the keys
// that changed, and leaves the trie's nodes in memory. So the store's nodes are
// those of the last full one, and Open makes the others out of them and the keys
// in the records (rebuild.go). A full one also writes all nodes that the store
// lacks, and drops the records. A node under a key of its own is most of what a
// checkpoint would write, and under steady load it would be replaced before
// anybody reads it.
const (
	recordPrefix = "m/dirty/" // sequence number and chunk, in hexadecimal digits → keys
	recordEnd    = "m/dirty0"
	recordBytes  = 1 << 20 // closes a chunk of a record
)

// unsaved is what light Keeps have left to the next full one.
type unsaved struct {
	records []string // their keys in the store
	removed []string // paths whose node is gone, unless the trie has another there
	bytes   int      // of the keys and values that Open would read, and the paths
}

// BeginKeep begins to bring the store to exactly the state marked at seq, in one
// synced batch, with the certificate that proves root beside it. A height that the
// store has already passed is no error. If there is no mark at seq, the task
// ends with ErrNotMarked, and if the own root there is another one with a
// *DivergedError; both leave everything as it is.
func (s *State) BeginKeep(seq consensus.Seq, root crypto.Digest, certificate []byte) (*Task, error) {
	if s.restore != nil {
		return nil, ErrRestoring
	}
	count := 0
	for count < len(s.layers) && s.layers[count].seq <= seq {
		count++
	}
	k := &keeping{s: s, layers: slices.Clone(s.layers[:count]), next: height{seq: seq, certificate: certificate}, certified: root}
	k.wanted = seq <= s.serving.until
	return s.begin(k, k.judge), nil
}

// begin makes the task of a Keep.
func (s *State) begin(k *keeping, first phase) *Task {
	s.tasks++
	t := &Task{next: first}
	k.task = t
	return t
}

// complete stores the nodes of the kept height that the store lacks.
func (s *State) complete() error {
	if len(s.lower.unsaved.records) == 0 {
		return nil
	}
	k := &keeping{s: s, next: s.lower.height, full: true}
	return s.run(s.begin(k, k.remove))
}

// keeping is the task of a Keep. It looks at what the store holds when its turn
// comes: another Keep may have been under way when it began.
type keeping struct {
	s         *State
	task      *Task
	layers    []*layer // up to the height, oldest first
	next      height
	certified crypto.Digest
	wanted    bool // the height is to be servable
	full      bool
	nodes     []place // of the trie, yet to be looked at
	fresh     []*node // that the store lacks
	values    []written
	order     []int32 // of those of values that are yet to be added
	keys      joiner
	record    []byte  // of the keys so far
	chunks    int     // of it that are written
	left      unsaved // when it is done
}

// place is a subtree at its path.
type place struct {
	ref  *ref
	path string
}

// judge compares roots, and finds what there is to write.
func (k *keeping) judge() (phase, error) {
	at, seq := k.s.lower.height, k.next.seq
	for len(k.layers) > 0 && k.layers[0].stored {
		k.layers = k.layers[1:]
	}
	count := len(k.layers)
	if count == 0 && seq < at.seq {
		return nil, nil
	}
	k.next.root = at.root
	if count > 0 {
		k.next.root = k.layers[count-1].root
	}
	if count > 0 && k.layers[count-1].seq != seq || count == 0 && seq != at.seq {
		return nil, fmt.Errorf("%w: %d", ErrNotMarked, seq)
	}
	if own := k.next.root.rootHash(); own != k.certified {
		return nil, &DivergedError{Seq: seq, Own: own, Certified: k.certified}
	}
	if count == 0 {
		return nil, nil
	}
	w, c := &k.s.lower, &k.s.config
	k.full = k.wanted || w.tree.unsaved > c.NodeCacheBytes/3*2 || w.unsaved.bytes > c.UnsavedBytes
	return k.remove, nil
}

// remove begins the batch with all removals of nodes, or leaves them to the next
// full Keep: a path that was empty for a while is written again behind them.
func (k *keeping) remove() (phase, error) {
	before, b := &k.s.lower.unsaved, &k.s.lower.batch
	b.release()
	k.values, k.order = newestOf(k.layers)
	if !k.full {
		k.left = unsaved{records: slices.Clip(before.records), removed: slices.Clip(before.removed), bytes: before.bytes}
		for _, l := range k.layers {
			for _, path := range l.removed {
				k.left.removed = append(k.left.removed, path)
				k.left.bytes += len(path) + 16
			}
		}
		return k.write, nil
	}
	for _, path := range before.removed {
		b.Delete(nodePrefix + path)
	}
	for _, l := range k.layers {
		for _, path := range l.removed {
			b.Delete(nodePrefix + path)
		}
	}
	k.nodes = append(k.nodes, place{&k.next.root, ""})
	return k.collect, nil
}

// collect adds nodes that the store lacks, children after their parents. It stops
// at a stored node: what is below it is stored, too, since a change below it would
// have made it a new one. Nodes that a later layer replaced are not reached, and
// so never written.
func (k *keeping) collect() (phase, error) {
	b := &k.s.lower.batch
	for range stepItems {
		if len(k.nodes) == 0 {
			return k.write, nil
		}
		at := k.nodes[len(k.nodes)-1]
		k.nodes = k.nodes[:len(k.nodes)-1]
		n := at.ref.node
		if n == nil || n.stored {
			continue
		}
		b.Put(nodePrefix+at.path, n.encode())
		k.fresh = append(k.fresh, n)
		if n.kids == nil {
			continue
		}
		for d := len(n.kids) - 1; d >= 0; d-- {
			if kid := n.kids[d].node; kid != nil && !kid.stored {
				k.nodes = append(k.nodes, place{&n.kids[d], at.path + digits[d:d+1]})
			}
		}
	}
	return k.collect, nil
}

// write adds what was written, the newest of each key.
func (k *keeping) write() (phase, error) {
	b := &k.s.lower.batch
	for items, bytes := 0, 0; items < stepItems && bytes < stepBytes; items++ {
		if len(k.order) == 0 {
			k.cut(1)
			return k.apply, nil
		}
		key, value := k.values[k.order[0]].key, k.values[k.order[0]].value
		k.order = k.order[1:]
		if name := k.keys.join(dataPrefix, key); value == nil {
			b.Delete(name)
		} else {
			b.Put(name, value)
		}
		bytes += len(key) + len(value)
		if !k.full {
			k.record = append(binary.BigEndian.AppendUint16(k.record, uint16(len(key))), key...)
			k.left.bytes += 2 + len(key) + len(value)
			k.cut(recordBytes)
		}
	}
	return k.write, nil
}

// joiner joins prefixes and keys, many in one piece of memory.
type joiner struct{ memory strings.Builder }

func (j *joiner) join(prefix, key string) string {
	size := len(prefix) + len(key)
	if j.memory.Cap()-j.memory.Len() < size {
		chunk := min(max(2*j.memory.Cap(), leastChunk), mostChunk)
		j.memory = strings.Builder{}
		j.memory.Grow(max(chunk, size))
	}
	j.memory.WriteString(prefix)
	j.memory.WriteString(key)
	all := j.memory.String()
	return all[len(all)-size:]
}

// cut writes the record so far, once it has so many bytes.
func (k *keeping) cut(bytes int) {
	if len(k.record) < bytes {
		return
	}
	key := fmt.Sprintf("%s%016x/%08x", recordPrefix, uint64(k.next.seq), k.chunks)
	k.s.lower.batch.Put(key, k.record)
	k.left.records = append(k.left.records, key)
	k.record, k.chunks = nil, k.chunks+1
}

// apply hands the batch to the store. Only when the store has it are the new nodes
// marked as stored: a Keep that failed may be repeated.
func (k *keeping) apply() (phase, error) {
	s, w := k.s, &k.s.lower
	if k.full {
		for _, key := range w.unsaved.records {
			w.batch.Delete(key)
		}
	}
	w.batch.Put(heightKey, encodeHeight(k.next))
	w.batch.pause = k.task.pause
	defer w.batch.release()
	if err := s.store.Apply(&w.batch, true); err != nil {
		return nil, storeError("keep", err)
	}
	for _, n := range k.fresh {
		n.stored = true
	}
	for _, l := range k.layers {
		l.stored = true
	}
	w.marked = w.marked[len(k.layers):]
	w.height, w.unsaved = k.next, k.left
	if k.full {
		before := w.tree.unsaved
		w.tree.unsaved = unsavedBytes(&w.tree.root)
		w.tree.cached += before - w.tree.unsaved
	}
	return k.settle, nil
}

// unsavedBytes counts the nodes of r that the store lacks.
func unsavedBytes(r *ref) int {
	n := r.node
	if n == nil || n.stored {
		return 0
	}
	bytes := n.size()
	if n.kids != nil {
		for d := range n.kids {
			bytes += unsavedBytes(&n.kids[d])
		}
	}
	return bytes
}

// settle does what can wait until the store has the state.
func (k *keeping) settle() (phase, error) {
	s := k.s
	s.lower.sweep()
	var view StoreSnapshot
	if k.wanted {
		var err error
		if view, err = s.store.Snapshot(); err != nil {
			return nil, storeError("snapshot", err)
		}
	}
	k.task.finish = func() {
		s.layers = slices.DeleteFunc(slices.Clone(s.layers), func(l *layer) bool { return l.seq <= k.next.seq })
		s.kept = k.next
		s.kept.root.node = nil // the tasks have it
		s.pin(view)
	}
	return nil, s.discardStale(k.next.seq)
}
