package viewchange

import (
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// FuzzNewView builds VIEW-CHANGEs and a NEW-VIEW of what the bytes say, signed
// by the right keys, and passes them through the door and through Accept. A
// VIEW-CHANGE is opened exactly if all in it is true and in its place; a
// NEW-VIEW is accepted exactly if its V is q of those for its view, and its O
// is what the oracle computes from them.
func FuzzNewView(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 1, 2, 1, 1, 0, 0, 2, 0, 1, 1, 2, 1, 0})
	f.Add([]byte("\x02 three replicas, some slots, and a liar among them \x00\x01\x02"))
	c := newCluster(f, 4)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 400 {
			return
		}
		d := &dough{cluster: c, bytes: data}
		d.view = consensus.View(1 + d.below(5))
		var given vcs
		for id := range consensus.ReplicaID(4) {
			if d.below(8) == 0 {
				continue
			}
			vc, sound := d.bake(id)
			got := d.open(vc.Frame)
			if (got != nil) != sound {
				t.Fatalf("VIEW-CHANGE, true is %v, opened is %v: %s", sound, got != nil, c.Describe(vc.Frame))
			}
			given = append(given, vc)
			if !sound {
				d.untrue = append(d.untrue, vc)
			}
		}
		d.judge(t, given)
	})
}

// dough is what bytes are made into.
type dough struct {
	*cluster
	bytes  []byte
	view   consensus.View
	untrue vcs
}

func (d *dough) below(n int) int {
	if len(d.bytes) == 0 {
		return n - 1
	}
	b := d.bytes[0]
	d.bytes = d.bytes[1:]
	return int(b) % n
}

// open passes a frame through the door; nil if it is refused.
func (d *dough) open(frame []byte) any {
	o := d.Open(d.verifier, nil, []consensus.Frame{{From: consensus.ReplicaPeer(0), Bytes: frame}})[0]
	if o.Event == nil {
		return nil
	}
	return o.Event.(consensus.Receive).Message
}

// bake makes a VIEW-CHANGE and says whether an honest replica could have.
func (d *dough) bake(id consensus.ReplicaID) (*message.ViewChange, bool) {
	low := consensus.Seq(2 * d.below(3))
	vc := message.ViewChange{View: d.view, Low: low, Checkpoint: d.stable(low), Replica: id}
	sound := true
	if vc.Checkpoint != nil && d.below(12) == 0 {
		sound = d.spoil(vc.Checkpoint)
	}
	last := low
	for range d.below(4) {
		n := low + consensus.Seq(d.below(6))
		view := consensus.View(d.below(5))
		cert := d.prepared(view, n+1, []crypto.Digest{a, b, consensus.NullDigest}[d.below(3)])
		if d.below(12) == 0 {
			sound = d.spoil(cert) && sound
		}
		sound = sound && n+1 > last && n+1-low <= d.Genesis.Window && view < d.view
		last = n + 1
		vc.Prepared = append(vc.Prepared, cert)
	}
	signer := d.signers[id]
	if d.below(16) == 0 {
		signer, sound = d.signers[(id+1)%4], false
	}
	return d.NewViewChange(signer, vc), sound
}

// spoil makes a certificate untrue in one of several ways. It answers false.
func (d *dough) spoil(c cert) bool {
	switch d.below(6) {
	case 0:
		c.Signed[d.below(len(c.Signed))].Sig[d.below(crypto.SignatureSize)] ^= 1
	case 1:
		c.Signed = c.Signed[:len(c.Signed)-1]
	case 2:
		c.Signed[1] = c.Signed[0]
	case 3:
		c.Digest[0] ^= 1
	case 4:
		c.View++
	case 5:
		c.Signed[len(c.Signed)-1].Replica = 4
	}
	return false
}

// judge makes a NEW-VIEW of what there is, true or not, and compares what a
// backup makes of it with the oracle.
func (d *dough) judge(t *testing.T, given vcs) {
	if d.below(3) > 0 && len(given) > d.System.Quorum() {
		given = given[:d.System.Quorum()]
	}
	sound := len(given) == d.System.Quorum() && !slices.ContainsFunc(given, func(vc *message.ViewChange) bool { return slices.Contains(d.untrue, vc) })
	low, want := oracle(given)
	if len(want) > 2*int(d.Genesis.Window) {
		return // of lies only: O would not fit what a decoder takes
	}
	primary := d.System.Primary(d.view)
	nv := message.NewView{View: d.view, ViewChanges: given}
	lie := d.below(6)
	for i, digest := range want {
		n := low + consensus.Seq(i) + 1
		if lie == 0 && i == len(want)-1 {
			digest, sound = crypto.Hash(digest[:]), false
		}
		nv.Proposals = append(nv.Proposals, d.SignVote(d.signers[primary], message.Vote{
			Kind: message.PrePrepareKind, View: d.view, Seq: n, Digest: digest, Replica: primary,
		}))
	}
	if lie == 1 && len(want) > 0 {
		nv.Proposals, sound = slices.Delete(nv.Proposals, 0, 1), false
	}
	frame := d.NewNewView(d.signers[primary], nv).Frame
	opened, _ := d.open(frame).(*message.NewView)
	if opened == nil {
		if sound {
			t.Fatalf("a true NEW-VIEW is not opened: %s", d.Describe(frame))
		}
		return
	}
	_, err := d.changer((primary + 1) % 4).Accept(opened)
	if (err == nil) != sound {
		t.Fatalf("NEW-VIEW, true is %v, accepted is %v (%v): %s", sound, err == nil, err, d.Describe(frame))
	}
}
