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

// sendStatus tells all where this replica stands and what it lacks (thesis
// §5.2). A hint, so it need not wait for the disk.
func (r *replica) sendStatus() {
	st := message.Status{
		View: r.view.number, Changing: r.view.changing, Rejoining: r.rejoin.asleep,
		Low: r.low(), Executed: r.exec.handed,
	}
	if st.Rejoining {
		st.Target = r.rejoin.target
	}
	for n := r.exec.handed + 1; n <= r.high() && len(st.Slots) < message.MaxStatusSlots; n++ {
		st.Slots = append(st.Slots, r.log.slots[n].progress(r.view.number))
	}
	for len(st.Slots) > 0 && st.Slots[len(st.Slots)-1] == 0 {
		st.Slots = st.Slots[:len(st.Slots)-1]
	}
	r.out.SendEarly(consensus.Peer{Kind: consensus.Everyone}, consensus.Votes, st.Encode())
}

// onStatus gives a peer what it lacks (§7). A peer whose STATUS has moved on
// since the last one is helped only if it is far behind: what it lacks is
// probably on its way.
func (r *replica) onStatus(from consensus.Peer, st *message.Status) {
	p := &r.peers[from.Replica]
	stalled := p.heard >= 0 && st.Executed == p.executed
	p.heard, p.executed = r.tick, st.Executed
	p.fill = st.Target
	if !r.state.throttle.Ready(from) {
		r.ignoredFrom(reasonBudget, from.Replica)
		return
	}
	r.helpView(from, st)
	r.helpCheckpoint(from, st)
	if far := r.exec.handed > st.Executed+consensus.Seq(2*r.cfg.Pipeline); stalled || far {
		r.helpSlots(from, st)
	}
	if stalled && st.View == r.view.number && !st.Changing && !r.view.changing {
		r.helpVotes(from, st)
	}
}

// help sends a frame at the peer's expense. Own words wait for the disk.
func (r *replica) help(to consensus.Peer, class consensus.Class, frame []byte) {
	r.state.throttle.Charge(to, len(frame))
	r.out.Send(to, class, frame)
}

// helpView: the NEW-VIEW proves itself and may come from anyone [B21]; a
// VIEW-CHANGE is repeated to those who may lack it [B14].
func (r *replica) helpView(to consensus.Peer, st *message.Status) {
	if nv := r.view.newView; nv != nil && (nv.View > st.View || nv.View == st.View && st.Changing) {
		r.help(to, consensus.Bodies, nv.Frame)
	}
	if vc := r.views.Mine(); vc != nil && r.view.changing && st.View <= vc.View {
		r.help(to, consensus.Votes, vc.Frame)
	}
}

func (r *replica) helpCheckpoint(to consensus.Peer, st *message.Status) {
	if c := r.checkpoints.Stable(); c != nil && st.Low < c.Seq {
		g := message.Given{What: message.WhatCheckpoint, Seq: c.Seq, Digest: c.Digest, Certificate: c}
		r.help(to, consensus.Votes, g.Encode())
		return
	}
	k := r.rules.Genesis.CheckpointInterval
	for n := r.low() + k; n <= r.exec.applied && n <= r.high(); n += k {
		if v, ok := r.checkpoints.Own(n); ok && n > st.Low {
			r.help(to, consensus.Votes, v.Encode())
		}
	}
}

// helpSlots gives committed slots with their certificates.
func (r *replica) helpSlots(to consensus.Peer, st *message.Status) {
	for i := range consensus.Seq(maxHelpSlots) {
		n := st.Executed + 1 + i
		if n > r.exec.handed || n < st.Executed || !r.state.throttle.Ready(to) {
			return
		}
		c, b, ok := r.log.decided(n)
		if !ok {
			return
		}
		g := message.Given{What: message.WhatCommitted, Seq: n, Digest: c.Digest, Batch: b, Certificate: c}
		r.help(to, consensus.Bodies, g.Encode())
	}
}

// helpVotes repeats, for slots that are under way, my own votes and anyone's
// PRE-PREPARE with its batch: a primary that leaves one replica in the dark
// costs no view change.
func (r *replica) helpVotes(to consensus.Peer, st *message.Status) {
	for i := range consensus.Seq(message.MaxStatusSlots) {
		s := r.log.slots[st.Executed+1+i]
		if s == nil || !r.state.throttle.Ready(to) {
			continue
		}
		var has message.Progress
		if int(i) < len(st.Slots) {
			has = st.Slots[i]
		}
		if has&message.HasBody == 0 && s.proposal != nil {
			if b, here := s.body(s.proposal.Digest); here && b != nil {
				r.help(to, consensus.Bodies, message.Reframe(*s.proposal, b).Frame)
			}
		}
		if v := s.prepares.votes[r.id]; v != nil && has&message.HasPrepared == 0 {
			r.help(to, consensus.Votes, v.Encode())
		}
		if v := s.commits.votes[r.id]; v != nil && has&message.HasCommitted == 0 {
			r.help(to, consensus.Votes, v.Encode())
		}
	}
}
