package raft

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
	"quorate.dev/quorate/crypto"
)

// execution is what went to the host and what came back.
type execution struct {
	transfer.Heights
	proposed consensus.Seq // last entry of a leader's log
}

// execute hands committed entries to the host, in order and once. Not while a
// state is being fetched, and at most a window ahead of what the host has done.
// The library's index is the sequence number; the empty entry of a new leader
// is the null batch.
func (r *replica) execute() {
	committed := consensus.Seq(r.node.BasicStatus().Commit)
	if r.state.Active() {
		r.resume(committed)
	}
	for !r.state.Active() && r.exec.Handed < committed && r.exec.Handed-r.exec.Applied < r.cfg.Genesis.Window {
		n := r.exec.Handed + 1
		b, term, ok := r.store.batch(n)
		if !ok {
			return // below what the log still has: a snapshot is on its way
		}
		r.exec.Handed = n
		r.out.Do(consensus.Commit{Seq: n, View: consensus.View(term), Digest: b.Digest(), Batch: b})
		r.requests.Ordered(n, b)
	}
}

func (r *replica) onExecuted(e consensus.Executed) {
	if r.exec.Executed(e.Seq) {
		r.requests.Executed(e, r.clock.tick)
	}
}

// onRooted: at a checkpoint, tell the disk. Every replica does for itself: there is
// no certificate, and no vote about roots.
func (r *replica) onRooted(e consensus.Rooted) {
	if !r.exec.Due(e.Seq) || r.state.Active() {
		return // what is not kept when a fetch begins is dropped by it
	}
	term, err := r.store.Term(uint64(e.Seq))
	if err != nil {
		r.alarm(fmt.Sprintf("entry %d is executed and not in the log: %v", e.Seq, err))
		return
	}
	r.exec.Keep(transfer.Handle(e))
	r.out.Do(consensus.Stabilize{Seq: e.Seq, Root: e.Root, Certificate: certificate(e.Seq, term, e.Root)})
	r.out.Note(consensus.Note{Kind: consensus.Stable, View: consensus.View(term), Seq: e.Seq, Digest: e.Root})
}

// onKept: the state is on disk up to n. From now on it stands for the log: a
// follower further behind gets it as a snapshot, and the log is cut.
func (r *replica) onKept(n consensus.Seq) {
	root, known, news := r.exec.OnKept(n)
	if !news {
		return
	}
	if known {
		r.compact(n, root)
	}
	r.forget(n)
}

// tailBytes bounds the entries below the snapshot that stay in memory.
const tailBytes = 16 << 20

// compact keeps some entries below the snapshot, at most a window of them and
// tailBytes, so that a follower who is a little behind needs no snapshot.
func (r *replica) compact(n consensus.Seq, root crypto.Digest) {
	if _, err := r.store.CreateSnapshot(uint64(n), &r.store.members, transfer.AppendHandle(nil, n, root)); err != nil {
		return // a snapshot from a leader stands for more already
	}
	first, err := r.store.FirstIndex()
	if err != nil || uint64(n) < first {
		return
	}
	upTo, bytes := uint64(n), 0
	for upTo >= first && n-consensus.Seq(upTo) < r.cfg.Genesis.Window && bytes < tailBytes {
		bytes += r.store.size(upTo)
		upTo--
	}
	if upTo >= first {
		_ = r.store.Compact(upTo) // within the log, as was just seen
	}
}

// forget lets the log on disk go up to n, after the term and vote were written
// again behind it. The entry at n stays: should the state be lost, it tells where
// the log begins, and of which term that is.
func (r *replica) forget(n consensus.Seq) {
	r.recordHard(false)
	r.out.Forget = n - 1
}

// checkInvariants panics if this replica's own accounts do not agree.
func (r *replica) checkInvariants() {
	st := r.node.BasicStatus()
	last, _ := r.store.LastIndex()
	first, _ := r.store.FirstIndex()
	switch e := &r.exec; {
	case e.Applied > e.Handed || e.Kept > e.Handed:
		panic(fmt.Sprintf("raft: handed %d, applied %d, kept %d", e.Handed, e.Applied, e.Kept))
	case uint64(e.Handed) > st.Commit && !r.state.Active():
		panic(fmt.Sprintf("raft: handed %d, committed %d", e.Handed, st.Commit))
	case st.Commit > last || first > last+1:
		panic(fmt.Sprintf("raft: committed %d, log from %d to %d", st.Commit, first, last))
	}
}
