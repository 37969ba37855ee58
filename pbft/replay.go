package pbft

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// replay puts what is on disk back into the parts of a replica (§8). It says
// nothing: what an earlier life said is repeated when all of it is known.
type replay struct{ *replica }

// onDisk takes the position of the state on disk, which must be proven.
func (r replay) onDisk(rec consensus.Recovered) error {
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
	case b[0] == limitsRecord, b[0] == leaseRecord, b[0] == byte(message.CheckpointCertificate):
		return true
	}
	k := message.Kind(b[0])
	return k == message.CheckpointKind || k == message.ViewChangeKind || k == message.NewViewKind
}

// position takes a record about checkpoints or views, in the order in which
// they were written.
func (r replay) position(b []byte) error {
	switch {
	case len(b) == 0:
		return consensus.ErrMalformed
	case !positional(b):
		return nil
	case b[0] == limitsRecord:
		return r.rejoin.recall(b)
	case b[0] == leaseRecord:
		return r.lease.recall(b)
	case b[0] < consensus.FirstProtocolKind:
		return r.certificate(b)
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
		return r.newView(m)
	}
	return nil
}

// slot takes a record about one slot, once the position is known.
func (r replay) slot(b []byte) error {
	switch {
	case positional(b):
		return nil
	case b[0] < consensus.FirstProtocolKind:
		return r.certificate(b)
	}
	m, err := r.rules.Decode(b)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *message.PrePrepare:
		r.proposal(m)
	case *message.Vote:
		r.exec.casts(m)
		r.vote(m)
	case *message.FetchReply:
		if m.Certificate != nil && r.inReach(m.Seq) {
			s := r.log.slot(m.Seq)
			r.log.commits(s, m.Certificate)
			if m.Batch != nil {
				s.keep(m.Digest, m.Batch)
			}
		}
	}
	return nil
}

func (r replay) certificate(b []byte) error {
	c, err := r.rules.DecodeCertificate(b, message.CertificateKind(b[0]))
	if err != nil {
		return err
	}
	if c.Kind == message.CheckpointCertificate {
		r.stableCheckpoint(c)
		return nil
	}
	if !r.inReach(c.Seq) {
		return nil
	}
	s := r.log.slot(c.Seq)
	if c.Kind == message.CommittedCertificate {
		r.log.commits(s, c)
	} else if s.prepared == nil || s.prepared.View < c.View {
		r.log.prepares(s, c)
	}
	return nil
}

// stableCheckpoint takes a checkpoint certificate. The disk may not have been told
// of it before the crash: it is, once the state is executed again.
func (r replay) stableCheckpoint(c *message.Certificate) {
	if r.checkpoints.Adopt(c) {
		r.exec.certify(c)
	}
}

func (r replay) proposal(m *message.PrePrepare) {
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

func (r replay) vote(v *message.Vote) {
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

// newView puts the replica into the view without saying anything.
func (r replay) newView(nv *message.NewView) error {
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
	r.stableCheckpoint(start.Checkpoint)
	for i, c := range start.Chosen {
		if r.inReach(c.Seq) && c.Seq > r.low() {
			s := r.log.slot(c.Seq)
			s.proposal, s.chosen = &start.Proposals[i], true
			s.voted = r.view.primary() == r.id
		}
	}
	return nil
}
