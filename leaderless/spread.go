package leaderless

import (
	"maps"
	"slices"

	"quorate.dev/quorate/crypto"
)

// handing is a hint on its way to its owner.
type handing struct {
	peer int
	key  string
	cell Cell
}

// hand sends hints to those of their owners who are heard again. Those on their way
// before, and not stored, are sent again.
func (r *Replica) hand() {
	clear(r.hints)
	for _, peer := range slices.Sorted(maps.Keys(r.keep.hints)) {
		if !r.near(peer) {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(r.keep.hints[peer])) {
			c := r.keep.hints[peer][key]
			r.ids++
			r.hints[r.ids] = handing{peer, key, c}
			r.send(peer, &message{kind: kindStore, id: r.ids, cells: []keyed{{key, c}}})
		}
	}
}

// handedOver ends a hint, unless it has grown since it was sent.
func (r *Replica) handedOver(from int, h handing) {
	now := r.keep.hints[h.peer][h.key]
	if from == h.peer && string(now.append(nil)) == string(h.cell.append(nil)) {
		r.keep.handed(h.peer, h.key)
	}
}

// compare holds another's hashes against one's own: where roots differ it asks for
// what is below them, and where that differs it sends what it holds there.
func (r *Replica) compare(from int, theirs []crypto.Digest) {
	root, own := r.keep.tree()
	switch {
	case len(theirs) == 1 && theirs[0] != root:
		r.send(from, &message{kind: kindTree, hashes: slices.Clone(own)})
	case len(theirs) == fanout:
		var differ uint16
		for i := range own {
			if own[i] != theirs[i] {
				differ |= 1 << i
			}
		}
		if differ != 0 {
			r.sendCells(from, differ, differ)
		}
	}
}

// sendCells sends what is in some buckets, in as many frames as it takes. The last
// of them names those of which the receiver's is wanted in turn.
func (r *Replica) sendCells(to int, buckets, wanted uint16) {
	all := r.keep.in(buckets)
	for len(all) > maxCells {
		r.send(to, &message{kind: kindCells, cells: all[:maxCells]})
		all = all[maxCells:]
	}
	r.send(to, &message{kind: kindCells, cells: all, buckets: wanted})
}

// exchange merges what another holds, and sends what it asks for.
func (r *Replica) exchange(from int, m *message) {
	for i := range m.cells {
		r.keep.merge(r.now, m.cells[i].key, m.cells[i].cell)
	}
	if m.buckets != 0 {
		r.sendCells(from, m.buckets, 0)
	}
}

// bury forgets what was deleted long enough ago. Whoever was away meanwhile brings
// it back.
func (r *Replica) bury() {
	if r.cfg.Forget == 0 {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(r.keep.died)) {
		if r.now-r.keep.died[key] >= r.cfg.Forget {
			r.keep.forget(key)
		}
	}
}
