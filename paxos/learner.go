package paxos

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/paxos/synod"
)

// missing is what is known to be chosen, and is not here.
type missing struct {
	target consensus.Seq // all slots up to it are chosen, as somebody said
	told   struct {      // the last word of a leader
		ballot synod.Ballot
		upTo   consensus.Seq
	}
	from  consensus.Seq // the first slot that is missing, when this was looked at last
	since int           // ... from this tick on
	asked int           // tick of the last question; 0 never
	turn  int           // whose it is to be asked
}

// onCommit: a leader says that all slots up to n are chosen. It reports whether that
// leader is to be followed. What is chosen stays chosen, whoever leads; whose
// ballot is below the promise hears so.
func (r *replica) onCommit(from consensus.ReplicaID, b synod.Ballot, n consensus.Seq) bool {
	r.missing.target = max(r.missing.target, n)
	r.commitVotes(b, n)
	if b < r.acceptor.Promised() {
		r.reject(from, b, n)
		return false
	}
	if r.leaps(b) {
		r.acceptor.Promise(b)
		r.raised(from, b)
		return false
	}
	if b != r.missing.told.ballot || n > r.missing.told.upTo {
		r.missing.told.ballot, r.missing.told.upTo = b, n
		r.recordCommit(b, n)
	}
	r.follow(b)
	return true
}

// commitVotes learns of the slots up to n those that this acceptor accepted under
// that very ballot: of a vote of an earlier leader COMMIT says nothing. E.g. A sent x
// for slot 1 under 3 to B alone, and lost its own vote; C has y chosen with A, under 5.
// COMMIT(5, 1) reaches B, which holds x.
func (r *replica) commitVotes(b synod.Ballot, n consensus.Seq) {
	if b == 0 {
		return
	}
	for _, slot := range r.learner.Commit(b, n, r.acceptor, nil) {
		r.keepChosen(slot, r.values.voted[slot])
	}
}

// learn takes it that a value is chosen.
func (r *replica) learn(from consensus.ReplicaID, n consensus.Seq, x value) {
	switch r.learner.Learn(n, x.digest) {
	case synod.Learned:
		r.keepChosen(n, x)
	case synod.Settled: // below the base, and the state that stands for it was lost
		if _, known := r.values.chosen[n]; !known && n > r.exec.Handed {
			r.keepChosen(n, x)
		}
	case synod.Conflict:
		r.contradicted(from, n, "that another value is chosen than was learnt before")
	}
}

func (r *replica) keepChosen(n consensus.Seq, x value) {
	r.values.chosen[n] = x
	r.clock.duels = 0
	r.chosenElsewhere(n, x)
}

// chosenElsewhere: this leader has learnt that a slot is chosen for which it still
// counts votes. They may never come: members have cut it away. Or another leader had
// it chosen, with another value or where nothing was proposed here: then this one is
// preempted, and did not hear of it.
func (r *replica) chosenElsewhere(n consensus.Seq, x value) {
	o := &r.office
	if !o.leading || n <= o.commit || o.done[n] {
		return
	}
	c, wanted := o.wanted[n]
	p := o.open[n]
	switch {
	case wanted && c.Digest == x.digest:
		r.givenBody(n, x)
	case p != nil && p.digest == x.digest:
		r.decided(n)
	default:
		r.preempted()
	}
}

// The bounds of a question for slots, and of its answer.
const (
	maxAsked = 64
	maxGiven = 1 << 20 // bytes; one larger value travels alone
)

// maxLearns bounds, between two ticks, the questions of one member that are
// answered. What is left out is asked again.
const maxLearns = 8

// settleTicks is how long what seems missing may be under way: a COMMIT overtakes
// the ACCEPT that it is about.
const settleTicks = 2

// lessons are what replicas ask each other of slots, and are told.
type lessons struct{ *replica }

