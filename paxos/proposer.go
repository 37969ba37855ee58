package paxos

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/paxos/synod"
)

// office is what a proposer holds, in memory only: a new life is a new ballot.
type office struct {
	round    *synod.Round  // nil: this replica proposes nothing
	above    consensus.Seq // what round has asked from: the same in every question
	leading  bool          // phase 1 is done
	open     map[consensus.Seq]*proposal
	wanted   map[consensus.Seq]synod.Choice // to be proposed again, and the body is not here
	done     map[consensus.Seq]bool         // chosen, above commit
	next     consensus.Seq                  // the first slot in which nothing was proposed
	fresh    int                            // open slots that are new under this ballot
	commit   consensus.Seq                  // all slots up to it are chosen
	told     consensus.Seq                  // ... and others were told
	answered []int                          // tick of the last answer of each member
	fruit    fruit
}

// fruit is when a leader last came closer to what it lacks.
type fruit struct {
	handed consensus.Seq
	wanted int
	tick   int
	began  int // tick in which this leader began
}

// proposal is a slot that is proposed and not yet known to be chosen.
type proposal struct {
	value
	said int // tick in which it was last said
	new  bool
}

// prepare begins phase 1: under a ballot above all that this replica may have used
// in any life, and above all that it has heard of. Its own promise is on disk
// before the question leaves.
func (r *replica) prepare() {
	b := max(r.acceptor.Promised(), r.seen).Next(r.id, r.system.Size())
	if b == 0 {
		r.alarm("cannot prepare: there is no later ballot")
		return
	}
	r.rest()
	r.office = office{} // an attempt before is over, also if the promise goes a part of the way only
	effect := r.acceptor.Promise(b)
	r.recordPromise()
	if effect != synod.Promised {
		return // a part of the way; the next attempt gets further
	}
	above := max(r.exec.Handed, r.acceptor.Base())
	r.office = office{round: synod.NewRound(b, r.system.Quorum(), above, r.cfg.table()), above: above}
	r.sayPrepare()
	r.hear(r.id, r.ownPromise(above))
}

// sayPrepare asks, and asks again, those who have not promised: always for the same
// slots, for what is not named is taken for nothing. E.g. A asks from 0 on, executes
// 28, and asks B again from 28 on: B's silence about 28 would have it filled with null.
func (r *replica) sayPrepare() {
	round := r.office.round
	m := Prepare{Ballot: round.Ballot(), Above: r.office.above}
	if round.Promisers() == 0 {
		r.out.Broadcast(consensus.Votes, m.Encode())
		return
	}
	for _, id := range r.others(round.Promisers()) {
		r.send(id, consensus.Votes, m.Encode())
	}
}

func (r *replica) onPromise(from consensus.ReplicaID, m *Promise) {
	if round := r.office.round; round == nil || round.Ballot() != m.Ballot {
		r.ignored(from, 0, reasonStale)
		return
	}
	if !r.office.leading {
		r.hear(from, *m)
	}
}

func (r *replica) hear(from consensus.ReplicaID, p Promise) {
	if r.office.round.Hear(from, p) {
		r.begin()
	}
}

// begin: a quorum has promised, and this replica leads. What it was told is
// proposed again, slot by slot, where the body is here; gaps are filled. New slots
// stand above, and need not wait for that.
func (r *replica) begin() {
	o, plan := &r.office, r.office.round.Plan()
	if r.acceptor.Base() > plan.Base { // kept meanwhile: nobody would vote here, nor propose below it
		r.prepareAgain(reasonAgain)
		return
	}
	o.leading, o.next, o.commit = true, plan.First(), plan.Base
	o.open, o.wanted, o.done = map[consensus.Seq]*proposal{}, map[consensus.Seq]synod.Choice{}, map[consensus.Seq]bool{}
	o.answered = make([]int, r.system.Size())
	for i := range o.answered {
		o.answered[i] = r.clock.tick - r.cfg.Election
	}
	for _, id := range o.round.Promisers().Replicas() {
		o.answered[id] = r.clock.tick
	}
	o.fruit = fruit{tick: r.clock.tick, began: r.clock.tick}
	r.enter(o.round.Ballot())
	r.missing.target = max(r.missing.target, plan.Base)
	if plan.Base > r.exec.Handed {
		r.note(consensus.Note{Kind: consensus.Proposed, Seq: plan.Base, Reason: ReasonBehind})
	}
	for _, c := range plan.Slots {
		r.proposeAgain(c)
	}
	r.heartbeat()
}

