package message

import (
	"encoding/binary"
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// cluster is a genesis with everybody's keys: what a test needs to say
// anything, true or false, in anybody's name.
type cluster struct {
	*Rules
	ring     *crypto.Keyring
	verifier crypto.Verifier
	replicas []crypto.Signer
	clients  []crypto.Signer
}

func newCluster(t testing.TB, n int) *cluster {
	t.Helper()
	c := &cluster{ring: crypto.NewKeyring()}
	g := consensus.NewGenesis("test", "pbft", nil)
	g.CheckpointInterval, g.Window = 2, 4
	g.Limits.OperationBytes, g.Limits.RequestBytes, g.Limits.BatchBytes, g.Limits.BatchRequests = 64, 512, 390, 4
	for i := range n {
		c.replicas = append(c.replicas, crypto.NewSimSigner(c.ring, seed(i)))
		g.Replicas = append(g.Replicas, c.replicas[i].Public())
	}
	for i := range 3 {
		c.clients = append(c.clients, crypto.NewSimSigner(c.ring, seed(1000+i)))
		g.Clients = append(g.Clients, consensus.ClientEntry{Key: c.clients[i].Public(), Role: consensus.RoleWriter})
	}
	var err error
	if c.Rules, err = NewRules(g); err != nil {
		t.Fatal(err)
	}
	c.verifier = crypto.NewSimVerifier(c.ring)
	return c
}

func seed(i int) (s [crypto.PrivateKeySize]byte) {
	binary.BigEndian.PutUint64(s[:], uint64(i)+1)
	return s
}

func (c *cluster) request(client int, counter uint64, operation string) *consensus.Request {
	return consensus.SignRequest(c.clients[client], c.Cluster, consensus.Sequence{Epoch: 1, Counter: counter}, [][]byte{[]byte(operation)})
}

func (c *cluster) batch(requests ...*consensus.Request) *consensus.Batch {
	return &consensus.Batch{Stamp: 7, Requests: requests}
}

// vote signs a vote in id's own name.
func (c *cluster) vote(k Kind, id consensus.ReplicaID, view consensus.View, seq consensus.Seq, d crypto.Digest) Vote {
	return c.SignVote(c.replicas[id], Vote{Kind: k, View: view, Seq: seq, Digest: d, Replica: id})
}

func encoded(v Vote) []byte { return v.Encode() }

// certificate makes a true certificate of the view's primary and the lowest
// others.
func (c *cluster) certificate(k CertificateKind, view consensus.View, seq consensus.Seq, d crypto.Digest) *Certificate {
	ids := []consensus.ReplicaID{c.System.Primary(view)}
	for id := range consensus.ReplicaID(len(c.replicas)) {
		if id != ids[0] && len(ids) < c.System.Quorum() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return c.certificateOf(k, view, seq, d, ids...)
}

// certificateOf makes one of the given signers, in the given order.
func (c *cluster) certificateOf(k CertificateKind, view consensus.View, seq consensus.Seq, d crypto.Digest, ids ...consensus.ReplicaID) *Certificate {
	cert := &Certificate{Kind: k, View: view, Seq: seq, Digest: d}
	for _, id := range ids {
		v := c.vote(c.voteKind(cert, id), id, view, seq, d)
		cert.Signed = append(cert.Signed, Signed{Replica: id, Sig: v.Sig})
	}
	if k == CheckpointCertificate {
		cert.View = 0
	}
	return cert
}

func (c *cluster) viewChange(id consensus.ReplicaID, view consensus.View, low consensus.Seq, prepared ...*Certificate) *ViewChange {
	vc := ViewChange{View: view, Low: low, Prepared: prepared, Replica: id}
	if low > 0 {
		vc.Checkpoint = c.certificate(CheckpointCertificate, 0, low, crypto.Hash([]byte{byte(low)}))
	}
	return c.NewViewChange(c.replicas[id], vc)
}

// newView makes one whose O is what the caller says, right or wrong.
func (c *cluster) newView(view consensus.View, vcs []*ViewChange, slots ...Vote) *NewView {
	primary := c.System.Primary(view)
	nv := NewView{View: view, ViewChanges: vcs}
	for _, s := range slots {
		nv.Proposals = append(nv.Proposals, c.vote(PrePrepareKind, primary, view, s.Seq, s.Digest))
	}
	return c.NewNewView(c.replicas[primary], nv)
}

// open opens one frame from a replica.
func (c *cluster) open(from consensus.ReplicaID, frame []byte) consensus.Opened {
	return c.openAt(nil, consensus.ReplicaPeer(from), frame)
}

func (c *cluster) openAt(h *Horizon, from consensus.Peer, frame []byte) consensus.Opened {
	return c.Open(c.verifier, h, []consensus.Frame{{From: from, Bytes: frame}})[0]
}

// specimens is a true frame of every kind, by name.
func (c *cluster) specimens() map[string][]byte {
	d := crypto.Hash([]byte("d"))
	batch := c.batch(c.request(0, 1, "put"), c.request(1, 1, "get"))
	p := c.certificate(PreparedCertificate, 0, 3, d)
	vcs := []*ViewChange{c.viewChange(0, 1, 2, p), c.viewChange(1, 1, 0), c.viewChange(2, 1, 2)}
	nv := c.newView(1, vcs, Vote{Seq: 3, Digest: d})
	checkpoint := c.certificate(CheckpointCertificate, 0, 2, d)
	return map[string][]byte{
		"request":           c.request(0, 1, "put").Raw,
		"request of before": consensus.SignOldRequest(c.clients[0], c.Cluster, consensus.Sequence{Epoch: 1, Counter: 1}, [][]byte{[]byte("put")}).Raw,
		"pre-prepare":       c.NewPrePrepare(c.replicas[0], Vote{Seq: 1, Digest: batch.Digest(), Replica: 0}, batch).Frame,
		"prepare":           encoded(c.vote(PrepareKind, 1, 0, 1, d)),
		"commit":            encoded(c.vote(CommitKind, 1, 0, 1, d)),
		"checkpoint":        encoded(c.vote(CheckpointKind, 1, 0, 2, d)),
		"view-change":       vcs[0].Frame,
		"new-view":          nv.Frame,
		"status":            (&Status{View: 1, Changing: true, Low: 2, Executed: 3, Slots: []Progress{HasBody, HasBody | HasPrepared, 0}}).Encode(),
		"fetch batch":       (&Fetch{What: WhatBatch, Seq: 1, Digest: d}).Encode(),
		"fetch parts":       (&Fetch{What: WhatParts, Seq: 2, Digest: d, Items: []consensus.Item{{ID: "a", Hash: d}}}).Encode(),
		"given batch":       (&FetchReply{What: WhatBatch, Seq: 1, Digest: batch.Digest(), Batch: batch}).Encode(),
		"given committed":   (&FetchReply{What: WhatCommitted, Seq: 1, Digest: batch.Digest(), Batch: batch, Certificate: c.certificate(CommittedCertificate, 0, 1, batch.Digest())}).Encode(),
		"given null":        (&FetchReply{What: WhatCommitted, Seq: 1, Digest: consensus.NullDigest, Certificate: c.certificate(CommittedCertificate, 2, 1, consensus.NullDigest)}).Encode(),
		"given checkpoint":  (&FetchReply{What: WhatCheckpoint, Seq: 2, Digest: d, Certificate: checkpoint}).Encode(),
		"given parts":       (&FetchReply{What: WhatParts, Seq: 2, Digest: d, Parts: []consensus.Part{{ID: "a", Bytes: []byte("part")}}}).Encode(),
		"given gone":        (&FetchReply{What: WhatParts, Seq: 2, Digest: d, Gone: true}).Encode(),
		"rejoin":            (&Rejoin{Nonce: 9}).Encode(),
		"rejoin answer":     (&RejoinAnswer{Nonce: 9, Checkpoint: checkpoint, NewView: nv, Yours: vcs[1]}).Encode(),
		"rejoin blank":      (&RejoinAnswer{Nonce: 9, Amnesiac: true}).Encode(),
	}
}
