package evidence

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// PROTOCOL.md §9: omissions and unfounded frames convict their signers, each
// with one encoding.
func TestEveryProofConvicts(t *testing.T) {
	c := newCluster(t)
	for want, p := range c.proofs() {
		encoded := p.Encode()
		if got, err := Verify(&c.Genesis, encoded); err != nil || got != want {
			t.Errorf("%s: got %s, %v", want, got, err)
		}
		decoded, err := Decode(encoded)
		if err != nil || !bytes.Equal(decoded.Encode(), encoded) {
			t.Errorf("%s: decoded and encoded again differs: %v", want, err)
		}
	}
}

// Whatever an honest replica may have said in a VIEW-CHANGE after a COMMIT
// convicts nobody, neither does another's word or a forged one.
func TestHonestLeaversOmitNothing(t *testing.T) {
	c := newCluster(t)
	commit := c.vote(message.CommitKind, 2, 1, 3, a)
	lies := bytes.Clone(commit)
	lies[voteBody] ^= 1
	spoilt := bytes.Clone(c.leave(2, 2, nil).Frame)
	spoilt[len(spoilt)-1] ^= 1
	for _, tc := range []struct {
		name               string
		commit, viewChange []byte
		want               error
	}{
		{"shows the certificate", commit, c.leave(2, 2, nil, c.prepared(1, 3, a, 0, 1, 2)).Frame, ErrNoOmission},
		{"shows it among others", commit, c.leave(2, 2, nil, c.prepared(1, 2, b, 0, 1, 2), c.prepared(1, 3, a, 0, 1, 2), c.prepared(1, 4, b, 0, 1, 2)).Frame, ErrNoOmission},
		{"shows one of a later view for another batch", commit, c.leave(2, 4, nil, c.prepared(3, 3, b, 1, 2, 3)).Frame, ErrNoOmission},
		{"the slot is stable", commit, c.leave(2, 2, c.stable(4, a, 0, 1, 2)).Frame, ErrNoOmission},
		{"the slot is the stable one", c.vote(message.CommitKind, 2, 1, 4, a), c.leave(2, 2, c.stable(4, a, 0, 1, 2)).Frame, ErrNoOmission},
		{"COMMIT of the view itself", commit, c.leave(2, 1, nil).Frame, ErrNoOmission},
		{"COMMIT of a later view", c.vote(message.CommitKind, 2, 5, 3, a), c.leave(2, 2, nil).Frame, ErrNoOmission},
		{"another's VIEW-CHANGE", commit, c.leave(3, 2, nil).Frame, ErrNoOmission},
		{"a PREPARE obliges to nothing", c.vote(message.PrepareKind, 2, 1, 3, a), c.leave(2, 2, nil).Frame, consensus.ErrMalformed},
		{"neither does a PRE-PREPARE", c.vote(message.PrePrepareKind, 2, 2, 3, a), c.leave(2, 3, nil).Frame, consensus.ErrMalformed},
		{"nor a CHECKPOINT", c.vote(message.CheckpointKind, 2, 0, 2, a), c.leave(2, 3, nil).Frame, consensus.ErrMalformed},
		{"forged COMMIT", lies, c.leave(2, 2, nil).Frame, ErrSignature},
		{"forged VIEW-CHANGE", commit, spoilt, ErrSignature},
		{"turned around", c.leave(2, 2, nil).Frame, commit, consensus.ErrMalformed},
	} {
		fault, err := Verify(&c.Genesis, Omission{tc.commit, tc.viewChange}.Encode())
		if !errors.Is(err, tc.want) || fault != (Fault{}) {
			t.Errorf("%s: %v, %v; want %v", tc.name, fault, err, tc.want)
		}
	}
}

