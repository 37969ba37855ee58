package viewchange

import (
	"bytes"
	"cmp"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// Changer holds the VIEW-CHANGEs that may still count. Not safe for concurrent
// use.
type Changer struct {
	rules   *message.Rules
	self    consensus.ReplicaID
	signer  crypto.Signer
	entered consensus.View // the view that was entered last
	opened  consensus.View // the last view that this replica opened as its primary
	mine    *message.ViewChange
	senders []sender // by replica, this one included
}

// sender is what is kept of one replica: two places, so that a liar that fills
// the one with a view of the far future cannot keep its own VIEW-CHANGE for the
// view at hand from counting, nor make anybody store more.
type sender struct {
	goal    *message.ViewChange // for the view that I go for
	highest *message.ViewChange
}

// New returns the changer of replica self, in view 0.
func New(rules *message.Rules, self consensus.ReplicaID, signer crypto.Signer) *Changer {
	return &Changer{rules: rules, self: self, signer: signer, senders: make([]sender, len(rules.Genesis.Replicas))}
}

// target is the view that I go for: that of my VIEW-CHANGE, or, while I am
// content, the next one.
func (c *Changer) target() consensus.View {
	if c.mine != nil && c.mine.View > c.entered {
		return c.mine.View
	}
	return c.entered + 1
}

// Leave makes, keeps and counts my VIEW-CHANGE for v: stable proves h (nil is
// 0), prepared are my prepared certificates of the highest view per slot. What
// lies at or below h is left out, and the order does not matter.
//
// Rule (PROTOCOL.md §6): a VIEW-CHANGE is fixed once sent. If there is one for
// v or a later view already, that one is returned and the arguments are ignored.
func (c *Changer) Leave(v consensus.View, stable *message.Certificate, prepared []*message.Certificate) *message.ViewChange {
	if c.mine != nil && c.mine.View >= v {
		return c.mine
	}
	vc := message.ViewChange{View: v, Checkpoint: stable, Replica: c.self}
	if stable != nil {
		vc.Low = stable.Seq
	}
	for _, p := range prepared {
		if p.Seq > vc.Low {
			vc.Prepared = append(vc.Prepared, p)
		}
	}
	slices.SortFunc(vc.Prepared, func(a, b *message.Certificate) int { return cmp.Compare(a.Seq, b.Seq) })
	c.Restore(c.rules.NewViewChange(c.signer, vc))
	return c.mine
}

// Restore takes my own VIEW-CHANGE from the log. An older one than mine is
// ignored.
func (c *Changer) Restore(vc *message.ViewChange) {
	if c.mine != nil && c.mine.View >= vc.View {
		return
	}
	c.mine = vc
	c.senders[c.self] = sender{goal: vc, highest: vc}
	c.aim()
}

// Mine is my latest VIEW-CHANGE, to be re-sent word for word; nil once a view
// at or above it was entered.
func (c *Changer) Mine() *message.ViewChange {
	if c.mine == nil || c.mine.View <= c.entered {
		return nil
	}
	return c.mine
}

// Add takes another replica's verified VIEW-CHANGE. For each sender the one for
// the view that this replica goes for and the highest one are kept. If the sender
// has said something different for the same view, the first counts and is returned: together
// they are evidence.
func (c *Changer) Add(vc *message.ViewChange) (contradiction *message.ViewChange) {
	if vc.Replica == c.self || vc.View <= c.entered {
		return nil
	}
	s := &c.senders[vc.Replica]
	for _, first := range []*message.ViewChange{s.goal, s.highest} {
		if first != nil && first.View == vc.View {
			if same(first, vc) {
				return nil
			}
			return first
		}
	}
	if s.highest == nil || vc.View > s.highest.View {
		s.highest = vc
	}
	if vc.View == c.target() {
		s.goal = vc
	}
	return nil
}

// same compares what was signed. A signer can put several valid signatures
// under the same words; that contradicts nothing.
func same(a, b *message.ViewChange) bool {
	return bytes.Equal(a.Frame[:len(a.Frame)-crypto.SignatureSize], b.Frame[:len(b.Frame)-crypto.SignatureSize])
}

// Latest is the highest kept VIEW-CHANGE of r, or nil.
func (c *Changer) Latest(r consensus.ReplicaID) *message.ViewChange {
	if int(r) >= len(c.senders) {
		return nil
	}
	return c.senders[r].highest
}

// Join says which view to go for because others do, if they are enough.
//
// Rule (§4.5.2, PROTOCOL.md §6): with VIEW-CHANGEs of w distinct replicas for
// views above current, move to the smallest of those views. Each sender counts
// with the highest view it asked for, and the w highest are looked at: where
// more than w ask, the smallest of all of them would only be left again at
// once, because w others are above it. Among w is a correct replica, so no f
// liars drag anybody, however high the view that they name.
func (c *Changer) Join(current consensus.View) (consensus.View, bool) {
	var views []consensus.View
	for id := range c.senders {
		if vc := c.senders[id].highest; vc != nil && consensus.ReplicaID(id) != c.self && vc.View > current {
			views = append(views, vc.View)
		}
	}
	w := c.rules.System.Weak()
	if len(views) < w {
		return 0, false
	}
	slices.Sort(views)
	return views[len(views)-w], true
}

// Reaching counts the replicas, me included, that have sent a VIEW-CHANGE for v
// or later. Patience for the NEW-VIEW of v starts at q of them: counting only
// those for v itself would let replicas wait for ever on one that went further.
func (c *Changer) Reaching(v consensus.View) int { return len(c.Senders(v)) }

// Senders lists, ascending, who has sent a VIEW-CHANGE for v or later.
func (c *Changer) Senders(v consensus.View) []consensus.ReplicaID {
	var ids []consensus.ReplicaID
	for id := range c.senders {
		if vc := c.senders[id].highest; vc != nil && vc.View >= v {
			ids = append(ids, consensus.ReplicaID(id))
		}
	}
	return ids
}

// Asking returns, ascending by replica, the kept VIEW-CHANGEs for exactly v.
func (c *Changer) Asking(v consensus.View) []*message.ViewChange {
	var vcs []*message.ViewChange
	for _, s := range c.senders {
		switch {
		case s.goal != nil && s.goal.View == v:
			vcs = append(vcs, s.goal)
		case s.highest != nil && s.highest.View == v:
			vcs = append(vcs, s.highest)
		}
	}
	return vcs
}

// Entered says that v has begun. What asked for v or less is forgotten; later
// ones stay, and may be enough to leave v again.
func (c *Changer) Entered(v consensus.View) {
	c.entered = max(c.entered, v)
	c.aim()
}

// aim forgets what the entered view has settled and points each sender's goal
// at the view that I now go for.
func (c *Changer) aim() {
	for i := range c.senders {
		s := &c.senders[i]
		if s.highest != nil && s.highest.View <= c.entered {
			s.highest = nil
		}
		if s.goal != nil && s.goal.View != c.target() {
			s.goal = nil
		}
		if s.highest != nil && s.highest.View == c.target() {
			s.goal = s.highest
		}
	}
}
