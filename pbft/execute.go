package pbft

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// execute hands committed slots to the host, in order and exactly once, even
// across view changes [B12, B22]. Not while a restore is open (§7).
func (r *replica) execute() {
	if r.state.Active() {
		return
	}
	before := r.exec.handed
	for r.exec.room() {
		s, b, ok := r.log.committed(r.exec.handed + 1)
		if !ok {
			break
		}
		r.exec.handed++
		r.out.Do(consensus.Commit{
			Seq: s.seq, View: s.committed.View, Digest: s.committed.Digest, Batch: b, Certificate: s.committed.Encode(),
		})
		if longest := r.requests.Ordered(s.seq, b); b != nil && len(b.Requests) > 0 {
			r.pace.saw(longest)
		}
		r.stabilize()
	}
	if r.exec.handed > before {
		r.exec.progress = r.tick
	}
}

func (r *replica) onExecuted(e consensus.Executed) {
	if e.Seq <= r.exec.applied {
		return // executed before a restore went past it
	}
	r.exec.applied = e.Seq
	r.requests.Executed(e, r.tick)
	r.execute()
}

// onRooted: say with which root this replica stands at a checkpoint (§4.3).
func (r *replica) onRooted(e consensus.Rooted) {
	if e.Seq <= r.exec.kept || e.Seq > r.exec.applied {
		return // of what a restore went past, or dropped
	}
	r.exec.rooted(e.Seq, e.Root)
	if e.Seq > r.low() && r.mayCheckpoint(e.Seq) {
		r.sayCheckpoint(e.Seq, e.Root)
	}
	r.stabilize()
}

// sayCheckpoints says with which roots this replica stands above the low mark,
// when it may speak again. Others may wait for its word: with a full window and
// one of them gone, nothing would ever give it another occasion.
func (r *replica) sayCheckpoints() {
	k := r.rules.Genesis.CheckpointInterval
	for n := r.low() + k; n <= r.exec.applied; n += k {
		if root, own := r.exec.roots[n]; own && r.mayCheckpoint(n) {
			r.sayCheckpoint(n, root)
		}
	}
}

func (r *replica) sayCheckpoint(n consensus.Seq, root crypto.Digest) {
	v, said := r.checkpoints.Own(n)
	if said && v.Digest != root {
		// My word of an earlier life, or this execution, is wrong. Saying both
		// would be a lie; the certificate will tell which.
		r.alarm(fmt.Sprintf("checkpoint %d: root %s now, but %s was signed before", n, root.Short(), v.Digest.Short()))
		return
	}
	if !said {
		v = r.rules.SignVote(r.cfg.Signer, message.Vote{Kind: message.CheckpointKind, Seq: n, Digest: root, Replica: r.id})
		r.out.Record(n, v.Encode())
	}
	r.out.Broadcast(consensus.Votes, v.Encode())
	r.countCheckpoint(v)
}

// tickCheckpoints alarms, once in a while, when no checkpoint became stable for
// a whole window and beyond patience (§5).
func (r *replica) tickCheckpoints() {
	n := r.exec.applied - r.exec.applied%r.rules.Genesis.CheckpointInterval
	if n < r.high() || r.tick-r.exec.progress <= r.view.patience() || r.tick%(40*r.cfg.StatusEvery) != 0 {
		return
	}
	_, missing, roots := r.checkpoints.Lack(n)
	text := fmt.Sprintf("no stable checkpoint for %d slots; silent: %v", r.rules.Genesis.Window, missing)
	for _, root := range roots {
		text += fmt.Sprintf("; %v", root)
	}
	r.alarm(text)
}

func (r *replica) countCheckpoint(v message.Vote) {
	o := r.checkpoints.Add(v)
	if o.Contradiction != nil {
		r.accused.votes(&o.Contradiction[0], &o.Contradiction[1])
	}
	if o.Reason != "" {
		r.ignored(o.Reason, &v)
	}
	if o.Stable != nil {
		r.stable(o.Stable)
	}
}

// adopt takes a verified certificate from elsewhere.
func (r *replica) adopt(c *message.Certificate) {
	if c == nil || r.forked(c) {
		return
	}
	if r.checkpoints.Adopt(c) {
		r.stable(c)
	}
}

