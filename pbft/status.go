package pbft

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// Horizon implements consensus.Engine.
func (r *replica) Horizon() consensus.Horizon {
	h := &message.Horizon{
		View: r.view.number, Changing: r.view.changing, Asleep: r.rejoin.asleep || r.rejoin.undecided(r.view.number), Low: r.floor(), High: r.high(),
		Liars: message.NewBits(len(r.peers)),
	}
	h.Prepared, h.Committed = r.log.settledIn(h.View, h.Low)
	for id := range r.peers {
		if r.peers[id].liar {
			h.Liars.Set(id)
		}
	}
	return h
}

// Status implements consensus.Engine.
func (r *replica) Status() consensus.Status {
	st := consensus.Status{
		Protocol: "pbft", Replica: r.id, View: r.view.number, Primary: r.view.primary(), Changing: r.view.changing,
		Executed: r.exec.handed, Applied: r.exec.applied, Stable: r.low(), High: r.high(), Kept: r.exec.kept,
		Root: r.exec.last.root, RootSeq: r.exec.last.seq,
		Pending: r.requests.Len(), Rejoining: r.rejoin.asleep,
	}
	if r.state.Active() {
		st.Fetching = r.state.Target().Seq
	}
	for n, s := range r.log.slots {
		if n > r.exec.handed && s.proposal != nil {
			st.InFlight++
		}
	}
	for i := range r.peers {
		id := consensus.ReplicaID(i)
		if id == r.id || r.peers[i].heardSince(r.tick-4*r.cfg.StatusEvery) {
			st.Heard = append(st.Heard, id)
		}
	}
	st.Clocks = r.clocks.Offsets()
	st.Waiting = append(r.waiting(), r.clocks.Wrong()...)
	return st
}

// waiting answers "why is it not progressing": which certificate lacks whom.
func (r *replica) waiting() []consensus.Lack {
	var out []consensus.Lack
	if r.rejoin.asleep {
		out = append(out, r.rejoin.lack())
	}
	if r.state.Active() {
		out = append(out, consensus.Lack{What: "parts of the state", Seq: r.state.Target().Seq})
	}
	if r.low() > r.exec.handed && !r.state.Active() {
		out = append(out, consensus.Lack{What: "agreed state", Seq: r.low()})
	}
	if r.view.changing {
		have := r.views.Senders(r.view.number)
		if len(have) >= r.rules.System.Quorum() {
			// Nothing to count: one message lacks.
			return append(out, consensus.Lack{What: "NEW-VIEW", InView: true, View: r.view.number, Missing: []consensus.ReplicaID{r.view.primary()}})
		}
		return append(out, consensus.Lack{What: "VIEW-CHANGEs", InView: true, View: r.view.number, Have: have, Need: r.rules.System.Quorum(), Missing: consensus.Others(len(r.peers), have...)})
	}
	if l, ok := r.slotLack(); ok {
		out = append(out, l)
	}
	k := r.rules.Genesis.CheckpointInterval
	if next := r.low() + k; r.exec.applied >= next {
		have, missing, _ := r.checkpoints.Lack(next)
		out = append(out, consensus.Lack{What: "checkpoint certificate", Seq: next, Have: have, Need: r.rules.System.Quorum(), Missing: missing})
	}
	return out
}

// slotLack says what the next slot to execute waits for.
func (r *replica) slotLack() (consensus.Lack, bool) {
	n := r.exec.handed + 1
	l := consensus.Lack{InView: true, View: r.view.number, Seq: n, Need: r.rules.System.Quorum()}
	s := r.log.slots[n]
	switch {
	case s == nil || s.proposal == nil && s.committed == nil:
		l.What, l.Need, l.Missing = "PRE-PREPARE", 0, []consensus.ReplicaID{r.view.primary()}
		return l, r.requests.Len() > 0 || r.log.beyond(r.exec.handed)
	case s.committed != nil: // whatever the view is now
		l.InView, l.View = false, 0
		if _, here := s.body(s.committed.Digest); here {
			l.What, l.Seq = "execution", r.exec.applied+1 // the host has as much as it may
		} else {
			l.What = "committed batch"
		}
		l.Need = 0
	case s.prepares.count(s.proposal.Digest) >= l.Need-1 && !s.preparedIn(r.view.number):
		l.What, l.Need = "proposed batch", 0
	case !s.preparedIn(r.view.number):
		l.What = "prepared certificate"
		l.Have = append(s.prepares.voters(s.proposal.Digest), s.proposal.Replica)
		l.Missing = consensus.Others(len(r.peers), l.Have...)
	default:
		l.What = "committed certificate"
		l.Have = s.commits.voters(s.proposal.Digest)
		l.Missing = consensus.Others(len(r.peers), l.Have...)
	}
	return l, true
}
