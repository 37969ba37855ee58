package byzantine

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/viewchange"
)

// ownNewView reads a NEW-VIEW of this replica's; nil for one that it only
// passes on.
func (t *step) ownNewView(frame []byte) *message.NewView {
	nv, _ := t.decode(frame).(*message.NewView)
	if nv == nil || nv.Replica != t.self {
		return nil
	}
	return nv
}

var newViewLies = []string{"digest", "missing", "extra", "null", "low", "few", "twice", "mixed"}

// badNewView opens its views on terms that do not follow from the VIEW-CHANGEs,
// or on VIEW-CHANGEs that are no quorum. With "any" each victim gets another.
func badNewView(t *step, how string) {
	t.alter(func(to consensus.ReplicaID, frame []byte) ([][]byte, bool) {
		nv := t.ownNewView(frame)
		if nv == nil {
			return nil, false
		}
		return [][]byte{t.badTerms(nv, InTurn(how, newViewLies, uint64(nv.View)+uint64(to))).Frame}, true
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
				vcs[i] = s.ViewChange(w)
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
	return s.NewView(nv.View, vcs, first, digests)
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
func equivocateNewView(l *lie, s *Spec) error {
	named := s.To != nil
	l.act = func(t *step) {
		t.alter(func(to consensus.ReplicaID, frame []byte) ([][]byte, bool) {
			nv := t.ownNewView(frame)
			if nv == nil || !named && !t.misled(to) {
				return nil, false
			}
			vcs := slices.Clone(nv.ViewChanges)
			for i, vc := range vcs {
				if vc.Replica == t.self {
					vcs[i] = t.ViewChange(message.ViewChange{View: vc.View, Replica: vc.Replica})
				}
			}
			start := viewchange.Select(t.Rules, vcs)
			other := t.NewView(nv.View, vcs, start.Min+1, chosenOf(&start))
			return [][]byte{other.Frame}, string(other.Frame) != string(frame)
		}, message.NewViewKind)
	}
	return nil
}

// silentNewView never opens the views whose primary it is.
func silentNewView(t *step) {
	t.drop(func(_ consensus.ReplicaID, frame []byte) bool { return t.ownNewView(frame) != nil }, message.NewViewKind)
}