// Each rule for a VIEW-CHANGE or NEW-VIEW that its receivers know: breaking it
// convicts, and the same judged as right convicts nobody.
func TestUnfoundedFrames(t *testing.T) {
	c := newCluster(t)
	three := func(view consensus.View, of ...*message.Certificate) []*message.ViewChange {
		return []*message.ViewChange{c.leave(0, view, nil, of...), c.leave(1, view, nil), c.leave(2, view, nil)}
	}
	stable := c.stable(2, a, 0, 1, 2)
	ahead := []*message.ViewChange{c.leave(0, 5, stable), c.leave(1, 5, nil, c.prepared(0, 1, a, 0, 1, 2), c.prepared(0, 3, a, 0, 1, 2)), c.leave(2, 5, nil)}
	twice := []*message.ViewChange{c.leave(0, 5, nil, c.prepared(0, 1, a, 0, 1, 2)), c.leave(1, 5, nil, c.prepared(3, 1, b, 0, 1, 3)), c.leave(2, 5, nil)}
	tie := []*message.ViewChange{c.leave(0, 5, nil, c.prepared(0, 1, a, 0, 1, 2)), c.leave(1, 5, nil, c.prepared(0, 1, b, 0, 1, 3)), c.leave(2, 5, nil)}
	less, more := a, b
	if bytes.Compare(a[:], b[:]) > 0 {
		less, more = b, a
	}
	swapped := []*message.ViewChange{c.leave(1, 5, nil), c.leave(0, 5, nil), c.leave(2, 5, nil)}
	mixed := []*message.ViewChange{c.leave(0, 5, nil), c.leave(1, 5, nil), c.leave(2, 6, nil)}
	rotten := three(5, forge(c.prepared(0, 1, a, 0, 1, 2)))
	unsigned := three(5)
	unsigned[1] = &message.ViewChange{View: 5, Replica: 1, Frame: bytes.Clone(unsigned[1].Frame)}
	unsigned[1].Frame[len(unsigned[1].Frame)-1] ^= 1
	outside := c.prepared(1, 3, a, 0, 1, 2)
	outside.Signed[2].Replica = 9
	short := c.viewChange(2, 2, 0).Frame
	good := c.open(three(5, c.prepared(0, 1, a, 0, 1, 2)), 1, a)
	spoilt := bytes.Clone(good[:len(good)-crypto.SignatureSize])
	spoilt[len(spoilt)-1] ^= 1 // the last byte of its proposal's signature
	unsealed := c.seal(1, kindNewView, spoilt)
	for _, tc := range []struct {
		name  string
		frame []byte
		holds bool
	}{
		{"empty VIEW-CHANGE", c.leave(2, 2, nil).Frame, true},
		{"VIEW-CHANGE with everything", c.leave(2, 2, stable, c.prepared(0, 3, a, 0, 1, 2), c.prepared(1, 6, a, 1, 2, 3)).Frame, true},
		{"checkpoint with a forged vote", c.leave(2, 2, forge(stable)).Frame, false},
		{"checkpoint of a minority", c.leave(2, 2, c.stable(2, a, 0, 1)).Frame, false},
		{"checkpoint of more than a quorum", c.leave(2, 2, c.stable(2, a, 0, 1, 2, 3)).Frame, false},
		{"checkpoint with a vote twice", c.leave(2, 2, c.stable(2, a, 0, 1, 1)).Frame, false},
		{"checkpoint with a view", c.leave(2, 2, c.certificate(message.CheckpointCertificate, 1, 2, a, 0, 1, 2)).Frame, false},
		{"COMMITs for a checkpoint", c.leave(2, 2, c.committed(0, 2, a, 0, 1, 2)).Frame, false},
		{"checkpoint for another h", c.NewViewChange(c.signers[2], message.ViewChange{View: 2, Low: 4, Checkpoint: stable, Replica: 2}).Frame, false},
		{"certificate with an outsider", c.leave(2, 2, nil, outside).Frame, false},
		{"certificate out of order", c.leave(2, 2, nil, c.prepared(1, 3, a, 1, 0, 2)).Frame, false},
		{"certificate without the primary", c.leave(2, 2, nil, c.prepared(1, 3, a, 0, 2, 3)).Frame, false},
		{"certificate of COMMITs", c.leave(2, 2, nil, c.committed(1, 3, a, 0, 1, 2)).Frame, false},
		{"certificate of the view itself", c.leave(2, 2, nil, c.prepared(2, 3, a, 0, 1, 2)).Frame, false},
		{"certificate at h", c.leave(2, 2, stable, c.prepared(1, 2, a, 0, 1, 2)).Frame, false},
		{"certificate above the window", c.leave(2, 2, nil, c.prepared(1, 5, a, 0, 1, 2)).Frame, false},
		{"one slot twice", c.leave(2, 2, nil, c.prepared(0, 3, a, 0, 1, 2), c.prepared(1, 3, a, 0, 1, 2)).Frame, false},
		{"beyond all views", c.leave(2, 1<<62+1, nil).Frame, false},
		{"the last view", c.leave(2, 1<<62, nil).Frame, true},
		{"something behind it", c.seal(2, kindViewChange, append(short[:len(short)-signerSize-crypto.SignatureSize:len(short)-signerSize-crypto.SignatureSize], 0, 0, 2)), false},
		{"empty NEW-VIEW", c.open(three(5), 1), true},
		{"NEW-VIEW with a gap", c.open(three(5, c.prepared(0, 2, a, 0, 1, 2)), 1, consensus.NullDigest, a), true},
		{"a gap filled with a batch", c.open(three(5, c.prepared(0, 2, a, 0, 1, 2)), 1, a, a), false},
		{"what had prepared is missing", c.open(three(5, c.prepared(0, 1, a, 0, 1, 2)), 1), false},
		{"what had prepared is null", c.open(three(5, c.prepared(0, 1, a, 0, 1, 2)), 1, consensus.NullDigest), false},
		{"more than had prepared", c.open(three(5, c.prepared(0, 1, a, 0, 1, 2)), 1, a, b), false},
		{"proposals from another slot on", c.open(three(5, c.prepared(0, 1, a, 0, 1, 2)), 2, a), false},
		{"above the highest h", c.open(ahead, 3, a), true},
		{"from the lowest h", c.open(ahead, 1, a, consensus.NullDigest, a), false},
		{"the later view's batch", c.open(twice, 1, b), true},
		{"the earlier view's batch", c.open(twice, 1, a), false},
		{"the lesser batch of one view", c.open(tie, 1, less), true},
		{"the greater batch of one view", c.open(tie, 1, more), false},
		{"VIEW-CHANGEs out of order", c.open(swapped, 1), false},
		{"VIEW-CHANGEs for two views", c.open(mixed, 1), false},
		{"two VIEW-CHANGEs", c.open(three(5)[:2], 1), false},
		{"one VIEW-CHANGE twice", c.open([]*message.ViewChange{twice[2], twice[2], twice[2]}, 1), false},
		{"a proposal that is not signed", unsealed, false},
		{"beyond all views, too", c.open([]*message.ViewChange{c.leave(0, 1<<62+1, nil), c.leave(1, 1<<62+1, nil), c.leave(2, 1<<62+1, nil)}, 1), false},
		{"a rotten VIEW-CHANGE", c.open(rotten, 1, a), false},
		{"an unsigned VIEW-CHANGE", c.open(unsigned, 1), false},
	} {
		fault, err := Verify(&c.Genesis, Unfounded{tc.frame}.Encode())
		if tc.holds && !errors.Is(err, ErrFounded) || !tc.holds && err != nil {
			t.Errorf("%s: %v, %v; it holds: %v", tc.name, fault, err, tc.holds)
		}
		// The one way in for messages judges alike, by other code.
		o := c.Open(crypto.NewVerifier(nil), nil, []consensus.Frame{{From: consensus.ReplicaPeer(0), Bytes: tc.frame}})[0]
		if tc.holds && o.Event == nil || tc.frame[0] == kindViewChange && !tc.holds && o.Event != nil {
			t.Errorf("%s: Open says %q", tc.name, o.Reason)
		}
	}
	bare := Unfounded{c.vote(message.CommitKind, 1, 0, 3, a)}
	if _, err := Verify(&c.Genesis, bare.Encode()); !errors.Is(err, consensus.ErrMalformed) {
		t.Errorf("a vote: %v", err)
	}
}

