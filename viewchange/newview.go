package viewchange

import (
	"errors"
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// The ways in which a NEW-VIEW can be wrong although all its signatures are
// right. Its receiver goes for the next view (PROTOCOL.md §6).
var (
	// errNoQuorum: V is not q VIEW-CHANGEs of distinct replicas for the view.
	errNoQuorum = errors.New("new-view without a quorum of view-changes")
	// errProposals: O is not what follows from V.
	errProposals = errors.New("new-view proposals do not follow from its view-changes")
)

// Open makes the NEW-VIEW of v, if I am its primary, have asked for v myself
// and hold q VIEW-CHANGEs for exactly v that are whole: the bodies of what prepared
// at their senders are here. It does so once per view.
//
// V is mine and those of the lowest ids beside it, so that the outcome depends
// on nothing but what has arrived.
func (c *Changer) Open(v consensus.View, whole func(*message.ViewChange) bool) (*message.NewView, Start, bool) {
	if c.rules.System.Primary(v) != c.self || v <= c.entered || v <= c.opened || c.mine == nil || c.mine.View != v {
		return nil, Start{}, false
	}
	vcs, ok := c.quorum(v, whole)
	if !ok {
		return nil, Start{}, false
	}
	start := Select(c.rules, vcs)
	start.Proposals = make([]message.Vote, len(start.Chosen))
	for i, slot := range start.Chosen {
		start.Proposals[i] = c.rules.SignVote(c.signer, message.Vote{
			Kind: message.PrePrepareKind, View: v, Seq: slot.Seq, Digest: slot.Digest, Replica: c.self,
		})
	}
	c.opened = v
	return c.rules.NewNewView(c.signer, message.NewView{View: v, ViewChanges: vcs, Proposals: start.Proposals}), start, true
}

// quorum picks q whole VIEW-CHANGEs for v, mine among them, ascending by replica.
func (c *Changer) quorum(v consensus.View, whole func(*message.ViewChange) bool) ([]*message.ViewChange, bool) {
	q := c.rules.System.Quorum()
	others := q - 1
	var vcs []*message.ViewChange
	for _, vc := range c.Asking(v) {
		switch {
		case vc.Replica == c.self:
			vcs = append(vcs, vc)
		case others > 0 && whole(vc):
			vcs = append(vcs, vc)
			others--
		}
	}
	return vcs, len(vcs) == q
}

// Accept judges a verified NEW-VIEW: what follows from V is computed again, and
// only an exact match is accepted. The errors wrap errNoQuorum or errProposals.
func (c *Changer) Accept(nv *message.NewView) (Start, error) {
	if err := c.checkQuorum(nv); err != nil {
		return Start{}, err
	}
	start := Select(c.rules, nv.ViewChanges)
	if len(nv.Proposals) != len(start.Chosen) {
		return Start{}, fmt.Errorf("view %d: %d proposals, want %d: %w", nv.View, len(nv.Proposals), len(start.Chosen), errProposals)
	}
	for i := range start.Chosen {
		want, got := &start.Chosen[i], &nv.Proposals[i]
		if got.Seq != want.Seq || got.Digest != want.Digest || got.View != nv.View || got.Kind != message.PrePrepareKind {
			return Start{}, fmt.Errorf("view %d: proposal %s, want n=%d d=%s: %w", nv.View, got, want.Seq, want.Digest.Short(), errProposals)
		}
	}
	start.Proposals = nv.Proposals
	return start, nil
}

// checkQuorum repeats what decoding has checked of V: everything that follows
// rests on it, and it costs nothing.
func (c *Changer) checkQuorum(nv *message.NewView) error {
	if len(nv.ViewChanges) != c.rules.System.Quorum() {
		return fmt.Errorf("view %d: %d view-changes, want %d: %w", nv.View, len(nv.ViewChanges), c.rules.System.Quorum(), errNoQuorum)
	}
	for i, vc := range nv.ViewChanges {
		if vc.View != nv.View || i > 0 && nv.ViewChanges[i-1].Replica >= vc.Replica {
			return fmt.Errorf("view %d: view-change %d for view %d of replica %d: %w", nv.View, i, vc.View, vc.Replica, errNoQuorum)
		}
	}
	return nil
}
