package pbft

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// unordered answers READs (§11).
type unordered struct{ *replica }

// onAsk notes how far a READ must look (§11): at everything for which this
// replica ever cast a COMMIT. What was answered before the READ came has q
// COMMITs, and among any q replicas one of those is correct that cast them.
func (r unordered) onAsk(q *consensus.Query) {
	if r.rejoin.asleep {
		// It has forgotten what it cast. What it would say is no answer.
		r.out.Refusals = append(r.out.Refusals, r.declined(q))
		return
	}
	r.out.Look(q, r.index())
}

func (r unordered) declined(q *consensus.Query) consensus.Refusal {
	no := q.Refuse(consensus.RefusedBusy)
	no.View, no.Primary = r.view.number, r.view.primary()
	return no
}

// index is no lower than any slot for which this replica has cast a COMMIT, in
// this life or an earlier one, and never goes back. What the log was cut of, the
// low mark covers; what a wiped disk held, the limits of its rejoin.
func (r unordered) index() consensus.Seq {
	return max(r.exec.cast, r.exec.handed, r.low(), r.rejoin.target)
}

// casts notes a COMMIT of this replica's, the moment it is cast: before it is
// durable, and so before it is said.
func (x *execution) casts(v *message.Vote) {
	if v.Kind == message.CommitKind {
		x.cast = max(x.cast, v.Seq)
	}
}
