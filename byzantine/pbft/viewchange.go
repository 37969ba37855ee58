package pbft

import (
	"bytes"
	"cmp"
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/viewchange"
)

// viewProfiles are told as views change.
func viewProfiles() []byzantine.Profile {
	return []byzantine.Profile{
		{
			Name: "vc-spam", Group: "VC-SPAM", AtF: byzantine.SafeLive, AtF1: byzantine.MayStop,
			Sentence: "asks for a view change as soon as a view is active",
			Needs:    byzantine.ViewChange, Intercept: eachStep(spamViews),
		},
		{
			Name: "huge-view", Group: "VC-SPAM", AtF: byzantine.SafeLive, AtF1: byzantine.MayStop,
			Sentence: "asks for views up to 2^64-1, votes in them, and reports that it is in one",
			Needs:    byzantine.ViewChange, Intercept: eachStep(hugeView),
		},
		{
			Name: "hide-prepared", Group: "VC-HIDE", AtF: byzantine.SafeLive, AtF1: byzantine.MayFork,
			Sentence: "omits its prepared certificates from VIEW-CHANGE",
			Params:   byzantine.How("all (h = 0, too), old (an older checkpoint), prepared (the certificates only)", "all", "what is hidden"),
			Needs:    byzantine.ViewChange, Drawn: []string{"", "old", "prepared"}, Intercept: eachStepHow([]string{"all", "old", "prepared"}, hidePrepared),
		},
		{
			Name: "fake-prepared", Group: "VC-FAKE", AtF: byzantine.SafeLive, AtF1: byzantine.MayFork,
			Sentence: "before each true VIEW-CHANGE, sends others with invalid prepared certificates",
			Params: byzantine.How("invented, duplicate (one signer), mixed (another's signatures), later (of that very view), window (beyond it), all; "+
				"stale: the first certificate of each slot in the place of the newest", "all", "which"),
			Needs: byzantine.ViewChange, Drawn: []string{"", "stale", "later", "window"}, Intercept: eachStepHow(append([]string{"all", "stale"}, fakes...), fakePrepared),
		},
		{
			Name: "bad-new-view", Group: "NV-INVALID", AtF: byzantine.SafeLive, AtF1: byzantine.MayStop,
			Sentence: "as primary, sends a NEW-VIEW that does not follow from its VIEW-CHANGEs, or that has no quorum of them",
			Params:   byzantine.How("digest, missing, extra, null, low, few, twice, mixed; any: each victim gets another", "any", "what is wrong"),
			Needs:    byzantine.ViewChange, Intercept: eachStepHow(append([]string{"any"}, newViewLies...), badNewView),
		},
		{
			Name: "equivocate-new-view", Group: "NV-INVALID", AtF: byzantine.SafeLive, AtF1: byzantine.MayFork,
			Sentence: "as primary, sends half of the others a second NEW-VIEW, in which its own VIEW-CHANGE hides what prepared",
			Needs:    byzantine.ViewChange, Intercept: stateful(equivocateNewView),
		},
		{
			Name: "silent-new-view", Group: "NV-SILENT", AtF: byzantine.SafeLive, AtF1: byzantine.SafeSlow,
			Sentence: "as primary, never sends NEW-VIEW",
			Needs:    byzantine.ViewChange, Intercept: eachStep(silentNewView),
		},
		{
			Name: "select-view-change", Group: "VC-SPAM", AtF: byzantine.SafeLive, AtF1: byzantine.MayStop,
			Sentence: "sends VIEW-CHANGE to the first of the others only, or to all but those in to=",
			Params:   []byzantine.Param{{Name: "told", Default: "1", Help: "how many get it"}},
			Needs:    byzantine.ViewChange, Intercept: stateful(selectViewChange),
		},
	}
}

// leave is a VIEW-CHANGE for v of one who has prepared nothing above stable.
func (f *forger) leave(v consensus.View, as consensus.ReplicaID, stable *message.Certificate) *message.ViewChange {
	vc := message.ViewChange{View: v, Replica: as, Checkpoint: stable}
	if stable != nil {
		vc.Low = stable.Seq
	}
	return f.viewChange(vc)
}

// spamViews asks to leave each view as soon as it is active, and then again.
func spamViews(t *step) {
	if t.Act && !t.changing && (t.began || t.every(t.env.Patience, t.burst)) {
		t.sayAll(t.leave(t.view+1, t.self, t.stable).Frame)
	}
}

// hugeView asks for views that nobody gets to, votes in them, and reports
// that it is in one.
func hugeView(t *step) {
	t.alterStatus(func(st *message.Status) { st.View += message.MaxView })
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
	alterOwn(t, func(_ consensus.ReplicaID, vc *message.ViewChange) ([][]byte, bool) {
		w := message.ViewChange{View: vc.View, Replica: vc.Replica}
		switch {
		case how == "prepared":
			w.Low, w.Checkpoint = vc.Low, vc.Checkpoint
		case how == "old" && t.older != nil:
			w.Low, w.Checkpoint = t.older.Seq, t.older
		}
		return [][]byte{t.viewChange(w).Frame}, len(vc.Prepared) > 0 || w.Low != vc.Low
	}, message.ViewChangeKind)
}