// proposeAgain proposes what had to be chosen for a slot, or asks for its body.
func (r *replica) proposeAgain(c synod.Choice) {
	x, ok := r.values.body(c.Slot, c.Digest)
	if !ok {
		r.office.wanted[c.Slot] = c
		r.askBody(c)
		return
	}
	if c.Ballot == 0 && !c.Chosen {
		r.note(consensus.Note{Kind: consensus.Proposed, Seq: c.Slot, Digest: c.Digest, Reason: ReasonGap})
	}
	x.ballot = r.office.round.Ballot()
	r.requests.Stands(x.batch)
	r.put(c.Slot, x, false)
}

// askBody asks one of those who named a vote for its body, in turn.
func (r *replica) askBody(c synod.Choice) {
	var from []consensus.ReplicaID
	for _, id := range c.Named.Replicas() {
		if id != r.id {
			from = append(from, id)
		}
	}
	if len(from) == 0 {
		return
	}
	m := Learn{From: c.Slot, To: c.Slot, Votes: true}
	turn := r.clock.tick / r.cfg.Heartbeat // it is asked as often
	r.tell(from[turn%len(from)], consensus.Votes, m.Encode())
}

// put proposes a value under this ballot. It leaves at once, beside the own vote:
// it promises nothing, for after a restart this ballot is not used again. What
// rests on the own vote, the word that a slot is chosen, waits for the disk.
func (r *replica) put(n consensus.Seq, x value, isNew bool) {
	o := &r.office
	if !o.round.Propose(n, x.digest) {
		return // chosen meanwhile
	}
	o.open[n] = &proposal{value: x, said: r.clock.tick, new: isNew}
	if isNew {
		o.fresh++
	}
	a := Accept{Ballot: x.ballot, Slot: n, Batch: x.batch}
	if r.system.Quorum() == 1 { // this ballot may not be on disk yet
		r.out.Broadcast(consensus.Bodies, a.Encode())
	} else {
		r.tellAll(consensus.Bodies, a.Encode())
	}
	r.cast(n, x)
	if d, known := r.learner.Chosen(n); known && d == x.digest {
		r.decided(n) // it was before
	}
}

// cast is this leader's own vote for what it proposes.
func (r *replica) cast(n consensus.Seq, x value) {
	if effect := r.accept(n, x); effect == synod.Accepted || effect == synod.Repeated {
		r.vote(r.id, n)
	}
}

// preempted: another proposer has a higher ballot. Who is preempted waits before it
// prepares again: else two of them go on without end, each before the other's
// proposals arrive.
func (r *replica) preempted() {
	if !r.office.leading {
		r.note(consensus.Note{Kind: consensus.Ignored, Replica: r.id, Reason: ReasonPreempted})
	}
	r.resign(ReasonPreempted)
	if r.clock.duels++; r.clock.duels == 3 {
		r.note(consensus.Note{Kind: consensus.Ignored, Replica: r.id, Reason: ReasonDuel})
	}
	if r.cfg.Backoff {
		r.rest()
		r.clock.wait = r.clock.countdown
	}
}

// resign ends what this proposer does.
func (r *replica) resign(why consensus.Reason) {
	if r.office.leading {
		r.leave(why)
	}
	r.office = office{}
}

// enter: somebody leads under b, perhaps this replica.
func (r *replica) enter(b synod.Ballot) {
	if r.lead.known && r.lead.ballot == b {
		return
	}
	r.leave("another one leads")
	r.lead = leadership{ballot: b, known: true}
	r.note(consensus.Note{Kind: consensus.EnteredView, Replica: r.leader()})
	r.requests.Begin(r.clock.tick, r.led())
}

// leave: nobody leads, as far as this replica knows.
func (r *replica) leave(why consensus.Reason) {
	if !r.lead.known {
		return
	}
	r.lead.known = false
	r.dropReads()
	r.note(consensus.Note{Kind: consensus.LeftView, Reason: why})
}

// note tells of a fact under the ballot that counts here.
func (r *replica) note(n consensus.Note) {
	n.View = r.view()
	r.out.Note(n)
}

// others are the members but those in a set and this one.
func (r *replica) others(but quorum.Set) []consensus.ReplicaID {
	return consensus.Others(r.system.Size(), append(but.Replicas(), r.id)...)
}
