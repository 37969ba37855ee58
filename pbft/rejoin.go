package pbft

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// tickRejoin asks while this replica rejoins, and otherwise helps those who do.
func (r *replica) tickRejoin() {
	j := &r.rejoin
	every := r.cfg.StatusEvery
	if j.known {
		every *= 8 // who knows its limits asks on, seldom: others may have refused to help so soon after the last rejoin
	}
	if j.asks(r.view.number, r.view.changing) && r.tick%every == 0 {
		m := message.Rejoin{Nonce: j.nonce}
		r.out.SendEarly(consensus.Peer{Kind: consensus.Everyone}, consensus.Votes, m.Encode())
		if !j.known && r.tick%(40*r.cfg.StatusEvery) == 0 {
			r.alarm(fmt.Sprintf("lost its log and needs the answers of %d replicas that did not, has %d: with more than f=%d such losses the cluster stays stopped",
				j.needed(), len(j.given()), r.rules.System.Faults()))
		}
	}
	r.wake()
	r.leaveForRejoin()
	r.joinRejoiner()
	impatience{r}.overFilling()
}

// overFilling leaves the view of a primary that does not fill for somebody who
// rejoins. The clock is that of each who does: one that rejoins again and again
// starts nobody else's anew.
func (r impatience) overFilling() {
	if r.view.changing || r.view.leads() || r.behind() {
		return
	}
	since := r.tick - r.view.patience() - 1
	if r.exec.progress <= since && r.peers.fillUntil(since) > r.exec.handed {
		r.timedOut(r.view.number+1, "the primary does not fill for a replica that rejoins")
	}
}

// onRejoin answers an amnesiac, and begins to help it, at most once in a while:
// claiming amnesia is cheap.
func (r *replica) onRejoin(from consensus.Peer, m *message.Rejoin) {
	h := helping{r, from}
	if !h.ready() {
		r.ignoredFrom(reasonBudget, from.Replica)
		return
	}
	p := &r.peers[from.Replica]
	if !p.mayAsk(r.tick, r.cfg.StatusEvery) {
		r.ignoredFrom(reasonAskedOften, from.Replica)
		return
	}
	switch {
	case p.rejoin >= 0 && p.nonce == m.Nonce:
	case !p.mayRejoin(r.tick, r.cfg.RejoinEvery):
		r.ignoredFrom(reasonRejoinOften, from.Replica)
	default:
		p.rejoins(m.Nonce, r.tick, r.cfg.RejoinEvery, r.low()+fillWindows*r.rules.Genesis.Window)
	}
	a := message.RejoinAnswer{
		Nonce: m.Nonce, Amnesiac: r.rejoin.asleep, View: r.view.number,
		Checkpoint: r.checkpoints.Stable(), NewView: r.view.newView, Yours: r.views.Latest(from.Replica),
	}
	h.give(consensus.Bodies, a.Encode())
}

// onRejoinAnswer collects n-f answers of replicas that remember. The highest
// checkpoint and view that they prove bound whatever was forgotten.
func (r *replica) onRejoinAnswer(from consensus.Peer, m *message.RejoinAnswer) {
	j := &r.rejoin
	if reason := j.ignores(m, r.view.number); reason != "" {
		r.ignoredFrom(reason, from.Replica)
		return
	}
	r.adopt(m.Checkpoint)
	if m.NewView != nil && (m.NewView.View > r.view.number || m.NewView.View == r.view.number && r.view.changing) {
		r.onNewView(m.NewView)
	}
	if j.learn(from.Replica, m) {
		r.recordView()
		r.out.Note(consensus.Note{Kind: consensus.Rejoining, View: j.view, Seq: j.target})
		r.wake()
	}
}

// wake: the target is stable and this replica has the state, so it may speak
// again.
func (r *replica) wake() {
	j := &r.rejoin
	if r.state.Active() || !j.wakes(r.low(), r.exec.handed) {
		return
	}
	r.recordView()
	r.out.Note(consensus.Note{Kind: consensus.Rejoined, View: j.view, Seq: j.target})
	r.sayCheckpoints()
	r.leaveForRejoin()
}

// leaveForRejoin goes for the first view in which this replica may vote.
func (r *replica) leaveForRejoin() {
	if r.rejoin.goes(r.view.number) {
		r.leave(r.rejoin.view, "rejoined after a lost log")
	}
}

// joinRejoiner: once per rejoin, the VIEW-CHANGE of a replica that rejoins is
// enough to leave; without it a cluster at peace would never give it a view in
// which it may vote.
//
// It is followed one view at a time. A correct replica goes for a view w only
// from a w-1 that it has entered or that q replicas asked for, or after one
// that did; the limits of the next amnesiac rest on that (rejoining.learn). Who
// went for w at once, heard by nobody, and then lost its disk, would be told of
// lower views and sign another VIEW-CHANGE for w.
//
// And it is followed at once: what this replica says by that is on disk, and tells
// the next amnesiac in that place of a view for which it has signed. Were it to
// wait, a restart would have it forget what it heard. That a claimed loss costs
// nothing is bounded by mayRejoin, not here.
func (r *replica) joinRejoiner() {
	next := r.view.number + 1
	if r.view.changing || !r.rejoin.mayChange(next) {
		return
	}
	for i := range r.peers {
		if r.peers[i].follow(r.views.Latest(consensus.ReplicaID(i)), next, r.tick-100*r.cfg.RejoinEvery) {
			r.leave(next, "joined a replica that rejoins")
			return
		}
	}
}
