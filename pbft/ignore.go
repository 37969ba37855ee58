package pbft

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// The reasons to ignore an authentic message. What Open refuses has reasons of
// its own, in package message.
const (
	reasonOldView       consensus.Reason = "old view"
	reasonFutureView    consensus.Reason = "view ahead, held back"
	reasonChanging      consensus.Reason = "between views"
	reasonBelow         consensus.Reason = "slot is stable"
	reasonEarly         consensus.Reason = "slot above the window, held back"
	reasonTooFar        consensus.Reason = "slot or view too far ahead"
	reasonHeldFull      consensus.Reason = "too early, and no room to hold it"
	reasonRepeated      consensus.Reason = "already counted"
	reasonContradiction consensus.Reason = "contradicts an earlier message of its signer"
	reasonUnasked       consensus.Reason = "nobody asked"
	reasonTwice         consensus.Reason = "request stands in another new proposal of this view"
	reasonStampAhead    consensus.Reason = "stamp ahead of the clock, held back"
	reasonStampBehind   consensus.Reason = "stamp too far behind the clock"
	reasonOwn           consensus.Reason = "own message come back"
	reasonDiskBehind    consensus.Reason = "own disk is windows behind"
	reasonBelowNewView  consensus.Reason = "slot is settled by the NEW-VIEW"
	reasonBudget        consensus.Reason = "peer asks too much"
	reasonNotPeer       consensus.Reason = "not from a replica"
	reasonInvalidView   consensus.Reason = "NEW-VIEW does not follow from its VIEW-CHANGEs"
	reasonNonce         consensus.Reason = "answers an earlier life"
	reasonNotRejoining  consensus.Reason = "not rejoining"
	reasonRejoinOften   consensus.Reason = "rejoined too lately"
	reasonAskedOften    consensus.Reason = "asked again too soon"
)

// ignored notes that an authentic vote was ignored.
func (r *replica) ignored(reason consensus.Reason, v *message.Vote) {
	r.out.Note(consensus.Note{Kind: consensus.Ignored, View: v.View, Seq: v.Seq, Replica: v.Replica, Digest: v.Digest, Reason: reason})
}

// ignoredFrom notes that something else from a peer was ignored.
func (r *replica) ignoredFrom(reason consensus.Reason, who consensus.ReplicaID) {
	r.out.Note(consensus.Note{Kind: consensus.Ignored, View: r.view.number, Replica: who, Reason: reason})
}

// ignorePosition filters what does not fall into this view and window. What is
// just too early is held: dropping it would cost a view change each time [B29].
func (r *replica) ignorePosition(e consensus.Receive, v *message.Vote) consensus.Reason {
	switch {
	case v.Replica == r.id:
		return reasonOwn
	case v.View < r.view.number:
		return reasonOldView
	case v.View > r.view.number+1:
		return reasonTooFar
	case v.Seq <= r.high() && !r.inReach(v.Seq):
		return reasonBelow
	case v.Seq > r.high()+r.rules.Genesis.Window:
		return reasonTooFar
	case r.exec.diskBehind(r.low()):
		return reasonDiskBehind
	case v.View > r.view.number:
		return r.held.hold(e, reasonFutureView)
	case r.view.changing:
		return r.held.hold(e, reasonChanging)
	case v.Seq > r.high():
		return r.held.hold(e, reasonEarly)
	}
	return ""
}

// ignorePrePrepare carries out the acceptance rule of §4.2. Nothing in it
// depends on executed state: replicas execute at different times.
func (r *replica) ignorePrePrepare(e consensus.Receive, m *message.PrePrepare) consensus.Reason {
	if reason := r.ignorePosition(e, &m.Vote); reason != "" {
		return reason
	}
	s := r.log.slot(m.Seq)
	if s.proposal != nil {
		if s.proposal.Digest != m.Digest {
			r.accused.votes(s.proposal, &m.Vote)
			return reasonContradiction
		}
		if _, here := s.body(m.Digest); here && (s.voted || !leased{r}.mayPrepare(m.View, m.Seq)) {
			return reasonRepeated
		}
		return "" // the body of a proposal that came without it
	}
	if m.Seq < r.view.opened {
		return reasonBelowNewView
	}
	if r.view.elsewhere(m.Batch, m.Seq) {
		return reasonTwice
	}
	return r.ignoreStamp(e, m.Batch.Stamp)
}

// ignoreStamp: a proposal from the future waits until the clock gets there;
// one from the past is refused only beyond skew and all patience that a large batch
// is given, for a delayed or re-sent proposal must not be refused for ever (§4).
func (r *replica) ignoreStamp(e consensus.Receive, stamp consensus.Time) consensus.Reason {
	skew := r.rules.Genesis.Skew
	switch {
	case stamp > r.now+skew:
		return r.held.hold(e, reasonStampAhead)
	case stamp < r.now-skew-consensus.Time(workPatience*r.view.patience())*r.cfg.TickLength:
		return reasonStampBehind
	}
	return ""
}

// release hands held messages in again: the view or the window has moved. What
// is still too early is held again.
func (r *replica) release() {
	r.held.dated = 0
	for i := range r.peers {
		for _, e := range r.held.take(i) {
			r.onReceive(e.Receive)
		}
	}
}
