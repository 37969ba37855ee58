package pbft

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// propose closes batches while the pipeline has room (§4): at the end of a
// burst, and with slots under way only when enough waits beside what they carry,
// so that a primary under load gathers. Light load pays no delay.
func (r *replica) propose() {
	if !r.view.leads() || r.state.Active() {
		return
	}
	// After a restart from a cut log there may be nothing to tell of the slots
	// that this view has used below the low mark. They are stable: no hole.
	r.view.next = max(r.view.next, r.low()+1)
	for r.roomToPropose() {
		if !r.requests.Waiting() {
			if r.peers.fillUntil(r.tick) < r.view.next {
				return
			}
			r.proposeBatch(nil)
			continue
		}
		if r.view.next > r.exec.handed+1 && r.requests.Little(&r.rules.Genesis.Limits) {
			return
		}
		requests := r.view.unmarked(r.requests.Take(&r.rules.Genesis.Limits))
		if len(requests) > 0 {
			r.proposeBatch(requests)
		}
	}
}

// roomToPropose: inside the window, with a slot of the pipeline free.
func (r *replica) roomToPropose() bool {
	n := r.view.next
	return n > r.low() && n <= r.high() && !r.exec.diskBehind(r.low()) && n <= r.exec.handed+consensus.Seq(r.cfg.Pipeline) && leased{r}.mayPrepare(r.view.number, n)
}

// proposeBatch proposes a batch for the next slot.
func (r *replica) proposeBatch(requests []*consensus.Request) {
	n, stamp := r.view.assign(r.now)
	b := &consensus.Batch{Stamp: stamp, Requests: requests}
	d := b.Digest()
	pp := r.rules.NewPrePrepare(r.cfg.Signer, message.Vote{View: r.view.number, Seq: n, Digest: d, Replica: r.id}, b)
	s := r.log.slot(n)
	s.keep(d, b)
	s.proposal, s.voted = &pp.Vote, true
	r.view.mark(b, n)
	leased{r}.cast(n, consensus.Bodies, pp.Frame)
	r.out.Note(consensus.Note{Kind: consensus.Proposed, View: r.view.number, Seq: n, Digest: d, Text: fmt.Sprintf("%d requests", len(requests))})
	r.advance(s)
}

// onPrePrepare: a backup accepts the proposal, keeps its body, and says PREPARE
// to all (§4.2).
func (r *replica) onPrePrepare(e consensus.Receive, m *message.PrePrepare) {
	if reason := r.ignorePrePrepare(e, m); reason != "" {
		r.ignored(reason, &m.Vote)
		return
	}
	s := r.log.slot(m.Seq)
	fresh := s.proposal == nil
	if fresh {
		v := m.Vote
		s.proposal = &v
		r.view.mark(m.Batch, m.Seq)
		r.requests.Proposed(m.Batch)
	}
	s.keep(m.Digest, m.Batch)
	r.accept(s, m.Frame)
}

// accept votes for the slot's proposal, whose body is here now. frame is the
// PRE-PREPARE with its batch, nil for the null batch.
func (r *replica) accept(s *slot, frame []byte) {
	p := s.proposal
	// Even without a vote the body may be what a certificate waits for, or what a
	// later view chooses: it goes to disk before such a vote, or a COMMIT, does.
	if frame != nil {
		r.out.RecordLazy(s.seq, frame)
	}
	if s.voted || !(leased{r}).mayPrepare(p.View, p.Seq) {
		r.advance(s)
		return
	}
	s.voted = true
	if r.view.primary() != r.id {
		v := r.rules.SignVote(r.cfg.Signer, message.Vote{Kind: message.PrepareKind, View: p.View, Seq: p.Seq, Digest: p.Digest, Replica: r.id})
		s.prepares.add(&v)
		leased{r}.cast(s.seq, consensus.Votes, v.Encode())
	}
	r.advance(s)
}

// onVote counts a PREPARE or a COMMIT, which may come before everything else,
// or a CHECKPOINT.
func (r *replica) onVote(e consensus.Receive, v *message.Vote) {
	if v.Replica == r.id {
		r.ignored(reasonOwn, v)
		return
	}
	if v.Kind == message.CheckpointKind {
		r.countCheckpoint(*v)
		return
	}
	r.vote(e, v, false)
}

// vote counts a PREPARE or a COMMIT, whose signature is still to be verified if
// it is only said.
func (r *replica) vote(e consensus.Receive, v *message.Vote, said bool) {
	if reason := r.ignorePosition(e, v); reason != "" {
		r.ignored(reason, v)
		return
	}
	s := r.log.slot(v.Seq)
	votes := &s.prepares
	if v.Kind == message.CommitKind {
		votes = &s.commits
	}
	if r.counts(votes, v, said) {
		r.advance(s)
	}
}

// counts adds a vote. The first valid one of each signer counts; a different
// second one is evidence [B9, B10]. One that is only said and for whose proof there
// is no room is not verified: its author can make as many as it likes.
func (r *replica) counts(b *ballot, v *message.Vote, said bool) bool {
	earlier := b.add(v)
	switch {
	case earlier == nil:
		b.said[v.Replica] = said
		return true
	case earlier.Digest != v.Digest:
		if said && !r.accused.room(v) {
			r.ignored(reasonContradiction, v)
			return false
		}
		if said && !(proof{r}).holds(v) {
			return false
		}
		if b.said[v.Replica] {
			proof{r}.verify(b, []*message.Vote{earlier})
		}
		if b.votes[v.Replica] == nil {
			return r.counts(b, v, false)
		}
		r.accused.votes(earlier, v)
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
		if c := (proof{r}).preparedCertificate(s); c != nil {
			r.prepared(s, c)
		}
	}
	if s.committed == nil && !r.view.changing {
		if c := (proof{r}).committedCertificate(s); c != nil {
			r.committed(s, c)
		}
	}
	if s.committed != nil {
		r.execute()
	}
}

// prepared keeps the certificate durably, and the body, for a VIEW-CHANGE to come,
// and only then says COMMIT.
func (r *replica) prepared(s *slot, c *message.Certificate) {
	r.log.prepares(s, c)
	r.out.Note(consensus.Note{Kind: consensus.Prepared, View: c.View, Seq: c.Seq, Digest: c.Digest})
	if !r.mayVote(c.View, c.Seq) {
		return
	}
	v := r.rules.SignVote(r.cfg.Signer, message.Vote{Kind: message.CommitKind, View: c.View, Seq: c.Seq, Digest: c.Digest, Replica: r.id})
	s.commits.add(&v)
	r.exec.casts(&v)
	b := v.Encode()
	r.out.Record(s.seq, c.Encode())
	r.out.Record(s.seq, b)
	r.out.Broadcast(consensus.Votes, b)
}

// committed fixes what the slot executes: the certified batch, whatever was
// proposed here [B23].
func (r *replica) committed(s *slot, c *message.Certificate) {
	r.log.commits(s, c)
	r.out.RecordLazy(s.seq, c.Encode())
	r.out.Note(consensus.Note{Kind: consensus.Committed, View: c.View, Seq: c.Seq, Digest: c.Digest})
}
