package spec

import (
	"math/rand/v2"
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/sim"
)

// raftSettle is how long a lie about Raft may delay what is asked: elections
// need no more, and who deposes every leader fills the logs with terms.
const raftSettle = 20 * sim.Second

// placeElected places one traitor, or several, and sees to it that they can lie:
// elections are won by whoever is first, so nobody can be made the leader by a
// number.
func (c *ProfileRuns) placeElected(s *Spec, p *byzantine.Profile, dice *rand.Rand) {
	s.Settle = raftSettle
	at := c.At
	if at == nil {
		at = c.draw(dice)
	}
	first := consensus.Time(0)
	if p.Protocols == nil {
		first = turn(dice)
	}
	switch {
	case p.Needs == byzantine.Turnover || p.Needs == byzantine.Restart:
		// A follower's lie comes to light when the members that it helped to
		// commit something are away, and those that were away are back.
		first, s.Faults = 0, c.turns(at, p, dice)
	case p.Needs == byzantine.Election || p.Protocols == nil && s.Seed%2 == 1:
		// A leader's lie wants a leader: the others are late, and find somebody
		// who asks for their votes.
		first, s.Faults = 0, []Fault{{Lasts: sim.Second, Kind: Pause, Replicas: c.others(at)}}
	case dice.IntN(2) == 0 && p.Protocols == nil:
		s.Faults = c.somebodyIsolated(dice)
	}
	for _, id := range at {
		s.Traitors = append(s.Traitors, sim.Traitor{Replica: id, Schedule: []sim.Assignment{{From: first, Behaviours: []string{c.Behaviour}}}})
	}
}

// others are those who do not sit there.
func (c *ProfileRuns) others(at []consensus.ReplicaID) (ids []consensus.ReplicaID) {
	for i := range c.Replicas {
		if id := consensus.ReplicaID(i); !slices.Contains(at, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// turns has one half of the others away, and then the other half; whoever
// forgets at its start is started in between.
func (c *ProfileRuns) turns(at []consensus.ReplicaID, p *byzantine.Profile, dice *rand.Rand) []Fault {
	others := c.others(at)
	dice.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	half := (len(others) + 1) / 2
	length := consensus.Time(1000+dice.IntN(1000)) * sim.Millisecond
	faults := []Fault{
		{At: 0, Lasts: length, Kind: Partition, Replicas: others[:half]},
		{At: length - sim.Millisecond, Lasts: 2 * length, Kind: Partition, Replicas: others[half:]},
	}
	if p.Needs == byzantine.Restart {
		faults = append(faults, Fault{At: length - 2*sim.Millisecond, Lasts: 10 * sim.Millisecond, Kind: Crash, Replicas: at})
	}
	return faults
}

// electFirst gives traitors among processes, where nobody counts lies, a clock that
// has them elected before the others.
func (c *ProfileRuns) electFirst(s *Spec) {
	p := c.profile()
	if p.Protocols != nil || p.Name == "time" {
		return
	}
	for i := range s.Traitors {
		acts := s.Traitors[i].Schedule
		acts[0].Behaviours = append(acts[0].Behaviours, "time by=0s ticks=4")
	}
}
