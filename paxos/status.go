package paxos

import (
	"maps"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
)

// Horizon implements consensus.Engine: nothing is filtered.
func (r *replica) Horizon() consensus.Horizon { return nil }

// Status implements consensus.Engine. The view is the ballot, the primary its
// owner; while nobody is known to lead, it is changing.
func (r *replica) Status() consensus.Status {
	s := consensus.Status{
		Protocol: r.cfg.Genesis.Protocol, Replica: r.id, View: r.view(), Primary: r.leader(), Changing: !r.lead.known,
		Executed: r.exec.Handed, Applied: r.exec.Applied, Stable: r.exec.Stable, High: r.exec.Stable + r.cfg.Genesis.Window, Kept: r.exec.Kept,
		Root: r.exec.Last.Root, RootSeq: r.exec.Last.Seq, Pending: r.requests.Len(),
	}
	for n := range r.values.voted {
		if n > r.exec.Handed {
			s.InFlight++
		}
	}
	if r.state.Active() {
		s.Fetching = r.state.Target().Seq
	} else if r.lacking() {
		s.Fetching = r.acceptor.Base()
	}
	for i, at := range r.heard {
		if consensus.ReplicaID(i) == r.id || at >= 0 && r.clock.tick-at <= 4*r.cfg.Heartbeat+r.cfg.Election {
			s.Heard = append(s.Heard, consensus.ReplicaID(i))
		}
	}
	s.Clocks = r.clocks.Offsets()
	s.Waiting = append(waits{r}.waiting(&s), r.clocks.Wrong()...)
	return s
}

// waits is what a replica lacks.
type waits struct{ *replica }

// waiting answers "why is it not progressing": what lacks whom.
func (r waits) waiting(s *consensus.Status) []consensus.Lack {
	var out []consensus.Lack
	if s.Fetching != 0 {
		out = append(out, consensus.Lack{What: "parts of the state", Seq: s.Fetching})
	}
	o := &r.office
	switch {
	case o.round != nil && !o.leading:
		return append(out, r.lack(s, "promises", 0, o.round.Promisers()))
	case s.Changing:
		l := r.lack(s, "somebody who leads", 0, quorum.SetOf(s.Heard...))
		if len(l.Have) >= l.Need { // enough are there to promise
			l.Have, l.Need, l.Missing = nil, 0, slices.DeleteFunc(slices.Clone(s.Heard), func(id consensus.ReplicaID) bool { return id == r.id })
		}
		return append(out, l)
	case !o.leading:
		return append(out, r.followerWaits(s)...)
	}
	for _, n := range slices.Sorted(maps.Keys(o.wanted)) {
		l := r.lack(s, "the body of a vote", n, 0)
		l.Need, l.Missing = 0, o.wanted[n].Named.Replicas()
		return append(out, l)
	}
	for _, n := range slices.Sorted(maps.Keys(o.open)) {
		_, accepted, _ := o.round.Proposed(n)
		return append(out, r.lack(s, "votes for a slot", n, accepted))
	}
	return out
}

func (r waits) lack(s *consensus.Status, what string, n consensus.Seq, have quorum.Set) consensus.Lack {
	return consensus.Lack{What: what, InView: true, View: s.View, Seq: n, Have: have.Replicas(), Need: r.system.Quorum(), Missing: consensus.Others(r.system.Size(), have.Replicas()...)}
}

// followerWaits says what a follower lacks.
func (r waits) followerWaits(s *consensus.Status) []consensus.Lack {
	l := consensus.Lack{InView: true, View: s.View, Seq: r.exec.Handed + 1, Missing: []consensus.ReplicaID{s.Primary}}
	switch {
	case r.missing.target > r.exec.Handed:
		l.What = "the value of a slot that is chosen"
	case s.InFlight > 0:
		l.What = "the leader's word that a slot is chosen"
	case s.Pending > 0:
		l.What = "a slot with what it was asked for"
	default:
		return nil
	}
	return []consensus.Lack{l}
}
