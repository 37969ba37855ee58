package pbft

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/pending"
	"quorate.dev/quorate/pbft/message"
)

// propose closes batches while the pipeline has room (§4): at the end of a
// burst, so that a primary under load gathers. Light load pays no delay.
func (r *replica) propose() {
	if !r.isPrimary() || r.state.Active() {
		return
	}
	// After a restart from a cut log there may be nothing to tell of the slots
	// that this view has used below the low mark. They are stable: no hole.
	r.view.next = max(r.view.next, r.low()+1)
	for r.roomToPropose() {
		if !r.requests.Waiting() {
			if !r.fills() {
				return
			}
			r.proposeBatch(nil)
			continue
		}
		requests := r.notYetProposed(r.requests.Take(&r.rules.Genesis.Limits))
		if len(requests) > 0 {
			r.proposeBatch(requests)
		}
	}
}

// roomToPropose: inside the window, with a slot of the pipeline free.
func (r *replica) roomToPropose() bool {
	n := r.view.next
	return n > r.low() && n <= r.high() && !r.diskBehind() && n <= r.exec.handed+consensus.Seq(r.cfg.Pipeline) && r.mayVote(r.view.number, n)
}

// notYetProposed drops what stands in a slot of this view already: backups
// would refuse the whole batch for it.
func (r *replica) notYetProposed(requests []*consensus.Request) []*consensus.Request {
	kept := requests[:0]
	for _, q := range requests {
		if _, twice := r.view.proposed[pending.KeyOf(q)]; !twice {
			kept = append(kept, q)
		}
	}
	return kept
}

// proposeBatch assigns the next sequence number. The stamp is this replica's
// clock, never going back.
func (r *replica) proposeBatch(requests []*consensus.Request) {
	n := r.view.next
	r.view.next++
	r.view.stamp = max(r.now, r.view.stamp+1)
	b := &consensus.Batch{Stamp: r.view.stamp, Requests: requests}
	d := b.Digest()
	pp := r.rules.NewPrePrepare(r.cfg.Signer, message.Vote{View: r.view.number, Seq: n, Digest: d, Replica: r.id}, b)
	s := r.slot(n)
	s.keep(d, b)
	s.proposal, s.voted = &pp.Vote, true
	r.markProposed(b, n)
	r.out.Record(n, pp.Frame)
	r.out.Broadcast(consensus.Bodies, pp.Frame)
	r.out.Note(consensus.Note{Kind: consensus.Proposed, View: r.view.number, Seq: n, Digest: d, Text: fmt.Sprintf("%d requests", len(requests))})
	r.advance(s)
}

// markProposed remembers the requests of a new proposal. What a NEW-VIEW chose
// is not marked: it may rightly hold a request that another slot also holds.
func (r *replica) markProposed(b *consensus.Batch, n consensus.Seq) {
	for _, q := range b.Requests {
		r.view.proposed[pending.KeyOf(q)] = n
	}
}

// onPrePrepare: a backup accepts the proposal, keeps its body durably, and
// says PREPARE to all (§4.2).
func (r *replica) onPrePrepare(e consensus.Receive, m *message.PrePrepare) {
	if reason := r.ignorePrePrepare(e, m); reason != "" {
		r.ignored(reason, &m.Vote)
		return
	}
	s := r.slot(m.Seq)
	fresh := s.proposal == nil
	if fresh {
		v := m.Vote
		s.proposal = &v
		r.markProposed(m.Batch, m.Seq)
	}
	s.keep(m.Digest, m.Batch)
	r.accept(s, m.Frame)
}

// accept votes for the slot's proposal, whose body is here now. frame is the
// PRE-PREPARE with its batch, nil for the null batch.
func (r *replica) accept(s *slot, frame []byte) {
	p := s.proposal
	if s.voted || !r.mayVote(p.View, p.Seq) {
		// Even without a vote the body may be what a certificate waits for, or
		// what a later view chooses: it goes to disk before such a vote does.
		if frame != nil {
			r.out.RecordLazy(s.seq, frame)
		}
		r.advance(s)
		return
	}
	if frame != nil {
		r.out.Record(s.seq, frame)
	}
	s.voted = true
	if r.primary() != r.id {
		v := r.rules.SignVote(r.cfg.Signer, message.Vote{Kind: message.PrepareKind, View: p.View, Seq: p.Seq, Digest: p.Digest, Replica: r.id})
		s.prepares.add(&v)
		b := v.Encode()
		r.out.Record(s.seq, b)
		r.out.Broadcast(consensus.Votes, b)
	}
	r.advance(s)
}

// onVote counts a PREPARE or a COMMIT, which may come before everything else.
func (r *replica) onVote(e consensus.Receive, v *message.Vote) {
	if v.Kind == message.CheckpointKind {
		r.onCheckpoint(v)
		return
	}
	if reason := r.ignorePosition(e, v); reason != "" {
		r.ignored(reason, v)
		return
	}
	s := r.slot(v.Seq)
	votes := &s.prepares
	if v.Kind == message.CommitKind {
		votes = &s.commits
	}
	if r.counts(votes, v) {
		r.advance(s)
	}
}

// counts adds a vote. The first valid one of each signer counts; a different
// second one is evidence [B9, B10].
func (r *replica) counts(b *ballot, v *message.Vote) bool {
	earlier := b.add(v)
	switch {
	case earlier == nil:
		return true
	case earlier.Digest != v.Digest:
		r.contradiction(v.Replica, earlier.Encode(), v.Encode())
		r.ignored(reasonContradiction, v)
	default:
		r.ignored(reasonRepeated, v)
	}
	return false
}

// advance takes a slot as far as its votes allow: prepared → COMMIT, committed
// → execution.
func (r *replica) advance(s *slot) {
	v := r.view.number
	if !r.view.changing && !s.preparedIn(v) {
		if c := s.preparedCertificate(r.q()); c != nil {
			r.prepared(s, c)
		}
	}
	if s.committed == nil && !r.view.changing {
		if c := s.committedCertificate(v, r.q()); c != nil {
			r.committed(s, c)
		}
	}
	if s.committed != nil {
		r.execute()
	}
}

// prepared keeps the certificate durably, for a VIEW-CHANGE to come, and only
// then says COMMIT.
func (r *replica) prepared(s *slot, c *message.Certificate) {
	s.prepared = c
	r.out.Note(consensus.Note{Kind: consensus.Prepared, View: c.View, Seq: c.Seq, Digest: c.Digest})
	if !r.mayVote(c.View, c.Seq) {
		return
	}
	v := r.rules.SignVote(r.cfg.Signer, message.Vote{Kind: message.CommitKind, View: c.View, Seq: c.Seq, Digest: c.Digest, Replica: r.id})
	s.commits.add(&v)
	b := v.Encode()
	r.out.Record(s.seq, c.Encode())
	r.out.Record(s.seq, b)
	r.out.Broadcast(consensus.Votes, b)
}

// committed fixes what the slot executes: the certified batch, whatever was
// proposed here [B23].
func (r *replica) committed(s *slot, c *message.Certificate) {
	s.committed = c
	r.out.RecordLazy(s.seq, c.Encode())
	r.out.Note(consensus.Note{Kind: consensus.Committed, View: c.View, Seq: c.Seq, Digest: c.Digest})
}
