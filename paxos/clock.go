package paxos

import (
	"math/rand/v2"

	"quorate.dev/quorate/consensus"
)

// clock counts ticks, and what they decide.
type clock struct {
	random     *rand.Rand
	tick       int // of this life
	countdown  int // ticks until this replica prepares
	wait       int // ... until it may, where anybody leads
	lease      int // ... until it forgets its leader
	leaderless int // ticks for which there has been no leader
	duels      int // times in a row that this proposer was preempted, and nothing chosen
	told       int // tick in which it last said what its clock shows; 0 never
	quiet      int // tick until which nobody is alarmed of ballots again
}

// rest begins the countdown and the lease anew: a leader was heard, or a question of
// one's own has left.
func (r *replica) rest() {
	r.clock.lease = r.cfg.Election
	r.countAnew()
}

// countAnew begins the countdown alone: a promise was given, which is no word of a
// leader. E.g. A and B of five are cut off; A, who led, prepares again and again, each
// time sooner than B's lease ends. Did that renew the lease, B would take A for its
// leader for ever, and never tell its callers that there is no majority.
func (r *replica) countAnew() {
	r.clock.countdown = r.cfg.Election + r.clock.random.IntN(r.cfg.Election)
}

// onTick: a leader counts who answers. Others count down to a question of their
// own, and forget their leader before, so that they answer those of others.
func (r *replica) onTick() {
	r.clock.tick++
	clear(r.asked)
	r.compareClocks()
	r.moved(r.state.Tick())
	r.clock.leaderless++
	if r.lead.known {
		r.clock.leaderless = 0
	}
	r.clock.wait--
	if r.office.leading {
		r.tickLeader()
	} else {
		r.tickFollower()
	}
	lessons{r}.askMissing()
	r.requests.Tick(r.clock.tick, r.led(), r.state.Active())
}

func (r *replica) tickFollower() {
	if r.clock.lease--; r.clock.lease == 0 {
		r.leave(reasonUnheard)
	}
	if r.office.round != nil && r.clock.tick%r.cfg.Heartbeat == 0 {
		r.sayPrepare()
	}
	if r.clock.countdown--; r.clock.countdown > 0 {
		return
	}
	r.rest()
	r.giveUp()
	if !r.state.Active() { // whoever fetches a state lacks what was agreed
		r.prepare()
	}
}

// standForAny prepares at once for requests, where whoever has some may lead.
func (r *replica) standForAny() {
	if r.cfg.AnyLeader && r.office.round == nil && r.requests.Waiting() && r.clock.wait <= 0 {
		r.prepare()
	}
}

// compareClocks looks what time it is, for all. A leader says now and then what
// its clock shows, and those who hear it say what theirs do: whoever follows
// nobody says nothing.
func (r *replica) compareClocks() {
	r.clocks.Tick()
	if r.office.leading && r.clocks.Due() {
		r.tellClock()
	}
	if text := r.clocks.Alarm(); text != "" {
		r.alarm(text)
	}
}

// onClock hears what a member's clock shows, and answers a leader.
func (r *replica) onClock(from consensus.ReplicaID, m *consensus.Clock) {
	r.clocks.Hear(from, m)
	r.now = r.clocks.Time()
	if r.lead.known && r.leader() == from {
		r.tellClock()
	}
}

// tellClock says what this replica's clock shows, once in a tick, however often
// it is asked.
func (r *replica) tellClock() {
	if r.clock.told == r.clock.tick {
		return
	}
	r.clock.told = r.clock.tick
	r.tellAll(consensus.Votes, r.clocks.Own().Encode())
}
