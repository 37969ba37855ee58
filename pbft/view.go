package pbft

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/viewchange"
)

// leave goes for view v: from now on nothing of the old view counts, and what
// prepared here is said in a VIEW-CHANGE, recorded before it is sent (§4.4).
func (r *replica) leave(v consensus.View, why consensus.Reason) {
	if !r.rejoin.mayChange(v) || v > message.MaxView {
		return
	}
	r.pace.leave(r.view.primary(), !r.view.changing)
	r.view.leave(v)
	vc := r.views.Leave(v, r.checkpoints.Stable(), r.log.prepared(r.low()))
	r.recordView()
	r.out.Broadcast(consensus.Votes, vc.Frame)
	r.out.Note(consensus.Note{Kind: consensus.LeftView, View: v, Seq: r.exec.handed, Reason: why})
	r.collect()
}

// timedOut leaves because nothing happened; patience doubles with each in a row.
func (r *replica) timedOut(v consensus.View, why consensus.Reason) {
	if !r.rejoin.mayChange(v) {
		return // it cannot leave, and must not lose patience over it
	}
	r.view.timedOut()
	r.leave(v, why)
}

// recordView writes what this replica must still know of views after a
// restart, under a slot so high that the log is seldom cut there.
func (r *replica) recordView() {
	at := max(r.low(), r.exec.kept) + 2*r.rules.Genesis.CheckpointInterval
	r.view.recordedAt = at
	if b := r.rejoin.record(); b != nil {
		r.out.Record(at, b)
	}
	if r.view.newView != nil {
		r.out.Record(at, r.view.newView.Frame)
	}
	if vc := r.views.Mine(); vc != nil {
		r.out.Record(at, vc.Frame)
	}
}

// onViewChange counts it and acts on it: join, or open the view, or begin to
// lose patience (§6).
func (r *replica) onViewChange(vc *message.ViewChange) {
	if vc.Replica == r.id {
		r.ignoredFrom(reasonOwn, vc.Replica)
		return
	}
	if other := r.views.Add(vc); other != nil {
		r.accused.viewChanges(other, vc)
	}
	r.adopt(vc.Checkpoint)
	if v, ok := r.views.Join(r.view.number); ok && r.rejoin.mayChange(v) {
		r.view.joins()
		r.leave(v, "joined others who left")
		return
	}
	if (following{r}).primary(vc) {
		return
	}
	r.joinRejoiner()
	r.collect()
}

// following is what a replica does because one other has left the view.
type following struct{ *replica }

// primary: a primary that has left the view proposes nothing in it any more,
// so there is nothing to lose patience over (§6). If others do not come along they
// are told (tickView): a liar may have shown its VIEW-CHANGE to this replica alone.
func (r following) primary(vc *message.ViewChange) bool {
	v := r.view.number
	if r.view.changing || vc.View <= v || vc.Replica != r.view.primary() || !r.rejoin.mayChange(v+1) {
		return false
	}
	r.leave(v+1, "the primary has left")
	return true
}

// collect looks at the VIEW-CHANGEs for the view this replica goes for: its
// primary opens it with q of them whose bodies are here; patience runs from q for
// it or later.
func (r *replica) collect() {
	v := r.view.number
	if !r.view.changing {
		return
	}
	if r.view.waitSince < 0 && r.views.Reaching(v) >= r.rules.System.Quorum() {
		r.view.waitSince = r.tick
		opening{r}.ask()
	}
	if r.view.primary() != r.id || !r.rejoin.mayChange(v) {
		return
	}
	if nv, start, ok := r.views.Open(v, opening{r}.whole); ok {
		r.enter(nv, start)
		r.out.Broadcast(consensus.Bodies, nv.Frame)
	}
}