// seal signs arbitrary bytes as a frame of views.
func (c *cluster) seal(id consensus.ReplicaID, kind byte, body []byte) []byte {
	sig := c.signers[id].Sign(crypto.Domain{Tag: kinds[kind].tag, Cluster: c.Cluster, Epoch: c.Genesis.Epoch}, body)
	return append(bytes.Clone(body), sig[:]...)
}

// A demonstration's quorum is the quorum here, too.
func TestQuorumIsTheGenesis(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := consensus.NewGenesis("test", "pbft", nil)
		for i := range rapid.IntRange(1, 20).Draw(t, "n") {
			g.Replicas = append(g.Replicas, crypto.PublicKey{byte(i + 1)})
		}
		if g.UnsafeDemo = rapid.Bool().Draw(t, "demo"); g.UnsafeDemo {
			g.Quorum = rapid.IntRange(0, len(g.Replicas)).Draw(t, "q")
			g.Faults = rapid.IntRange(0, len(g.Replicas)-1).Draw(t, "f")
		}
		rules, err := message.NewRules(g)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := Quorum(&g), rules.System.Quorum(); got != want {
			t.Fatalf("quorum %d, the protocol's is %d for %+v", got, want, rules.System)
		}
	})
}

// read understands what anybody signs, and nothing else.
func TestRead(t *testing.T) {
	c := newCluster(t)
	batch := &consensus.Batch{Stamp: 7}
	d := batch.Digest()
	vc := c.leave(2, 5, nil)
	for name, tc := range map[string]struct {
		frame  []byte
		said   string
		want   Place
		digest crypto.Digest
	}{
		"proposal":   {c.proposal(1, 5, 3, batch), "PRE-PREPARE", Place{Kind: 0x10, View: 5, Seq: 3, Signer: 1}, d},
		"prepare":    {c.vote(message.PrepareKind, 2, 5, 3, a), "PREPARE", Place{Kind: 0x11, View: 5, Seq: 3, Signer: 2}, a},
		"checkpoint": {c.vote(message.CheckpointKind, 3, 0, 4, b), "CHECKPOINT", Place{Kind: 0x13, View: 0, Seq: 4, Signer: 3}, b},
		"leave":      {vc.Frame, "VIEW-CHANGE", Place{Kind: 0x14, View: 5, Seq: 0, Signer: 2}, crypto.Hash(vc.Frame[:len(vc.Frame)-crypto.SignatureSize])},
	} {
		got, err := Read(&c.Genesis, essence(tc.frame))
		if err != nil || got.Place != tc.want || got.Digest != tc.digest || kinds[got.Kind].name != tc.said {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, frame := range [][]byte{nil, {1}, (&message.Rejoin{}).Encode(), binary.BigEndian.AppendUint64([]byte{kindFetchReply}, 7)} {
		if got, err := Read(&c.Genesis, essence(frame)); !errors.Is(err, consensus.ErrMalformed) {
			t.Errorf("%x: %+v, %v", frame, got, err)
		}
	}
}
