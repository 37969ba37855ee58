package state

import (
	"cmp"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Config is what a State may use of its machine. It never affects a root.
type Config struct {
	// NodeCacheBytes bounds the nodes of the trie that stay in memory. Keeps
	// leave them there, and store them when those that the store lacks are
	// two thirds of it. Default 128 MiB: all nodes of a million keys of 16
	// bytes.
	NodeCacheBytes int
	// UnsavedBytes bounds the keys and values that Keeps write without the
	// nodes above them, and that Open has to read again to make these.
	// Beyond it a Keep stores nodes, too. Default 32 MiB.
	UnsavedBytes int
	// SnapshotIdle is how far the kept height may move on, in sequence
	// numbers, before a snapshot that is older and that nobody asked for
	// since is released. For servedFor times that, every height that is
	// kept after somebody asked for any is made servable. Default 256.
	SnapshotIdle consensus.Seq

	swapWrites int // closes a batch of a swap; 0: the constant. Tests take less
}

// withDefaults is c with the defaults for zero fields.
func (c Config) withDefaults() Config {
	c.NodeCacheBytes = cmp.Or(c.NodeCacheBytes, 128<<20)
	c.UnsavedBytes = cmp.Or(c.UnsavedBytes, 32<<20)
	c.SnapshotIdle = cmp.Or(c.SnapshotIdle, 256)
	c.swapWrites = cmp.Or(c.swapWrites, swapWrites)
	return c
}

// State is the replicated state of one replica. One goroutine owns it, and lends
// what is below its layers to the tasks of checkpoints (Task).
type State struct {
	store    Store
	config   Config
	layers   []*layer // closed and not yet kept, oldest first
	open     *layer   // being written
	entries  uint64   // as of the newest mark
	kept     height   // of the store, as of the newest Keep that is finished
	serving  serving
	tasks    int           // that are under way
	lower    lower         // what belongs to them
	restore  *restore      // nil: none under way
	staged   consensus.Seq // the height that staged parts are for
	hasStage bool          // there may be staged parts
	cleared  string        // how far the side space is cleared
	tx       *Tx           // open, or nil
	spare    Tx            // the one Tx there is, reused
}

// height is a certified state: what the store holds.
type height struct {
	seq         consensus.Seq
	root        ref
	certificate []byte
}

// DivergedError says that this replica's own root at Seq differs from the
// certified one: its state, or its program, is broken (PROTOCOL.md §5).
type DivergedError struct {
	Seq       consensus.Seq
	Own       crypto.Digest
	Certified crypto.Digest
}

// Error says both roots.
func (e *DivergedError) Error() string {
	return fmt.Sprintf("state at %d has root %s, but %s is certified", e.Seq, e.Own, e.Certified)
}

// The mistakes of a caller.
var (
	ErrNotMarked = errors.New("state: no mark at this sequence number")
	ErrRestoring = errors.New("state: a restore is under way")
	errBusy      = errors.New("state: a task of a checkpoint is under way")
)

// Open returns the state as the store has it. A restore that was being swapped
// in when the process ended is finished first.
func Open(store Store, config Config) (*State, error) {
	if config.NodeCacheBytes < 0 || config.UnsavedBytes < 0 {
		return nil, errors.New("state: memory for nodes must not be negative")
	}
	s := &State{store: store, config: config.withDefaults()}
	if err := s.resume(); err != nil {
		return nil, err
	}
	if err := s.reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// reload forgets everything in memory and takes the height from the store. What
// of the trie the store has is loaded as it is needed; the rest is made anew.
func (s *State) reload() error {
	enc, ok, err := s.store.Get(heightKey)
	if err != nil {
		return storeError("read height", err)
	}
	s.kept = height{}
	if ok {
		if s.kept, err = decodeHeight(enc); err != nil {
			return err
		}
	}
	s.lower.height, s.lower.unsaved = s.kept, unsaved{}
	s.drop()
	return s.lower.rebuild()
}

// drop discards everything above the store's height.
func (s *State) drop() {
	if s.tx != nil {
		s.tx.Rollback()
	}
	s.layers, s.open, s.entries = nil, newLayer(0), s.kept.root.count
	w := &s.lower
	w.marked = nil
	w.tree = tree{store: s.store, root: w.height.root, limit: s.config.NodeCacheBytes, clock: w.tree.clock, hand: w.tree.hand, scratch: w.tree.scratch}
	w.tree.cached, w.tree.unsaved = size(w.tree.root.node)
}

// Height is what the store holds: its height, root, and certificate.
func (s *State) Height() (consensus.Seq, crypto.Digest, []byte) {
	return s.kept.seq, s.kept.root.rootHash(), s.kept.certificate
}

// Entries is the number of keys as of the newest mark.
func (s *State) Entries() uint64 { return s.entries }

// CacheBytes estimates the memory of the trie's nodes that the store also has, and
// of those that it does not have, while no task is under way.
func (s *State) CacheBytes() (stored, unsaved int) { return s.lower.tree.cached, s.lower.tree.unsaved }

// stack lists all layers, newest first, in the order in which they hide each other.
func (s *State) stack() []*layer {
	stack := append(make([]*layer, 0, len(s.layers)+1), s.open)
	for i := len(s.layers) - 1; i >= 0; i-- {
		stack = append(stack, s.layers[i])
	}
	return stack
}

// Get returns the value at key as of now; an empty one is not an absent one.
// The caller does not write to it.
func (s *State) Get(key string) ([]byte, bool, error) {
	value, found := s.open.get(key)
	for i := len(s.layers) - 1; i >= 0 && !found; i-- {
		value, found = s.layers[i].get(key)
	}
	if found {
		return value, value != nil, nil
	}
	value, ok, err := s.store.Get(dataPrefix + key)
	if err != nil {
		return nil, false, storeError("read value", err)
	}
	return value, ok, nil
}

const heightKey = "m/height"

// encodeHeight is version 1 (1 byte), seq (8), entry count (8), hash of the
// root (32, zero if empty), certificate (to the end).
func encodeHeight(h height) []byte {
	var b cryptobyte.Builder
	b.AddUint8(1)
	b.AddUint64(uint64(h.seq))
	b.AddUint64(h.root.count)
	b.AddBytes(h.root.hash[:])
	b.AddBytes(h.certificate)
	return b.BytesOrPanic()
}

func decodeHeight(enc []byte) (height, error) {
	in := cryptobyte.String(enc)
	var h height
	var version uint8
	var seq uint64
	if !in.ReadUint8(&version) || version != 1 || !in.ReadUint64(&seq) || !in.ReadUint64(&h.root.count) || !in.CopyBytes(h.root.hash[:]) {
		return height{}, fmt.Errorf("%w: its height is unreadable", ErrDamaged)
	}
	h.seq = consensus.Seq(seq)
	if len(in) > 0 {
		h.certificate = append([]byte(nil), in...)
	}
	return h, nil
}
