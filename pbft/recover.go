package pbft

import (
	"errors"
	"fmt"
	"math"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/viewchange"
)

// ErrAmnesiac refuses a wiped member where nobody could spare its vote.
var ErrAmnesiac = errors.New("this replica's disk holds no birth record: it was wiped, and with f = 0 the cluster cannot tell what it said before. " +
	"Restore its home, or start a new cluster")

// recover makes the replica what it was when its log ended (§8): it never
// contradicts a vote that it sent, executes again what it had executed above
// the state on disk, and says again what may have been lost.
func (r *replica) recover(rec consensus.Recovered) error {
	r.now = rec.Now
	if err := r.recoverState(rec); err != nil {
		return err
	}
	r.rejoin = newRejoining(r.rules, r.id, rec.Nonce)
	if rec.Amnesiac {
		if r.rules.System.Faults() == 0 {
			return ErrAmnesiac
		}
		r.rejoin.asleep = true
		r.out.Note(consensus.Note{Kind: consensus.Rejoining, Text: "no birth record: signs nothing until it is caught up"})
		return nil
	}
	// Where this replica stands comes first, wherever it was written: when the
	// log is cut, the NEW-VIEW is written again, behind votes of its view that
	// must still count.
	r.exec.replayed = math.MaxUint64 // nothing is out of reach while replaying
	for _, replay := range []func([]byte) error{r.replayPosition, r.replaySlot} {
		for i, record := range rec.Records {
			if err := replay(record.Bytes); err != nil {
				return fmt.Errorf("log record %d of %d (slot %d): %w", i+1, len(rec.Records), record.Slot, err)
			}
		}
	}
	r.exec.replayed = r.log.executable(r.exec.handed)
	if len(rec.Records) > 0 {
		r.resume()
	}
	return nil
}

// recoverState takes the position of the state on disk, which must be proven.
func (r *replica) recoverState(rec consensus.Recovered) error {
	if rec.Height == 0 {
		return nil
	}
	c, err := r.rules.OpenCertificate(r.cfg.Verify, rec.Certificate, message.CheckpointCertificate)
	if err != nil {
		return fmt.Errorf("the state on disk at n=%d is not certified: %w", rec.Height, err)
	}
	if c.Seq != rec.Height || c.Digest != rec.Root {
		return fmt.Errorf("the state on disk is n=%d root %s, its certificate is for n=%d root %s", rec.Height, rec.Root.Short(), c.Seq, c.Digest.Short())
	}
	r.checkpoints.Adopt(c)
	r.exec.settle(c.Seq, c.Digest)
	return nil
}

// positional reports whether a record says where this replica stands, and not
// what it knows of a slot.
func positional(b []byte) bool {
	switch {
	case len(b) == 0:
		return true // malformed, which is for whoever comes first to say
	case b[0] == limitsRecord, b[0] == byte(message.CheckpointCertificate):
		return true
	}
	k := message.Kind(b[0])
	return k == message.CheckpointKind || k == message.ViewChangeKind || k == message.NewViewKind
}

// replayPosition takes a record about checkpoints or views, in the order in
// which they were written.
func (r *replica) replayPosition(b []byte) error {
	switch {
	case len(b) == 0:
		return consensus.ErrMalformed
	case !positional(b):
		return nil
	case b[0] == limitsRecord:
		return r.rejoin.recall(b)
	case b[0] < consensus.FirstProtocolKind:
		return r.replayCertificate(b)
	}
	m, err := r.rules.Decode(b)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *message.Vote:
		if o := r.checkpoints.Add(*m); o.Stable != nil {
			r.exec.certify(o.Stable)
		}
	case *message.ViewChange:
		if m.View > r.view.number || m.View == r.view.number && r.view.changing {
			r.views.Restore(m)
			r.view.number, r.view.changing = m.View, true
		}
	case *message.NewView:
		return r.replayNewView(m)
	}
	return nil
}

// replaySlot takes a record about one slot, once the position is known.
func (r *replica) replaySlot(b []byte) error {
	switch {
	case positional(b):
		return nil
	case b[0] < consensus.FirstProtocolKind:
		return r.replayCertificate(b)
	}
	m, err := r.rules.Decode(b)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *message.PrePrepare:
		r.replayPrePrepare(m)
	case *message.Vote:
		r.replayVote(m)
	case *message.Given:
		if m.Certificate != nil && r.inReach(m.Seq) {
			s := r.log.slot(m.Seq)
			s.committed = m.Certificate
			if m.Batch != nil {
				s.keep(m.Digest, m.Batch)
			}
		}
	}
	return nil
}

