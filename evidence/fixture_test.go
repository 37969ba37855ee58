package evidence

import (
	"encoding/binary"
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// cluster speaks through the real words of PBFT and real signatures: that the
// second decoder here understands what the first one makes is half of what is
// tested.
type cluster struct {
	*message.Rules
	signers []crypto.Signer
}

func newCluster(t testing.TB) *cluster { return newClusterOf(t, 4) }

func newClusterOf(t testing.TB, n int) *cluster {
	t.Helper()
	g := consensus.NewGenesis("test", "pbft", nil)
	g.CheckpointInterval, g.Window, g.Epoch = 2, 4, 6
	c := &cluster{}
	for i := range n {
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

// certificate is signed by ids, ascending, in the roles that view gives them.
func (c *cluster) certificate(k message.CertificateKind, view consensus.View, seq consensus.Seq, d crypto.Digest, ids ...consensus.ReplicaID) *message.Certificate {
	x := &message.Certificate{Kind: k, View: view, Seq: seq, Digest: d}
	for _, id := range ids {
		kind := message.CommitKind
		switch {
		case k == message.CheckpointCertificate:
			kind = message.CheckpointKind
		case k == message.PreparedCertificate && id == c.System.Primary(view):
			kind = message.PrePrepareKind
		case k == message.PreparedCertificate:
			kind = message.PrepareKind
		}
		v := c.SignVote(c.signers[id], message.Vote{Kind: kind, View: view, Seq: seq, Digest: d, Replica: id})
		x.Signed = append(x.Signed, message.Signed{Replica: id, Sig: v.Sig})
	}
	return x
}

func (c *cluster) prepared(view consensus.View, seq consensus.Seq, d crypto.Digest, ids ...consensus.ReplicaID) *message.Certificate {
	return c.certificate(message.PreparedCertificate, view, seq, d, ids...)
}

func (c *cluster) committed(view consensus.View, seq consensus.Seq, d crypto.Digest, ids ...consensus.ReplicaID) *message.Certificate {
	return c.certificate(message.CommittedCertificate, view, seq, d, ids...)
}

func (c *cluster) stable(seq consensus.Seq, d crypto.Digest, ids ...consensus.ReplicaID) *message.Certificate {
	return c.certificate(message.CheckpointCertificate, 0, seq, d, ids...)
}

// leave is a VIEW-CHANGE with true certificates; stable may be nil.
func (c *cluster) leave(id consensus.ReplicaID, view consensus.View, stable *message.Certificate, prepared ...*message.Certificate) *message.ViewChange {
	vc := message.ViewChange{View: view, Checkpoint: stable, Prepared: prepared, Replica: id}
	if stable != nil {
		vc.Low = stable.Seq
	}
	return c.NewViewChange(c.signers[id], vc)
}

// open is a NEW-VIEW that proposes digests from slot first on.
func (c *cluster) open(vcs []*message.ViewChange, first consensus.Seq, digests ...crypto.Digest) []byte {
	view := vcs[0].View
	nv := message.NewView{View: view, ViewChanges: vcs}
	for i, d := range digests {
		p := c.System.Primary(view)
		nv.Proposals = append(nv.Proposals, c.SignVote(c.signers[p], message.Vote{
			Kind: message.PrePrepareKind, View: view, Seq: first + consensus.Seq(i), Digest: d, Replica: p,
		}))
	}
	return c.NewNewView(c.signers[c.System.Primary(view)], nv).Frame
}

// forge spoils the last signature of a certificate.
func forge(x *message.Certificate) *message.Certificate {
	y := *x
	y.Signed = slices.Clone(x.Signed)
	y.Signed[len(y.Signed)-1].Sig[5] ^= 1
	return &y
}

// proofs has at least one proof of every kind and shape, with what it proves.
func (c *cluster) proofs() map[Fault]Proof {
	all := map[Fault]Proof{}
	for f, p := range c.contradictions() {
		all[f] = p
	}
	leaves := func(id consensus.ReplicaID, view consensus.View) Fault {
		return Fault{Replica: id, Kind: KindUnfounded, What: "VIEW-CHANGE", View: view}
	}
	opens := func(view consensus.View) Fault {
		return Fault{Replica: c.System.Primary(view), Kind: KindUnfounded, What: "NEW-VIEW", View: view}
	}
	commit := c.vote(message.CommitKind, 2, 1, 3, a)
	empty := []*message.ViewChange{c.leave(0, 5, nil), c.leave(1, 5, nil), c.leave(2, 5, nil)}
	all[Fault{Replica: 2, Kind: KindOmission, What: "VIEW-CHANGE", View: 2, Seq: 3}] = Omission{commit, c.leave(2, 2, nil).Frame}
	all[Fault{Replica: 2, Kind: KindOmission, What: "VIEW-CHANGE", View: 3, Seq: 3}] = Omission{commit, c.leave(2, 3, nil, c.prepared(1, 3, b, 0, 1, 3)).Frame}
	all[Fault{Replica: 2, Kind: KindOmission, What: "VIEW-CHANGE", View: 4, Seq: 3}] = Omission{commit, c.leave(2, 4, nil, c.prepared(0, 3, a, 0, 1, 3)).Frame}
	all[leaves(2, 6)] = Unfounded{c.leave(2, 6, forge(c.stable(2, a, 0, 1, 2))).Frame}
	all[leaves(3, 6)] = Unfounded{c.leave(3, 6, nil, forge(c.prepared(1, 3, b, 0, 1, 3))).Frame}
	all[opens(5)] = Unfounded{c.open(empty, 1, a)}
	all[opens(6)] = Unfounded{c.open([]*message.ViewChange{c.leave(0, 6, nil), c.leave(1, 6, nil)}, 1)}
	return all
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
