package pbft

import (
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/pbft/message"
)

// certificate is what the given replicas sign about slot n in view v.
func (l *lab) certificate(kind message.CertificateKind, v consensus.View, n consensus.Seq, d crypto.Digest, by ...consensus.ReplicaID) *message.Certificate {
	vote := message.Vote{Kind: message.CommitKind, View: v, Seq: n, Digest: d}
	if kind == message.CheckpointCertificate {
		vote.Kind = message.CheckpointKind
	}
	c := &message.Certificate{Kind: kind, View: v, Seq: n, Digest: d}
	for _, id := range by {
		vote.Replica = id
		c.Signed = append(c.Signed, message.Signed{Replica: id, Sig: l.rules.SignVote(l.Keys[id], vote).Sig})
	}
	return c
}

// §5, §9: a replica that meets a fork stops, and what it exports convicts those
// who signed both sides, and nobody else.
func TestForkNamesThoseWhoSignedBothSides(t *testing.T) {
	for _, test := range []struct {
		name string
		view consensus.View // of the other side
		want []consensus.ReplicaID
	}{
		{"in one view", 0, []consensus.ReplicaID{0, 3}},
		{"across views", 1, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLab(t, 4)
			l.Submit(l.Request(), 0)
			// R2 hears nothing of R1's votes, and R1 nothing of R2's: only the
			// two liars have signed both sides.
			l.Deliver(func(m frame) bool { return m.From != 1 || m.To != 2 || m.Bytes[0] != byte(message.CommitKind) })
			c, _, _ := l.Replicas[2].Engine.log.decided(1)
			if c == nil {
				t.Fatal("R2 has not decided slot 1")
			}
			if got := []consensus.ReplicaID{c.Signed[0].Replica, c.Signed[1].Replica, c.Signed[2].Replica}; !slices.Equal(got, []consensus.ReplicaID{0, 2, 3}) {
				t.Fatalf("R2's certificate is by %v", got)
			}
			batch := &consensus.Batch{Stamp: l.Now + 1}
			other := l.certificate(message.CommittedCertificate, test.view, 1, batch.Digest(), 0, 1, 3)
			g := message.FetchReply{What: message.WhatCommitted, Seq: 1, Digest: batch.Digest(), Batch: batch, Certificate: other}
			l.Give(2, consensus.ReplicaPeer(1), g.Encode())
			if l.Replicas[2].Halt == "" {
				t.Fatal("R2 goes on after a fork")
			}
			var named []consensus.ReplicaID
			for _, n := range l.Replicas[2].Notes {
				if n.Kind != consensus.EvidenceNote {
					continue
				}
				fault, err := evidence.VerifyWith(l.Verify, &l.Genesis, n.Bytes)
				if err != nil || fault.Replica != n.Replica || fault.Seq != 1 {
					t.Errorf("evidence against R%d: %v, %v", n.Replica, fault, err)
				}
				named = append(named, n.Replica)
			}
			if !slices.Equal(named, test.want) {
				t.Errorf("named are %v, want %v", named, test.want)
			}
		})
	}
}
