package pbft

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/pending"
)

// onSubmit admits an authentic request of a permitted client (§3): answered
// from the session if it was executed, refused with a reason if there is no
// room, else pending until it is executed. Nothing invalid comes here.
func (r *replica) onSubmit(e consensus.Submit) {
	q := e.Request
	p, fate, code := r.requests.Admit(q, e.Via, r.tick)
	switch fate {
	case pending.Executed:
		r.answer(q)
	case pending.Refused:
		r.refuse(e.Via, q, code)
	case pending.Waits:
		if e.Via.Kind == consensus.PeerClient && !r.isPrimary() {
			r.forward(p)
		}
	}
}

// answer lets the host answer an old request from its session, once in a while.
func (r *replica) answer(q *consensus.Request) {
	if r.requests.Retell(q, r.tick, r.cfg.StatusEvery) {
		r.out.Do(consensus.Answer{Request: q})
	}
}

func (r *replica) refuse(via consensus.Peer, q *consensus.Request, code consensus.RefusalCode) {
	if via.Kind != consensus.PeerClient {
		return // the replica that forwards it asks again
	}
	r.out.Refusals = append(r.out.Refusals, consensus.Refusal{
		Client: q.Client, Request: q.Digest, Sequence: q.Sequence, Code: code, View: r.view.number, Primary: r.primary(),
	})
}

// forward hands a request to the primary. The second time it goes over the
// topic too: a client that reaches a single replica still reaches all (§3).
func (r *replica) forward(p *pending.Entry) {
	p.Told = r.tick
	p.Times++
	if !r.view.changing && r.primary() != r.id {
		r.out.SendEarly(consensus.ReplicaPeer(r.primary()), consensus.Bodies, p.Request.Raw)
	}
	if p.Times == 2 && p.Lane == r.requests.ClientLane() {
		r.out.SendEarly(consensus.Peer{Kind: consensus.Topic}, consensus.Bodies, p.Request.Raw)
		r.out.Note(consensus.Note{Kind: consensus.Forwarded, View: r.view.number, Replica: r.primary(), Digest: p.Request.Digest})
	}
	if p.Times >= 2 && !r.state.active() && (p.Asked < 0 || r.tick-p.Asked > 2*r.cfg.Patience) {
		p.Asked = r.tick
		// A restart or a state transfer may have gone past its execution, and
		// then no primary will ever propose it: the session table knows. It is
		// not asked too often: answers stand in the queue of execution.
		r.out.Do(consensus.Answer{Request: p.Request})
	}
}

// maxForwards bounds the requests told again in one tick.
const maxForwards = 64

// tickRequests tells the primary again of what it leaves waiting, and leaves
// the view of a primary that keeps any request waiting beyond patience (§6).
func (r *replica) tickRequests() {
	if r.view.changing || r.isPrimary() && r.tick-r.exec.progress >= r.cfg.Patience/2 {
		r.tellAll()
	}
	if r.view.changing || r.isPrimary() {
		return
	}
	again := max(1, r.cfg.Patience/4)
	left := maxForwards
	for p := range r.requests.ByAge() {
		if left == 0 || r.tick-p.Since < again {
			break // ordered by age
		}
		if r.tick-p.Told >= again {
			r.forward(p)
			left--
		}
	}
	r.dropStale()
	if p := r.requests.Oldest(); p != nil && r.tick-p.Since > r.patience() && !r.behind() {
		r.timedOut(r.view.number+1, "a request waited beyond patience")
	}
}

// dropStale forgets the oldest requests whose sequence has become stale: their
// client went on with a later epoch, or far beyond their counter, so that no
// primary will propose them. Waiting for them would depose an honest one (§6).
func (r *replica) dropStale() {
	for p := r.requests.Oldest(); p != nil && r.requests.Standing(p.Request) == pending.Done; p = r.requests.Oldest() {
		r.requests.Remove(pending.KeyOf(p.Request))
		r.out.Do(consensus.Answer{Request: p.Request})
	}
}

// tellAll passes the oldest requests to everybody, now and then, when this
// replica can do nothing for them itself: it is between views, perhaps alone,
// or it is the primary and nothing gets executed. Who else holds a request
// loses patience over it; else a client that reaches nobody but this replica
// would wait for ever.
func (r *replica) tellAll() {
	const most = 8 // requests in one tick: one is enough to make others leave a view
	left := most
	for p := range r.requests.ByAge() {
		if left == 0 || r.tick-p.Since < r.cfg.Patience {
			return // ordered by age
		}
		if r.tick-p.Told >= r.cfg.Patience {
			p.Told = r.tick
			r.out.SendEarly(consensus.Peer{Kind: consensus.Everyone}, consensus.Bodies, p.Request.Raw)
			left--
		}
	}
}

// patience is how many ticks a request, or a view change, may take now: the
// base doubled with each view change in a row, capped (§6).
func (r *replica) patience() int {
	p := r.cfg.Patience
	for range r.view.level {
		if p >= r.cfg.PatienceCap/2 {
			return r.cfg.PatienceCap
		}
		p *= 2
	}
	return min(p, r.cfg.PatienceCap)
}

// behind reports whether what this replica lacks was certified elsewhere, so
// that it has to catch up and not to complain. A certificate of a slot further
// up proves nothing of the kind: a primary that skips a sequence number would
// silence everyone with it.
func (r *replica) behind() bool {
	if r.state.active() || r.low() > r.exec.handed {
		return true
	}
	s := r.log.slots[r.exec.handed+1]
	return s != nil && s.committed != nil
}

// wait makes requests pending that a NEW-VIEW dropped.
func (r *replica) waitAgain(b *consensus.Batch) {
	if b == nil {
		return
	}
	lane := r.requests.ClientLane()
	for _, q := range b.Requests {
		if r.requests.Find(pending.KeyOf(q)) == nil && r.requests.Standing(q) == pending.Fresh && !r.requests.Full(lane, q) {
			r.requests.Add(q, lane, r.tick)
		}
	}
}
