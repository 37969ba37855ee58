package pbft

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// ErrKey refuses a traitor whose key is not the one that the genesis names.
var ErrKey = errors.New("not the key that the genesis names")

// forger signs PBFT's messages with the keys of one traitor and its coalition, no
// other. What it is asked to sign in the name of a replica whose key it does not
// hold it signs with the traitor's own: an impersonation, which no verifier
// accepts.
type forger struct {
	Rules *message.Rules
	self  consensus.ReplicaID
	keys  []byzantine.Member // ascending by replica, the traitor itself included
}

// newForger makes the forger of a traitor. It fails with ErrKey if a key in e
// is not the member's.
func newForger(e *byzantine.Env) (*forger, error) {
	rules, err := message.NewRules(e.Genesis)
	if err != nil {
		return nil, err
	}
	f := &forger{Rules: rules, self: e.Self}
	for _, m := range append([]byzantine.Member{{Replica: e.Self, Signer: e.Signer}}, e.Coalition...) {
		if int(m.Replica) >= len(e.Genesis.Replicas) || m.Signer == nil || m.Signer.Public() != e.Genesis.Replicas[m.Replica] {
			return nil, fmt.Errorf("replica %d: %w", m.Replica, ErrKey)
		}
		if !f.holds(m.Replica) {
			f.keys = append(f.keys, m)
		}
	}
	slices.SortFunc(f.keys, func(a, b byzantine.Member) int { return cmp.Compare(a.Replica, b.Replica) })
	return f, nil
}

// holds reports whether the key of replica id is at hand.
func (f *forger) holds(id consensus.ReplicaID) bool {
	return slices.ContainsFunc(f.keys, func(m byzantine.Member) bool { return m.Replica == id })
}

// coalition lists whose keys are at hand, ascending.
func (f *forger) coalition() []consensus.ReplicaID {
	ids := make([]consensus.ReplicaID, len(f.keys))
	for i, m := range f.keys {
		ids[i] = m.Replica
	}
	return ids
}

// honest lists the others, ascending.
func (f *forger) honest() []consensus.ReplicaID {
	var ids []consensus.ReplicaID
	for i := range f.Rules.Genesis.Replicas {
		if id := consensus.ReplicaID(i); !f.holds(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// signer is the key of id, or the traitor's own.
func (f *forger) signer(id consensus.ReplicaID) crypto.Signer {
	own := f.keys[0].Signer
	for _, m := range f.keys {
		switch m.Replica {
		case id:
			return m.Signer
		case f.self:
			own = m.Signer
		}
	}
	return own
}

// vote signs v in the name of v.Replica.
func (f *forger) vote(v message.Vote) message.Vote {
	return f.Rules.SignVote(f.signer(v.Replica), v)
}

// proposal signs a PRE-PREPARE in the name of the primary of view v.
func (f *forger) proposal(v consensus.View, n consensus.Seq, b *consensus.Batch) *message.PrePrepare {
	p := f.Rules.System.Primary(v)
	return f.Rules.NewPrePrepare(f.signer(p), message.Vote{View: v, Seq: n, Digest: b.Digest(), Replica: p}, b)
}

// viewChange signs vc in the name of vc.Replica.
func (f *forger) viewChange(vc message.ViewChange) *message.ViewChange {
	return f.Rules.NewViewChange(f.signer(vc.Replica), vc)
}

// newView signs nv in the name of the primary of its view, and its proposals
// for the given digests, the first of them for slot first.
func (f *forger) newView(v consensus.View, vcs []*message.ViewChange, first consensus.Seq, digests []crypto.Digest) *message.NewView {
	nv := message.NewView{View: v, ViewChanges: vcs}
	p := f.Rules.System.Primary(v)
	for i, d := range digests {
		nv.Proposals = append(nv.Proposals, f.vote(message.Vote{
			Kind: message.PrePrepareKind, View: v, Seq: first + consensus.Seq(i), Digest: d, Replica: p,
		}))
	}
	return f.Rules.NewNewView(f.signer(p), nv)
}

// certificate makes a certificate with one signature for each of ids, in their
// order; those whose key is not at hand are invented.
func (f *forger) certificate(k message.CertificateKind, v consensus.View, n consensus.Seq, d crypto.Digest, ids ...consensus.ReplicaID) *message.Certificate {
	c := &message.Certificate{Kind: k, View: v, Seq: n, Digest: d}
	kind := map[message.CertificateKind]message.Kind{
		message.PreparedCertificate: message.PrepareKind, message.CommittedCertificate: message.CommitKind, message.CheckpointCertificate: message.CheckpointKind,
	}[k]
	for _, id := range ids {
		w := message.Vote{Kind: kind, View: v, Seq: n, Digest: d, Replica: id}
		if k == message.PreparedCertificate && id == f.Rules.System.Primary(v) {
			w.Kind = message.PrePrepareKind
		}
		w = f.vote(w)
		c.Signed = append(c.Signed, message.Signed{Replica: id, Sig: w.Sig})
	}
	return c
}

// votesOf are frames of the votes of ids for one slot, one for each.
func (f *forger) votesOf(k message.Kind, v consensus.View, n consensus.Seq, d crypto.Digest, ids []consensus.ReplicaID) [][]byte {
	var frames [][]byte
	for _, id := range ids {
		w := f.vote(message.Vote{Kind: k, View: v, Seq: n, Digest: d, Replica: id})
		frames = append(frames, w.Encode())
	}
	return frames
}
