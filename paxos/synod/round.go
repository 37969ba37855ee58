package synod

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
)

// Promise is an acceptor's answer to a PREPARE, whole.
type Promise struct {
	Ballot Ballot
	Base   consensus.Seq // everything up to it is chosen, and no vote for it is kept
	Votes  []Vote        // one for each slot, ascending, above Base and above what was asked for
}

// fits reports whether p can be an acceptor's answer to PREPARE(b): its votes are
// in order, and none is of a higher ballot than it promised.
func (p *Promise) fits(b Ballot) bool {
	last := p.Base
	for _, v := range p.Votes {
		if v.Slot <= last || v.Ballot > b || v.Ballot == 0 && !v.Chosen {
			return false
		}
		last = v.Slot
	}
	return p.Ballot == b
}

// Plan is what a quorum's promises leave to a proposer.
type Plan struct {
	// Base is the highest base of the quorum, or the slot that was asked from if
	// that is higher: nothing is proposed at or below it, for it is chosen.
	Base consensus.Seq
	// Slots are those of (Base, the highest named slot], ascending, without gaps:
	// each must be proposed under the new ballot.
	Slots []Choice
}

// First is the first slot in which something new may be proposed. It may be right
// away: slots are chosen in any order.
func (p *Plan) First() consensus.Seq { return p.Base + consensus.Seq(len(p.Slots)) + 1 }

// Choice is what has to be proposed for one slot.
type Choice struct {
	// Vote is what Choose found; where nobody named a vote, consensus.NullDigest
	// under ballot 0. If Chosen is set, the value is known: to propose it again is
	// allowed, and not needed.
	Vote
	Named quorum.Set // who named this digest: they have the body
}

// Round is one proposer's attempt under one ballot, for every slot: phase 1 once,
// then phase 2 slot by slot. Not safe for concurrent use.
type Round struct {
	ballot    Ballot
	quorum    int
	asked     consensus.Seq
	promisers quorum.Set
	promises  []promise // until they are a quorum
	prepared  bool
	plan      Plan
	slots     table[proposal]
	committed consensus.Seq // see Commit
}

type promise struct {
	Promise
	from consensus.ReplicaID
}

// proposal is what was proposed for a slot, and who accepted it.
type proposal struct {
	digest   crypto.Digest
	accepted quorum.Set
	open     bool // something was proposed
}

// NewRound returns a round that has sent PREPARE(b, asked) and heard nothing. q
// promises, and q votes, are a quorum; the proposer's own acceptor counts like any
// other, once what it says is durable. At most window slots above the base are
// open at once.
func NewRound(b Ballot, q int, asked consensus.Seq, window int) *Round {
	return &Round{ballot: b, quorum: q, asked: asked, slots: newTable[proposal](asked, window)}
}

// Ballot is the ballot of this round.
func (r *Round) Ballot() Ballot { return r.ballot }

// Prepared reports whether a quorum has promised, so that there is a Plan.
func (r *Round) Prepared() bool { return r.prepared }

// Promisers are those whose promises count. They become a quorum and not more:
// who comes later is not heard.
func (r *Round) Promisers() quorum.Set { return r.promisers }

// Plan is what the promises leave to this proposer; nothing until Prepared.
func (r *Round) Plan() *Plan { return &r.plan }

// Hear takes the promise of an acceptor and reports whether it completes the
// quorum, which happens once.
//
// Rule: a promise counts for the very ballot that is being prepared. E.g. A prepares
// 3, and C's promise, which names nothing, is late. B has x chosen by {B,C} under 4.
// A prepares 6: C's old promise would make its quorum, and A would propose y.
func (r *Round) Hear(from consensus.ReplicaID, p Promise) (complete bool) {
	if r.prepared || !p.fits(r.ballot) || !r.promisers.Add(from) {
		return false
	}
	r.promises = append(r.promises, promise{p, from})
	if r.promisers.Len() < r.quorum {
		return false
	}
	r.plan = r.decide()
	r.slots.drop(r.plan.Base)
	r.committed = r.plan.Base
	r.promises, r.prepared = nil, true
	return true
}

