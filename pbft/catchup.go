package pbft

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// sendStatus tells all where this replica stands and what it lacks (thesis
// §5.2). A hint, so it need not wait for the disk.
func (r *replica) sendStatus() {
	st := message.Status{
		View: r.view.number, Changing: r.view.changing, Rejoining: r.rejoin.asleep, Slow: r.pace.slow && !r.view.changing,
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
	p.restarts(st.Executed, r.tick, r.cfg.StatusEvery)
	p.heard, p.executed = r.tick, st.Executed
	p.fill = st.Target
	if st.Rejoining {
		p.sleeps(r.views.Latest(from.Replica))
	}
	wants := p.wants(stalled && st.View == p.view)
	p.slow, p.view = st.Slow, st.View
	if !wants {
		return
	}
	h := helping{r, from}
	if !h.ready() {
		r.ignoredFrom(reasonBudget, from.Replica)
		return
	}
	if r.tick <= p.doubt {
		h.withForgotten(st)
	}
	h.withView(st)
	h.withCheckpoint(st)
	if far := r.exec.handed > st.Executed+consensus.Seq(2*r.cfg.Pipeline); stalled || far {
		h.withSlots(st)
	}
	if stalled && st.View == r.view.number && !st.Changing && !r.view.changing {
		h.withVotes(st)
	}
}
