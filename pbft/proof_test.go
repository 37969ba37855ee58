package pbft

import (
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// counting is a verifier that counts the votes for a slot, and in how many calls.
type counting struct {
	crypto.Verifier
	votes, calls int
}

func (c *counting) Verify(claims []crypto.Claim) []bool {
	c.calls++
	for i := range claims {
		if tag := claims[i].Domain.Tag; !strings.HasSuffix(tag, "/request") && !strings.HasSuffix(tag, "/checkpoint") {
			c.votes++
		}
	}
	return c.Verifier.Verify(claims)
}

// metered makes all replicas of a lab verify by c, at the door and behind it.
func metered(l *lab) *counting {
	c := &counting{Verifier: l.Verify}
	l.Verify = c
	for i := range l.Replicas {
		l.Start(i, false)
	}
	return c
}

// §2: of a decision each replica verifies what completes its two quorums, and
// each of them as one batch: q-1 COMMITs beside its own, and q-1 of the
// PRE-PREPARE and the PREPAREs.
func TestSignaturesOfADecision(t *testing.T) {
	for _, n := range []int{4, 5, 7, 10} {
		l := newLab(t, n)
		v := metered(l)
		for range 3 {
			q := l.Request()
			l.Submit(q, 0)
			v.votes, v.calls = 0, 0
			l.Deliver(func(f frame) bool { return f.Bytes[0] != consensus.KindRequest })
			q1 := quorum.Byzantine.System(n).Quorum() - 1
			if got, want := v.votes, 2*n*q1; got != want {
				t.Errorf("n = %d: %d signatures checked, want %d", n, got, want)
			}
		}
		l.WantExecuted(3, l.All()...)
	}
}

// spoiled signs a vote badly.
func (l *lab) spoiled(i int, k message.Kind, n consensus.Seq, d crypto.Digest) []byte {
	frame := l.vote(i, k, 0, n, d)
	frame[message.VoteSize-1] ^= 1
	return frame
}

// §2: a bad signature among those that complete a quorum is charged to its
// author, who spoils one batch and no second one. The others' votes count, each
// verified once, and the next one takes its place.
func TestBadSignatureSpoilsOneBatch(t *testing.T) {
	l := newLab(t, 7) // q = 5
	v := metered(l)
	d := l.Replicas[1]
	pp := l.propose(0, 1, l.Now, l.Request())
	l.Give(1, consensus.ReplicaPeer(0), pp.Frame)
	give := func(i int, frame []byte) consensus.Reason {
		v.votes, v.calls = 0, 0
		return l.Give(1, consensus.ReplicaPeer(consensus.ReplicaID(i)), frame)
	}
	prepare := func(i int) []byte { return l.vote(i, message.PrepareKind, 0, 1, pp.Digest) }
	give(2, prepare(2))
	give(6, l.spoiled(6, message.CommitKind, 1, pp.Digest))
	if give(3, prepare(3)); v.votes != 0 {
		t.Fatalf("%d signatures checked before there are enough", v.votes)
	}
	// With its own PREPARE and R6's that makes q-1.
	if why := give(6, l.spoiled(6, message.PrepareKind, 1, pp.Digest)); why != message.ReasonSignature || v.calls != 1 || v.votes != 3 {
		t.Fatalf("the bad one: reason %q, %d signatures checked in %d batches", why, v.votes, v.calls)
	}
	s := d.Engine.log.slots[1]
	if s.preparedIn(0) || s.prepares.votes[6] != nil || s.commits.votes[6] != nil {
		t.Fatal("a bad signature counts")
	}
	if give(4, prepare(4)); !s.preparedIn(0) || v.votes != 1 {
		t.Errorf("prepared %v, %d more signatures checked, want one", s.preparedIn(0), v.votes)
	}
	// From now on the door looks at all that R6 says.
	if why := give(6, l.spoiled(6, message.CommitKind, 1, pp.Digest)); why != message.ReasonSignature || v.votes != 1 || s.commits.votes[6] != nil {
		t.Errorf("its next bad one: %q, %d signatures checked", why, v.votes)
	}
	if give(6, l.vote(6, message.CommitKind, 0, 1, pp.Digest)); s.commits.votes[6] == nil || s.commits.said[6] {
		t.Error("what it signs well does not count")
	}
	// What was on its way already is left unread.
	before := v.votes
	l.Step(1, consensus.Receive{From: consensus.ReplicaPeer(6), Message: &message.Said{Vote: message.Vote{Kind: message.CommitKind, Seq: 2, Replica: 6}}})
	if s := d.Engine.log.slots[2]; s != nil && s.commits.votes[6] != nil || v.votes != before {
		t.Error("an unverified vote of who has signed badly counts")
	}
}

// A certificate holds verified signatures only, also where there are more votes
// than it takes and the first of them are not.
func TestCertificatesHoldWhatIsVerified(t *testing.T) {
	for bad := 1; bad <= 2; bad++ {
		l := newLab(t, 4)
		v := metered(l)
		pp := l.propose(0, 1, l.Now, l.Request())
		for i := 1; i <= 2; i++ {
			frame := l.vote(i, message.PrepareKind, 0, 1, pp.Digest)
			if i == bad {
				frame = l.spoiled(i, message.PrepareKind, 1, pp.Digest)
			}
			l.Give(3, consensus.ReplicaPeer(consensus.ReplicaID(i)), frame)
		}
		l.Give(3, consensus.ReplicaPeer(0), pp.Frame) // with its own PREPARE that is one more than it takes
		s := l.Replicas[3].Engine.log.slots[1]
		if s.prepared == nil {
			t.Fatalf("R%d signs badly: not prepared", bad)
		}
		if _, err := l.rules.OpenCertificate(l.Verify, s.prepared.Encode(), message.PreparedCertificate); err != nil {
			t.Errorf("R%d signs badly: %v", bad, err)
		}
		// The PRE-PREPARE, R1's, and R2's only if that one is bad; then the certificate.
		if got, want := v.votes-3, 4-bad; got != want {
			t.Errorf("R%d signs badly: %d signatures checked, want %d", bad, got, want)
		}
	}
}

// §9: what is signed badly is no contradiction, and takes no room of those that are.
func TestJunkTakesNoRoomOfProofs(t *testing.T) {
	l := newLab(t, 4)
	a, b := crypto.Hash([]byte("a")), crypto.Hash([]byte("b"))
	from := consensus.ReplicaPeer(3)
	for n := range consensus.Seq(2 * maxProofs) {
		l.Give(1, from, l.vote(3, message.CommitKind, 0, n+1, a))
		l.Step(1, consensus.Receive{From: from, Message: &message.Said{Vote: message.Vote{Kind: message.CommitKind, Seq: n + 1, Digest: b, Replica: 3}}})
	}
	if n := len(l.Replicas[1].Noted(consensus.EvidenceNote)); n != 0 {
		t.Errorf("%d proofs of what nobody signed", n)
	}
	l.Give(1, from, l.vote(3, message.CommitKind, 0, 1, b))
	l.Give(1, from, l.vote(3, message.CommitKind, 0, 2, a))
	l.Give(1, from, l.vote(3, message.CommitKind, 0, 2, b))
	if n := len(l.Replicas[1].Noted(consensus.EvidenceNote)); n == 0 {
		t.Error("a contradiction is not proven")
	}
}

// The first vote whose signature holds counts: one that does not hold shadows none.
func TestBadSignatureShadowsNothing(t *testing.T) {
	l := newLab(t, 4)
	a, b := crypto.Hash([]byte("a")), crypto.Hash([]byte("b"))
	l.Give(1, consensus.ReplicaPeer(3), l.spoiled(3, message.CommitKind, 1, a))
	l.Give(1, consensus.ReplicaPeer(3), l.vote(3, message.CommitKind, 0, 1, b))
	s := l.Replicas[1].Engine.log.slots[1]
	if v := s.commits.votes[3]; v == nil || v.Digest != b || s.commits.said[3] {
		t.Errorf("%v counts", v)
	}
	if n := len(l.Replicas[1].Noted(consensus.EvidenceNote)); n != 0 {
		t.Errorf("%d proofs, of one signature", n)
	}
}
