package raft

import (
	"go.etcd.io/raft/v3"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/pending"
)

// leaderless reports whether nobody has led for so long that a majority should
// have found somebody.
func (r *replica) leaderless() bool {
	return r.node.BasicStatus().Lead == raft.None && r.clock.leaderless >= r.cfg.Election
}

// led says who leads, for requests that wait.
func (r *replica) led() pending.Led {
	return pending.Led{Leader: pending.Leader{View: consensus.View(r.lead.term), Primary: r.leader()}, Lost: r.leaderless()}
}

// leader is whom this replica follows; itself, if it knows nobody.
func (r *replica) leader() consensus.ReplicaID {
	if r.lead.leader == 0 {
		return r.id
	}
	return consensus.ReplicaID(r.lead.leader - 1)
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
		b := r.requests.Batch(&r.cfg.Genesis.Limits, r.now, r.inFlight() > 0)
		if b == nil {
			return
		}
		if _, err := r.survive(func() error { return r.node.Propose(b.Append(make([]byte, 0, b.Size()))) }); err != nil {
			return // deposed meanwhile: observe makes them wait again
		}
		r.exec.proposed++
		r.out.Note(consensus.Note{Kind: consensus.Proposed, View: consensus.View(r.lead.term), Seq: r.exec.proposed, Digest: b.Digest(), Text: b.Describe()})
	}
}

// beginTerm begins a leader's term: what stands in its log is not proposed again.
func (r *replica) beginTerm() {
	last, _ := r.store.LastIndex()
	r.exec.proposed = consensus.Seq(last)
	for n := max(r.exec.Handed, r.store.base()) + 1; n <= consensus.Seq(last); n++ {
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
