package check

import (
	"encoding/binary"
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/evidence"
)

// agreement judges that all honest replicas, in all their lives, execute the
// same batch at the same height, get the same state from it, and reply the
// same. Roots are compared beside digests: replicas that agree on a digest and
// execute something else differ in nothing else (ADVERSARIES.md, B23).
type agreement struct {
	batches map[consensus.Seq]witness
	roots   map[consensus.Seq]witness
	replies map[crypto.Digest]*answer
	scratch []byte
}

// witness is what somebody showed first.
type witness struct {
	who    consensus.ReplicaID
	digest crypto.Digest
}

// answer is a reply as somebody gave it first.
type answer struct {
	who     consensus.ReplicaID
	content string
	entered bool // in the ledger, at the operations that it answers
}

func newAgreement() agreement {
	return agreement{
		batches: map[consensus.Seq]witness{}, roots: map[consensus.Seq]witness{}, replies: map[crypto.Digest]*answer{},
	}
}

// compare enters what who shows at n, and complains if it is not what was
// shown before.
func compare(seen map[consensus.Seq]witness, n consensus.Seq, who consensus.ReplicaID, d crypto.Digest) string {
	first, known := seen[n]
	if !known {
		seen[n] = witness{who: who, digest: d}
		return ""
	}
	if first.digest != d {
		return fmt.Sprintf("%s has %s and %s has %s", name(first.who), first.digest.Short(), name(who), d.Short())
	}
	return ""
}

func (a *agreement) root(r consensus.ReplicaID, n consensus.Seq, root crypto.Digest) string {
	return compare(a.roots, n, r, root)
}

// reply judges that every answer to one request is the same, whoever gives it
// and however often. It returns what was answered first.
func (a *agreement) reply(from consensus.ReplicaID, r *consensus.Reply) (first *answer, clash string) {
	a.scratch = binary.BigEndian.AppendUint64(a.scratch[:0], uint64(r.Seq))
	a.scratch = binary.BigEndian.AppendUint64(a.scratch, r.Sequence.Epoch)
	a.scratch = binary.BigEndian.AppendUint64(a.scratch, r.Sequence.Counter)
	a.scratch = consensus.AppendResults(a.scratch, r.Results)
	first = a.replies[r.Request]
	switch {
	case first == nil:
		first = &answer{who: from, content: string(a.scratch)}
		a.replies[r.Request] = first
	case first.content != string(a.scratch):
		return first, fmt.Sprintf("by %s and by %s, at %d", name(first.who), name(from), r.Seq)
	}
	return first, ""
}

// committed judges a batch that an honest replica is about to execute.
func (j *Judge) committed(at consensus.Time, r consensus.ReplicaID, c *consensus.Commit) {
	j.agreed(at, r, c)
	if got := c.Batch.Digest(); got != c.Digest {
		j.violate(at, Divergence, "R%d commits at %d a batch with digest %s as %s", r, c.Seq, got.Short(), c.Digest.Short())
	}
	j.keep(c)
	j.validBatch(at, r, c)
}

// agreed judges what an honest replica says was agreed on, whatever stands in
// it: a log may have digests only.
func (j *Judge) agreed(at consensus.Time, r consensus.ReplicaID, c *consensus.Commit) {
	if clash := compare(j.agreement.batches, c.Seq, r, c.Digest); clash != "" {
		j.fork(at, c.Seq, "different batches at %d: %s", c.Seq, clash)
	} else if voted, ok := j.ballots.decided[box{evidence.FrameCommit, c.Seq}]; ok && voted != c.Digest {
		j.fork(at, c.Seq, "at %d R%d executes %s, and there is a certificate for %s", c.Seq, r, c.Digest.Short(), voted.Short())
	}
	if due := j.next[r]; due != 0 && c.Seq > due {
		j.violate(at, Divergence, "%s executes %d where %d follows", name(r), c.Seq, due)
	}
	j.next[r] = c.Seq + 1
}

// restoring says that r's history need not go on where it stood.
func (j *Judge) restoring(r consensus.ReplicaID) {
	if r < consensus.MaxReplicas {
		j.next[r] = 0
	}
}

// takes hears that r takes a state from others, which stands for all up to n.
func (j *Judge) takes(at consensus.Time, r consensus.ReplicaID, n consensus.Seq, root crypto.Digest) {
	j.Root(at, r, n, root)
	j.restoring(r)
	if j.honest(r) {
		j.taken = max(j.taken, n)
	}
}

// replied judges the reply of an honest replica, and keeps what it says for
// those who believe it.
func (j *Judge) replied(at consensus.Time, from consensus.ReplicaID, r *consensus.Reply) {
	first, clash := j.agreement.reply(from, r)
	if clash != "" {
		j.violate(at, Divergence, "different replies to one request, counter %d: %s", r.Sequence.Counter, clash)
	}
	req := j.ledger.requests[r.Request]
	if req == nil || first.entered && clash == "" {
		return
	}
	first.entered = true
	for i, op := range req.Operations[:min(len(req.Operations), len(r.Results))] {
		o := j.ledger.of(req.Client, op)
		o.answers = append(o.answers, told{seq: r.Seq, code: r.Results[i].Code, data: string(r.Results[i].Data)})
	}
}
