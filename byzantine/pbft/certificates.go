package pbft

import (
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// certificateProfiles are told in certificates.
func certificateProfiles() []byzantine.Profile {
	return []byzantine.Profile{
		{
			Name: "bad-certificate", Group: "V-FORGE", AtF: byzantine.SafeLive, AtF1: byzantine.SafeLive,
			Sentence:  "sends invalid certificates: with slots, as checkpoints, and in VIEW-CHANGE",
			Params:    byzantine.How("twice, few, outsider, unsorted, forged, alone, view, slot, digest, kind, any", "any", "the flaw"),
			Intercept: stateful(badCertificate),
		},
	}
}

// flaws are the ways in which a certificate can prove nothing, in the order in
// which "any" goes through them.
var flaws = []string{"twice", "few", "outsider", "unsorted", "forged", "alone", "view", "slot", "digest", "kind"}

// flawed is c with one flaw. A digest is changed to d.
func (s *seen) flawed(c *message.Certificate, flaw string, d crypto.Digest) *message.Certificate {
	w := *c
	w.Signed = slices.Clone(c.Signed)
	last := len(w.Signed) - 1
	switch flaw {
	case "twice":
		w.Signed[last] = w.Signed[0]
	case "few":
		w.Signed = w.Signed[:last]
	case "outsider":
		w.Signed[last].Replica = consensus.ReplicaID(len(s.Rules.Genesis.Replicas))
	case "unsorted":
		w.Signed[0], w.Signed[last] = w.Signed[last], w.Signed[0]
	case "forged":
		w.Signed[last].Sig[0] ^= 1
	case "alone":
		var ids []consensus.ReplicaID
		for _, sg := range w.Signed {
			ids = append(ids, sg.Replica)
		}
		return s.invented(c.Kind, c.View, c.Seq, crypto.Hash(c.Digest[:]), ids)
	case "view":
		w.View++
	case "slot":
		w.Seq += s.Rules.Genesis.CheckpointInterval
	case "digest":
		w.Digest = d
	case "kind":
		w.Kind = message.PreparedCertificate
		if c.Kind == message.PreparedCertificate {
			w.Kind = message.CommittedCertificate
		}
	}
	return &w
}

// invented is a certificate under which one traitor has signed for everybody.
func (s *seen) invented(k message.CertificateKind, v consensus.View, n consensus.Seq, d crypto.Digest, ids []consensus.ReplicaID) *message.Certificate {
	c := s.certificate(k, v, n, d, ids...)
	for i := range c.Signed {
		if c.Signed[i].Replica != s.self && s.holds(c.Signed[i].Replica) {
			c.Signed[i].Sig = s.certificate(k, v, n, d, s.self).Signed[0].Sig
		}
	}
	return c
}

// badCertificate hands out certificates that prove nothing, wherever one can
// travel: with a decided slot, as a checkpoint, and in a VIEW-CHANGE.
func badCertificate(l *lie, s *byzantine.Spec) error {
	how, err := s.Word("", append([]string{"any"}, flaws...)...)
	turn := uint64(0)
	l.act = func(t *step) {
		if !t.Act || !t.every(t.env.Patience/8, t.burst) {
			return
		}
		flaw := byzantine.InTurn(how, flaws, turn)
		turn++
		for _, frame := range t.badCertificates(flaw) {
			t.sayAll(frame)
		}
	}
	return err
}

func (s *seen) badCertificates(flaw string) (frames [][]byte) {
	if k := len(s.decided); k > 0 && s.decided[k-1].certificate != nil && s.decided[k-1].batch != nil {
		d := s.decided[k-1]
		other := byzantine.RivalBatch(d.batch, "stamp")
		g := message.FetchReply{What: message.WhatCommitted, Batch: d.batch, Certificate: s.flawed(d.certificate, flaw, other.Digest())}
		if flaw == "digest" {
			g.Batch = other
		}
		g.Seq, g.Digest = g.Certificate.Seq, g.Certificate.Digest
		frames = append(frames, g.Encode())
	}
	vc := message.ViewChange{View: s.view + 1, Replica: s.self}
	if s.stable != nil {
		c := s.flawed(s.stable, flaw, crypto.Hash(s.stable.Digest[:]))
		g := message.FetchReply{What: message.WhatCheckpoint, Seq: c.Seq, Digest: c.Digest, Certificate: c}
		vc.Low, vc.Checkpoint = c.Seq, c
		frames = append(frames, g.Encode(), s.viewChange(vc).Frame)
	}
	if k := len(s.prepared); k > 0 {
		c := s.prepared[k-1]
		vc.Low, vc.Checkpoint = s.low, s.stable
		if s.stable == nil {
			vc.Low = 0
		}
		vc.Prepared = []*message.Certificate{s.flawed(c, flaw, crypto.Hash(c.Digest[:]))}
		frames = append(frames, s.viewChange(vc).Frame)
	}
	return frames
}
