package message

import (
	"testing"

	"quorate.dev/quorate/consensus"
)

// Rules that no test defended until bugs were seeded against them (package
// internal/mutation).

// PROTOCOL.md §2: the signer is what the signature proves, whoever hands the
// frame over [B3]: a liar's own channel does not make its signature another's,
// and an honest relay does not make it false.
func TestChannelDoesNotMakeTheSigner(t *testing.T) {
	c := newCluster(t, 4)
	for _, kind := range []Kind{PrepareKind, CommitKind, CheckpointKind} {
		v := Vote{Kind: kind, Seq: 2, Digest: digestD, Replica: 1}
		for from := range consensus.ReplicaID(4) {
			if o := c.open(from, encoded(c.SignVote(c.replicas[1], v))); o.Event == nil {
				t.Errorf("%s of replica 1 from replica %d: %q", kind, from, o.Reason)
			}
			if o := c.open(from, encoded(c.SignVote(c.replicas[2], v))); o.Reason != ReasonSignature {
				t.Errorf("%s in the name of 1, signed by 2, from replica %d: %q", kind, from, o.Reason)
			}
		}
	}
}

// §6: a NEW-VIEW's primary cannot put words into anybody's mouth: each
// VIEW-CHANGE in it, and each certificate in those, is verified [B19].
func TestNewViewHoldsOnlyTrueViewChanges(t *testing.T) {
	c := newCluster(t, 4)
	p := c.certificate(PreparedCertificate, 0, 1, digestD)
	forgedP := *p
	forgedP.Digest[0] ^= 1
	stolen := func(cert *Certificate) *ViewChange {
		vc := ViewChange{View: 5, Replica: 3}
		if cert != nil {
			vc.Prepared = []*Certificate{cert}
		}
		return c.NewViewChange(c.replicas[1], vc) // signed by the primary of view 5
	}
	for _, tc := range []struct {
		name string
		vc   *ViewChange
		want consensus.Reason
	}{
		{"true", c.viewChange(3, 5, 0, p), ""},
		{"signed by the primary in the name of 3", stolen(nil), ReasonSignature},
		{"... with a true certificate", stolen(p), ReasonSignature},
		{"with an invented certificate", c.viewChange(3, 5, 0, &forgedP), ReasonSignature},
	} {
		nv := c.newView(5, []*ViewChange{c.viewChange(0, 5, 0), c.viewChange(1, 5, 0), tc.vc})
		if o := c.open(1, nv.Frame); o.Reason != tc.want || (o.Event != nil) != (tc.want == "") {
			t.Errorf("%s: reason %q, want %q", tc.name, o.Reason, tc.want)
		}
	}
}

// §2: nobody goes for a view beyond MaxView: what is added to a view there would
// overflow.
func TestViewsHaveAnEnd(t *testing.T) {
	c := newCluster(t, 4)
	for view, want := range map[consensus.View]consensus.Reason{MaxView: "", MaxView + 1: ReasonMalformed, 1<<64 - 1: ReasonMalformed} {
		if o := c.open(1, c.viewChange(1, view, 0).Frame); o.Reason != want {
			t.Errorf("VIEW-CHANGE for %d: %q, want %q", view, o.Reason, want)
		}
		nv := c.newView(view, []*ViewChange{c.viewChange(0, view, 0), c.viewChange(1, view, 0), c.viewChange(2, view, 0)})
		if o := c.open(1, nv.Frame); o.Reason != want {
			t.Errorf("NEW-VIEW for %d: %q, want %q", view, o.Reason, want)
		}
	}
}
