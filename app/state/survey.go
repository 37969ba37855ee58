package state

import (
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// local is the store's own subtree at some path, which the target's is compared
// with. Where the own trie is shallower, a leaf above covers the path: then the
// subtree is the part of its entries that belong here.
type local struct {
	ref     *ref    // nil: covered by a leaf above
	entries []entry // with a nil ref
}

func (s *State) localRoot() local { return local{ref: &s.lower.tree.root} }

// localAt descends to path.
func (s *State) localAt(path string) (local, error) {
	l := s.localRoot()
	for i := range len(path) {
		var err error
		if l, err = s.localChild(l, path[:i], strings.IndexByte(digits, path[i])); err != nil {
			return local{}, err
		}
	}
	return l, nil
}

// empty reports whether nothing is there.
func (l local) empty() bool {
	if l.ref == nil {
		return len(l.entries) == 0
	}
	return l.ref.count == 0
}

// equals reports whether the whole subtree is the one with the hash.
func (l local) equals(hash crypto.Digest) bool {
	return l.ref != nil && l.ref.count > 0 && l.ref.hash == hash
}

// localChild is the subtree of l, which is at path, under the digit d. Below a
// leaf the subtrees are parts of its entries, which no hash can vouch for.
func (s *State) localChild(l local, path string, d int) (local, error) {
	entries := l.entries
	if l.ref != nil {
		if l.ref.count == 0 {
			return local{}, nil
		}
		n, err := s.loadLocal(l.ref, path)
		if err != nil {
			return local{}, err
		}
		if n.kids != nil {
			return local{ref: &n.kids[d]}, nil
		}
		entries = n.list()
	}
	var mine []entry
	for i := range entries {
		if int(nibble(&entries[i].hash, len(path))) == d {
			mine = append(mine, entries[i])
		}
	}
	return local{entries: mine}, nil
}

// localHas reports whether l, which is at path, has exactly the entry e: then its
// value is here and need not be fetched, though the leaf around it differs. The
// own trie may be deeper than the target's, so it descends by the key's hash.
func (s *State) localHas(l local, path string, e *entry) (bool, error) {
	for l.ref != nil && l.ref.count > leafEntries {
		d := nibble(&e.hash, len(path))
		n, err := s.loadLocal(l.ref, path)
		if err != nil {
			return false, err
		}
		l, path = local{ref: &n.kids[d]}, path+digits[d:d+1]
	}
	if l.ref == nil {
		return slices.Contains(l.entries, *e), nil
	}
	if l.ref.count == 0 {
		return false, nil
	}
	n, err := s.loadLocal(l.ref, path)
	return err == nil && n.has(e), err
}

// loadLocal loads through the node cache, keeping it within its bound during a
// walk over more nodes than it holds.
func (s *State) loadLocal(r *ref, path string) (*node, error) {
	if s.lower.tree.full() {
		s.lower.tree.clock++
		s.lower.sweep()
	}
	return s.lower.tree.load(r, []byte(path))
}

// survey walks the part of the target's trie that differs from the store's, as
// far as it is staged, in the order of the paths, and lists what is missing.
//
// A subtree that the store has is passed over by its hash alone, however large.
// The order (a node before its children, children by digit) is that of the paths
// as strings, so that one path, the cursor, says how far a list has come. What
// stands before the cursor is in place, or listed; RestorePut, which lists what
// is below a part as it arrives, sets the cursor back if there is no room.
type survey struct {
	s       *State
	from    string // paths before it need no look
	limit   int    // items that may be listed at a time
	missing []consensus.Item
}

// visit looks at the target's subtree want at path. The count in want may be
// unknown (0): the hash decides.
func (w *survey) visit(path string, want ref, have local) error {
	r := w.s.restore
	passed := path < w.from && !strings.HasPrefix(w.from, path)
	if passed || r.cut && path >= r.cursor || want.hash == EmptyRoot || have.equals(want.hash) {
		return nil
	}
	n, _, err := w.s.stagedNode(path, want.hash)
	if err != nil {
		return err
	}
	if n == nil {
		w.list(nodeItem(path, want, have), path)
		return nil
	}
	if n.kids == nil {
		return w.visitLeaf(path, n, have)
	}
	for d := range n.kids {
		if n.kids[d].count == 0 {
			continue
		}
		kid, err := w.s.localChild(have, path, d)
		if err != nil {
			return err
		}
		if err := w.visit(path+digits[d:d+1], n.kids[d], kid); err != nil {
			return err
		}
	}
	return nil
}

// nodeItem asks for a whole subtree where nothing of it is here, and for one
// node where comparing it with the own one will save transfers. The root's
// count is unknown, and taken for large.
func nodeItem(path string, want ref, have local) consensus.Item {
	kind := idNode
	if have.empty() && (want.count == 0 || want.count > leafEntries) {
		kind = idTree
	}
	return consensus.Item{ID: string(kind) + path, Hash: want.hash}
}

// visitLeaf lists the values of a staged leaf that are neither here nor staged.
func (w *survey) visitLeaf(path string, n *node, have local) error {
	entries := n.list()
	for i := range entries {
		e := &entries[i]
		here, err := w.s.localHas(have, path, e)
		if err != nil {
			return err
		}
		if !here {
			if here, err = w.s.hasStaged(e); err != nil {
				return err
			}
		}
		if !here && !w.list(consensus.Item{ID: string(idValue) + e.key, Hash: e.value}, path) {
			return nil
		}
	}
	return nil
}

// list notes an item found missing at path; false says that there is no room.
// Items that are listed already are found again by walks that pass them.
func (w *survey) list(item consensus.Item, path string) bool {
	r := w.s.restore
	if r.wants(item) {
		return true
	}
	if old, ok := r.listed[item.ID]; ok {
		// Cannot happen with one target; kept exact all the same.
		r.unlist(consensus.Item{ID: item.ID, Hash: old})
	}
	if len(r.listed) >= w.limit || r.bytes+len(item.ID) > maxListedBytes {
		if !r.cut || path < r.cursor {
			r.cut, r.cursor = true, path
		}
		return false
	}
	r.listed[item.ID] = item.Hash
	r.bytes += len(item.ID)
	w.missing = append(w.missing, item)
	return true
}
