package paxos

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
)

// reads are the READs of clients at a leader: those for which it asks whether a
// majority still follows, and those that wait for the next such question. One
// question at a time is under way, for all that waited.
type reads struct {
	asked   []*consensus.Query
	waiting []*consensus.Query
	room    consensus.QueryRoom // for those that wait
	round   uint64              // of the question under way, or the last
	index   consensus.Seq       // whatever was answered before it is at or below
	heard   quorum.Set          // who has answered it
}

// onAsk takes a READ, if this replica leads: nobody else knows what was answered.
// A refusal says who does.
func (r *replica) onAsk(q *consensus.Query) {
	w := &r.reads
	switch {
	case r.leaderless():
		r.declineRead(q, consensus.RefusedNoLeader)
	case !r.office.leading || !w.room.Take(q):
		r.declineRead(q, consensus.RefusedBusy)
	default:
		w.waiting = append(w.waiting, q)
	}
}

func (r *replica) declineRead(q *consensus.Query, code consensus.RefusalCode) {
	no := q.Refuse(code)
	no.View, no.Primary = r.view(), r.leader()
	r.out.Refusals = append(r.out.Refusals, no)
}

// askMajority asks, by a heartbeat that was not sent before the READs came, who
// still follows. Whoever answers had promised nobody more until then, so that
// nobody can have decided anything without this leader. What was decided before is
// chosen below commit, or was named in phase 1 and is proposed again: a leader
// before may have answered it; or it was executed here, which may be ahead of commit.
// The question says nothing that has to be on disk.
func (r *replica) askMajority() {
	w := &r.reads
	if len(w.asked) > 0 || len(w.waiting) == 0 || !r.office.leading {
		return
	}
	w.asked, w.waiting = w.waiting, nil
	w.room.Clear()
	w.round++
	w.heard, w.index = 0, max(r.office.commit, r.office.round.Plan().First()-1, r.exec.Handed)
	m := Heartbeat{Ballot: r.office.round.Ballot(), Round: w.round}
	r.tellAll(consensus.Votes, m.Encode())
	r.onAnswer(r.id, w.round)
}

// onAnswer: a member still follows. With a majority the READs are due at what was
// decided when the question was asked.
func (r *replica) onAnswer(from consensus.ReplicaID, round uint64) {
	w := &r.reads
	if len(w.asked) == 0 || round != w.round || !w.heard.Add(from) || w.heard.Len() < r.system.Quorum() {
		return
	}
	for _, q := range w.asked {
		r.out.Look(q, w.index)
	}
	w.asked = nil
}

// dropReads: this replica leads no more; whoever does knows more.
func (r *replica) dropReads() {
	w := &r.reads
	for _, list := range [][]*consensus.Query{w.asked, w.waiting} {
		for _, q := range list {
			r.declineRead(q, consensus.RefusedBusy)
		}
	}
	w.asked, w.waiting = nil, nil
	w.room.Clear()
}
