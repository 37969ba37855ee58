package paxos

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/pending"
)

// leader is whom this replica follows; itself, if it knows nobody.
func (r *replica) leader() consensus.ReplicaID {
	if !r.lead.known {
		return r.id
	}
	return r.lead.ballot.Owner(r.system.Size())
}

// view is the ballot that counts here, in the words of the contract.
func (r *replica) view() consensus.View {
	b := r.lead.ballot
	if r.office.round != nil {
		b = max(b, r.office.round.Ballot())
	}
	return consensus.View(b)
}

// leaderless reports whether nobody has led for so long that a majority should
// have found somebody.
func (r *replica) leaderless() bool { return !r.lead.known && r.clock.leaderless >= r.cfg.Election }

// led says who leads, for requests that wait. Where anybody may lead, each does for
// what it is asked itself.
func (r *replica) led() pending.Led {
	who := pending.Leader{View: r.view(), Primary: r.leader()}
	if r.cfg.AnyLeader {
		who.Primary = r.id
	}
	return pending.Led{Leader: who, Lost: r.leaderless()}
}

// propose puts what waits into slots, if this replica leads. It closes batches at
// the end of a burst, as many as the pipeline has room for.
func (r *replica) propose() {
	o := &r.office
	if !o.leading || !r.clocks.Ready() {
		return // or the clock jumped: a stamp too far ahead could not be taken back
	}
	for r.requests.Waiting() && o.fresh < r.cfg.Pipeline && o.next <= r.reach() {
		b := r.requests.Batch(&r.cfg.Genesis.Limits, r.now, o.fresh > 0)
		if b == nil {
			return
		}
		x := value{ballot: o.round.Ballot(), digest: b.Digest(), batch: b}
		r.note(consensus.Note{Kind: consensus.Proposed, Seq: o.next, Digest: x.digest, Text: b.Describe()})
		o.next++
		r.put(o.next-1, x, true)
	}
}