// onNewView checks the terms on which a view opens against this replica's own
// Select. An invalid one makes it go for the next view and entitles nobody
// else to [B18].
func (r *replica) onNewView(nv *message.NewView) {
	if nv.View < r.view.number || nv.View == r.view.number && !r.view.changing {
		r.ignoredFrom(reasonOldView, nv.Replica)
		return
	}
	start, err := r.views.Accept(nv)
	if err != nil {
		r.out.Note(consensus.Note{Kind: consensus.Ignored, View: nv.View, Replica: nv.Replica, Reason: reasonInvalidView, Text: err.Error()})
		r.timedOut(nv.View+1, reasonInvalidView)
		return
	}
	r.enter(nv, start)
}

// enter begins the view on the terms of its NEW-VIEW. All clocks restart;
// nothing that lacks here blocks the view.
func (r *replica) enter(nv *message.NewView, start viewchange.Start) {
	if !r.view.changing {
		r.pace.leave(r.view.primary(), true)
	}
	r.begin(nv, start)
	r.pace.enter()
	r.recordView()
	leased{r}.extend(start.Max()) // beside what is recorded anyway
	r.out.Note(consensus.Note{Kind: consensus.EnteredView, View: start.View, Seq: r.exec.handed})
	r.requests.Restart(r.tick)
	r.adopt(start.Checkpoint)
	for _, b := range r.log.dropped(start.Chosen) {
		r.requests.Readmit(b, r.tick)
	}
	r.takeChosen(start)
	r.release()
	r.wake()
}

// takeChosen votes for what the NEW-VIEW chose. Executed slots are prepared
// and committed again, but not executed again [B12]; slots at or below the own
// h are skipped.
func (r *replica) takeChosen(start viewchange.Start) {
	for i := range start.Chosen {
		n := start.Chosen[i].Seq
		if !r.inReach(n) || n <= r.low() {
			continue
		}
		s := r.log.slot(n)
		s.proposal, s.chosen = &start.Proposals[i], true
		if b, here := s.body(s.proposal.Digest); here {
			r.requests.Stands(b)
			r.accept(s, nil)
		} else if prepared := start.Chosen[i].Prepared; prepared != nil {
			r.askFrom(s, prepared)
		}
	}
}

// tickView: between views, say again what was said, and that the primary of the view
// before has left, ever more seldom (a VIEW-CHANGE is large, and all say theirs to
// all), and go on to the next view
// if q replicas wait and no NEW-VIEW comes.
func (r *replica) tickView() {
	if !r.view.changing {
		r.tickCourtesy()
		return
	}
	if r.tick%(2*r.cfg.StatusEvery) == 0 && r.view.again.due() {
		if vc := r.views.Mine(); vc != nil {
			r.out.Broadcast(consensus.Votes, vc.Frame)
		}
		before := r.rules.System.Primary(r.view.number - 1)
		if vc := r.views.Latest(before); vc != nil && before != r.id {
			r.out.Broadcast(consensus.Votes, vc.Frame)
		}
	}
	if r.view.waitSince >= 0 && r.tick-r.view.waitSince > r.view.patience() {
		r.timedOut(r.view.number+1, "no NEW-VIEW in time")
	}
}

// courtesyPatience is how many times the base patience a replica that left
// alone waits for the others' courtesy.
const courtesyPatience = 4

// tickCourtesy lets a replica back in that left the view alone. It may have had
// no better reason than a late message, it must not take part in this view any
// more, and without it one crash more would stop the cluster. So its wish for
// the very next view is granted after a while, but seldom: one replica may cost
// the others a view change in RejoinEvery, and no more [B20].
func (r *replica) tickCourtesy() {
	for i := range r.peers {
		p := &r.peers[i]
		vc := r.views.Latest(consensus.ReplicaID(i))
		if vc == nil || vc.View != r.view.number+1 || !p.heardSince(r.tick-4*r.cfg.StatusEvery) {
			p.alone = 0
			continue
		}
		p.alone++
		if p.alone > courtesyPatience*r.cfg.Patience && r.tick-r.view.courtesy > r.cfg.RejoinEvery && r.view.settled(r.tick) && r.rejoin.mayChange(vc.View) {
			p.alone = 0
			r.view.courtesy = r.tick
			r.leave(vc.View, "let a replica back in that had left alone")
			return
		}
	}
}
