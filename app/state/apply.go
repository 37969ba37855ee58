package state

import (
	"encoding/binary"
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// swapBytes and swapWrites close a batch while a restore is swapped in, and
// while the side space is cleared.
const (
	swapBytes  = 4 << 20
	swapWrites = 8192
)

// RestoreEnd swaps the side space in: the store then holds exactly the target.
// It answers false, with the state as it was, if anything is missing still. Once
// everything is known to be there, a synced marker makes the swap irrevocable: a
// crash in the middle of it is finished by Open.
func (s *State) RestoreEnd() (bool, error) {
	r := s.restore
	if r == nil {
		return false, nil
	}
	// The list is made anew, with room for nothing: the first item found
	// missing cuts it. This trusts nothing that was counted on the way.
	r.cut, r.cursor, r.bytes = false, "", 0
	clear(r.listed)
	w := survey{s: s}
	if err := w.visit("", r.target.root, s.localRoot()); err != nil {
		return false, err
	}
	if r.cut {
		// The next RestoreBegin looks again from the start.
		r.cursor = ""
		return false, nil
	}
	b := &Batch{}
	b.Put(markerKey, encodeHeight(r.target))
	if err := s.store.Apply(b, true); err != nil {
		return false, storeError("mark a restore", err)
	}
	s.restore = nil
	if err := s.resume(); err != nil {
		return false, err
	}
	return true, s.reload()
}

// resume finishes a restore that has its marker, and finds out what is staged.
// It runs at the end of a restore and at every Open, and is the same for both: so
// what a crash needs is what every restore has tried.
func (s *State) resume() error {
	enc, ok, err := s.store.Get(markerKey)
	if err != nil {
		return storeError("read the mark of a restore", err)
	}
	if ok {
		target, err := decodeHeight(enc)
		if err != nil {
			return err
		}
		if err := s.swap(target); err != nil {
			return err
		}
	}
	enc, s.hasStage, err = s.store.Get(stageKey)
	if err != nil {
		return storeError("read the mark of the side space", err)
	}
	if s.hasStage && len(enc) != 8 {
		return fmt.Errorf("%w: the mark of the side space is unreadable", ErrDamaged)
	}
	if s.hasStage {
		s.staged = consensus.Seq(binary.BigEndian.Uint64(enc))
	}
	return nil
}

// swap brings the store to target out of the side space, which has all that
// differs. It may be repeated from any point: nodes are written after everything
// below them, so one that has the target's hash needs no further look.
func (s *State) swap(target height) error {
	a := &applier{s: s}
	var err error
	if target.root.hash == EmptyRoot {
		target.root = ref{}
		err = a.remove("", nil)
	} else {
		target.root.count, err = a.apply("", target.root.hash)
	}
	if err != nil {
		return err
	}
	// Until this batch the marker makes every Open come back here; after it
	// the side space is of no use any more.
	a.b.Put(heightKey, encodeHeight(target))
	a.b.Delete(markerKey)
	if err := a.flush(); err != nil {
		return err
	}
	return s.clearStage(0)
}

// applier writes a target's differences in bounded, synced batches. Between two
// of them the store is neither the old state nor the new one; what makes that
// bearable is one rule: a node is written, or removed, only after everything
// below it. So a path always holds one of three things: the old node, whose
// subtree may be half changed; the new node, whose subtree is complete, data
// included; or nothing, and then there is nothing old below it either. A second
// attempt reads what is there and does the rest.
type applier struct {
	s *State
	b Batch
}

func (a *applier) flush() error {
	if len(a.b.Writes()) == 0 {
		return nil
	}
	b := a.b
	a.b = Batch{}
	if err := a.s.store.Apply(&b, true); err != nil {
		return storeError("swap in a restore", err)
	}
	return nil
}

func (a *applier) flushIfFull() error {
	if a.b.Bytes() < swapBytes && len(a.b.Writes()) < a.s.config.swapWrites {
		return nil
	}
	return a.flush()
}

// current reads what the store now has at path; nil is nothing. It goes past the
// cache of nodes, which knows the trie from before the swap. What an earlier
// call of this attempt has put into the batch is not seen, and need not be: each
// path is read once, before it is written.
func (a *applier) current(path string) (*node, crypto.Digest, error) {
	enc, ok, err := a.s.store.Get(nodePrefix + path)
	if err != nil || !ok {
		if err != nil {
			err = storeError("read node", err)
		}
		return nil, crypto.Digest{}, err
	}
	hash, _ := hashNode(nil, enc)
	n, err := decodeNode(enc, path)
	if err != nil {
		return nil, hash, fmt.Errorf("%w: node %q: %w", ErrDamaged, path, err)
	}
	return n, hash, nil
}

// apply makes the subtree at path the target's and returns its entry count. What
// is not staged here was found equal by the walk before the marker, so the hash
// of what is there decides; the parent's word would not do, for the parent may
// be the old one while this node is new already.
func (a *applier) apply(path string, hash crypto.Digest) (uint64, error) {
	now, nowHash, err := a.current(path)
	if err != nil {
		return 0, err
	}
	if now != nil && nowHash == hash {
		return now.count(), nil
	}
	n, enc, err := a.s.stagedNode(path, hash)
	if err != nil {
		return 0, err
	}
	if n == nil {
		return 0, fmt.Errorf("%w: staged node %q is missing", ErrDamaged, path)
	}
	if n.kids == nil {
		err = a.applyLeaf(path, n, now)
	} else {
		err = a.applyInner(path, n, now)
	}
	if err != nil {
		return 0, err
	}
	a.b.Put(nodePrefix+path, enc)
	return n.count(), a.flushIfFull()
}

// applyLeaf writes the values that are staged; the others are here already, as
// the walk before the marker has found.
func (a *applier) applyLeaf(path string, n, now *node) error {
	entries := n.list()
	keep := make(map[string]bool, len(entries))
	for i := range entries {
		e := &entries[i]
		keep[e.key] = true
		value, ok, err := a.s.store.Get(stageDataPrefix + string(e.hash[:]))
		if err != nil {
			return storeError("read staged value", err)
		}
		if !ok {
			continue
		}
		if crypto.Hash(value) != e.value {
			// Left over from another root, unless it claims not to be.
			staged, err := a.s.hasStaged(e)
			if err != nil {
				return err
			}
			if staged {
				return fmt.Errorf("%w: a staged value is not what was staged", ErrDamaged)
			}
			continue
		}
		a.b.Put(dataPrefix+e.key, value)
		if err := a.flushIfFull(); err != nil {
			return err
		}
	}
	if now == nil {
		return nil
	}
	return a.removeBelow(path, now, keep)
}

// applyInner makes all children the target's. A child that the target lacks can
// only be there if the old node was an inner one too; below an old leaf there
// are at most new nodes, from an attempt before this one.
func (a *applier) applyInner(path string, n, now *node) error {
	for d := range n.kids {
		at := path + digits[d:d+1]
		if n.kids[d].count > 0 {
			if _, err := a.apply(at, n.kids[d].hash); err != nil {
				return err
			}
		} else if now != nil && now.kids != nil {
			if err := a.remove(at, nil); err != nil {
				return err
			}
		}
	}
	if now == nil || now.kids != nil {
		return nil
	}
	// A leaf becomes an inner node: its keys that the target lacks go. The
	// others have been overwritten, or stay as they are.
	entries := now.list()
	for i := range entries {
		e := &entries[i]
		has, err := a.targetHas(n, path, e)
		if err != nil {
			return err
		}
		if !has {
			a.b.Delete(dataPrefix + e.key)
		}
	}
	return nil
}

// targetHas looks a key up in the target below the inner node n at path, where
// the store had only a leaf, so that all of the target is staged.
func (a *applier) targetHas(n *node, path string, e *entry) (bool, error) {
	for n.kids != nil {
		d := nibble(&e.hash, len(path))
		k := &n.kids[d]
		if k.count == 0 {
			return false, nil
		}
		path += digits[d : d+1]
		next, _, err := a.s.stagedNode(path, k.hash)
		if err != nil {
			return false, err
		}
		if next == nil {
			return false, fmt.Errorf("%w: staged node %q is missing", ErrDamaged, path)
		}
		n = next
	}
	return n.find(e.key) != nil, nil
}

// remove takes the subtree at path out of the store, but for the data of keys in
// keep. What an earlier attempt removed is not there any more.
func (a *applier) remove(path string, keep map[string]bool) error {
	now, _, err := a.current(path)
	if err != nil || now == nil {
		return err
	}
	if err := a.removeBelow(path, now, keep); err != nil {
		return err
	}
	a.b.Delete(nodePrefix + path)
	return a.flushIfFull()
}

// removeBelow removes what hangs on the node now at path, not the node. Keys in
// keep are the target's, too: their values have been written, or are right.
func (a *applier) removeBelow(path string, now *node, keep map[string]bool) error {
	for _, e := range now.list() {
		if !keep[e.key] {
			a.b.Delete(dataPrefix + e.key)
		}
	}
	if now.kids == nil {
		return nil
	}
	for d := range now.kids {
		if now.kids[d].count > 0 {
			if err := a.remove(path+digits[d:d+1], keep); err != nil {
				return err
			}
		}
	}
	return nil
}

// discardStale clears some of the side space once the store, at seq, has passed
// the height that it was for.
func (s *State) discardStale(seq consensus.Seq) error {
	if !s.hasStage || seq < s.staged {
		return nil
	}
	return s.clearStage(s.config.swapWrites)
}

// clearStage removes up to limit staged parts, 0 being all of them, and the mark
// of the side space when none is left.
func (s *State) clearStage(limit int) error {
	for removed := 0; limit == 0 || removed < limit; {
		b := &Batch{}
		// It goes on where it stopped, because what a disk has just removed
		// is slow to walk over.
		it := s.store.Iterate(max(stagePrefix, s.cleared), stageEnd)
		more := it.Next()
		for ; more && len(b.Writes()) < s.config.swapWrites; more = it.Next() {
			s.cleared = string(it.Key())
			b.Delete(s.cleared)
		}
		err := it.Err()
		it.Release()
		if err != nil {
			return storeError("clear the side space", err)
		}
		if removed += len(b.Writes()); !more {
			b.Delete(stageKey)
			s.hasStage, s.cleared = false, ""
		}
		if err := s.store.Apply(b, true); err != nil {
			return storeError("clear the side space", err)
		}
		if !more {
			return nil
		}
	}
	return nil
}
