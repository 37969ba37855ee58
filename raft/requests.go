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
	if r.adrift() && e.Via.Kind == consensus.PeerClient && r.requests.Standing(q) == pending.Fresh && r.requests.Find(pending.KeyOf(q)) == nil {
		r.refuse(e.Via, q, consensus.RefusedNoLeader)
		return
	}
	p, fate, code := r.requests.Admit(q, e.Via, r.clock.tick)
	switch fate {
	case pending.Executed:
		if r.requests.Retell(q, r.clock.tick, r.again()) {
			r.out.Do(consensus.Answer{Request: q})
		}
	case pending.Refused:
		r.refuse(e.Via, q, code)
	case pending.Waited:
		if r.adrift() {
			r.refuse(e.Via, q, consensus.RefusedUndecided)
		}
	case pending.Waits:
		r.forward(p)
	}
}

// adrift reports whether nobody has led for so long that a majority should have
// found somebody.
func (r *replica) adrift() bool {
	return r.node.BasicStatus().Lead == raft.None && r.clock.orphaned >= r.cfg.Election
}

// again is how often, in ticks, what waits is told again.
func (r *replica) again() int { return max(1, r.cfg.Election/2) }

func (r *replica) refuse(via consensus.Peer, q *consensus.Request, code consensus.RefusalCode) {
	if via.Kind != consensus.PeerClient {
		return // the replica that forwards it asks again
	}
	r.out.Refusals = append(r.out.Refusals, consensus.Refusal{
		Client: q.Client, Request: q.Digest, Sequence: q.Sequence, Code: code, View: consensus.View(r.reign.term), Primary: r.leader(),
	})
}

// leader is whom this replica follows; itself, if it knows nobody.
func (r *replica) leader() consensus.ReplicaID {
	if r.reign.leader == 0 {
		return r.id
	}
	return consensus.ReplicaID(r.reign.leader - 1)
}

// forward hands a client's request to the leader. What came from another
// replica is that one's to forward: two that take each other for the leader
// would send it round and round.
func (r *replica) forward(p *pending.Entry) {
	p.Told = r.clock.tick
	if p.Lane != r.requests.ClientLane() || r.leader() == r.id {
		return
	}
	p.Times++
	r.out.SendEarly(consensus.ReplicaPeer(r.leader()), consensus.Bodies, p.Request.Raw)
}

// maxForwards bounds the requests told again in one tick.
const maxForwards = 64

// tickRequests tells the leader again of what it leaves waiting, asks the
// session table of what waits long, and forgets what has become stale.
func (r *replica) tickRequests() {
	again := r.again()
	left := maxForwards
	for p := range r.requests.ByAge() {
		if left == 0 || r.clock.tick-p.Since < again {
			break // ordered by age
		}
		if r.clock.tick-p.Told >= again {
			r.forward(p)
			r.own(p)
			left--
			r.askSessions(p)
		}
	}
	for p := r.requests.Oldest(); p != nil && r.requests.Standing(p.Request) == pending.Done; p = r.requests.Oldest() {
		r.requests.Remove(pending.KeyOf(p.Request))
		r.out.Do(consensus.Answer{Request: p.Request})
	}
}

// own lets a client know that what it asked for is not decided: its request
// waits here, perhaps in this replica's log, and there is no majority.
func (r *replica) own(p *pending.Entry) {
	if r.adrift() && p.Lane == r.requests.ClientLane() {
		r.refuse(consensus.ClientPeer(p.Request.Client), p.Request, consensus.RefusedUndecided)
	}
}

// askSessions: a restart or a snapshot may have gone past the execution of a
// request, and then no leader will ever propose it: the session table knows.
func (r *replica) askSessions(p *pending.Entry) {
	if r.state.active() || p.Asked >= 0 && r.clock.tick-p.Asked <= 2*r.cfg.Election || r.clock.tick-p.Since < r.cfg.Election {
		return
	}
	p.Asked = r.clock.tick
	r.out.Do(consensus.Answer{Request: p.Request})
}

// propose puts what waits into entries, if this replica leads. It closes
// batches at the end of a burst, as many as the pipeline has room for.
func (r *replica) propose() {
	if r.reign.leader != id(r.id) || !r.leading() {
		return // or elected in this very step: what stands in the log is not yet looked at
	}
	for r.requests.Waiting() && r.inFlight() < r.cfg.Pipeline && !r.full(r.exec.proposed+1) {
		requests := r.requests.Take(&r.cfg.Genesis.Limits)
		if len(requests) == 0 {
			return
		}
		b := &consensus.Batch{Stamp: r.now, Requests: requests}
		if _, err := r.survive(func() error { return r.node.Propose(b.Append(make([]byte, 0, b.Size()))) }); err != nil {
			return // deposed meanwhile: observe makes them wait again
		}
		r.exec.proposed++
		r.out.Note(consensus.Note{Kind: consensus.Proposed, View: consensus.View(r.reign.term), Seq: r.exec.proposed, Digest: b.Digest(), Text: describeSize(len(requests), b.Size())})
	}
}

// standing begins a leader's term: what stands in its log is not proposed again.
func (r *replica) standing() {
	last, _ := r.store.LastIndex()
	r.exec.proposed = consensus.Seq(last)
	for n := r.exec.handed + 1; n <= consensus.Seq(last); n++ {
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
