package state

import (
	"errors"
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Snapshot is a kept state that is being served to others. Read may be called
// from any goroutine; everything else belongs to the State.
type Snapshot struct {
	Seq   consensus.Seq
	Root  crypto.Digest
	view  StoreSnapshot
	used  consensus.Seq // the kept height when it was last asked for
	asked bool          // somebody asked for it at all
}

// ErrGone says that a snapshot can serve none of the items asked for: it was
// released, or it never had them.
var ErrGone = errors.New("snapshot does not hold any of these items")

// maxPinned bounds the heights that are servable at once.
const maxPinned = 3

// pin makes the kept height servable and lets go of what need not be any more. A
// view of the store costs the disk what changes while it is held, so views are
// bounded in number, and one that nobody reads from is not held for long.
func (s *State) pin(view StoreSnapshot) {
	newest := &Snapshot{Seq: s.kept.seq, Root: s.kept.root.rootHash(), view: view, used: s.kept.seq}
	stay := s.pinned[:0:0]
	for i, p := range s.pinned {
		same := p.Seq == newest.Seq && p.Root == newest.Root
		idle := newest.Seq > p.used && newest.Seq-p.used > s.config.SnapshotIdle
		// One that nobody asked for gets a single height's grace: somebody
		// may be about to.
		unread := !p.asked && i < len(s.pinned)-1
		if same || idle || unread {
			p.view.Release()
			continue
		}
		stay = append(stay, p)
	}
	for len(stay) >= maxPinned {
		stay[0].view.Release()
		stay = stay[1:]
	}
	s.pinned = append(stay, newest)
}

// Snapshot returns the servable state at seq with root, if there is one. Asking
// keeps it servable for a while.
func (s *State) Snapshot(seq consensus.Seq, root crypto.Digest) (*Snapshot, bool) {
	for _, p := range s.pinned {
		if p.Seq == seq && p.Root == root {
			p.used, p.asked = max(s.kept.seq, p.used), true
			return p, true
		}
	}
	return nil, false
}

// Release stops serving every snapshot but the kept one.
func (s *State) Release() {
	for _, p := range s.pinned[:len(s.pinned)-1] {
		p.view.Release()
	}
	s.pinned = append([]*Snapshot(nil), s.pinned[len(s.pinned)-1])
}

// Read returns the parts of the items in their order, leaving out those that
// the snapshot does not hold, and stops once it has read budget bytes: at least
// one part, or ErrGone. It is safe for concurrent use.
func (p *Snapshot) Read(items []consensus.Item, budget int) ([]consensus.Part, error) {
	var parts []consensus.Part
	for i, item := range items {
		if i > 0 && budget <= 0 {
			break
		}
		bytes, ok, err := p.read(item, budget)
		if errors.Is(err, ErrReleased) {
			break
		}
		if err != nil {
			return nil, err
		}
		// What was read in vain counts as well: else a few wrong hashes
		// would buy gigabytes of reading.
		budget -= len(bytes)
		if ok {
			parts = append(parts, consensus.Part{ID: item.ID, Bytes: bytes})
		}
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("state at %d: %w", p.Seq, ErrGone)
	}
	return parts, nil
}

// read returns one part. What does not have the item's hash is not ok.
func (p *Snapshot) read(item consensus.Item, budget int) (part []byte, ok bool, err error) {
	kind, name, ok := splitID(item.ID)
	if !ok {
		return nil, false, nil
	}
	if kind == idValue {
		value, ok, err := p.view.Get(dataPrefix + name)
		if err != nil {
			return nil, false, storeError("read value of a snapshot", err)
		}
		return value, ok && crypto.Hash(value) == item.Hash, nil
	}
	enc, ok, err := p.view.Get(nodePrefix + name)
	if err != nil {
		return nil, false, storeError("read node of a snapshot", err)
	}
	if h, _ := hashNode(nil, enc); !ok || h != item.Hash {
		return enc, false, nil
	}
	w := bundleWriter{view: p.view, inline: inlineBytes, room: budget}
	if kind == idTree {
		w.inline, w.room, w.deep = treeInlineBytes, min(budget, treePartBytes), true
	}
	part, err = w.append(nil, enc, name)
	return part, err == nil, err
}
