package pbft

import (
	"encoding/binary"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// poisonProfiles need a coalition, too.
func poisonProfiles() []byzantine.Profile {
	return []byzantine.Profile{
		{
			Name: "poison-checkpoint", Group: "V-CKPT", AtF: byzantine.SafeLive, AtF1: byzantine.MayStop,
			Sentence:  "with its coalition, signs checkpoints of a false state, and offers it to replicas that are behind",
			Intercept: eachStep(poisonCheckpoint),
		},
	}
}

// poisonRoot is the root, at n, of the state that a coalition wants others to take.
func poisonRoot(n consensus.Seq) crypto.Digest {
	return crypto.Hash(binary.BigEndian.AppendUint64([]byte("quorate/byzantine/poison"), uint64(n)))
}

// poisonCheckpoint is the plan to have a replica that is behind take a state of
// the coalition's: all sign checkpoints of it, and offer certificates of their
// own signatures alone, and with invented ones beside them, and then parts.
func poisonCheckpoint(t *step) {
	alterOwn(t, func(_ consensus.ReplicaID, v *message.Vote) ([][]byte, bool) {
		w := *v
		w.Digest = poisonRoot(v.Seq)
		return t.votes(&w), true
	}, message.CheckpointKind)
	// The engine inside counts its own true vote, and must not tell of what
	// becomes stable by it.
	alterOwn(t, func(_ consensus.ReplicaID, g *message.FetchReply) ([][]byte, bool) {
		return nil, g.What == message.WhatCheckpoint
	}, message.FetchReplyKind)
	alterOwn(t, func(_ consensus.ReplicaID, vc *message.ViewChange) ([][]byte, bool) { return nil, vc.Low > 0 }, message.ViewChangeKind)
	t.alterParts(func(p []consensus.Part, _ []consensus.Item) []consensus.Part { return spoilParts(p) })
	t.alterAnswers(func(a *message.RejoinAnswer) {
		a.Checkpoint = t.poisonCertificate(t.low+t.Rules.Genesis.Window, t.quorumIDs())
	})
	if !t.Act || !t.every(t.env.Patience/4, t.burst) {
		return
	}
	k := t.Rules.Genesis.CheckpointInterval
	for _, n := range []consensus.Seq{t.low + k, t.low + 2*t.Rules.Genesis.Window} {
		for _, ids := range [][]consensus.ReplicaID{t.coalition(), t.quorumIDs()} {
			c := t.poisonCertificate(n, ids)
			g := message.FetchReply{What: message.WhatCheckpoint, Seq: n, Digest: c.Digest, Certificate: c}
			t.sayAll(g.Encode())
		}
	}
}

func (s *seen) poisonCertificate(n consensus.Seq, ids []consensus.ReplicaID) *message.Certificate {
	return s.certificate(message.CheckpointCertificate, 0, n, poisonRoot(n), ids...)
}

// quorumIDs are q replicas, ascending, those of the coalition among them.
func (s *seen) quorumIDs() []consensus.ReplicaID {
	need := s.Rules.System.Quorum() - len(s.keys)
	var ids []consensus.ReplicaID
	for i := range s.Rules.Genesis.Replicas {
		id := consensus.ReplicaID(i)
		switch {
		case s.holds(id):
			ids = append(ids, id)
		case need > 0:
			ids = append(ids, id)
			need--
		}
	}
	return ids[:min(len(ids), s.Rules.System.Quorum())]
}
