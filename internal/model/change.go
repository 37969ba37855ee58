package model

import (
	"math/bits"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// What a replica says in its VIEW-CHANGE about the slot: a prepared certificate,
// nothing, or that it is stable.
const (
	nothing   uint8 = 0
	settledAt uint8 = 0x40 // + a value: h is past the slot
	absent    uint8 = 0xff // not in V
)

// said is V: by replica, what its VIEW-CHANGE says.
type said [maxReplicas]uint8

// plan is how a NEW-VIEW begins: what it allows to propose for the slot, and
// which value it keeps.
type plan struct {
	allowed uint8 // values, as bits
	keeps   uint8 // ... that were not forgotten: bothValues if nothing was said
}

// entry is one way into the next view.
type entry struct {
	allowed uint8
	senders uint16 // actors, as bits, whose VIEW-CHANGEs it took
	cost    int
}

// entries lists the ways into the view after s, and reports whether one of them
// forgets what was committed. A view may also stay without votes.
//
// A primary that lies may give everybody another V, so that anything is allowed
// that follows from some V of what was sent; an honest one has one.
func (h *search) entries(s *state) (list []entry, lost bool) {
	view := int(s.view) + 1
	primary := h.primary(view)
	list = []entry{{}}
	lying := map[uint16]uint8{} // senders to allowed
	h.quorums(s, func(v said, senders uint16) {
		p := h.plan(view, v)
		lost = lost || s.committed&^p.keeps != 0
		switch {
		case h.Liars.Has(primary):
			lying[senders] |= p.allowed
		case v[primary] != absent:
			list = cheapest(list, entry{p.allowed, senders, bits.OnesCount16(senders)})
		}
	})
	for all := range uint16(1 << len(h.ids)) {
		var allowed uint8
		for senders := range all + 1 {
			if senders&^all == 0 {
				allowed |= lying[senders]
			}
		}
		if allowed != 0 {
			list = cheapest(list, entry{allowed, all, bits.OnesCount16(all)})
		}
	}
	return list, lost
}

// cheapest enters e, of several ways to allow the same the one of fewest steps.
func cheapest(list []entry, e entry) []entry {
	for i := range list {
		if list[i].allowed == e.allowed {
			if e.cost < list[i].cost {
				list[i] = e
			}
			return list
		}
	}
	return append(list, e)
}

// quorums enumerates every V: which replicas are in it, and what the liars say.
func (h *search) quorums(s *state, then func(v said, senders uint16)) {
	active := h.active(s, false)
	lies := h.lies(s)
	for members := range quorum.Set(1 << h.Rules.System.Size()) {
		if members.Len() != h.quorum()-h.Weakness.ViewChanges {
			continue
		}
		v, senders, present := said{}, uint16(0), members&h.Liars
		for i := range v {
			v[i] = absent
		}
		for i, id := range h.ids {
			if active>>i&1 == 1 && members.Has(id) {
				present.Add(id)
				senders |= 1 << i
				v[id] = s.actors[i].held
				if s.actors[i].stable != 0 {
					v[id] = settledAt + s.actors[i].stable - 1
				}
			}
		}
		if present == members {
			lie(v, (members & h.Liars).Replicas(), lies, func(v said) { then(v, senders) })
		}
	}
}

// lie enumerates what the liars in V say.
func lie(v said, liars []consensus.ReplicaID, lies []uint8, then func(said)) {
	if len(liars) == 0 {
		then(v)
		return
	}
	for _, l := range lies {
		v[liars[0]] = l
		lie(v, liars[1:], lies, then)
	}
}

// lies lists what a liar can say: nothing, or whatever can be proven.
func (h *search) lies(s *state) []uint8 {
	list := []uint8{nothing}
	for bit := range uint8(maxViews * values) {
		if s.certs>>bit&1 == 1 {
			list = append(list, bit+1)
		}
	}
	for value := range values {
		if h.checkpointed(s, value) {
			list = append(list, settledAt+uint8(value))
		}
	}
	return list
}

var digests = [values]crypto.Digest{crypto.Hash([]byte("A")), crypto.Hash([]byte("B"))}

// plan asks the Select under test what follows from V.
func (h *search) plan(view int, v said) plan {
	if p, known := h.plans[v]; known {
		return p
	}
	var vcs []*message.ViewChange
	for id, says := range v[:h.Rules.System.Size()] {
		vc := &message.ViewChange{View: consensus.View(view), Replica: consensus.ReplicaID(id)}
		switch {
		case says == absent:
			continue
		case says >= settledAt:
			vc.Low = 1
			vc.Checkpoint = &message.Certificate{Kind: message.CheckpointCertificate, Seq: 1, Digest: digests[says-settledAt]}
		case says != nothing:
			vc.Prepared = []*message.Certificate{{
				Kind: message.PreparedCertificate, View: consensus.View(viewOf(says)), Seq: 1, Digest: digests[valueOf(says)],
			}}
		}
		vcs = append(vcs, vc)
	}
	p := h.read(vcs)
	h.plans[v] = p
	return p
}

// read translates what Select says: the slot is behind min-s, or free, or has a
// value. Weaker rules may also leave it null.
func (h *search) read(vcs []*message.ViewChange) (p plan) {
	start := h.Weakness.Select(h.Rules, vcs)
	for value, d := range digests {
		if start.Min >= 1 && start.Checkpoint != nil && start.Checkpoint.Digest == d {
			return plan{keeps: 1 << value}
		}
		if start.Min == 0 && len(start.Chosen) > 0 && start.Chosen[0].Digest == d {
			p = plan{allowed: 1 << value, keeps: 1 << value}
		}
	}
	if start.Min == 0 && len(start.Chosen) == 0 {
		p.allowed = bothValues
	}
	if h.Weakness.Disloyal {
		p.allowed = bothValues
	}
	return p
}
