package byzantine

import (
	"cmp"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// ownViewChange reads a VIEW-CHANGE of this replica's; nil for one that it only
// passes on.
func (t *step) ownViewChange(frame []byte) *message.ViewChange {
	vc, _ := t.decode(frame).(*message.ViewChange)
	if vc == nil || vc.Replica != t.self {
		return nil
	}
	return vc
}

// leave is a VIEW-CHANGE for v of one who has prepared nothing above stable.
func (f *Forger) leave(v consensus.View, as consensus.ReplicaID, stable *message.Certificate) *message.ViewChange {
	vc := message.ViewChange{View: v, Replica: as, Checkpoint: stable}
	if stable != nil {
		vc.Low = stable.Seq
	}
	return f.ViewChange(vc)
}

// spamViews asks to leave each view as soon as it is active, and then again.
func spamViews(t *step) {
	if t.Act && !t.changing && (t.began || t.every(t.env.Patience, t.burst)) {
		t.sayAll(t.leave(t.view+1, t.self, t.stable).Frame)
	}
}

// hugeView asks for views that nobody gets to, votes in them, and says that it
// is in one.
func hugeView(t *step) {
	t.alter(func(_ consensus.ReplicaID, frame []byte) ([][]byte, bool) {
		st, _ := t.decode(frame).(*message.Status)
		if st == nil {
			return nil, false
		}
		far := *st
		far.View += message.MaxView
		return [][]byte{far.Encode()}, true
	}, message.StatusKind)
	if !t.Act || !t.every(t.env.Patience/4, t.burst) {
		return
	}
	for _, v := range []consensus.View{t.view + 1000, message.MaxView, message.MaxView + 1, 1 << 63, 1<<64 - 1} {
		t.sayAll(t.leave(v, t.self, t.stable).Frame)
		t.sayAll(t.votesOf(message.CommitKind, v, t.next(), consensus.NullDigest, []consensus.ReplicaID{t.self})...)
	}
}

// hidePrepared leaves out of its VIEW-CHANGEs what prepared here, and how far
// the cluster is.
func hidePrepared(t *step, how string) {
	t.alter(func(_ consensus.ReplicaID, frame []byte) ([][]byte, bool) {
		vc := t.ownViewChange(frame)
		if vc == nil {
			return nil, false
		}
		w := message.ViewChange{View: vc.View, Replica: vc.Replica}
		switch {
		case how == "prepared":
			w.Low, w.Checkpoint = vc.Low, vc.Checkpoint
		case how == "old" && t.older != nil:
			w.Low, w.Checkpoint = t.older.Seq, t.older
		}
		return [][]byte{t.ViewChange(w).Frame}, len(vc.Prepared) > 0 || w.Low != vc.Low
	}, message.ViewChangeKind)
}

var fakes = []string{"invented", "duplicate", "mixed", "later", "window"}

// fakePrepared says before each of its true VIEW-CHANGEs others with prepared
// certificates that are none, or in its place one with the oldest it has.
func fakePrepared(t *step, how string) {
	t.alter(func(_ consensus.ReplicaID, frame []byte) (out [][]byte, lie bool) {
		vc := t.ownViewChange(frame)
		if vc == nil {
			return nil, false
		}
		if how == "stale" {
			return t.stale(vc)
		}
		for _, fake := range fakes {
			if how != "all" && how != fake {
				continue
			}
			w := *vc
			w.Prepared = []*message.Certificate{t.fake(vc, fake)}
			out = append(out, t.ViewChange(w).Frame)
		}
		return append(out, frame), true
	}, message.ViewChangeKind)
}

// fake is a prepared certificate for the first slot above h that proves nothing.
func (s *seen) fake(vc *message.ViewChange, how string) *message.Certificate {
	n, d := vc.Low+1, crypto.Hash([]byte("never proposed"))
	v := vc.View - 1
	ids := s.Certifiers(v)
	switch how {
	case "duplicate":
		c := s.invented(message.PreparedCertificate, v, n, d, ids)
		for i := range c.Signed {
			c.Signed[i].Replica = s.self
		}
		return c
	case "mixed":
		if len(vc.Prepared) > 0 {
			return s.flawed(vc.Prepared[0], "digest", d)
		}
	case "later":
		return s.invented(message.PreparedCertificate, vc.View, n, d, s.Certifiers(vc.View))
	case "window":
		return s.invented(message.PreparedCertificate, v, n+s.Rules.Genesis.Window, d, ids)
	}
	return s.invented(message.PreparedCertificate, v, n, d, ids)
}

// Certifiers are q replicas, ascending, the primary of v among them.
func (f *Forger) Certifiers(v consensus.View) []consensus.ReplicaID {
	ids := []consensus.ReplicaID{f.Rules.System.Primary(v)}
	for i := 0; len(ids) < f.Rules.System.Quorum(); i++ {
		if id := consensus.ReplicaID(i); id != ids[0] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// stale shows, for each slot that prepared here, the first certificate that it
// got, not the one of the highest view.
func (s *seen) stale(vc *message.ViewChange) ([][]byte, bool) {
	w := *vc
	w.Prepared = nil
	lie := false
	for _, c := range vc.Prepared {
		for _, old := range s.prepared {
			if old.Seq == c.Seq {
				lie = lie || old.View != c.View
				c = old
				break
			}
		}
		w.Prepared = append(w.Prepared, c)
	}
	slices.SortFunc(w.Prepared, func(a, b *message.Certificate) int { return cmp.Compare(a.Seq, b.Seq) })
	return [][]byte{s.ViewChange(w).Frame}, lie
}

// selectViewChange tells only a few that it leaves.
func selectViewChange(l *lie, s *Spec) error {
	told, err := s.Number("", 0, consensus.MaxReplicas)
	named := s.To != nil
	l.act = func(t *step) {
		t.drop(func(to consensus.ReplicaID, frame []byte) bool {
			return t.ownViewChange(frame) != nil && (named || slices.Index(t.Victims, to) >= told)
		}, message.ViewChangeKind)
	}
	return err
}