// askMissing asks for the first slots that are chosen and not here: the leader, or
// any, if this is the leader or there is none. Not while a state is being fetched
// that somebody serves; a fruitless fetch is told of a newer one by that.
func (r lessons) askMissing() {
	m := &r.missing
	from := r.exec.Handed + 1
	for _, ok := r.values.chosen[from]; ok; _, ok = r.values.chosen[from] {
		from++
	}
	if from > m.target || r.state.Active() && !r.state.Fruitless() || r.system.Size() == 1 {
		m.from = 0
		return
	}
	if from != m.from {
		progress := m.from != 0 && m.asked != 0 && from > m.from
		m.from, m.since, m.asked = from, r.clock.tick, 0
		if progress {
			m.since -= settleTicks // it goes on
		}
	}
	if r.clock.tick-m.since < settleTicks || m.asked != 0 && r.clock.tick-m.asked < r.cfg.Heartbeat {
		return
	}
	m.asked = max(1, r.clock.tick)
	ask := Learn{From: from, To: r.runOf(from)}
	r.tell(r.teacher(), consensus.Votes, ask.Encode())
}

// runOf is the end of the run of missing slots that begins at from. Nothing is asked
// twice: where answers come faster than this replica takes them in, the first are
// lost, and would be lost again each time.
func (r lessons) runOf(from consensus.Seq) consensus.Seq {
	to := from
	for to < min(r.missing.target, from+maxAsked-1) {
		if _, here := r.values.chosen[to+1]; here {
			break
		}
		to++
	}
	return to
}

// teacher is whom to ask: the leader first, then each in turn.
func (r lessons) teacher() consensus.ReplicaID {
	m, others := &r.missing, r.others(0)
	m.turn++
	if leader := r.leader(); leader != r.id && m.turn%2 == 1 {
		return leader
	}
	return others[(m.turn/2)%len(others)]
}

func (r lessons) onLearn(from consensus.ReplicaID, m *Learn) {
	r.asked[from]++
	if r.asked[from] > maxLearns {
		r.ignored(from, m.From, reasonOften)
		return
	}
	r.give(from, m)
}

// give tells what is known of slots, as far as it is here; what is below the state
// on disk and gone, that state stands for. It leaves once what it rests on is on
// disk.
func (r lessons) give(to consensus.ReplicaID, m *Learn) {
	bytes := 0
	for n := m.From; n <= min(m.To, m.From+maxAsked-1) && bytes < maxGiven; n++ {
		x, chosen := r.values.chosen[n]
		ok := chosen
		if !chosen && m.Votes {
			x, ok = r.values.voted[n]
		}
		switch {
		case ok:
			v := Value{Slot: n, Ballot: x.ballot, Chosen: chosen, Batch: x.batch}
			frame := v.Encode()
			bytes += len(frame)
			r.send(to, consensus.Bodies, frame)
		case n <= r.exec.Kept:
			if r.snapshot.Seq > 0 {
				r.send(to, consensus.Votes, EncodeState(r.snapshot))
			}
			return
		}
	}
}

// onValue takes what stands in a slot: what is chosen, or the body of a vote that a
// new leader was told of.
func (r lessons) onValue(from consensus.ReplicaID, m *Value) {
	x := value{ballot: m.Ballot, digest: m.digest, batch: m.Batch}
	if m.Chosen {
		r.learn(from, m.Slot, x)
		r.chosenElsewhere(m.Slot, x) // also where it is too far ahead to be learnt
		return
	}
	if c, ok := r.office.wanted[m.Slot]; ok && c.Digest == m.digest {
		r.givenBody(m.Slot, x)
	}
}

// givenBody proposes again what this leader lacked the body of.
func (r *replica) givenBody(n consensus.Seq, x value) {
	delete(r.office.wanted, n)
	r.note(consensus.Note{Kind: consensus.Proposed, Seq: n, Digest: x.digest, Reason: ReasonBody})
	x.ballot = r.office.round.Ballot()
	r.requests.Stands(x.batch)
	r.put(n, x, false)
}
