package state

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// A restore in short: RestoreBegin lists what is missing, RestorePut stages what
// came and lists what is missing below it, RestoreEnd swaps it in. The state in
// the main space is whole and servable all the while, until the swap.
//
// The side space has room for one staged version of each path and each key: what
// is staged is recognised by its hash, so a part that still matches when the
// restore turns to a newer root is found again, and one that does not is
// overwritten. So the side space is never larger than the largest target and
// what was deleted on the way. Staging is synced: once the marker is there, no
// part may be missing.
const (
	stagePrefix     = "s/"
	stageEnd        = "s0"
	stageNodePrefix = "s/n/" // path → node
	stageHashPrefix = "s/h/" // hash of a key → hash of the staged value
	stageDataPrefix = "s/v/" // hash of a key → staged value
	stageKey        = "m/stage"
	markerKey       = "m/restore"
)

// Bounds of a restore under way.
const (
	maxListed      = 16 * consensus.MaxItemsPerFetch // items listed and not yet in place
	maxListedBytes = 4 << 20                         // their ids
)

// restore is what a State remembers of a restore between calls; the parts are
// in the side space. All of it can be found again by walking the target's trie.
type restore struct {
	target height // its root's count is not known before the end
	listed map[string]crypto.Digest
	bytes  int // of the ids in listed
	// cut says that items are missing that are not listed. They stand at or
	// after cursor in the order of a walk, which is that of the paths.
	cut    bool
	cursor string
}

// RestoreBegin opens the side space for the state at seq with root, continues
// with what is staged there, or turns to a newer root, and drops what is
// executed above the store's height. It lists items that are missing, at most
// maxListed; more says that there are others, which another RestoreBegin lists
// once these are in place. Nothing missing: RestoreEnd is due. While a task of a
// checkpoint is under way it fails: the task may be about to move the height.
func (s *State) RestoreBegin(seq consensus.Seq, root crypto.Digest, certificate []byte) (missing []consensus.Item, more bool, err error) {
	if s.tasks > 0 {
		return nil, false, errBusy
	}
	if r := s.restore; r == nil || r.target.seq != seq || r.target.root.hash != root {
		// What is here is compared with the target, and swapped, in the
		// store alone.
		if err := s.complete(); err != nil {
			return nil, false, err
		}
		s.drop()
		s.restore = &restore{target: height{seq: seq, root: ref{hash: root}, certificate: certificate}, cut: true, listed: map[string]crypto.Digest{}}
		if err := s.markStage(seq); err != nil {
			return nil, false, err
		}
	}
	r := s.restore
	for id, hash := range r.listed {
		missing = append(missing, consensus.Item{ID: id, Hash: hash})
	}
	slices.SortFunc(missing, func(a, b consensus.Item) int { return strings.Compare(a.ID, b.ID) })
	if r.cut {
		w := survey{s: s, from: r.cursor, limit: maxListed}
		r.cut, r.cursor = false, ""
		if err := w.visit("", r.target.root, s.localRoot()); err != nil {
			return nil, false, err
		}
		missing = append(missing, w.missing...)
	}
	s.lower.sweep()
	return missing, r.cut, nil
}

// RestorePut verifies parts (parts[i] answers items[i]) and stages the good ones
// on disk. done are the items now in place, bad those whose part does not have
// the hash, missing further items that are needed; more is as in RestoreBegin.
func (s *State) RestorePut(items []consensus.Item, parts []consensus.Part) (done, bad, missing []consensus.Item, more bool, err error) {
	if s.restore == nil {
		return nil, nil, nil, false, nil
	}
	b := &Batch{}
	var nodes []consensus.Item
	for i, item := range items {
		if i >= len(parts) || parts[i].ID != item.ID {
			bad = append(bad, item)
			continue
		}
		// A part that is not listed came twice, or for a root that the
		// restore has turned away from. Its bytes may be good, but
		// staging them could overwrite better ones.
		wanted := s.restore.wants(item)
		if !stagePart(b, item, parts[i].Bytes, wanted) {
			bad = append(bad, item)
			continue
		}
		done = append(done, item)
		if wanted {
			s.restore.unlist(item)
			nodes = append(nodes, item)
		}
	}
	if len(b.Writes()) > 0 {
		if err := s.store.Apply(b, true); err != nil {
			return nil, nil, nil, false, storeError("stage parts", err)
		}
	}
	missing, err = s.below(nodes)
	return done, bad, missing, s.restore.cut, err
}

