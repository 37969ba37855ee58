package pbft

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/pending"
)

// onSubmit admits an authentic request of a permitted client (§3): answered
// from the session if it was executed, refused with a reason if there is no
// room, else pending until it is executed. Nothing invalid comes here.
func (r *replica) onSubmit(e consensus.Submit) {
	p, fate := r.requests.Submit(&r.out, e, r.tick, pending.Leader{View: r.view.number, Primary: r.view.primary()})
	if fate == pending.Waits && e.Via.Kind == consensus.PeerClient && !r.view.leads() {
		r.forward(p)
	}
}

// forward hands a request to the primary. The second time it goes over the
// topic too: a client that reaches a single replica still reaches all (§3).
func (r *replica) forward(p *pending.Entry) {
	p.Told = r.tick
	p.Times++
	if !r.view.changing && r.view.primary() != r.id {
		r.out.SendEarly(consensus.ReplicaPeer(r.view.primary()), consensus.Bodies, p.Request.Raw)
	}
	if p.Times == 2 && p.Lane == r.requests.ClientLane() {
		r.out.SendEarly(consensus.Peer{Kind: consensus.Topic}, consensus.Bodies, p.Request.Raw)
		r.out.Note(consensus.Note{Kind: consensus.Forwarded, View: r.view.number, Replica: r.view.primary(), Digest: p.Request.Digest})
	}
	if p.Times >= 2 && !r.state.Active() {
		r.requests.AskSession(&r.out, p, r.tick)
	}
}

// tickRequests tells the primary again of what it leaves waiting, and leaves
// the view of a primary that keeps any request waiting beyond patience (§6).
func (r *replica) tickRequests() {
	r.requests.Tick()
	if r.view.changing || r.view.leads() && r.tick-r.exec.progress >= r.cfg.Patience/2 {
		r.tellAll()
	}
	if r.view.changing || r.view.leads() {
		return
	}
	for p := range r.requests.Due(r.tick, max(1, r.cfg.Patience/4), pending.MaxForwards) {
		// Whoever fetches a state does not know what was executed or refused meanwhile,
		// and what is refused is ordered anew each time that it is told: the others would
		// move on by that faster than the state is fetched.
		if p.Told = r.tick; !r.state.Active() || p.Times < 2 {
			r.forward(p)
		}
	}
	r.requests.DropStale(&r.out)
	p := r.requests.Oldest()
	switch {
	case p != nil && (impatience{r}).over(p) && !r.behind():
		r.timedOut(r.view.number+1, "a request waited beyond patience")
	case (impatience{r}).tooSlow(p):
		r.leave(r.view.number+1, "the primary is slower than another one was")
	}
}

// workPatience is how many times its patience a request may wait at most for
// others that are executed meanwhile: a liar may pay for the time with work that
// nobody has use for.
const workPatience = 4

// impatience is what this replica has against a primary.
type impatience struct{ *replica }

// over reports whether a request has waited too long: beyond patience until
// it is proposed, or from then on. The time does not count for which what is
// executed meanwhile accounts.
func (r impatience) over(p *pending.Entry) bool {
	patience := r.view.patience()
	return r.requests.Silent(p) > patience || r.tick-p.Since > workPatience*patience
}

// onArriving: a body that is on its way from the primary, or to a slot that lacks
// it from anybody, accounts for the time that it takes a slow machine, as what is
// executed does.
func (r impatience) onArriving(e consensus.Arriving) {
	wanted := e.From == r.view.primary()
	for _, s := range r.log.slots {
		_, lacks := s.needs()
		wanted = wanted || lacks
	}
	if wanted {
		r.requests.Coming(e.Bytes)
	}
}

// tooSlow reports whether a quorum, this replica included, finds that the primary
// keeps requests waiting for twice as long as another one did. None leaves for
// that alone: it may be slow itself, and would not be followed.
func (r impatience) tooSlow(oldest *pending.Entry) bool {
	if oldest != nil {
		r.pace.saw(r.requests.Waited(oldest))
	}
	r.pace.tick(r.view.primary(), len(r.peers))
	if !r.pace.slow || r.behind() {
		return false
	}
	agree := 1
	for i := range r.peers {
		// Who has left already does not say it any more.
		if r.peers[i].findsSlow(r.view.number, r.tick-4*r.cfg.StatusEvery) || r.views.Latest(consensus.ReplicaID(i)) != nil {
			agree++
		}
	}
	return agree >= r.rules.System.Quorum()
}

// tellAll passes the oldest requests to everybody, now and then, when this
// replica can do nothing for them itself: it is between views, perhaps alone,
// or it is the primary and nothing gets executed. Who else holds a request
// loses patience over it; else a client that reaches nobody but this replica
// would wait for ever.
func (r *replica) tellAll() {
	const most = 8 // requests in one tick: one is enough to make others leave a view
	for p := range r.requests.Due(r.tick, r.cfg.Patience, most) {
		p.Told = r.tick
		r.out.SendEarly(consensus.Peer{Kind: consensus.Everyone}, consensus.Bodies, p.Request.Raw)
	}
}

// behind reports whether what this replica lacks was certified elsewhere, so
// that it has to catch up and not to complain. A certificate of a slot further
// up proves nothing of the kind: a primary that skips a sequence number would
// silence everyone with it.
func (r *replica) behind() bool {
	if r.state.Active() || r.low() > r.exec.handed {
		return true
	}
	s := r.log.slots[r.exec.handed+1]
	return s != nil && s.committed != nil
}
