package paxos

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/paxos/synod"
)

// onPrepare: a proposer asks for a promise. Who has heard its leader lately stays
// with it, as if the question had been lost: else one member whose receiver is
// broken deposes every leader.
func (r *replica) onPrepare(from consensus.ReplicaID, m *Prepare) {
	if r.sticks(from) {
		r.ignored(from, m.Above, reasonSticky)
		return
	}
	switch r.acceptor.Promise(m.Ballot) {
	case synod.Promised:
		r.recordPromise()
		r.yield(m.Ballot)
		r.countAnew()
		r.promise(from, m)
	case synod.Repeated:
		r.promise(from, m)
	case synod.Rejected:
		r.reject(from, m.Ballot, 0)
	case synod.Raised:
		r.raised(from, m.Ballot)
	}
}

// sticks reports whether this replica answers nobody but its leader for now.
func (r *replica) sticks(from consensus.ReplicaID) bool {
	if !r.cfg.Sticky || from == r.leader() {
		return false
	}
	return r.office.leading || r.lead.known && r.clock.lease > 0
}

// promise tells the whole of what was voted for. It leaves once the promise is on
// disk.
func (r *replica) promise(to consensus.ReplicaID, m *Prepare) {
	p := r.ownPromise(m.Above)
	r.send(to, consensus.Votes, EncodePromise(&p))
}

func (r *replica) ownPromise(above consensus.Seq) Promise {
	return Promise{Ballot: r.acceptor.Promised(), Base: r.acceptor.Base(), Votes: r.acceptor.Report(nil, above, r.learner)}
}

// reject tells a proposer what it is up against: else a deposed leader goes on
// until its own clock tells it.
func (r *replica) reject(to consensus.ReplicaID, b synod.Ballot, n consensus.Seq) {
	r.ignored(to, n, reasonBelow)
	m := Reject{Ballot: b, Promised: r.acceptor.Promised()}
	r.send(to, consensus.Votes, m.Encode())
}

// raised: a message names a ballot that nobody gets to by counting. The promise
// has gone a part of the way, so that members whom a liar has raised by different
// amounts meet again.
func (r *replica) raised(from consensus.ReplicaID, b synod.Ballot) {
	r.recordPromise()
	r.yield(r.acceptor.Promised())
	r.ignored(from, 0, reasonLeap)
	if r.clock.tick >= r.clock.quiet {
		r.clock.quiet = r.clock.tick + r.cfg.Election // one alarm tells enough
		r.alarm(fmt.Sprintf("replica %d speaks of ballot %d, which nobody gets to by counting: it lies, or its disk is damaged", from, b))
	}
}

// leaps reports whether nobody gets to b by counting. Who follows a liar there would
// follow no other any more, for their ballots are lower.
func (r *replica) leaps(b synod.Ballot) bool { return r.acceptor.Promised().Toward(b) < b }

// onAccept: a leader proposes. The vote is on disk before it is told.
func (r *replica) onAccept(from consensus.ReplicaID, m *Accept) {
	x := value{ballot: m.Ballot, digest: m.digest, batch: m.Batch}
	switch effect := r.accept(m.Slot, x); effect {
	case synod.Accepted, synod.Repeated:
		r.follow(m.Ballot)
		a := Accepted{Ballot: m.Ballot, Slot: m.Slot}
		r.send(from, consensus.Votes, a.Encode())
		r.commitVotes(r.missing.told.ballot, r.missing.told.upTo) // a COMMIT may have come before
	case synod.Rejected:
		r.reject(from, m.Ballot, m.Slot)
	case synod.Raised:
		r.raised(from, m.Ballot)
	case synod.Settled:
		r.follow(m.Ballot)
		lessons{r}.give(from, &Learn{From: m.Slot, To: m.Slot}) // else its proposer waits for a vote that there is no more
	case synod.Beyond:
		r.follow(m.Ballot)
		r.ignored(from, m.Slot, reasonFull)
	case synod.Conflict:
		r.contradicted(from, m.Slot, "what it said otherwise under the same ballot")
	}
}

// accept lets the acceptor vote, and keeps and records what it voted for.
func (r *replica) accept(n consensus.Seq, x value) synod.Effect {
	before := r.acceptor.Promised()
	effect := r.acceptor.Accept(x.ballot, n, x.digest)
	if effect == synod.Accepted {
		r.values.voted[n] = x
		r.recordVote(n, x)
		if x.ballot > before {
			r.yield(x.ballot)
		}
	}
	return effect
}

// yield: a ballot was promised. Whoever speaks under a lower one here is preempted.
func (r *replica) yield(b synod.Ballot) {
	r.seen = max(r.seen, b)
	if round := r.office.round; round != nil && round.Ballot() < b {
		r.preempted()
	}
}

// follow: somebody leads under b, unless that is over. Whoever prepares next does so
// above: else its words would count for those alone who have not heard of b.
func (r *replica) follow(b synod.Ballot) {
	if b < r.acceptor.Promised() || b < r.lead.ballot || r.leaps(b) {
		return
	}
	r.seen = max(r.seen, b)
	if round := r.office.round; round != nil && round.Ballot() < b {
		r.preempted()
	}
	r.enter(b)
	r.rest()
}
