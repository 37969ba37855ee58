package check

import (
	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// CallID names one call of the whole run: the caller's number of the client,
// and its number of the call, which no other call of that client has.
type CallID struct {
	Client int
	Number uint64
}

// Sent hears of a frame that a replica sent, honest or not. A frame for many
// is told once or once for each; if it is the same slice, the repetitions cost
// nothing. The frame may be kept: nobody may write to it any more.
func (j *Judge) Sent(at consensus.Time, by consensus.ReplicaID, frame []byte) {
	if len(frame) == 0 || j.last.same(by, frame) {
		return
	}
	j.told(at, by, frame)
	if f, ok := j.floor(frame); ok {
		j.stands(at, by, f)
	}
}

// told hears of a frame of a replica in any order: what another one had of it is
// told late, if at all.
func (j *Judge) told(at consensus.Time, by consensus.ReplicaID, frame []byte) {
	if j.convicts {
		j.heard(at, by, frame)
	} else if p, ok := j.promise(frame); ok {
		j.promised(at, by, p)
	}
}

// Queued hears of every job that an engine puts out, before it is done.
func (j *Judge) Queued(at consensus.Time, r consensus.ReplicaID, job consensus.Job) {
	switch job := job.(type) {
	case consensus.Commit:
		j.proven(at, r, job.Certificate)
		if j.honest(r) {
			j.committed(at, r, &job)
		}
	case consensus.Stabilize:
		j.proven(at, r, job.Certificate)
		j.Root(at, r, job.Seq, job.Root)
	case consensus.RestoreBegin:
		j.proven(at, r, job.Certificate)
		j.takes(at, r, job.Seq, job.Root)
	}
}

// Root hears of the state root of a replica at a height: reached, restored, or
// believed by certificate.
func (j *Judge) Root(at consensus.Time, r consensus.ReplicaID, n consensus.Seq, root crypto.Digest) {
	if j.honest(r) {
		if clash := j.agreement.root(r, n, root); clash != "" {
			j.violate(at, Divergence, "different states at %d: %s", n, clash)
		}
	}
}

// Executed hears of every single execution of an operation, also when a
// replica executes again what its disk lacked.
func (j *Judge) Executed(at consensus.Time, r consensus.ReplicaID, ctx app.Context, op []byte) {
	if j.honest(r) {
		j.executed(at, r, &ctx, op)
	}
}

// Signed hears of every request that an honest client signed, as sent.
func (j *Judge) Signed(r *consensus.Request) { j.ledger.requests[r.Digest] = r }

// Replied hears of every reply that left a replica or reached a client,
// believed or not.
func (j *Judge) Replied(at consensus.Time, from consensus.ReplicaID, r *consensus.Reply) {
	if j.honest(from) {
		j.replied(at, from, r)
	}
}

// Declined hears that a caller was told that its call was not executed and will
// not be.
func (j *Judge) Declined(id CallID) {
	if c := j.accepted.calls[id]; c != nil {
		c.declined = true
	}
}

// Noted hears of the facts that engines report.
func (j *Judge) Noted(at consensus.Time, r consensus.ReplicaID, n *consensus.Note) {
	if !j.honest(r) {
		return
	}
	switch n.Kind {
	case consensus.EvidenceNote:
		j.accuse(at, r, n)
	case consensus.BadPart:
		if j.honest(n.Replica) {
			j.violate(at, Framed, "R%d got a bad part from the honest R%d: %s", r, n.Replica, n)
		}
	case consensus.Ignored:
		if n.Reason == consensus.ReasonSignature {
			j.Blamed(at, r, n.Replica, n.String())
		}
	case consensus.Diverged:
		j.violate(at, Divergence, "R%d diverged: %s", r, n)
	}
}

// Blamed hears that a replica holds another one, at the other end of a
// channel, for the author of what it refused.
func (j *Judge) Blamed(at consensus.Time, by, whom consensus.ReplicaID, text string) {
	if j.honest(by) && j.honest(whom) {
		j.violate(at, Framed, "R%d blames the honest R%d: %s", by, whom, text)
	}
}

// Present hears, when everything is healed and answered, how far an honest
// replica of the core has executed: all that was believed must be there.
func (j *Judge) Present(at consensus.Time, r consensus.ReplicaID, n consensus.Seq) {
	if j.honest(r) {
		j.settleAccepted()
		if n < j.accepted.highest {
			j.violate(at, Lost, "R%d is at height %d, and a result of height %d was believed", r, n, j.accepted.highest)
		}
	}
}

// Stuck hears that nothing moved within the bound after healing.
func (j *Judge) Stuck(at consensus.Time, text string) { j.violate(at, Stuck, "%s", text) }

// Broken hears of a panic, a replica that does not start, a halt.
func (j *Judge) Broken(at consensus.Time, text string) { j.violate(at, Broken, "%s", text) }

// Growth hears that something of an honest replica outgrew its bound.
func (j *Judge) Growth(at consensus.Time, text string) { j.violate(at, Growth, "%s", text) }
