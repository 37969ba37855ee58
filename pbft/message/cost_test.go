package message

import (
	"encoding/binary"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// liar is replica 3 of four, which can say anything in its own name.
type liar struct {
	*Rules
	keys []crypto.Signer
}

func newLiar(tb testing.TB, signer func(i int) crypto.Signer) *liar {
	tb.Helper()
	l := &liar{}
	g := consensus.NewGenesis("liar", "any", nil)
	for i := range 4 {
		l.keys = append(l.keys, signer(i))
		g.Replicas = append(g.Replicas, l.keys[i].Public())
	}
	g.Clients = append(g.Clients, consensus.ClientEntry{Key: l.keys[0].Public(), Role: consensus.RoleWriter})
	var err error
	if l.Rules, err = NewRules(g); err != nil {
		tb.Fatal(err)
	}
	return l
}

// junk is a signature that nobody has made.
func junk(n uint64) (s crypto.Signature) {
	binary.BigEndian.PutUint64(s[:], n)
	return s
}

// viewChange shows as many certificates as there is room for, of which those from
// one on are made up; the seal is the liar's own, or made up, too.
func (l *liar) viewChange(view consensus.View, from int, sealed bool) []byte {
	vc := ViewChange{View: view, Replica: 3}
	for i := range l.Genesis.Window {
		d := crypto.Hash(binary.BigEndian.AppendUint64(nil, uint64(i)))
		c := &Certificate{Kind: PreparedCertificate, Seq: i + 1, Digest: d}
		for id := range consensus.ReplicaID(3) {
			sig := junk(uint64(view)<<32 | uint64(i)<<8 | uint64(id))
			if int(i) < from {
				sig = l.SignVote(l.keys[id], Vote{Kind: l.voteKind(c, id), Seq: c.Seq, Digest: d, Replica: id}).Sig
			}
			c.Signed = append(c.Signed, Signed{Replica: id, Sig: sig})
		}
		vc.Prepared = append(vc.Prepared, c)
	}
	frame := l.NewViewChange(l.keys[3], vc).Frame
	if !sealed {
		frame[len(frame)-1] ^= 1
	}
	return frame
}

// BenchmarkViewChange is what it costs to let in, or to refuse, the largest
// VIEW-CHANGE of four replicas.
func BenchmarkViewChange(b *testing.B) {
	l := newLiar(b, func(i int) crypto.Signer { return crypto.NewSigner([32]byte{byte(i + 1)}) })
	for name, frame := range map[string][]byte{
		"true": l.viewChange(1, 1<<20, true), "made up": l.viewChange(2, 0, true), "unsealed": l.viewChange(3, 0, false),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				l.Open(crypto.NewVerifier(nil, l.Genesis.Replicas...), nil, []consensus.Frame{{From: consensus.ReplicaPeer(3), Bytes: frame}})
			}
		})
	}
}

// What is made up is not verified through: a seal that does not hold costs one
// verification, whatever stands behind it, and made-up certificates cost a few,
// or four times as many as there are true ones before them.
func TestJunkIsNotVerifiedThrough(t *testing.T) {
	ring := crypto.NewKeyring()
	l := newLiar(t, func(i int) crypto.Signer { return crypto.NewSimSigner(ring, seed(i)) })
	requests := func(sealed bool) []byte {
		b := &consensus.Batch{Stamp: 1}
		for i := range uint64(200) {
			r := consensus.SignRequest(l.keys[0], l.Cluster, consensus.Sequence{Epoch: 1, Counter: i + 1}, [][]byte{{1}})
			raw := r.Raw
			raw[len(raw)-1] ^= 1
			forged, err := consensus.DecodeRequest(raw)
			if err != nil {
				t.Fatal(err)
			}
			b.Requests = append(b.Requests, forged)
		}
		frame := l.NewPrePrepare(l.keys[0], Vote{Seq: 1, Digest: b.Digest()}, b).Frame
		if !sealed {
			frame[VoteSize-1] ^= 1
		}
		return frame
	}
	all := 1 + 3*int(l.Genesis.Window)
	for _, tc := range []struct {
		name  string
		frame []byte
		want  consensus.Reason
		most  int
	}{
		{"a true VIEW-CHANGE", l.viewChange(1, 1<<20, true), "", all},
		{"one that is not sealed", l.viewChange(2, 1<<20, false), ReasonSignature, 1},
		{"one that is made up", l.viewChange(3, 0, true), ReasonSignature, 17},
		{"one with ten true certificates", l.viewChange(4, 10, true), ReasonSignature, 4*31 + 1},
		{"an unsigned PRE-PREPARE", requests(false), ReasonSignature, 1},
		{"one of forged requests", requests(true), ReasonOtherBatch, 17},
	} {
		v := &counting{Verifier: crypto.NewSimVerifier(ring)}
		o := l.Open(v, nil, []consensus.Frame{{From: consensus.ReplicaPeer(3), Bytes: tc.frame}})[0]
		if o.Reason != tc.want || v.claims > tc.most || tc.want == "" && v.claims != all {
			t.Errorf("%s: %q after %d verifications of %d, want at most %d", tc.name, o.Reason, v.claims, all, tc.most)
		}
	}
}