var fakes = []string{"invented", "duplicate", "mixed", "later", "window"}

// fakePrepared sends before each of its true VIEW-CHANGEs others with invalid
// prepared certificates, or in its place one with the oldest it has.
func fakePrepared(t *step, how string) {
	alterOwn(t, func(_ consensus.ReplicaID, vc *message.ViewChange) (out [][]byte, lie bool) {
		if how == "stale" {
			return t.stale(vc)
		}
		for _, fake := range fakes {
			if how != "all" && how != fake {
				continue
			}
			w := *vc
			w.Prepared = []*message.Certificate{t.fake(vc, fake)}
			out = append(out, t.viewChange(w).Frame)
		}
		return append(out, vc.Frame), true
	}, message.ViewChangeKind)
}

// fake is a prepared certificate for the first slot above h that proves nothing.
func (s *seen) fake(vc *message.ViewChange, how string) *message.Certificate {
	n, d := vc.Low+1, crypto.Hash([]byte("never proposed"))
	v := vc.View - 1
	ids := s.certifiers(v)
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
		return s.invented(message.PreparedCertificate, vc.View, n, d, s.certifiers(vc.View))
	case "window":
		return s.invented(message.PreparedCertificate, v, n+s.Rules.Genesis.Window, d, ids)
	}
	return s.invented(message.PreparedCertificate, v, n, d, ids)
}

// certifiers are q replicas, ascending, the primary of v among them.
func (f *forger) certifiers(v consensus.View) []consensus.ReplicaID {
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
	return [][]byte{s.viewChange(w).Frame}, lie
}

var newViewLies = []string{"digest", "missing", "extra", "null", "low", "few", "twice", "mixed"}

// badNewView opens its views on terms that do not follow from the VIEW-CHANGEs,
// or on VIEW-CHANGEs that are no quorum. With "any" each victim gets another.
func badNewView(t *step, how string) {
	alterOwn(t, func(to consensus.ReplicaID, nv *message.NewView) ([][]byte, bool) {
		return [][]byte{t.badTerms(nv, byzantine.InTurn(how, newViewLies, uint64(nv.View)+uint64(to))).Frame}, true
	}, message.NewViewKind)
}

func (s *seen) badTerms(nv *message.NewView, how string) *message.NewView {
	start := viewchange.Select(s.Rules, nv.ViewChanges)
	vcs, first, digests := slices.Clone(nv.ViewChanges), start.Min+1, chosenOf(&start)
	wrong := crypto.Hash([]byte("never prepared"))
	last := len(digests) - 1
	switch {
	case how == "few":
		vcs = vcs[1:]
	case how == "twice":
		vcs[len(vcs)-1] = vcs[0]
	case how == "mixed":
		for i, vc := range vcs {
			if vc.Replica == s.self {
				w := *vc
				w.View++
				vcs[i] = s.viewChange(w)
			}
		}
	case how == "low" && first > 1:
		first--
		digests = append([]crypto.Digest{wrong}, digests...)
	case how == "digest" && last >= 0:
		digests[last] = wrong
	case how == "missing" && last >= 0:
		digests = digests[:last]
	case how == "null" && last >= 0 && digests[last] != consensus.NullDigest:
		digests[last] = consensus.NullDigest
	default:
		digests = append(digests, wrong)
	}
	return s.newView(nv.View, vcs, first, digests)
}

func chosenOf(s *viewchange.Start) (digests []crypto.Digest) {
	for _, c := range s.Chosen {
		digests = append(digests, c.Digest)
	}
	return digests
}

// equivocateNewView opens its views on other VIEW-CHANGEs for half of the
// victims, or for all that are named: its own in there hides what prepared.
// Both NEW-VIEWs are valid.
func equivocateNewView(l *lie, s *byzantine.Spec) error {
	named := s.To != nil
	l.act = func(t *step) {
		alterOwn(t, func(to consensus.ReplicaID, nv *message.NewView) ([][]byte, bool) {
			if !named && !t.misled(to) {
				return nil, false
			}
			vcs := slices.Clone(nv.ViewChanges)
			for i, vc := range vcs {
				if vc.Replica == t.self {
					vcs[i] = t.viewChange(message.ViewChange{View: vc.View, Replica: vc.Replica})
				}
			}
			start := viewchange.Select(t.Rules, vcs)
			other := t.newView(nv.View, vcs, start.Min+1, chosenOf(&start))
			return [][]byte{other.Frame}, !bytes.Equal(other.Frame, nv.Frame)
		}, message.NewViewKind)
	}
	return nil
}

// silentNewView never opens the views whose primary it is.
func silentNewView(t *step) {
	t.drop(func(_ consensus.ReplicaID, frame []byte) bool { return own[message.NewView](t, frame) != nil }, message.NewViewKind)
}

// selectViewChange tells only a few that it leaves.
func selectViewChange(l *lie, s *byzantine.Spec) error {
	told, err := s.Number("", 0, consensus.MaxReplicas)
	named := s.To != nil
	l.act = func(t *step) {
		t.drop(func(to consensus.ReplicaID, frame []byte) bool {
			return own[message.ViewChange](t, frame) != nil && (named || slices.Index(t.Victims, to) >= told)
		}, message.ViewChangeKind)
	}
	return err
}