// below lists what is missing under items that have just been staged.
func (s *State) below(items []consensus.Item) ([]consensus.Item, error) {
	w := survey{s: s, limit: maxListed}
	for _, item := range items {
		kind, path, _ := splitID(item.ID)
		if kind == idValue {
			continue
		}
		have, err := s.localAt(path)
		if err != nil {
			return nil, err
		}
		if err := w.visit(path, ref{hash: item.Hash}, have); err != nil {
			return nil, err
		}
	}
	s.lower.sweep()
	return w.missing, nil
}

// RestoreAbort goes back to the store's state. The side space stays for a later
// RestoreBegin, until the store passes its height.
func (s *State) RestoreAbort() {
	s.restore = nil
	s.drop()
}

// Restoring is the height that a restore is under way to, or 0.
func (s *State) Restoring() consensus.Seq {
	if s.restore == nil {
		return 0
	}
	return s.restore.target.seq
}

func (r *restore) wants(item consensus.Item) bool {
	hash, ok := r.listed[item.ID]
	return ok && hash == item.Hash
}

func (r *restore) unlist(item consensus.Item) {
	delete(r.listed, item.ID)
	r.bytes -= len(item.ID)
}

// stagePart verifies a part and, if it is wanted, adds what it carries to b.
func stagePart(b *Batch, item consensus.Item, part []byte, wanted bool) bool {
	kind, name, ok := splitID(item.ID)
	if !ok {
		return false
	}
	if kind == idValue {
		if ok = crypto.Hash(part) == item.Hash; ok && wanted {
			stageValue(b, hashKey(name), item.Hash, part)
		}
		return ok
	}
	top, err := readBundle(part, name, item.Hash)
	if err == nil && wanted {
		stageBundle(b, top, name)
	}
	return err == nil
}

// stageValue stages a value and, beside it, its hash: walks look for many values
// and must not read them to know which they are.
func stageValue(b *Batch, key, hash crypto.Digest, value []byte) {
	b.Put(stageHashPrefix+string(key[:]), hash[:])
	b.Put(stageDataPrefix+string(key[:]), value)
}

// stageBundle stages a verified bundle, also what nobody asked for in it: it is
// part of the target, and so it will be needed or is here already.
func stageBundle(b *Batch, in *bundle, path string) {
	b.Put(stageNodePrefix+path, in.enc)
	for i, e := range in.entries {
		if in.values[i] != nil {
			stageValue(b, e.hash, e.value, in.values[i])
		}
	}
	for d, kid := range in.kids {
		if kid != nil {
			stageBundle(b, kid, path+digits[d:d+1])
		}
	}
}

// staged returns the staged node at path if it has the hash, else nil.
func (s *State) stagedNode(path string, hash crypto.Digest) (*node, []byte, error) {
	enc, ok, err := s.store.Get(stageNodePrefix + path)
	if err != nil {
		return nil, nil, storeError("read staged node", err)
	}
	if !ok {
		return nil, nil, nil
	}
	got, scratch := hashNode(s.lower.tree.scratch, enc)
	if s.lower.tree.scratch = scratch; got != hash {
		return nil, nil, nil
	}
	n, err := decodeNode(enc, path)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: staged node %q: %w", ErrDamaged, path, err)
	}
	return n, enc, nil
}

// hasStaged reports whether the value of e is staged.
func (s *State) hasStaged(e *entry) (bool, error) {
	hash, ok, err := s.store.Get(stageHashPrefix + string(e.hash[:]))
	if err != nil {
		return false, storeError("read staged value", err)
	}
	return ok && string(hash) == string(e.value[:]), nil
}

// markStage remembers, durably, up to which height staged parts are of use.
func (s *State) markStage(seq consensus.Seq) error {
	b := &Batch{}
	b.Put(stageKey, binary.BigEndian.AppendUint64(nil, uint64(seq)))
	if err := s.store.Apply(b, true); err != nil {
		return storeError("open the side space", err)
	}
	s.staged, s.hasStage, s.cleared = seq, true, ""
	return nil
}
