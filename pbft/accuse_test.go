package pbft

import (
	"encoding/binary"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/pbft/message"
)

// counter is an authority over signatures that counts what it is asked.
type counter struct {
	crypto.Verifier
	claims int
}

func (c *counter) Verify(claims []crypto.Claim) []bool {
	c.claims += len(claims)
	return c.Verifier.Verify(claims)
}

// accuser is replica 1 of four, with its verifier in sight. Replica 3 lies.
type accuser struct {
	*replica
	rules *message.Rules
	liar  crypto.Signer
	asked *counter
	notes []consensus.Note
}

func newAccuser(tb testing.TB) *accuser {
	tb.Helper()
	var keys []crypto.PublicKey
	var signers []crypto.Signer
	for i := range byte(4) {
		signers = append(signers, crypto.NewSigner([32]byte{i + 1}))
		keys = append(keys, signers[i].Public())
	}
	g := consensus.NewGenesis("accuser", "any", keys)
	a := &accuser{asked: &counter{Verifier: crypto.NewVerifier(nil, keys...)}, liar: signers[3]}
	p, err := New(DefaultConfig(g, 1, signers[1], a.asked))
	if err != nil {
		tb.Fatal(err)
	}
	e, err := p.New(consensus.Recovered{})
	if err != nil {
		tb.Fatal(err)
	}
	a.replica, a.rules = e.(*replica), p.rules
	return a
}

// hears lets the engine have what came through the door.
func (a *accuser) hears(m any) {
	out := a.Step(consensus.Burst{Events: []consensus.Event{consensus.Receive{From: consensus.ReplicaPeer(3), Message: m}}})
	a.notes = append(a.notes, out.Notes...)
}

// vote is one of the liar's for a content of its own.
func (a *accuser) vote(k message.Kind, n consensus.Seq, content uint64) *message.Vote {
	v := a.rules.SignVote(a.liar, message.Vote{Kind: k, Seq: n, Digest: crypto.Hash(binary.BigEndian.AppendUint64(nil, content)), Replica: 3})
	return &v
}

// ways are how a vote comes to the engine, and how often one that contradicts an
// earlier one is verified, both counted, before the two are judged.
var ways = []struct {
	name     string
	message  func(*message.Vote) any
	verified int
}{
	{"passed on", func(v *message.Vote) any { return v }, 0},
	{"by its author's channel", func(v *message.Vote) any { return &message.Said{Vote: *v} }, 2},
}

// BenchmarkContradictions is what one more contradictory vote costs the engine
// whose signer has been convicted long ago.
func BenchmarkContradictions(b *testing.B) {
	for _, way := range ways {
		for _, bc := range []struct {
			name  string
			slots uint64
		}{{"one slot", 1}, {"every slot", 100}} {
			b.Run(way.name+"/"+bc.name, func(b *testing.B) {
				a := newAccuser(b)
				var votes []any
				for i := range uint64(1000) {
					votes = append(votes, way.message(a.vote(message.PrepareKind, consensus.Seq(i%bc.slots+1), i)))
				}
				for _, m := range votes {
					a.hears(m)
				}
				a.notes, a.asked.claims = nil, 0
				for i := 0; b.Loop(); i++ {
					a.hears(votes[bc.slots+uint64(i)%(1000-bc.slots)])
					a.notes = a.notes[:0]
				}
				b.ReportMetric(float64(a.asked.claims)/float64(b.N), "verifications/op")
			})
		}
	}
}

// A signer that contradicts itself for ever is judged maxProofs times, whether
// it does so in one place or in all of them, and whichever way its votes come: the
// engine verifies nothing more.
func TestContradictionsAreJudgedWithinTheRoom(t *testing.T) {
	for _, tc := range []struct {
		name   string
		slots  uint64
		proofs int
	}{{"one slot", 1, 1}, {"a few slots", 5, 5}, {"every slot", 100, maxProofs}} {
		for _, way := range ways {
			a := newAccuser(t)
			for i := range uint64(1000) {
				a.hears(way.message(a.vote(message.PrepareKind, consensus.Seq(i%tc.slots+1), i)))
			}
			proofs := 0
			for _, n := range a.notes {
				if n.Kind == consensus.EvidenceNote && n.Replica == 3 {
					proofs++
				}
			}
			if want := tc.proofs * (2 + way.verified); proofs != tc.proofs || a.asked.claims != want {
				t.Errorf("%s, %s: %d proofs and %d verifications, want %d and %d", tc.name, way.name, proofs, a.asked.claims, tc.proofs, want)
			}
		}
	}
}

// What is signed badly is verified once for its author, and not for each place, also
// where it contradicts what was signed well.
func TestBadContradictionsAreVerifiedOnce(t *testing.T) {
	a := newAccuser(t)
	for n := range consensus.Seq(100) {
		a.hears(&message.Said{Vote: *a.vote(message.CommitKind, n+1, 0)})
		bad := *a.vote(message.CommitKind, n+1, 1)
		bad.Sig[0] ^= 1
		a.hears(&message.Said{Vote: bad})
	}
	if a.asked.claims != 1 {
		t.Errorf("%d verifications, want one", a.asked.claims)
	}
}

// The room is that of each signer, and of what comes after a signer's first
// proof: megabytes of VIEW-CHANGEs fill it sooner than votes.
func TestRoomForProofs(t *testing.T) {
	place := func(signer consensus.ReplicaID, n consensus.Seq) evidence.Place {
		return evidence.Place{Kind: byte(message.PrepareKind), Seq: n, Signer: signer}
	}
	room := accusations{signers: make([]accused, 4)}
	for n := range consensus.Seq(maxProofs) {
		for _, want := range []bool{true, false} {
			if got := room.admit(place(3, n+1), 200); got != want {
				t.Errorf("place %d: admitted %v, want %v", n+1, got, want)
			}
		}
	}
	if room.admit(place(3, maxProofs+1), 200) {
		t.Error("one place too many is judged")
	}
	for _, step := range []struct {
		n    consensus.Seq
		size int
		want bool
	}{{1, evidence.MaxSize + 1, false}, {1, evidence.MaxSize, true}, {2, evidence.MaxSize + 1, false}, {2, evidence.MaxSize - 10, true}, {3, 11, false}, {3, 10, true}, {4, 1, false}} {
		if got := room.admit(place(2, step.n), step.size); got != step.want {
			t.Errorf("place %d of %d bytes: admitted %v, want %v", step.n, step.size, got, step.want)
		}
	}
	if !room.admit(place(0, 1), 200) {
		t.Error("others have no room left")
	}
}
