package raft

import (
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"

	"quorate.dev/quorate/consensus"
)

// Horizon implements consensus.Engine: nothing is filtered.
func (r *replica) Horizon() consensus.Horizon { return nil }

// Status implements consensus.Engine. The view is the term, the primary its
// leader; between leaders it is changing.
func (r *replica) Status() consensus.Status {
	st := r.node.BasicStatus()
	last, _ := r.store.LastIndex()
	s := consensus.Status{
		Protocol: "raft", Replica: r.id, View: consensus.View(st.Term), Primary: r.id, Changing: st.Lead == raft.None,
		Executed: r.exec.Handed, Applied: r.exec.Applied, Stable: r.exec.Stable, High: r.exec.Stable + r.cfg.Genesis.Window, Kept: r.exec.Kept,
		Root: r.exec.Last.Root, RootSeq: r.exec.Last.Seq, Pending: r.requests.Len(),
		InFlight: int(max(consensus.Seq(last), r.exec.Handed) - r.exec.Handed),
	}
	if st.Lead != raft.None {
		s.Primary = consensus.ReplicaID(st.Lead - 1)
	}
	if r.state.Active() {
		s.Fetching = r.state.Target().Seq
	} else if r.lacking() {
		s.Fetching = r.store.base()
	}
	for i, at := range r.heard {
		if consensus.ReplicaID(i) == r.id || at >= 0 && r.clock.tick-at <= 4*r.cfg.Heartbeat+r.cfg.Election {
			s.Heard = append(s.Heard, consensus.ReplicaID(i))
		}
	}
	s.Clocks = r.clocks.Offsets()
	s.Waiting = append(r.waiting(&s, st), r.clocks.Wrong()...)
	return s
}

// waiting answers "why is it not progressing": what lacks whom.
func (r *replica) waiting(s *consensus.Status, st raft.BasicStatus) []consensus.Lack {
	var out []consensus.Lack
	if s.Fetching != 0 {
		out = append(out, consensus.Lack{What: "parts of the state", Seq: s.Fetching})
	}
	if s.Changing {
		l := consensus.Lack{What: "votes for a leader", InView: true, View: s.View, Have: s.Heard, Need: r.system.Quorum(), Missing: consensus.Others(r.system.Size(), s.Heard...)}
		if len(s.Heard) >= l.Need { // enough are there to vote; who did is not known here
			l.Have, l.Need, l.Missing = nil, 0, slices.DeleteFunc(slices.Clone(s.Heard), func(id consensus.ReplicaID) bool { return id == r.id })
		}
		return append(out, l)
	}
	n := consensus.Seq(st.Commit) + 1
	if st.RaftState != raft.StateLeader {
		return append(out, r.followerWaits(s, n)...)
	}
	n = r.decisive(n, st.Term)
	if s.InFlight == 0 || n > s.Executed+consensus.Seq(s.InFlight) {
		return out
	}
	var have []consensus.ReplicaID
	r.node.WithProgress(func(peer uint64, _ raft.ProgressType, p tracker.Progress) {
		if p.Match >= uint64(n) {
			have = append(have, consensus.ReplicaID(peer-1))
		}
	})
	return append(out, consensus.Lack{What: "acknowledgements of an entry", InView: true, View: s.View, Seq: n, Have: have, Need: r.system.Quorum(), Missing: consensus.Others(r.system.Size(), have...)})
}

// decisive is the first entry from n on of a leader's own term: no count of
// acknowledgements commits an earlier one.
func (r *replica) decisive(n consensus.Seq, own uint64) consensus.Seq {
	for {
		term, err := r.store.Term(uint64(n))
		if err != nil || term >= own {
			return n
		}
		n++
	}
}

// followerWaits says what a follower lacks, which has committed all before n. A
// log that contradicts its leader's is a fork: it takes nothing any more, however
// well it hears the leader.
func (r *replica) followerWaits(s *consensus.Status, n consensus.Seq) []consensus.Lack {
	l := consensus.Lack{InView: true, View: s.View, Seq: n, Missing: []consensus.ReplicaID{s.Primary}}
	switch {
	case r.misfit > 0 && r.clock.tick-r.misfit <= 4*r.cfg.Election:
		l.What, l.Missing = "entries that do not contradict its own log", nil
	case n <= s.Executed+consensus.Seq(s.InFlight):
		l.What = "the leader's word that an entry is committed"
	case s.Pending > 0:
		l.What = "an entry with what it was asked for"
	default:
		return nil
	}
	return []consensus.Lack{l}
}
