package paxos

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
)

// lacking reports whether the state on disk does not reach the base: it was lost,
// or set back, under a log that was cut. The promise and the votes stay; the state
// is taken from others.
func (r *replica) lacking() bool { return r.exec.Kept < r.acceptor.Base() }

// onState begins to fetch the state that a member names, if what it stands for is
// missing here. An acceptor votes meanwhile: a vote needs no state.
func (r *replica) onState(from consensus.ReplicaID, s State) {
	_, next := r.values.chosen[r.exec.Handed+1]
	if s.Seq <= r.exec.Handed || next {
		r.ignored(from, s.Seq, reasonNeedless)
		return
	}
	t := transfer.Target{Seq: s.Seq, Root: s.Root, Certificate: transfer.AppendHandle(nil, s.Seq, s.Root)}
	switch {
	case !r.state.Active():
		r.note(consensus.Note{Kind: consensus.Fetching, Seq: s.Seq, Digest: s.Root})
		r.moved(r.state.Start(t))
	case r.state.Fruitless() && r.state.Target().Root != s.Root:
		r.moved(r.state.Retarget(t)) // nobody serves the old one any more, or ever has
	}
}

// moved acts on what a step of a transfer has come to.
func (r *replica) moved(d transfer.Decision) {
	if d.Failed {
		r.alarm("the state cannot be put together from its parts; it will be named again")
		r.exec.FallBack()
	}
}

// resume gives up a fetch that nobody serves, if what is missing came otherwise.
func (r *replica) resume() {
	if !r.state.Fruitless() {
		return
	}
	if _, next := r.values.chosen[r.exec.Handed+1]; next {
		r.giveUp()
	}
}

// giveUp ends a fetch that nobody serves: were all who are left to wait for a state
// that is gone, nobody would prepare.
func (r *replica) giveUp() {
	if r.state.Fruitless() {
		r.state.Abort()
		r.exec.FallBack()
	}
}

// onRestored: the state is the one that was named. Votes above it stay.
func (r *replica) onRestored(e consensus.Restored) {
	if e.OK {
		r.exec.Settle(transfer.Handle{Seq: e.Seq, Root: e.Root})
		r.snapshot = r.exec.Last
		r.requests.Restored()
		r.note(consensus.Note{Kind: consensus.Fetched, Seq: e.Seq, Digest: e.Root})
		r.drop(e.Seq)
		if len(r.values.voted) > 0 {
			r.note(consensus.Note{Kind: consensus.Fetched, Seq: e.Seq, Reason: ReasonAbove})
		}
	}
	r.moved(r.state.OnRestored(e))
	if e.OK && r.office.leading && e.Seq > r.office.commit {
		r.preempted() // others have decided what this leader did not
	}
}
