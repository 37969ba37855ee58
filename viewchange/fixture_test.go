package viewchange

import (
	"encoding/binary"
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

type (
	vcs  = []*message.ViewChange
	cert = *message.Certificate
)

// cluster holds everybody's keys, and rules with K = 2 and L = 4.
type cluster struct {
	*message.Rules
	verifier crypto.Verifier
	signers  []crypto.Signer
}

func newCluster(t testing.TB, n int) *cluster {
	t.Helper()
	ring := crypto.NewKeyring()
	g := consensus.NewGenesis("test", "pbft", nil)
	g.CheckpointInterval, g.Window = 2, 4
	c := &cluster{verifier: crypto.NewSimVerifier(ring)}
	for i := range n {
		var seed [crypto.PrivateKeySize]byte
		binary.BigEndian.PutUint64(seed[:], uint64(i)+1)
		c.signers = append(c.signers, crypto.NewSimSigner(ring, seed))
		g.Replicas = append(g.Replicas, c.signers[i].Public())
	}
	var err error
	if c.Rules, err = message.NewRules(g); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) changer(id consensus.ReplicaID) *Changer { return New(c.Rules, id, c.signers[id]) }

func (c *cluster) changers() []*Changer {
	var all []*Changer
	for id := range c.signers {
		all = append(all, c.changer(consensus.ReplicaID(id)))
	}
	return all
}

// certificate makes a true one, signed by the view's primary and the lowest others.
func (c *cluster) certificate(k message.CertificateKind, view consensus.View, seq consensus.Seq, d crypto.Digest) cert {
	out := &message.Certificate{Kind: k, View: view, Seq: seq, Digest: d}
	primary := c.System.Primary(view)
	ids := []consensus.ReplicaID{primary}
	for id := range consensus.ReplicaID(len(c.signers)) {
		if id != primary && len(ids) < c.System.Quorum() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		kind := message.PrepareKind
		switch {
		case k == message.CheckpointCertificate:
			kind = message.CheckpointKind
		case id == primary:
			kind = message.PrePrepareKind
		}
		v := c.SignVote(c.signers[id], message.Vote{Kind: kind, View: view, Seq: seq, Digest: d, Replica: id})
		out.Signed = append(out.Signed, message.Signed{Replica: id, Sig: v.Sig})
	}
	return out
}

func (c *cluster) prepared(view consensus.View, seq consensus.Seq, d crypto.Digest) cert {
	return c.certificate(message.PreparedCertificate, view, seq, d)
}

// stable is the checkpoint certificate of seq; nil at 0.
func (c *cluster) stable(seq consensus.Seq) cert {
	if seq == 0 {
		return nil
	}
	return c.certificate(message.CheckpointCertificate, 0, seq, crypto.Hash([]byte{byte(seq)}))
}

// viewChange is what replica id says when it leaves for view.
func (c *cluster) viewChange(id consensus.ReplicaID, view consensus.View, low consensus.Seq, prepared ...cert) *message.ViewChange {
	return c.changer(id).Leave(view, c.stable(low), prepared)
}

// opened passes a frame through message.Open, as the engine gets it.
func (c *cluster) opened(t testing.TB, frame []byte) any {
	t.Helper()
	o := c.Open(c.verifier, nil, []consensus.Frame{{From: consensus.ReplicaPeer(0), Bytes: frame}})[0]
	if o.Event == nil {
		t.Fatalf("%s is not opened: %s", c.Describe(frame), o.Reason)
	}
	return o.Event.(consensus.Receive).Message
}

var a, b = crypto.Hash([]byte("a")), crypto.Hash([]byte("b"))

// everyBody is here.
func everyBody(*message.ViewChange) bool { return true }
