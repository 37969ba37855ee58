package message

import (
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// lie is a certificate with something wrong in it.
type lie struct {
	name   string
	edit   func(c *cluster, cert *Certificate)
	reason consensus.Reason
}

// resign puts the votes of ids under cert as it stands.
func resign(c *cluster, cert *Certificate, ids ...consensus.ReplicaID) {
	*cert = *c.certificateOf(cert.Kind, cert.View, cert.Seq, cert.Digest, ids...)
}

// lies lists what is wrong with a certificate of any kind [B3, B4, B5, B6].
// The votes of other places are true votes: only the certificate lies.
func lies() []lie {
	return []lie{
		{"another digest than was signed", func(_ *cluster, cert *Certificate) { cert.Digest[0] ^= 1 }, ReasonSignature},
		{"another sequence number than was signed", func(_ *cluster, cert *Certificate) { cert.Seq++ }, ReasonSignature},
		{"sequence number 0", func(c *cluster, cert *Certificate) {
			cert.Seq = 0
			resign(c, cert, 0, 1, 2)
		}, ReasonMalformed},
		{"one vote for another digest", func(c *cluster, cert *Certificate) {
			other := *cert
			other.Digest = crypto.Hash([]byte("other"))
			resign(c, &other, cert.Signed[1].Replica)
			cert.Signed[1] = other.Signed[0]
		}, ReasonSignature},
		{"one vote for another sequence number", func(c *cluster, cert *Certificate) {
			other := *cert
			other.Seq++
			resign(c, &other, cert.Signed[2].Replica)
			cert.Signed[2] = other.Signed[0]
		}, ReasonSignature},
		{"one signature damaged", func(_ *cluster, cert *Certificate) { cert.Signed[0].Sig[63] ^= 0x80 }, ReasonSignature},
		{"one signer with another's signature", func(_ *cluster, cert *Certificate) { cert.Signed[1].Sig = cert.Signed[2].Sig }, ReasonSignature},
		{"one signer's votes twice", func(c *cluster, cert *Certificate) {
			cert.Signed[1] = cert.Signed[0]
		}, ReasonNoQuorum},
		{"signers not ascending", func(_ *cluster, cert *Certificate) { slices.Reverse(cert.Signed) }, ReasonNoQuorum},
		{"one signer too few", func(_ *cluster, cert *Certificate) { cert.Signed = cert.Signed[:2] }, ReasonNoQuorum},
		{"one signer too many", func(c *cluster, cert *Certificate) { resign(c, cert, 0, 1, 2, 3) }, ReasonNoQuorum},
		{"no signer", func(_ *cluster, cert *Certificate) { cert.Signed = nil }, ReasonNoQuorum},
		{"an outsider among the signers", func(c *cluster, cert *Certificate) {
			cert.Signed[2].Replica = consensus.ReplicaID(len(c.replicas))
		}, ReasonNoQuorum},
		{"an outsider's signature under a member's id", func(c *cluster, cert *Certificate) {
			id := cert.Signed[1].Replica
			v := Vote{Kind: c.voteKind(cert, id), View: cert.View, Seq: cert.Seq, Digest: cert.Digest, Replica: id}
			cert.Signed[1].Sig = c.SignVote(crypto.NewSimSigner(c.ring, seed(77)), v).Sig
		}, ReasonSignature},
		{"another kind", func(_ *cluster, cert *Certificate) { cert.Kind = cert.Kind%CheckpointCertificate + 1 }, ReasonMalformed},
		{"unknown kind", func(_ *cluster, cert *Certificate) { cert.Kind = 9 }, ReasonMalformed},
		{"signed in another cluster", func(c *cluster, cert *Certificate) {
			elsewhere := *c.Rules
			elsewhere.Cluster[0] ^= 1
			there := *c
			there.Rules = &elsewhere
			resign(&there, cert, 0, 1, 2)
		}, ReasonSignature},
		{"signed in another epoch", func(c *cluster, cert *Certificate) {
			later := *c.Rules
			later.Genesis.Epoch++
			there := *c
			there.Rules = &later
			resign(&there, cert, 0, 1, 2)
		}, ReasonSignature},
	}
}

// viewLies are those that checkpoint certificates, which have no view, cannot tell.
func viewLies() []lie {
	return []lie{
		{"another view than was signed", func(c *cluster, cert *Certificate) { cert.View += consensus.View(len(c.replicas)) }, ReasonSignature},
		{"one vote of another view", func(c *cluster, cert *Certificate) {
			other := *cert
			other.View += consensus.View(len(c.replicas))
			resign(c, &other, cert.Signed[1].Replica)
			cert.Signed[1] = other.Signed[0]
		}, ReasonSignature},
	}
}

// carriers wrap a certificate of each kind into a frame that Open judges.
func carriers(c *cluster) map[CertificateKind]func(*Certificate) []byte {
	batch := c.batch(c.request(0, 1, "put"))
	return map[CertificateKind]func(*Certificate) []byte{
		PreparedCertificate: func(cert *Certificate) []byte { return c.viewChange(3, cert.View+5, 0, cert).Frame },
		CommittedCertificate: func(cert *Certificate) []byte {
			return (&FetchReply{What: WhatCommitted, Seq: cert.Seq, Digest: cert.Digest, Batch: batch, Certificate: cert}).Encode()
		},
		CheckpointCertificate: func(cert *Certificate) []byte {
			return (&FetchReply{What: WhatCheckpoint, Seq: cert.Seq, Digest: cert.Digest, Certificate: cert}).Encode()
		},
	}
}

// earlier is what the frame around a certificate may be refused for before the
// certificate itself is judged: a batch with another digest, a VIEW-CHANGE
// whose length does not fit its count.
var earlier = map[CertificateKind]consensus.Reason{CommittedCertificate: ReasonDigest, PreparedCertificate: ReasonMalformed}

func TestNoLyingCertificateIsOpened(t *testing.T) {
	c := newCluster(t, 4)
	d := c.batch(c.request(0, 1, "put")).Digest()
	for kind, carry := range carriers(c) {
		tales := lies()
		if kind != CheckpointCertificate {
			tales = append(tales, viewLies()...)
		}
		if o := c.open(3, carry(c.certificate(kind, 0, 2, d))); o.Event == nil {
			t.Fatalf("kind %d: the truth is refused: %s", kind, o.Reason)
		}
		for _, tale := range tales {
			cert := c.certificate(kind, 0, 2, d)
			tale.edit(c, cert)
			o := c.open(3, carry(cert))
			if o.Event != nil {
				t.Errorf("kind %d, %s: opened", kind, tale.name)
			}
			if o.Reason != tale.reason && o.Reason != earlier[kind] {
				t.Errorf("kind %d, %s: reason %q, want %q", kind, tale.name, o.Reason, tale.reason)
			}
		}
	}
}

// A prepared certificate holds the PRE-PREPARE of its view's primary: q backups
// prove that they would agree, not that there was something to agree on.
func TestPreparedCertificateNeedsThePrimary(t *testing.T) {
	c := newCluster(t, 4)
	carry := carriers(c)[PreparedCertificate]
	cert := c.certificateOf(PreparedCertificate, 0, 2, crypto.Hash([]byte("d")), 1, 2, 3)
	if o := c.open(3, carry(cert)); o.Reason != ReasonNoQuorum {
		t.Errorf("without the primary: %q", o.Reason)
	}
	// The primary's PREPARE is no PRE-PREPARE [B2].
	cert = c.certificate(PreparedCertificate, 0, 2, crypto.Hash([]byte("d")))
	cert.Signed[0].Sig = c.vote(PrepareKind, 0, 0, 2, cert.Digest).Sig
	if o := c.open(3, carry(cert)); o.Reason != ReasonSignature {
		t.Errorf("with a PREPARE of the primary: %q", o.Reason)
	}
	// COMMITs are no PREPAREs.
	cert = c.certificateOf(CommittedCertificate, 0, 2, cert.Digest, 0, 1, 2)
	cert.Kind = PreparedCertificate
	if o := c.open(3, carry(cert)); o.Reason != ReasonSignature {
		t.Errorf("made of COMMITs: %q", o.Reason)
	}
}

// PROTOCOL.md §1: any n, not only 3f+1, has its own quorum [B8].
func TestCertificateQuorumForEveryClusterSize(t *testing.T) {
	for n := 1; n <= 13; n++ {
		c := newCluster(t, n)
		d := crypto.Hash([]byte("root"))
		carry := carriers(c)[CheckpointCertificate]
		if o := c.open(0, carry(c.certificate(CheckpointCertificate, 0, 2, d))); o.Event == nil {
			t.Errorf("n=%d: %d signers are refused: %s", n, c.System.Quorum(), o.Reason)
		}
		short := c.certificate(CheckpointCertificate, 0, 2, d)
		short.Signed = short.Signed[1:]
		if o := c.open(0, carry(short)); o.Event != nil {
			t.Errorf("n=%d: %d signers are enough", n, len(short.Signed))
		}
	}
}
