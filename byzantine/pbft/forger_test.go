package pbft

import (
	"errors"
	"slices"
	"testing"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// forgers makes the forger of replica 1, alone and with a coalition.
func forgers(t *testing.T, l *lab, coalition ...byzantine.Member) *forger {
	t.Helper()
	f, err := newForger(&byzantine.Env{Genesis: l.Genesis, Self: 1, Signer: l.Keys[1], Coalition: coalition})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What a forger signs verifies as its own and its coalition's, and as nobody else's.
func TestForgerHasNoOtherKey(t *testing.T) {
	l := newLab(t, 4, nil)
	for _, coalition := range [][]byzantine.Member{nil, {{Replica: 3, Signer: l.Keys[3]}}, {{Replica: 1, Signer: l.Keys[1]}, {Replica: 2, Signer: l.Keys[2]}}} {
		f := forgers(t, l, coalition...)
		for id := range consensus.ReplicaID(4) {
			want := id == 1 || slices.ContainsFunc(coalition, func(m byzantine.Member) bool { return m.Replica == id })
			if f.holds(id) != want {
				t.Errorf("coalition %v: holds the key of %d: %v", coalition, id, f.holds(id))
			}
			for name, frame := range wordsOf(f, id) {
				o := l.rules.Open(l.Verify, nil, []consensus.Frame{{From: consensus.ReplicaPeer(1), Bytes: frame}})[0]
				if opened := o.Event != nil; opened != want {
					t.Errorf("%s in the name of %d: opened %v (%s)", name, id, opened, o.Reason)
				}
				if !want && o.Reason != message.ReasonSignature {
					t.Errorf("%s in the name of %d: %q", name, id, o.Reason)
				}
			}
		}
	}
}

// wordsOf is one frame of each kind that is signed, in the name of id.
func wordsOf(f *forger, id consensus.ReplicaID) map[string][]byte {
	b := &consensus.Batch{Stamp: 1}
	view := consensus.View(id)
	words := map[string][]byte{"PRE-PREPARE": f.proposal(view, 1, b).Frame, "VIEW-CHANGE": f.leave(9, id, nil).Frame}
	for _, k := range []message.Kind{message.PrepareKind, message.CommitKind, message.CheckpointKind} {
		v := message.Vote{Kind: k, View: view + 1, Seq: 2, Digest: b.Digest(), Replica: id}
		if k == message.CheckpointKind {
			v.View = 0
		}
		w := f.vote(v)
		words[k.String()] = w.Encode()
	}
	return words
}

// A NEW-VIEW and certificates count as much as the keys under them.
func TestForgedCertificates(t *testing.T) {
	l := newLab(t, 4, nil)
	alone, coalition := forgers(t, l), forgers(t, l, byzantine.Member{Replica: 0, Signer: l.Keys[0]}, byzantine.Member{Replica: 2, Signer: l.Keys[2]})
	d := crypto.Hash([]byte("batch"))
	for _, k := range []message.CertificateKind{message.PreparedCertificate, message.CommittedCertificate, message.CheckpointCertificate} {
		for f, want := range map[*forger]bool{alone: false, coalition: true} {
			c := f.certificate(k, 0, 2, d, 0, 1, 2)
			if _, err := l.rules.OpenCertificate(l.Verify, c.Encode(), k); (err == nil) != want {
				t.Errorf("kind %d, coalition of %d: %v", k, len(f.coalition()), err)
			}
		}
	}
	vcs := []*message.ViewChange{coalition.leave(1, 0, nil), coalition.leave(1, 1, nil), coalition.leave(1, 2, nil)}
	frame := coalition.newView(1, vcs, 1, nil).Frame
	if o := l.rules.Open(l.Verify, nil, []consensus.Frame{{From: consensus.ReplicaPeer(1), Bytes: frame}})[0]; o.Event == nil {
		t.Error(o.Reason)
	}
}

func TestForgerRefusesOtherKeys(t *testing.T) {
	l := newLab(t, 4, nil)
	for name, e := range map[string]byzantine.Env{
		"another's":  {Genesis: l.Genesis, Self: 1, Signer: l.Keys[2]},
		"none":       {Genesis: l.Genesis, Self: 1},
		"a member's": {Genesis: l.Genesis, Self: 1, Signer: l.Keys[1], Coalition: []byzantine.Member{{Replica: 2, Signer: l.Keys[3]}}},
		"nobody's":   {Genesis: l.Genesis, Self: 1, Signer: l.Keys[1], Coalition: []byzantine.Member{{Replica: 4, Signer: l.Keys[3]}}},
	} {
		if _, err := newForger(&e); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := e.Plan(byzantine.Spec{Profile: all.Lookup("equivocate")}); !errors.Is(err, ErrKey) {
			t.Errorf("%s: plan: %v", name, err)
		}
	}
}

// The halves of the honest are what all of a coalition reckon alike, and either one
// with f+1 traitors is a quorum.
func TestHalves(t *testing.T) {
	for _, g := range groups {
		l := newLab(t, g.n, nil)
		var members []byzantine.Member
		for _, i := range g.members {
			members = append(members, byzantine.Member{Replica: consensus.ReplicaID(i), Signer: l.Keys[i]})
		}
		for _, m := range members {
			e := byzantine.Env{Genesis: l.Genesis, Self: m.Replica, Signer: m.Signer, Coalition: members}
			f, err := newForger(&e)
			if err != nil {
				t.Fatal(err)
			}
			other := newSeen(&e, f, "test").otherHalf()
			q := l.rules.System.Quorum()
			if len(members)+len(other) != q || len(f.honest())-len(other)+len(members) != q {
				t.Errorf("%v: honest %v, other half %v, quorum %d", g, f.honest(), other, q)
			}
		}
	}
}