func (r *replica) replayCertificate(b []byte) error {
	c, err := r.rules.DecodeCertificate(b, message.CertificateKind(b[0]))
	if err != nil {
		return err
	}
	if c.Kind == message.CheckpointCertificate {
		r.replayStable(c)
		return nil
	}
	if !r.inReach(c.Seq) {
		return nil
	}
	s := r.log.slot(c.Seq)
	if c.Kind == message.CommittedCertificate {
		s.committed = c
	} else if s.prepared == nil || s.prepared.View < c.View {
		s.prepared = c
	}
	return nil
}

// replayStable takes a checkpoint certificate. The disk may not have been told
// of it before the crash: it is, once the state is executed again.
func (r *replica) replayStable(c *message.Certificate) {
	if r.checkpoints.Adopt(c) {
		r.exec.certify(c)
	}
}

func (r *replica) replayPrePrepare(m *message.PrePrepare) {
	if !r.inReach(m.Seq) {
		return
	}
	s := r.log.slot(m.Seq)
	s.keep(m.Digest, m.Batch)
	if m.View != r.view.number || r.view.changing {
		return
	}
	v := m.Vote
	s.proposal = &v
	if !s.chosen {
		r.view.mark(m.Batch, m.Seq)
	}
	if m.Replica == r.id {
		s.voted = true
		r.view.assigned(m.Seq, m.Batch.Stamp)
	}
}

func (r *replica) replayVote(v *message.Vote) {
	if !r.inReach(v.Seq) || v.View != r.view.number || r.view.changing {
		return
	}
	s := r.log.slot(v.Seq)
	if v.Kind == message.PrepareKind {
		s.prepares.add(v)
		s.voted = true
	} else {
		s.commits.add(v)
	}
}

// replayNewView puts the replica into the view without saying anything.
func (r *replica) replayNewView(nv *message.NewView) error {
	if nv.View < r.view.number || nv.View == r.view.number && !r.view.changing {
		// Written again when the log was cut; behind the VIEW-CHANGE that
		// left the view, if the first one is gone.
		if last := r.view.newView; last == nil || last.View < nv.View {
			r.view.newView = nv
		}
		return nil
	}
	start, err := r.views.Accept(nv)
	if err != nil {
		return err
	}
	r.begin(nv, start)
	r.replayStable(start.Checkpoint)
	for i, c := range start.Chosen {
		if r.inReach(c.Seq) && c.Seq > r.low() {
			s := r.log.slot(c.Seq)
			s.proposal, s.chosen = &start.Proposals[i], true
			s.voted = r.view.primary() == r.id
		}
	}
	return nil
}

// begin sets the position to a view that opens, and forgets the votes of the
// one before.
func (r *replica) begin(nv *message.NewView, start viewchange.Start) {
	r.view.begin(nv, start)
	r.exec.progress = r.tick
	r.views.Entered(start.View)
	r.log.reset()
}

// resume says again what may have been lost with the process, and goes on.
func (r *replica) resume() {
	r.out.Note(consensus.Note{Kind: consensus.Restarted, View: r.view.number, Seq: r.exec.handed})
	r.view.recordedAt = 0 // written anew at the next cut of the log
	r.execute()
	if vc := r.views.Mine(); vc != nil && r.view.changing {
		r.out.Broadcast(consensus.Votes, vc.Frame)
	}
	for _, n := range r.log.numbers() {
		s := r.log.slots[n]
		if s.committed == nil && !r.view.changing {
			r.sayAgain(s)
		}
	}
	r.catchUp()
}

// sayAgain repeats my votes in a slot that is under way, and casts the one
// that the crash came before.
func (r *replica) sayAgain(s *slot) {
	for _, v := range []*message.Vote{s.prepares.votes[r.id], s.commits.votes[r.id]} {
		if v != nil {
			r.out.Broadcast(consensus.Votes, v.Encode())
		}
	}
	p := s.proposal
	if p == nil {
		return
	}
	b, here := s.body(p.Digest)
	switch {
	case here && p.Replica == r.id && b != nil:
		r.out.Broadcast(consensus.Bodies, message.Reframe(*p, b).Frame)
	case here && !s.voted && b != nil:
		r.accept(s, message.Reframe(*p, b).Frame)
		return
	case here && !s.voted:
		r.accept(s, nil)
		return
	}
	r.advance(s)
}
