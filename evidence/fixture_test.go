package evidence

import (
	"encoding/binary"
	"testing"

	"quorate/consensus"
	"quorate/crypto"
	"quorate/pbft/message"
)

// cluster speaks through the real words of PBFT and real signatures: that the
// second decoder here understands what the first one makes is half of what is
// tested.
type cluster struct {
	*message.Rules
	signers []crypto.Signer
}

func newCluster(t testing.TB) *cluster {
	t.Helper()
	g := consensus.NewGenesis("test", "pbft", nil)
	g.CheckpointInterval, g.Window, g.Epoch = 2, 4, 6
	c := &cluster{}
	for i := range 4 {
		var seed [crypto.PrivateKeySize]byte
		binary.BigEndian.PutUint64(seed[:], uint64(i)+1)
		c.signers = append(c.signers, crypto.NewSigner(seed))
		g.Replicas = append(g.Replicas, c.signers[i].Public())
	}
	var err error
	if c.Rules, err = message.NewRules(g); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) vote(k message.Kind, id consensus.ReplicaID, view consensus.View, seq consensus.Seq, d crypto.Digest) []byte {
	v := c.SignVote(c.signers[id], message.Vote{Kind: k, View: view, Seq: seq, Digest: d, Replica: id})
	return v.Encode()
}

func (c *cluster) proposal(id consensus.ReplicaID, view consensus.View, seq consensus.Seq, b *consensus.Batch) []byte {
	return c.NewPrePrepare(c.signers[id], message.Vote{View: view, Seq: seq, Digest: b.Digest(), Replica: id}, b).Frame
}

func (c *cluster) viewChange(id consensus.ReplicaID, view consensus.View, low consensus.Seq) *message.ViewChange {
	vc := message.ViewChange{View: view, Low: low, Replica: id}
	if low > 0 {
		vc.Checkpoint = &message.Certificate{Kind: message.CheckpointCertificate, Seq: low, Signed: make([]message.Signed, 3)}
	}
	return c.NewViewChange(c.signers[id], vc)
}

func (c *cluster) newView(view consensus.View, vcs ...*message.ViewChange) []byte {
	return c.NewNewView(c.signers[c.System.Primary(view)], message.NewView{View: view, ViewChanges: vcs}).Frame
}

var a, b = crypto.Hash([]byte("a")), crypto.Hash([]byte("b"))

// contradictions has one of every kind, with what it proves.
func (c *cluster) contradictions() map[Fault]Contradiction {
	batch := func(stamp consensus.Time) *consensus.Batch { return &consensus.Batch{Stamp: stamp} }
	low, high := c.viewChange(2, 5, 0), c.viewChange(2, 5, 2)
	return map[Fault]Contradiction{
		{Replica: 1, What: "PRE-PREPARE", View: 5, Seq: 3}: {c.proposal(1, 5, 3, batch(1)), c.proposal(1, 5, 3, batch(2))},
		{Replica: 2, What: "PREPARE", View: 5, Seq: 3}:     {c.vote(message.PrepareKind, 2, 5, 3, a), c.vote(message.PrepareKind, 2, 5, 3, b)},
		{Replica: 3, What: "COMMIT", View: 0, Seq: 9}:      {c.vote(message.CommitKind, 3, 0, 9, b), c.vote(message.CommitKind, 3, 0, 9, a)},
		{Replica: 0, What: "CHECKPOINT", Seq: 4}:           {c.vote(message.CheckpointKind, 0, 0, 4, a), c.vote(message.CheckpointKind, 0, 0, 4, b)},
		{Replica: 2, What: "VIEW-CHANGE", View: 5}:         {low.Frame, high.Frame},
		{Replica: 1, What: "NEW-VIEW", View: 5}:            {c.newView(5, low), c.newView(5, high)},
	}
}
