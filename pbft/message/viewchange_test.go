package message

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// PROTOCOL.md §6: a VIEW-CHANGE is checked whole before it counts, so that an
// invalid one never shadows a valid one [B16], and in a NEW-VIEW likewise.
func TestViewChangesAreCheckedWhole(t *testing.T) {
	c := newCluster(t, 4)
	cert := func(view consensus.View, seq consensus.Seq) *Certificate {
		return c.certificate(PreparedCertificate, view, seq, digestD)
	}
	edit := func(f func(*ViewChange)) *ViewChange {
		vc := *c.viewChange(3, 5, 2, cert(4, 3), cert(0, 6))
		f(&vc)
		return c.NewViewChange(c.replicas[vc.Replica%4], vc)
	}
	for _, tc := range []struct {
		name string
		vc   *ViewChange
		want consensus.Reason
	}{
		{"true", edit(func(*ViewChange) {}), ""},
		{"for view 0", edit(func(vc *ViewChange) { vc.View, vc.Prepared = 0, nil }), ReasonMalformed},
		{"an entry of its own view", edit(func(vc *ViewChange) { vc.Prepared[0] = cert(5, 3) }), ReasonMalformed},
		{"an entry of a later view", edit(func(vc *ViewChange) { vc.Prepared[0] = cert(6, 3) }), ReasonMalformed},
		{"an entry at h", edit(func(vc *ViewChange) { vc.Prepared[0] = cert(4, 2) }), ReasonMalformed},
		{"an entry above h+L", edit(func(vc *ViewChange) { vc.Prepared[1] = cert(4, 7) }), ReasonMalformed},
		{"two entries for a slot", edit(func(vc *ViewChange) { vc.Prepared[1] = cert(3, 3) }), ReasonMalformed},
		{"entries descending", edit(func(vc *ViewChange) { vc.Prepared = []*Certificate{cert(0, 6), cert(4, 3)} }), ReasonMalformed},
		{"h above what is proven", edit(func(vc *ViewChange) { vc.Low, vc.Prepared = 4, nil }), ReasonMalformed},
		{"h below what is proven", edit(func(vc *ViewChange) { vc.Low, vc.Prepared = 1, nil }), ReasonMalformed},
		{"h without proof", edit(func(vc *ViewChange) { vc.Checkpoint = nil }), ReasonMalformed},
		{"a proof of nothing", edit(func(vc *ViewChange) { vc.Low, vc.Prepared = 0, nil }), ReasonMalformed},
		{"an outsider", edit(func(vc *ViewChange) { vc.Replica = 4 }), ReasonNotMember},
		{"an invented entry", edit(func(vc *ViewChange) {
			lie := *vc.Prepared[0]
			lie.Digest = crypto.Hash([]byte("lie"))
			vc.Prepared[0] = &lie
		}), ReasonSignature},
		{"an invented checkpoint", edit(func(vc *ViewChange) {
			lie := *vc.Checkpoint
			lie.Digest = crypto.Hash([]byte("lie"))
			vc.Checkpoint = &lie
		}), ReasonSignature},
	} {
		if o := c.open(3, tc.vc.Frame); o.Reason != tc.want || (o.Event != nil) != (tc.want == "") {
			t.Errorf("%s: reason %q, event %v; want %q", tc.name, o.Reason, o.Event, tc.want)
		}
		nv := c.newView(5, []*ViewChange{c.viewChange(0, 5, 0), c.viewChange(1, 5, 0), tc.vc})
		if o := c.open(1, nv.Frame); o.Reason == "" != (tc.want == "") {
			t.Errorf("%s, inside a NEW-VIEW: reason %q", tc.name, o.Reason)
		}
	}
	stolen := c.NewViewChange(c.replicas[2], *c.viewChange(3, 5, 0))
	if o := c.open(2, stolen.Frame); o.Reason != ReasonSignature {
		t.Errorf("signed by 2 in the name of 3: %q", o.Reason)
	}
}

// PROTOCOL.md §6: V is q VIEW-CHANGEs for the view from distinct replicas, and
// only its primary's word opens it.
func TestNewViewsAreCheckedWhole(t *testing.T) {
	c := newCluster(t, 4)
	vc := func(id consensus.ReplicaID) *ViewChange { return c.viewChange(id, 5, 0) }
	three := []*ViewChange{vc(0), vc(1), vc(2)}
	slot := func(n consensus.Seq) Vote { return Vote{Seq: n, Digest: digestD} }
	byBackup := NewView{View: 5, ViewChanges: three}
	forgedO := *c.newView(5, three, slot(1))
	forgedO.Proposals[0].Digest[0] ^= 1
	for _, tc := range []struct {
		name string
		nv   *NewView
		want consensus.Reason
	}{
		{"true", c.newView(5, three, slot(1), slot(2)), ""},
		{"view 0", c.newView(0, three), ReasonMalformed},
		{"one VIEW-CHANGE too few", c.newView(5, three[:2]), ReasonNoQuorum},
		{"one too many", c.newView(5, []*ViewChange{vc(0), vc(1), vc(2), vc(3)}), ReasonNoQuorum},
		{"one twice", c.newView(5, []*ViewChange{vc(0), vc(1), vc(1)}), ReasonNoQuorum},
		{"not ascending", c.newView(5, []*ViewChange{vc(0), vc(2), vc(1)}), ReasonNoQuorum},
		{"one for another view", c.newView(5, []*ViewChange{vc(0), vc(1), c.viewChange(2, 6, 0)}), ReasonNoQuorum},
		{"a gap in O", c.newView(5, three, slot(1), slot(3)), ReasonMalformed},
		{"O with slot 0", c.newView(5, three, slot(0), slot(1)), ReasonMalformed},
		{"signed by a backup", c.NewNewView(c.replicas[2], byBackup), ReasonSignature},
		{"a forged proposal", c.NewNewView(c.replicas[1], forgedO), ReasonSignature},
	} {
		if o := c.open(1, tc.nv.Frame); o.Reason != tc.want || (o.Event != nil) != (tc.want == "") {
			t.Errorf("%s: reason %q, event %v; want %q", tc.name, o.Reason, o.Event, tc.want)
		}
	}
}