// stable: the low mark moves to c.Seq. Only a certificate moves it (§5).
func (r *replica) stable(c *message.Certificate) {
	r.out.Note(consensus.Note{Kind: consensus.Stable, View: r.view.number, Seq: c.Seq, Digest: c.Digest})
	r.out.RecordLazy(c.Seq, c.Encode())
	r.view.progressed()
	r.exec.certify(c)
	r.stabilize()
	r.announce(c)
	r.wake()
	r.catchUp()
	r.release()
}

// stabilize tells the host to bring the disk to the highest stable checkpoint
// that this replica has executed, once its own root there is the certified one.
func (r *replica) stabilize() {
	if r.state.Active() {
		return
	}
	c, diverged := r.exec.due()
	switch {
	case diverged != nil:
		r.diverged(diverged)
	case c != nil:
		r.out.Do(consensus.Stabilize{Seq: c.Seq, Root: c.Digest, Certificate: c.Encode()})
	}
}

// announceEvery is how many ticks lie between two announcements.
const announceEvery = 100

// announce tells observers of a stable checkpoint. The topic is lossy and only
// accelerates; one replica speaks, seldom.
func (r *replica) announce(c *message.Certificate) {
	if !r.view.leads() || r.tick-r.exec.announced < announceEvery {
		return
	}
	r.exec.announced = r.tick
	g := message.FetchReply{What: message.WhatCheckpoint, Seq: c.Seq, Digest: c.Digest, Certificate: c}
	r.out.SendEarly(consensus.Peer{Kind: consensus.Topic}, consensus.Votes, g.Encode())
}

// forgetLog lets the host cut the log, up to min(h, what the disk holds), after what must outlive the cut was
// written again (§5: the current view's NEW-VIEW, my VIEW-CHANGE).
func (r *replica) forgetLog() {
	n := min(r.low(), r.exec.kept)
	if n <= r.exec.forgotten {
		return
	}
	if n >= r.view.recordedAt {
		r.recordView()
	}
	r.exec.forgotten = n
	r.out.Forget = n
}

// forgetSlots drops what lies at or below the floor, at the end of each step in
// which that has moved.
func (r *replica) forgetSlots() {
	floor := r.floor()
	if r.log.forget(floor, r.low(), r.exec.handed, r.inReach) {
		r.view.forget(floor)
	}
}

// forked reports, and acts on, a certificate that contradicts another one: of
// a checkpoint at the same height. A fork is never repaired away (§5).
func (r *replica) forked(c *message.Certificate) bool {
	var other *message.Certificate
	if c.Kind == message.CheckpointCertificate {
		other = r.checkpoints.At(c.Seq)
	} else {
		other, _, _ = r.log.decided(c.Seq)
	}
	if other == nil || other.Digest == c.Digest {
		return false
	}
	r.exec.halted = true
	r.out.Halt = fmt.Sprintf("fork at n=%d: certificates for %s and %s; more than f replicas are faulty. "+
		"Everything is kept; nothing is repaired", c.Seq, other.Digest, c.Digest)
	r.alarm("conflicting certificates")
	// Who signed both has contradicted itself. Of one view they are f+1 at least;
	// of different views, nobody: there only the transcripts show who hid the
	// first from the second (§9).
	for _, first := range other.Signed {
		for _, second := range c.Signed {
			if first.Replica == second.Replica && other.View == c.View {
				a, b := r.rules.VoteOf(other, first), r.rules.VoteOf(c, second)
				r.accused.votes(&a, &b)
			}
		}
	}
	return true
}

// diverged: my own root differs from the certified one. Say so loudly, stop
// voting, repair by state transfer (§5).
func (r *replica) diverged(c *message.Certificate) {
	r.out.Note(consensus.Note{Kind: consensus.Diverged, Seq: c.Seq, Digest: c.Digest,
		Text: fmt.Sprintf("own root %s, certified %s", r.exec.roots[c.Seq].Short(), c.Digest.Short())})
	r.exec.mute = max(r.exec.mute, c.Seq, r.exec.handed)
	r.restore(r.checkpoints.Stable())
}
