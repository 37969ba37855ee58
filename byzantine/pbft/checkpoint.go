package pbft

import (
	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// checkpointProfiles are told of checkpoints.
func checkpointProfiles() []byzantine.Profile {
	return []byzantine.Profile{
		{
			Name: "lying-checkpoint", Group: "V-CKPT", AtF: byzantine.SafeLive, AtF1: byzantine.MayStop,
			Sentence:  "sends CHECKPOINT for states that do not exist",
			Params:    byzantine.How("root, equivocate (two roots, to half of the others the false one first), future, interval (off it), any", "any", "which"),
			Intercept: eachStepHow(append([]string{"any"}, checkpointLies...), lyingCheckpoint),
		},
	}
}

var checkpointLies = []string{"root", "equivocate", "future", "interval"}

// lyingCheckpoint sends CHECKPOINT for states that do not exist.
func lyingCheckpoint(t *step, how string) {
	k := t.Rules.Genesis.CheckpointInterval
	alterOwn(t, func(to consensus.ReplicaID, v *message.Vote) ([][]byte, bool) {
		root, far, odd := *v, *v, *v
		root.Digest = crypto.Hash(v.Digest[:])
		far.Seq += 100 * k
		odd.Seq++
		switch byzantine.InTurn(how, checkpointLies, uint64(v.Seq/k)) {
		case "root":
			return t.votes(&root), true
		case "equivocate":
			if t.misled(to) {
				return t.votes(&root, v), true
			}
			return t.votes(v, &root), true
		case "future":
			return t.votes(&far, v), true
		}
		return t.votes(&odd, v), true
	}, message.CheckpointKind)
}

// votes signs votes and lays them out.
func (f *forger) votes(vs ...*message.Vote) (frames [][]byte) {
	for _, v := range vs {
		w := f.vote(*v)
		frames = append(frames, w.Encode())
	}
	return frames
}
