package paxos

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
)

// execute hands chosen values to the host, in order and once. Not while a state is
// being fetched, and at most a window ahead of what the host has done. The slot is
// the sequence number.
func (r *replica) execute() {
	r.resume()
	for !r.state.Active() && r.exec.Handed-r.exec.Applied < r.cfg.Genesis.Window {
		x, ok := r.values.chosen[r.exec.Handed+1]
		if !ok {
			return
		}
		r.exec.Handed++
		r.out.Do(consensus.Commit{Seq: r.exec.Handed, View: consensus.View(x.ballot), Digest: x.digest, Batch: x.batch})
		r.requests.Ordered(r.exec.Handed, x.batch)
	}
}

// onRooted: at a checkpoint, tell the disk. Every replica does for itself: there is
// no certificate, and no vote about roots.
func (r *replica) onRooted(e consensus.Rooted) {
	if !r.exec.Due(e.Seq) || r.state.Active() {
		return // what is not kept when a fetch begins is dropped by it
	}
	r.exec.Keep(transfer.Handle(e))
	r.out.Do(consensus.Stabilize{Seq: e.Seq, Root: e.Root, Certificate: transfer.AppendHandle(nil, e.Seq, e.Root)})
	r.note(consensus.Note{Kind: consensus.Stable, Seq: e.Seq, Digest: e.Root})
}

// onKept: the state is on disk up to n. From now on it stands for the votes up to
// there, and the log is cut.
func (r *replica) onKept(n consensus.Seq) {
	root, known, news := r.exec.OnKept(n)
	if !news {
		return
	}
	r.snapshot = transfer.Handle{}
	if known {
		r.snapshot = transfer.Handle{Seq: n, Root: root}
	}
	r.drop(n)
}

// drop raises the base to n, where the state on disk is. Votes above it stay, and
// the promise is written again behind the cut. E.g. C promised 5, that stood in the
// segment that was cut, and after a restart it accepts (3, 9, x).
func (r *replica) drop(n consensus.Seq) {
	r.acceptor.Drop(n)
	r.learner.Drop(n)
	r.values.cut(n, r.cfg.Genesis.Window)
	r.recordPromise()
	r.out.Forget = n
}

// checkInvariants panics if this replica's own accounts do not agree.
func (r *replica) checkInvariants() {
	base := r.acceptor.Base()
	switch h := &r.exec; {
	case h.Applied > h.Handed || h.Kept > h.Handed:
		panic(fmt.Sprintf("paxos: handed %d, applied %d, kept %d", h.Handed, h.Applied, h.Kept))
	case base < h.Kept || base != r.learner.Base() || h.Handed > r.learner.Prefix():
		panic(fmt.Sprintf("paxos: base %d and %d, kept %d, handed %d of %d", base, r.learner.Base(), h.Kept, h.Handed, r.learner.Prefix()))
	case len(r.values.voted) > r.cfg.table():
		panic(fmt.Sprintf("paxos: %d votes", len(r.values.voted)))
	}
	for n, x := range r.values.voted {
		if v, ok := r.acceptor.Vote(n); !ok || v.Digest != x.digest || v.Ballot != x.ballot {
			panic(fmt.Sprintf("paxos: the vote for %d is %+v, and its body is of %d", n, v, x.ballot))
		}
	}
	for n, x := range r.values.chosen {
		if d, ok := r.learner.Chosen(n); n > base && (!ok || d != x.digest) {
			panic(fmt.Sprintf("paxos: another value is chosen at %d than is kept", n))
		}
	}
	if o := &r.office; o.round != nil && o.round.Ballot() != r.acceptor.Promised() {
		panic(fmt.Sprintf("paxos: proposes under %d, and has promised %d", o.round.Ballot(), r.acceptor.Promised()))
	}
}
