package pbft

import (
	"encoding/binary"
	"fmt"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// rejoining is the amnesiac rule (PROTOCOL.md §8): a replica that lost its log
// has forgotten what it said. It signs nothing until a checkpoint is stable
// that no forgotten vote can lie above, and then votes only above it, in views
// that no forgotten VIEW-CHANGE can be for.
type rejoining struct {
	asleep  bool // signs nothing
	nonce   uint64
	answers []*message.RejoinAnswer // by replica; non-amnesiac ones
	known   bool                    // enough answers: the limits below hold
	target  consensus.Seq           // N: votes only for slots above it
	view    consensus.View          // V*+2: votes only in this view and later ones
}

// allows reports whether a vote for slot n in view v may be signed.
func (j *rejoining) allows(v consensus.View, n consensus.Seq) bool {
	return !j.asleep && n > j.target && v >= j.view
}

// mayChange reports whether a VIEW-CHANGE for v may be signed.
func (j *rejoining) mayChange(v consensus.View) bool { return !j.asleep && v >= j.view }

// limitsRecord is the first byte of the record that keeps the limits.
const limitsRecord = 0xf0

// record encodes the limits for the log; nil if there are none.
func (j *rejoining) record() []byte {
	if !j.known {
		return nil
	}
	b := binary.BigEndian.AppendUint64([]byte{limitsRecord}, uint64(j.target))
	b = binary.BigEndian.AppendUint64(b, uint64(j.view))
	if j.asleep {
		return append(b, 1)
	}
	return append(b, 0)
}

func (j *rejoining) recall(b []byte) error {
	if len(b) != 18 || b[17] > 1 {
		return fmt.Errorf("rejoin limits: %w", consensus.ErrMalformed)
	}
	j.known, j.asleep = true, b[17] == 1
	j.target = consensus.Seq(binary.BigEndian.Uint64(b[1:]))
	j.view = consensus.View(binary.BigEndian.Uint64(b[9:]))
	return nil
}

// tickRejoin asks while asleep, and otherwise watches over those who are.
func (r *replica) tickRejoin() {
	j := &r.rejoin
	every := r.cfg.StatusEvery
	if j.known {
		every *= 8 // who knows its limits asks on, seldom: others may have refused to help so soon after the last rejoin
	}
	// Awake it still has to be joined in the first view in which it may vote, by
	// replicas that may have restarted and know of no rejoin.
	alone := j.known && r.view.changing && r.view.number == j.view || r.undecided()
	if (j.asleep || alone) && r.tick%every == 0 {
		m := message.Rejoin{Nonce: j.nonce}
		r.out.SendEarly(consensus.Peer{Kind: consensus.Everyone}, consensus.Votes, m.Encode())
		if !j.known && r.tick%(40*r.cfg.StatusEvery) == 0 {
			r.alarm(fmt.Sprintf("lost its log and needs the answers of %d replicas that did not, has %d: with more than f=%d such losses the cluster stays stopped",
				r.n()-r.rules.System.Faults(), r.answered(), r.rules.System.Faults()))
		}
	}
	r.rejoined()
	r.leaveForRejoin()
	r.joinRejoiner()
	if r.fillUntil() > r.exec.handed && !r.view.changing && !r.isPrimary() && r.tick-r.exec.progress > r.patience() && !r.behind() {
		r.timedOut(r.view.number+1, "the primary does not fill for a replica that rejoins")
	}
}

func (r *replica) answered() int {
	n := 0
	for _, a := range r.rejoin.answers {
		if a != nil {
			n++
		}
	}
	return n
}

// onRejoin answers an amnesiac, and begins to help it, at most once in a while:
// claiming amnesia is cheap.
func (r *replica) onRejoin(from consensus.Peer, m *message.Rejoin) {
	if !r.state.throttle.Ready(from) {
		r.ignoredFrom(reasonBudget, from.Replica)
		return
	}
	p := &r.peers[from.Replica]
	switch {
	case p.rejoin >= 0 && p.nonce == m.Nonce:
	case p.rejoin >= 0 && r.tick-p.rejoin < r.cfg.RejoinEvery:
		r.ignoredFrom(reasonRejoinOften, from.Replica)
	default:
		p.nonce, p.rejoin, p.joinTo = m.Nonce, r.tick, 0
		p.fillCap = r.low() + fillWindows*r.rules.Genesis.Window
		r.exec.progress = r.tick
	}
	a := message.RejoinAnswer{
		Nonce: m.Nonce, Amnesiac: r.rejoin.asleep, View: r.view.number,
		Checkpoint: r.checkpoints.Stable(), NewView: r.view.newView, Yours: r.views.Latest(from.Replica),
	}
	r.help(from, consensus.Bodies, a.Encode())
}

// onRejoinAnswer collects n-f answers of replicas that remember. The highest
// checkpoint and view that they prove bound whatever was forgotten.
func (r *replica) onRejoinAnswer(from consensus.Peer, m *message.RejoinAnswer) {
	j := &r.rejoin
	switch {
	case !j.asleep && !r.undecided():
		r.ignoredFrom(reasonNotRejoining, from.Replica)
		return
	case m.Nonce != j.nonce:
		r.ignoredFrom(reasonNonce, from.Replica)
		return
	}
	r.adopt(m.Checkpoint)
	if m.NewView != nil && (m.NewView.View > r.view.number || m.NewView.View == r.view.number && r.view.changing) {
		r.onNewView(m.NewView)
	}
	if !m.Amnesiac {
		j.answers[from.Replica] = m
		r.learnLimits()
	}
}

// learnLimits bounds what this replica may have said in its forgotten life.
//
// Votes: it had a low mark that q replicas had reached, so each of them is at
// most a window behind it, and its votes at most a window above: N is two
// windows above the highest proven checkpoint.
//
// VIEW-CHANGEs: it went for a view w only from a view w-1 that it had entered,
// or for which q replicas had asked; any n-f answers hold one of a correct
// replica among those, which is in w-1 or beyond. So V* is the highest view of
// n-f answers, and V*+2 is above w. Of more than n-f answers the lowest will
// do, which keeps a liar's view of the far future out.
func (r *replica) learnLimits() {
	j := &r.rejoin
	var highest consensus.Seq
	var yours consensus.View
	var views []consensus.View
	for _, a := range j.answers {
		if a == nil {
			continue
		}
		views = append(views, a.View)
		if a.Checkpoint != nil {
			highest = max(highest, a.Checkpoint.Seq)
		}
		if a.Yours != nil && a.Yours.Replica == r.id {
			yours = max(yours, a.Yours.View)
		}
	}
	need := r.n() - r.rules.System.Faults()
	if len(views) < need {
		return
	}
	slices.Sort(views)
	view := max(views[need-1], yours) + 2
	if j.known && view >= j.view {
		return
	}
	if !j.known {
		j.target = highest + 2*r.rules.Genesis.Window
	}
	j.known, j.view = true, view
	r.recordView()
	r.out.Note(consensus.Note{Kind: consensus.Rejoining, View: j.view, Seq: j.target})
	r.rejoined()
}

// rejoined: the target is stable, and this replica has the state, so it may
// speak again, above the target and in the views to come. Without the state it
// could be the primary of such a view and hold everybody up.
func (r *replica) rejoined() {
	j := &r.rejoin
	if !j.asleep || !j.known || r.low() < j.target || r.exec.handed < j.target || r.state.Active() {
		return
	}
	j.asleep = false
	r.recordView()
	r.out.Note(consensus.Note{Kind: consensus.Rejoined, View: j.view, Seq: j.target})
	r.sayCheckpoints()
	r.leaveForRejoin()
}

// leaveForRejoin goes for the first view in which this replica may vote.
func (r *replica) leaveForRejoin() {
	j := &r.rejoin
	if r.undecided() && r.plausible(j.view) {
		r.leave(j.view, "rejoined after a lost log")
		clear(j.answers)
	}
}

// undecided reports whether this replica is awake and has signed nothing under
// its limits yet: further answers may still lower them.
func (r *replica) undecided() bool {
	j := &r.rejoin
	return j.known && !j.asleep && r.view.number < j.view
}

// plausible reports whether so many replicas are near view v that one of them
// at least is correct. The highest of n-f answers may be a liar's, and nobody
// follows to a view of the far future: who went there would be alone for ever.
func (r *replica) plausible(v consensus.View) bool {
	answers, near := 0, 0
	for _, a := range r.rejoin.answers {
		if a != nil {
			answers++
			if a.View+2+farRejoin >= v {
				near++
			}
		}
	}
	if answers <= r.rules.System.Faults() {
		return v <= r.view.number+2+farRejoin // restarted: it asks again
	}
	return near > r.rules.System.Faults()
}

// farRejoin bounds how far ahead a rejoining replica may ask others to go: each
// view on the way costs the cluster a view change.
const farRejoin = 4

// joinRejoiner: once per rejoin, the VIEW-CHANGE of a replica that rejoins is
// enough to leave; without it a cluster at peace would never give it a view in
// which it may vote.
//
// It is followed one view at a time. A correct replica goes for a view w only
// from a w-1 that it has entered or that q replicas asked for, or after one
// that did; the limits of the next amnesiac rest on that (learnLimits). Who
// went for w at once, heard by nobody, and then lost its disk, would be told of
// lower views and sign another VIEW-CHANGE for w.
//
// How far is settled by the VIEW-CHANGE that is seen first. A traitor that is
// always some views ahead would else have the others change views for ever.
func (r *replica) joinRejoiner() {
	if r.view.changing {
		return
	}
	for i := range r.peers {
		p := &r.peers[i]
		vc := r.views.Latest(consensus.ReplicaID(i))
		next := r.view.number + 1
		if p.rejoin < 0 || vc == nil || vc.View < next || !r.rejoin.mayChange(next) || r.tick-p.rejoin > 100*r.cfg.RejoinEvery {
			continue
		}
		if p.joinTo == 0 && vc.View < next+farRejoin {
			p.joinTo = vc.View
		}
		if p.joinTo < next {
			continue
		}
		r.leave(next, "joined a replica that rejoins")
		return
	}
}

// fillWindows bounds, in windows, how far the cluster fills for one rejoin.
const fillWindows = 4

// fillUntil is the slot until which somebody who rejoins needs the cluster to
// go on, although it may be idle.
func (r *replica) fillUntil() consensus.Seq {
	var n consensus.Seq
	for i := range r.peers {
		if p := &r.peers[i]; p.rejoin >= 0 {
			n = max(n, min(p.fill, p.fillCap))
		}
	}
	return n
}

// fills reports whether the primary proposes an empty batch now.
func (r *replica) fills() bool { return r.fillUntil() >= r.view.next }
