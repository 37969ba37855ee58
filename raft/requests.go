package raft

import (
	"go.etcd.io/raft/v3"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/pending"
)

// onSubmit admits an authentic request of a permitted client (PROTOCOL §3):
// answered from the session if it was executed, refused with a reason if there
// is no room, else pending until it is executed. Who has been without a leader
// for long takes nothing more from clients: they are to hear that there is no
// majority, and that what they ask was not begun.
func (r *replica) onSubmit(e consensus.Submit) {
	q := e.Request
	if r.leaderless() && e.Via.Kind == consensus.PeerClient && r.requests.Standing(q) == pending.Fresh && r.requests.Find(pending.KeyOf(q)) == nil {
		r.refuse(e.Via, q, consensus.RefusedNoLeader)
		return
	}
	switch p, fate := r.requests.Submit(&r.out, e, r.clock.tick, r.leads()); {
	case fate == pending.Waited && r.leaderless():
		r.refuse(e.Via, q, consensus.RefusedUndecided)
	case fate == pending.Waits:
		r.forward(p)
	}
}

// leaderless reports whether nobody has led for so long that a majority should
// have found somebody.
func (r *replica) leaderless() bool {
	return r.node.BasicStatus().Lead == raft.None && r.clock.leaderless >= r.cfg.Election
}

// again is how often, in ticks, what waits is told again.
func (c *Config) again() int { return max(1, c.Election/2) }

func (r *replica) refuse(via consensus.Peer, q *consensus.Request, code consensus.RefusalCode) {
	pending.Refuse(&r.out, via, q, code, r.leads())
}

// leads says who leads, for clients.
func (r *replica) leads() pending.Leader {
	return pending.Leader{View: consensus.View(r.lead.term), Primary: r.leader()}
}

// leader is whom this replica follows; itself, if it knows nobody.
func (r *replica) leader() consensus.ReplicaID {
	if r.lead.leader == 0 {
		return r.id
	}
	return consensus.ReplicaID(r.lead.leader - 1)
}

// forward hands a client's request to the leader. What came from another
// replica is that one's to forward: two that take each other for the leader
// would send it round and round.
func (r *replica) forward(p *pending.Entry) {
	p.Told = r.clock.tick
	if p.Lane != r.requests.ClientLane() || r.leader() == r.id {
		return
	}
	r.out.SendEarly(consensus.ReplicaPeer(r.leader()), consensus.Bodies, p.Request.Raw)
}

// tickRequests tells the leader again of what it leaves waiting, asks the
// session table of what waits long, and forgets what has become stale.
func (r *replica) tickRequests() {
	for p := range r.requests.Due(r.clock.tick, r.cfg.again(), pending.MaxForwards) {
		r.forward(p)
		r.undecided(p)
		if !r.state.Active() && r.clock.tick-p.Since >= r.cfg.Election {
			r.requests.AskSession(&r.out, p, r.clock.tick)
		}
	}
	r.requests.DropStale(&r.out)
}

// undecided lets a client know that what it asked for is not decided: its
// request waits here, perhaps in this replica's log, and there is no majority.
func (r *replica) undecided(p *pending.Entry) {
	if r.leaderless() && p.Lane == r.requests.ClientLane() {
		r.refuse(consensus.ClientPeer(p.Request.Client), p.Request, consensus.RefusedUndecided)
	}
}

// propose puts what waits into entries, if this replica leads. It closes
// batches at the end of a burst, as many as the pipeline has room for.
func (r *replica) propose() {
	if r.lead.leader != id(r.id) || !r.leading() || r.lacking() {
		return // or elected in this very step: what stands in the log is not yet looked at
	}
	if !r.clocks.Ready() {
		return // the clock jumped: a stamp too far ahead could not be taken back
	}
	for r.requests.Waiting() && r.inFlight() < r.cfg.Pipeline && !r.full(r.exec.proposed+1) {
		if r.inFlight() > 0 && r.requests.Little(&r.cfg.Genesis.Limits) {
			return
		}
		requests := r.requests.Take(&r.cfg.Genesis.Limits)
		if len(requests) == 0 {
			return
		}
		b := &consensus.Batch{Stamp: r.now, Requests: requests}
		if _, err := r.survive(func() error { return r.node.Propose(b.Append(make([]byte, 0, b.Size()))) }); err != nil {
			return // deposed meanwhile: observe makes them wait again
		}
		r.exec.proposed++
		r.out.Note(consensus.Note{Kind: consensus.Proposed, View: consensus.View(r.lead.term), Seq: r.exec.proposed, Digest: b.Digest(), Text: describeSize(len(requests), b.Size())})
	}
}

// beginTerm begins a leader's term: what stands in its log is not proposed again.
func (r *replica) beginTerm() {
	last, _ := r.store.LastIndex()
	r.exec.proposed = consensus.Seq(last)
	for n := max(r.exec.handed, r.store.base()) + 1; n <= consensus.Seq(last); n++ {
		if b, _, ok := r.store.batch(n); ok {
			r.requests.Stands(b)
		}
	}
}

// inFlight is how many entries of the leader's log are not yet committed.
func (r *replica) inFlight() int {
	committed := consensus.Seq(r.node.BasicStatus().Commit)
	return int(max(r.exec.proposed, committed) - committed)
}
