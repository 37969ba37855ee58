package pbft

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// What helping one peer may cost: claiming to be behind is no amplifier [B50].
const (
	helpPerTick  = 256 << 10 // bytes
	helpBurst    = 8 << 20   // bytes
	maxHelpSlots = 64        // slots in answer to one STATUS
)

// helping gives one peer what it lacks, at that peer's expense.
type helping struct {
	*replica
	to consensus.Peer
}

// ready reports whether the peer may have anything now.
func (r helping) ready() bool { return r.state.throttle.Ready(r.to) }

// give sends a frame. Own words wait for the disk.
func (r helping) give(class consensus.Class, frame []byte) {
	r.state.throttle.Charge(r.to, len(frame))
	r.out.Send(r.to, class, frame)
}

// withView: the NEW-VIEW proves itself and may come from anyone [B21]; a
// VIEW-CHANGE is repeated to those who may lack it [B14].
func (r helping) withView(st *message.Status) {
	if nv := r.view.newView; nv != nil && (nv.View > st.View || nv.View == st.View && st.Changing) {
		r.give(consensus.Bodies, nv.Frame)
	}
	if vc := r.views.Mine(); vc != nil && r.view.changing && st.View <= vc.View {
		r.give(consensus.Votes, vc.Frame)
	}
}

func (r helping) withCheckpoint(st *message.Status) {
	if c := r.checkpoints.Stable(); c != nil && st.Low < c.Seq {
		g := message.FetchReply{What: message.WhatCheckpoint, Seq: c.Seq, Digest: c.Digest, Certificate: c}
		r.give(consensus.Votes, g.Encode())
		return
	}
	k := r.rules.Genesis.CheckpointInterval
	for n := r.low() + k; n <= r.exec.applied && n <= r.high(); n += k {
		if v, ok := r.checkpoints.Own(n); ok && n > st.Low {
			r.give(consensus.Votes, v.Encode())
		}
	}
}

// withSlots gives committed slots with their certificates.
func (r helping) withSlots(st *message.Status) {
	for i := range consensus.Seq(maxHelpSlots) {
		n := st.Executed + 1 + i
		if n > r.exec.handed || n < st.Executed || !r.ready() {
			return
		}
		c, b, ok := r.log.decided(n)
		if !ok {
			return
		}
		g := message.FetchReply{What: message.WhatCommitted, Seq: n, Digest: c.Digest, Batch: b, Certificate: c}
		r.give(consensus.Bodies, g.Encode())
	}
}

// withVotes repeats, for slots that are under way, my own votes and anyone's
// PRE-PREPARE with its batch: a primary that leaves one replica in the dark
// costs no view change.
func (r helping) withVotes(st *message.Status) {
	for i := range consensus.Seq(message.MaxStatusSlots) {
		s := r.log.slots[st.Executed+1+i]
		if s == nil || !r.ready() {
			continue
		}
		var has message.Progress
		if int(i) < len(st.Slots) {
			has = st.Slots[i]
		}
		if has&message.HasBody == 0 && s.proposal != nil {
			if b, here := s.body(s.proposal.Digest); here && b != nil {
				r.give(consensus.Bodies, message.Reframe(*s.proposal, b).Frame)
			}
		}
		if v := s.prepares.votes[r.id]; v != nil && has&message.HasPrepared == 0 {
			r.give(consensus.Votes, v.Encode())
		}
		if v := s.commits.votes[r.id]; v != nil && has&message.HasCommitted == 0 {
			r.give(consensus.Votes, v.Encode())
		}
	}
}
