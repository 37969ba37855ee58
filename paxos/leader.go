package paxos

import (
	"maps"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/paxos/synod"
)

func (r *replica) onAccepted(from consensus.ReplicaID, m *Accepted) {
	if !r.answers(from, m.Ballot) {
		r.ignored(from, m.Slot, reasonStale)
		return
	}
	r.vote(from, m.Slot)
}

// answers reports whether a member answers what this leader says, and notes it.
func (r *replica) answers(from consensus.ReplicaID, b synod.Ballot) bool {
	o := &r.office
	if !o.leading || o.round.Ballot() != b {
		return false
	}
	o.answered[from] = r.clock.tick
	return true
}

// vote counts a vote under this ballot.
func (r *replica) vote(from consensus.ReplicaID, n consensus.Seq) {
	if r.office.round.Accepted(from, r.office.round.Ballot(), n) {
		r.decided(n)
	}
}

// decided: the value proposed for a slot is chosen, before or after those below it.
func (r *replica) decided(n consensus.Seq) {
	o := &r.office
	p := o.open[n]
	if p == nil {
		return
	}
	delete(o.open, n)
	if p.new {
		o.fresh--
	}
	note := consensus.Note{Kind: consensus.Committed, Seq: n, Digest: p.digest}
	if n > o.commit+1 {
		note.Reason = ReasonOutside
	}
	r.note(note)
	o.done[n] = true
	r.learn(r.id, n, p.value)
	r.rise()
}

// rise moves the end of what is chosen without gaps, as this leader counts it, also
// where it cannot learn it itself, far behind. What it has learnt otherwise does not
// count: another leader may have had it chosen, in the place of what this one has
// proposed, and COMMIT would make that chosen where it was voted for. E.g. A proposes
// x for slot 9 under 3, B alone votes for it; C has y chosen there under 5, and A, who
// has not heard of 5, is given the state at 10: COMMIT(3, 10) would have B execute x.
func (r *replica) rise() {
	o := &r.office
	for o.done[o.commit+1] {
		o.commit++
		delete(o.done, o.commit)
	}
	r.missing.target = max(r.missing.target, o.commit)
	r.commitVotes(o.round.Ballot(), o.commit)
	o.round.Drop(o.commit)
}

// tellCommit says what is chosen, at the end of a step. It rests on this
// replica's own votes, so that it leaves once they are on disk, and rides in
// nothing that leaves before. E.g. A's vote is in memory, B's on disk; A says COMMIT
// at once, B executes and answers, A loses power, and B is cut off: C leads with
// A, nobody names a vote, and the answered write is gone.
func (r *replica) tellCommit() {
	o := &r.office
	if !o.leading || o.commit == o.told {
		return
	}
	o.told = o.commit
	m := Commit{Ballot: o.round.Ballot(), UpTo: o.commit}
	r.out.Broadcast(consensus.Votes, m.Encode())
	r.recordCommit(m.Ballot, m.UpTo)
}

// heartbeat is a COMMIT by time, and asks who still follows.
func (r *replica) heartbeat() {
	o := &r.office
	m := Heartbeat{Ballot: o.round.Ballot(), UpTo: o.commit, Round: r.reads.round}
	r.out.Broadcast(consensus.Votes, m.Encode())
}

func (r *replica) onHeartbeat(from consensus.ReplicaID, m *Heartbeat) {
	if r.onCommit(from, m.Ballot, m.UpTo) {
		a := Alive{Ballot: m.Ballot, Round: m.Round}
		r.tell(from, consensus.Votes, a.Encode())
	}
}

func (r *replica) onAlive(from consensus.ReplicaID, m *Alive) {
	if !r.answers(from, m.Ballot) {
		r.ignored(from, 0, reasonStale)
		return
	}
	r.onAnswer(from, m.Round)
}

// onReject: a member has promised more. A leader whom a majority answers goes above
// it, and stays: one member that was cut off and prepared alone must not depose it,
// nor be left out. If there is nothing that holds members to their leader, whoever
// is rejected waits.
func (r *replica) onReject(from consensus.ReplicaID, m *Reject) {
	round := r.office.round
	if round == nil || round.Ballot() != m.Ballot || m.Promised <= m.Ballot {
		r.ignored(from, 0, reasonStale)
		return
	}
	r.seen = r.acceptor.Promised().Toward(m.Promised)
	switch {
	case !r.office.leading: // a quorum of others may yet promise; the countdown runs
	case !r.cfg.Sticky:
		r.preempted()
	case r.clock.tick-r.office.fruit.began >= r.cfg.Election/2:
		r.prepareAgain(reasonOver)
	}
}

// prepareAgain goes through phase 1 once more, under a higher ballot. The members
// answer: it is their leader that asks.
func (r *replica) prepareAgain(why consensus.Reason) {
	r.resign(why)
	r.prepare()
}

// tickLeader repeats what was not answered, and looks whether a majority answers
// and whether what this leader lacks is given.
func (r *replica) tickLeader() {
	o := &r.office
	answers := 0
	for id, at := range o.answered {
		if consensus.ReplicaID(id) == r.id || r.clock.tick-at < r.cfg.Election {
			answers++
		}
	}
	if answers < r.system.Quorum() {
		r.resign(reasonUnheard)
		r.rest()
		return
	}
	if r.starved() {
		r.prepareAgain(reasonAgain)
		return
	}
	r.sayAgain()
	if r.clock.tick%r.cfg.Heartbeat == 0 {
		r.heartbeat()
		for _, n := range slices.Sorted(maps.Keys(o.wanted)) {
			r.askBody(o.wanted[n])
		}
	}
}

// starved reports whether what this leader lacks, the body of a vote or what is
// below its proposals, was not given to it for long. Whoever named it may be gone;
// under a higher ballot others are asked. E.g. one member has executed and cut 128,
// promises with that base, and dies: the votes for 128 are with the others, but
// under this ballot nobody may propose there, and nobody has the state.
func (r *replica) starved() bool {
	o := &r.office
	lacks := len(o.wanted) > 0 || r.exec.Handed < o.round.Plan().Base
	now := fruit{handed: r.exec.Handed, wanted: len(o.wanted), tick: r.clock.tick, began: o.fruit.began}
	if !lacks || now.handed != o.fruit.handed || now.wanted != o.fruit.wanted || r.state.Active() && !r.state.Fruitless() {
		o.fruit = now
		return false
	}
	return r.clock.tick-o.fruit.tick >= r.cfg.Election
}

// maxAgain bounds the bytes of proposals that are repeated in one tick.
const maxAgain = 1 << 20

// sayAgain repeats proposals to those who have not accepted them for so long, the
// lowest slots first.
func (r *replica) sayAgain() {
	o := &r.office
	bytes := 0
	for _, n := range slices.Sorted(maps.Keys(o.open)) {
		p := o.open[n]
		if p == nil || r.clock.tick-p.said < r.cfg.again() {
			continue
		}
		if bytes >= maxAgain {
			return
		}
		p.said = r.clock.tick
		r.cast(n, p.value) // it may have been too far beyond the own disk before
		a := Accept{Ballot: o.round.Ballot(), Slot: n, Batch: p.batch}
		frame := a.Encode()
		_, accepted, _ := o.round.Proposed(n)
		for _, id := range r.others(accepted) {
			r.tell(id, consensus.Bodies, frame)
			bytes += len(frame)
		}
	}
}

// again is how often, in ticks, a proposal is repeated.
func (c *Config) again() int { return max(2, c.Election/4) }
