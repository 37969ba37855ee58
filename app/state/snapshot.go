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

// servedFor times SnapshotIdle, others have time to ask again: they wait for half a
// second when all have told them that a height is gone, and under full load a
// thousand sequence numbers go by in that.
const servedFor = 16

// maxPinned bounds the heights that are servable at once.
const maxPinned = 3

// serving is what others are given. A height is servable if the store had all of
// its nodes when a view was taken. That costs as long as it lasts, so it is done
// only for a while after somebody asked.
type serving struct {
	pinned []*Snapshot   // oldest first
	until  consensus.Seq // heights kept up to here are made servable
	vain   height        // the last height that was asked for and could not be given at once
}

// pin makes the kept height servable, as the view has it, and lets go of what need
// not be any more; without a view that is all. A view of the store costs the disk
// what changes while it is held, so views are bounded in number, and one that
// nobody reads from is not held for long.
func (s *State) pin(view StoreSnapshot) {
	v, root := &s.serving, s.kept.root.rootHash()
	stay := v.pinned[:0:0]
	for i, p := range v.pinned {
		same := p.Seq == s.kept.seq && p.Root == root
		idle := s.kept.seq > p.used && s.kept.seq-p.used > s.config.SnapshotIdle
		// One that nobody asked for gets a single height's grace: somebody
		// may be about to.
		unread := !p.asked && i < len(v.pinned)-1
		if same || idle || unread || view == nil {
			p.view.Release()
			continue
		}
		stay = append(stay, p)
	}
	for len(stay) >= maxPinned {
		stay[0].view.Release()
		stay = stay[1:]
	}
	if view != nil {
		stay = append(stay, &Snapshot{Seq: s.kept.seq, Root: root, view: view, used: s.kept.seq})
	}
	v.pinned = stay
}

// Snapshot returns the servable state at seq with root, or ErrGone. Asking keeps it
// servable for a while, and makes the heights servable that are kept next. The kept
// height is made so at once if nothing was written since, else when it is asked
// for a second time: until then another one may well be kept, by the way, and
// storing the nodes of this one would hold up execution.
func (s *State) Snapshot(seq consensus.Seq, root crypto.Digest) (*Snapshot, error) {
	v := &s.serving
	v.until = s.kept.seq + servedFor*s.config.SnapshotIdle
	for _, p := range v.pinned {
		if p.Seq == seq && p.Root == root {
			p.used, p.asked = max(s.kept.seq, p.used), true
			return p, nil
		}
	}
	if seq != s.kept.seq || root != s.kept.root.rootHash() || s.tasks > 0 {
		return nil, ErrGone
	}
	idle := len(s.layers) == 0 && s.open.bytes == 0
	again := v.vain.seq == seq && v.vain.root.hash == root
	if v.vain = (height{seq: seq, root: ref{hash: root}}); len(s.lower.unsaved.records) > 0 && !idle && !again {
		return nil, ErrGone
	}
	if err := s.complete(); err != nil {
		return nil, err
	}
	k := &keeping{s: s, next: s.lower.height, wanted: true}
	if err := s.run(s.begin(k, k.settle)); err != nil {
		return nil, err
	}
	return s.Snapshot(seq, root)
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