// decide makes the plan of the promises.
//
// Rule: nothing at or below the highest base. E.g. A executed slot 4 and cut its log
// at 8; B would take A's silence about 4 for "nothing accepted".
//
// Rule: a slot below the highest named one for which nobody named a vote gets the
// null batch. E.g. 7 reached nobody, 8 was chosen, and without null nothing above 6
// would ever be executed.
func (r *Round) decide() Plan {
	plan := Plan{Base: r.asked}
	for _, p := range r.promises {
		plan.Base = max(plan.Base, p.Base)
	}
	// No acceptor has a vote further above its base: the bound only keeps a mistake
	// elsewhere from becoming a large allocation.
	reach := plan.Base + consensus.Seq(len(r.slots.entries))
	var top consensus.Seq
	for _, p := range r.promises {
		if n := len(p.Votes); n > 0 {
			top = max(top, min(p.Votes[n-1].Slot, reach))
		}
	}
	var named []Vote
	for slot := plan.Base + 1; slot <= top; slot++ {
		named = named[:0]
		for i := range r.promises {
			if v, ok := r.promises[i].next(slot); ok {
				named = append(named, v)
			}
		}
		plan.Slots = append(plan.Slots, r.choice(slot, named))
	}
	return plan
}

// next is the vote for slot, which is asked for in ascending order.
func (p *promise) next(slot consensus.Seq) (Vote, bool) {
	for len(p.Votes) > 0 && p.Votes[0].Slot < slot {
		p.Votes = p.Votes[1:]
	}
	if len(p.Votes) > 0 && p.Votes[0].Slot == slot {
		return p.Votes[0], true
	}
	return Vote{}, false
}

// choice is what must be proposed for slot, of which those votes were named.
func (r *Round) choice(slot consensus.Seq, named []Vote) Choice {
	v, ok := Choose(named)
	if !ok {
		return Choice{Vote: Vote{Slot: slot, Digest: consensus.NullDigest}}
	}
	c := Choice{Vote: v}
	for i := range r.promises {
		if other, ok := r.promises[i].next(slot); ok && other.Digest == v.Digest {
			c.Named.Add(r.promises[i].from)
		}
	}
	return c
}

// Propose reports whether ACCEPT(slot, d) may be sent under this ballot: after
// phase 1, above the base and within the window, what the plan says where it says
// something, and never two values for one slot.
func (r *Round) Propose(slot consensus.Seq, d crypto.Digest) bool {
	p := r.slots.at(slot)
	if !r.prepared || p == nil || p.open && p.digest != d {
		return false
	}
	if slot < r.plan.First() && slot > r.plan.Base && r.plan.Slots[slot-r.plan.Base-1].Digest != d {
		return false
	}
	p.open, p.digest = true, d
	return true
}

// Proposed is what was proposed for slot and who has accepted it: the others get
// their ACCEPT again.
func (r *Round) Proposed(slot consensus.Seq) (d crypto.Digest, accepted quorum.Set, ok bool) {
	if p := r.slots.at(slot); p != nil && p.open {
		return p.digest, p.accepted, true
	}
	return crypto.Digest{}, 0, false
}

// Accepted takes ACCEPTED(b, slot) and reports whether by it the value proposed for
// slot is chosen, which happens once.
//
// Rule: chosen is what a quorum accepted under one ballot: a vote of another one
// does not count here.
func (r *Round) Accepted(from consensus.ReplicaID, b Ballot, slot consensus.Seq) (chosen bool) {
	p := r.slots.at(slot)
	return b == r.ballot && p != nil && p.open && p.accepted.Add(from) && p.accepted.Len() == r.quorum
}

// Commit is the slot up to which the owner of this ballot may say COMMIT: l knows
// everything up to it to be chosen, and none of it to be something else than was
// proposed here. leads is false once there is such a slot, or once the round was
// dropped past one that l had not learnt: others lead, and nothing more may be
// committed under this ballot.
//
// E.g. A sent x for slot 1 under 3 to B alone; y was chosen there under 5. A hears of
// that from whoever knows it, and not of 5. Everything up to 1 is chosen then, but by
// COMMIT(3, 1) B would take x for it.
func (r *Round) Commit(l *Learner) (upTo consensus.Seq, leads bool) {
	if !r.prepared {
		return 0, false
	}
	for r.committed < l.Prefix() {
		p := r.slots.at(r.committed + 1)
		d, known := l.Chosen(r.committed + 1)
		if p == nil || p.open && (!known || p.digest != d) {
			return r.committed, false
		}
		r.committed++
	}
	return r.committed, true
}

// Drop raises the base: everything up to it is chosen and in the state on disk.
// The window moves up with it. Commit is asked first, while it can still be told
// what was proposed.
func (r *Round) Drop(base consensus.Seq) { r.slots.drop(base) }
