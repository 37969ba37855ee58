package evidence

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// Scene is a scripted fork for tests with real engines, which cannot stand in
// this package because engines import it.
type Scene struct {
	Name    string
	Rules   *message.Rules
	Signers []crypto.Signer
	Lied    []consensus.ReplicaID
	Sides   [2][]consensus.ReplicaID // the liars are on both
	Frames  [2][][]byte
	Batches [2]crypto.Digest
}

// Scenes are the forks of ADVERSARIES.md §3, P1 and P2, at n=4 and n=7.
func Scenes(t testing.TB) []Scene {
	var all []Scene
	for _, n := range []int{4, 7} {
		c := newClusterOf(t, n)
		for _, f := range []*fork{c.sameView(), c.acrossViews()} {
			all = append(all, Scene{
				Name: f.name, Rules: c.Rules, Signers: c.signers, Lied: f.lied, Sides: f.sides,
				Frames: [2][][]byte{f.frames[:f.half], f.frames[f.half:]}, Batches: [2]crypto.Digest{batchA.Digest(), batchB.Digest()},
			})
		}
	}
	return all
}

// Proposes reports who signed a frame, and for which slot if it is a
// PRE-PREPARE.
func Proposes(g *consensus.Genesis, frame []byte) (signer consensus.ReplicaID, slot consensus.Seq, err error) {
	s, err := Read(g, essence(frame))
	if s.Kind == kindPrePrepare {
		slot = s.Seq
	}
	return s.Signer, slot, err
}

// Kept counts what an Investigator could not verify, and the votes that it keeps.
func (i *Investigator) Kept() (ignored, votes int) { return i.ignored, len(i.votes.all) }
