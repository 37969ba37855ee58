package pbft

import (
	"bytes"
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// ownWords looks, in what it hears, for words of this replica that it does not
// remember (§8). Everything that it says is durable before it is said, or its lease
// is, and nobody else has its key: such a word means that its disk was set back to
// an older copy, or that another process uses its key. What is rightly forgotten is
// left out: slots at or below the low mark, votes of views that are over, what the
// lease of an earlier life covers, and, after a rejoin, what its limits do. So nothing that a liar repeats can have this effect.
type ownWords struct{ *replica }

// in looks at a message.
func (r ownWords) in(m any) {
	if r.rejoin.asleep || r.lies {
		return
	}
	switch m := m.(type) {
	case *message.PrePrepare:
		r.vote(&m.Vote)
	case *message.Vote:
		r.vote(m)
	case *message.ViewChange:
		r.viewChange(m)
	case *message.NewView:
		r.newView(m)
	case *message.FetchReply:
		r.certificate(m.Certificate)
	}
}

func (r ownWords) vote(v *message.Vote) {
	if v.Replica == r.id && r.forgot(v.Kind, v.View, v.Seq, v.Digest) {
		r.setBack(fmt.Sprintf("%s of view %d for slot %d", v.Kind, v.View, v.Seq))
	}
}

// certificate looks at the signatures in a certificate.
func (r ownWords) certificate(c *message.Certificate) {
	if c == nil || r.rejoin.asleep {
		return
	}
	for _, s := range c.Signed {
		if v := r.rules.VoteOf(c, s); s.Replica == r.id && r.forgot(v.Kind, v.View, v.Seq, v.Digest) {
			r.setBack(fmt.Sprintf("%s of view %d for slot %d, in a certificate", v.Kind, v.View, v.Seq))
			return
		}
	}
}

func (r ownWords) viewChange(vc *message.ViewChange) {
	if vc.Replica == r.id && r.rejoin.mayChange(vc.View) {
		mine := r.views.Mine()
		other := r.view.changing && vc.View == r.view.number && mine != nil && mine.View == vc.View && !sameWords(mine.Frame, vc.Frame)
		if vc.View > r.view.number || other {
			r.setBack(fmt.Sprintf("VIEW-CHANGE for view %d", vc.View))
			return
		}
	}
	r.certificate(vc.Checkpoint)
	for _, c := range vc.Prepared {
		r.certificate(c)
	}
}

// sameWords compares what was signed: one signer can put several valid
// signatures under the same words.
func sameWords(a, b []byte) bool {
	return bytes.Equal(a[:len(a)-crypto.SignatureSize], b[:len(b)-crypto.SignatureSize])
}

func (r ownWords) newView(nv *message.NewView) {
	if nv.Replica == r.id && r.rejoin.mayChange(nv.View) && r.notEntered(nv.View) {
		r.setBack(fmt.Sprintf("NEW-VIEW of view %d", nv.View))
		return
	}
	for _, vc := range nv.ViewChanges {
		if r.rejoin.asleep {
			return
		}
		r.viewChange(vc)
	}
}

// notEntered reports whether this replica has never been in a view. It is
// recorded with which view it is in before anything is said there.
func (r ownWords) notEntered(v consensus.View) bool {
	return v > r.view.number || v == r.view.number && r.view.changing
}

// forgot reports whether a vote of this replica is one that it would remember,
// had it said it.
func (r ownWords) forgot(kind message.Kind, v consensus.View, n consensus.Seq, d crypto.Digest) bool {
	switch {
	case kind == message.CheckpointKind:
		said, ok := r.checkpoints.Said(r.id, n)
		return n > r.low() && r.rejoin.mayCheckpoint(n) && (!ok || said.Digest != d)
	case !r.rejoin.allows(v, n):
		return false
	case r.notEntered(v):
		return true
	case v < r.view.number || n <= r.low():
		return false
	}
	leased := kind != message.CommitKind && r.lease.forgets(v, n)
	s := r.log.slots[n]
	if s == nil {
		return !leased
	}
	said := s.proposal
	switch kind {
	case message.PrepareKind:
		said = s.prepares.votes[r.id]
	case message.CommitKind:
		said = s.commits.votes[r.id]
	}
	if said == nil || said.Replica != r.id {
		return !leased
	}
	return said.Digest != d
}

// setBack stops signing, and rejoins as one that lost its disk: what it has
// forgotten is bounded by the same limits.
func (r ownWords) setBack(what string) {
	text := fmt.Sprintf("heard its own %s, which its log does not hold: its disk was set back to an older copy, or another process uses its key", what)
	r.out.Note(consensus.Note{Kind: consensus.SetBack, View: r.view.number, Seq: r.exec.handed, Text: text})
	if r.rules.System.Faults() == 0 {
		r.exec.halted = true
		r.out.Halt = text + "; with f = 0 nobody can tell what else it said: stop the other process, and put the newest copy of the disk back"
		return
	}
	r.rejoin.forget()
	r.recordView()
	r.out.Note(consensus.Note{Kind: consensus.Rejoining, View: r.view.number, Text: "its log is not all that it said: signs nothing until it is caught up"})
}

// withForgotten gives a peer its own words back that it seems not to remember:
// votes in slots of which it says that it has not even the body, without which it
// would not have voted; a CHECKPOINT above what it has executed; a VIEW-CHANGE
// for a view above its own. A peer that remembers them ignores them.
func (r helping) withForgotten(st *message.Status) {
	if vc := r.views.Latest(r.to.Replica); vc != nil && vc.View > st.View {
		r.give(consensus.Bodies, vc.Frame)
	}
	k := r.rules.Genesis.CheckpointInterval
	for n := r.low() + k; n <= r.high(); n += k {
		if v, ok := r.checkpoints.Said(r.to.Replica, n); ok && n > st.Executed {
			r.give(consensus.Votes, v.Encode())
		}
	}
	if r.view.changing || st.View > r.view.number {
		return
	}
	for i := range consensus.Seq(message.MaxStatusSlots) {
		s := r.log.slots[st.Executed+1+i]
		if s == nil || int(i) < len(st.Slots) && st.Slots[i]&message.HasBody != 0 {
			continue
		}
		for _, v := range []*message.Vote{s.prepares.votes[r.to.Replica], s.commits.votes[r.to.Replica]} {
			if v != nil {
				r.give(consensus.Votes, v.Encode())
			}
		}
	}
}
