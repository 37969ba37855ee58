package checkpoint

import (
	"encoding/binary"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

type (
	ids = []consensus.ReplicaID
	seq = consensus.Seq
)

// cluster holds everybody's keys, and rules with K = 2 and L = 4.
type cluster struct {
	*message.Rules
	verifier crypto.Verifier
	signers  []crypto.Signer
}

func newCluster(t testing.TB, n int) *cluster {
	t.Helper()
	ring := crypto.NewKeyring()
	g := consensus.NewGenesis("test", "pbft", nil)
	g.CheckpointInterval, g.Window = 2, 4
	c := &cluster{verifier: crypto.NewSimVerifier(ring)}
	for i := range n {
		var seed [crypto.PrivateKeySize]byte
		binary.BigEndian.PutUint64(seed[:], uint64(i)+1)
		c.signers = append(c.signers, crypto.NewSimSigner(ring, seed))
		g.Replicas = append(g.Replicas, c.signers[i].Public())
	}
	var err error
	if c.Rules, err = message.NewRules(g); err != nil {
		t.Fatal(err)
	}
	return c
}

func root(name byte) crypto.Digest { return crypto.Hash([]byte{name}) }

func (c *cluster) vote(id consensus.ReplicaID, n seq, name byte) message.Vote {
	return c.SignVote(c.signers[id], message.Vote{Kind: message.CheckpointKind, Seq: n, Digest: root(name), Replica: id})
}

// certificate makes the one of n by the first q replicas.
func (c *cluster) certificate(n seq, name byte) *message.Certificate {
	out := &message.Certificate{Kind: message.CheckpointCertificate, Seq: n, Digest: root(name)}
	for id := range consensus.ReplicaID(c.System.Quorum()) {
		out.Signed = append(out.Signed, message.Signed{Replica: id, Sig: c.vote(id, n, name).Sig})
	}
	return out
}

// proves checks a certificate as a stranger would.
func (c *cluster) proves(t rapid.TB, cert *message.Certificate) {
	t.Helper()
	got, err := c.OpenCertificate(c.verifier, cert.Encode(), message.CheckpointCertificate)
	if err != nil || !reflect.DeepEqual(got, cert) {
		t.Fatalf("certificate of n=%d: %v", cert.Seq, err)
	}
}

// §4.3: q equal votes make a checkpoint stable, q-1 and a liar's do not.
func TestQuorumMakesStable(t *testing.T) {
	for n := 1; n <= 10; n++ {
		c := newCluster(t, n)
		tr := New(c.Rules, 0)
		q := c.System.Quorum()
		for id := range n - q { // as many liars as there may be without harm
			if o := tr.Add(c.vote(consensus.ReplicaID(n-1-id), 2, 'x')); o.Stable != nil || o.Reason != "" {
				t.Fatalf("n=%d: liar %d: %+v", n, id, o)
			}
		}
		for id := range q {
			o := tr.Add(c.vote(consensus.ReplicaID(id), 2, 'a'))
			if (o.Stable != nil) != (id == q-1) || o.Reason != "" {
				t.Fatalf("n=%d: vote %d of %d: %+v", n, id+1, q, o)
			}
			if o.Stable == nil {
				continue
			}
			c.proves(t, o.Stable)
			if tr.Stable() != o.Stable || tr.Low() != 2 || tr.High() != 6 || o.Stable.Digest != root('a') {
				t.Errorf("n=%d: stable %v, window (%d, %d]", n, tr.Stable(), tr.Low(), tr.High())
			}
		}
	}
}

func TestVotesThatDoNotCount(t *testing.T) {
	c := newCluster(t, 4)
	tr := New(c.Rules, 0)
	tr.Adopt(c.certificate(4, 'a'))
	tr.Add(c.vote(1, 6, 'a'))
	for _, tc := range []struct {
		name string
		vote message.Vote
		want consensus.Reason
		both bool // evidence
	}{
		{"off the interval", c.vote(2, 7, 'a'), ReasonInterval, false},
		{"at 0", c.vote(2, 0, 'a'), ReasonInterval, false},
		{"at the stable one", c.vote(2, 4, 'a'), ReasonBelow, false},
		{"below the stable one", c.vote(2, 2, 'a'), ReasonBelow, false},
		{"below, of one whose first vote nobody kept", c.vote(2, 2, 'x'), ReasonBelow, false},
		{"once more", c.vote(1, 6, 'a'), ReasonRepeated, false},
		{"another root", c.vote(1, 6, 'b'), ReasonOther, true},
		{"another root than its signature in the stable certificate", c.vote(2, 4, 'b'), ReasonOther, true},
		{"another root than the stable one, by one who is not in it", c.vote(3, 4, 'b'), ReasonBelow, false},
	} {
		o := tr.Add(tc.vote)
		if o.Reason != tc.want || o.Stable != nil || (o.Contradiction != nil) != tc.both {
			t.Errorf("%s: %+v, want %q", tc.name, o, tc.want)
		}
		if !tc.both {
			continue
		}
		if pair := o.Contradiction; pair[1] != tc.vote || pair[0].Digest == pair[1].Digest || pair[0].Seq != pair[1].Seq {
			t.Errorf("%s: contradiction %v", tc.name, pair)
		}
		for _, v := range o.Contradiction {
			if !c.verifier.Verify([]crypto.Claim{c.Claim(&v)})[0] {
				t.Errorf("%s: %v is not what was signed", tc.name, v)
			}
		}
	}
	// The first vote still is the one that counts.
	tr.Add(c.vote(2, 6, 'a'))
	if o := tr.Add(c.vote(3, 6, 'a')); o.Stable == nil {
		t.Errorf("the first votes of three make no quorum: %+v", o)
	}
}

// Own votes are kept word for word until the stable checkpoint reaches them.
func TestOwnVotes(t *testing.T) {
	c := newCluster(t, 4)
	tr := New(c.Rules, 1)
	two, four := c.vote(1, 2, 'a'), c.vote(1, 4, 'b')
	tr.Add(four)
	tr.Add(two)
	tr.Add(c.vote(2, 6, 'z'))
	for _, want := range []message.Vote{two, four} {
		if got, ok := tr.Own(want.Seq); !ok || got != want {
			t.Errorf("own vote for %d: %v, %v", want.Seq, got, ok)
		}
	}
	if _, ok := tr.Own(6); ok {
		t.Error("another's vote taken for my own")
	}
	tr.Adopt(c.certificate(2, 'a'))
	if _, ok := tr.Own(2); ok {
		t.Error("kept a vote that is stable")
	}
	tr.Adopt(c.certificate(8, 'a'))
	late := c.vote(1, 6, 'a')
	if o := tr.Add(late); o.Reason != ReasonBelow {
		t.Errorf("own vote below the stable checkpoint: %+v", o)
	}
}

// A replica left behind: what is further ahead than 2L is kept too, of each
// replica the highest, because q of those make the certificate that it lacks.
func TestFarAheadKeepsEachHighest(t *testing.T) {
	c := newCluster(t, 4)
	tr := New(c.Rules, 0)
	for _, n := range []seq{10, 12, 20} {
		tr.Add(c.vote(1, n, 'a'))
	}
	if o := tr.Add(c.vote(1, 12, 'a')); o.Reason != ReasonSuperseded {
		t.Errorf("an older one far ahead: %+v", o)
	}
	if o := tr.Add(c.vote(1, 20, 'b')); o.Contradiction == nil {
		t.Errorf("another root far ahead: %+v", o)
	}
	if got := tr.kept(1); got != 1 {
		t.Errorf("%d votes of replica 1 are kept far ahead", got)
	}
	// A liar who names the end of time keeps nobody else from counting.
	tr.Add(c.vote(3, 1<<64-2, 'x'))
	tr.Add(c.vote(3, 8, 'x'))
	tr.Add(c.vote(2, 20, 'a'))
	if o := tr.Add(c.vote(0, 20, 'a')); o.Stable == nil || o.Stable.Seq != 20 {
		t.Fatalf("three equal votes far ahead: %+v", o)
	}
	c.proves(t, tr.Stable())
	if tr.Low() != 20 || tr.kept(3) != 1 {
		t.Errorf("h=%d, %d votes of the liar", tr.Low(), tr.kept(3))
	}
}

// kept counts the votes of one replica.
func (t *Tracker) kept(id consensus.ReplicaID) int {
	count := 0
	for i := range t.rounds {
		if _, found := t.rounds[i].index(id); found {
			count++
		}
	}
	return count
}

func TestAdopt(t *testing.T) {
	c := newCluster(t, 4)
	tr := New(c.Rules, 0)
	if tr.Stable() != nil || tr.Low() != 0 || tr.Known(0) != nil || tr.Adopt(nil) {
		t.Fatal("the genesis has a certificate")
	}
	tr.Add(c.vote(1, 4, 'a'))
	tr.Add(c.vote(1, 8, 'a'))
	six := c.certificate(6, 'a')
	if !tr.Adopt(six) || tr.Adopt(six) || tr.Adopt(c.certificate(4, 'a')) {
		t.Error("adopts what is not higher, or not what is")
	}
	if tr.Known(6) != six || tr.Known(1) != six || tr.Known(7) != nil || tr.At(6) != six || tr.At(4) != nil {
		t.Error("the adopted certificate is not known at its place")
	}
	if tr.kept(1) != 1 {
		t.Errorf("%d votes of replica 1, one is above", tr.kept(1))
	}
	// The vote above counts on.
	tr.Add(c.vote(2, 8, 'a'))
	if o := tr.Add(c.vote(3, 8, 'a')); o.Stable == nil {
		t.Errorf("votes above an adopted certificate: %+v", o)
	}
}

// A logarithmic number of certificates is kept, and of any two replicas that
// went on, whatever one has at an old number the other has there too, as long
// as neither is twice as far.
func TestHistoryIsThinnedAlike(t *testing.T) {
	c := newCluster(t, 4)
	tr := New(c.Rules, 0)
	at := map[seq][]seq{} // by stable checkpoint, the numbers kept
	const last = 4000
	for i := seq(1); i <= last; i++ {
		tr.Adopt(&message.Certificate{Kind: message.CheckpointCertificate, Seq: 2 * i})
		if count := len(tr.history); count > 2*12+1 {
			t.Fatalf("%d certificates after %d checkpoints", count, i)
		}
		for _, kept := range tr.history {
			at[2*i] = append(at[2*i], kept.Seq/2)
		}
	}
	if got := at[2*16]; !slices.Equal(got, []seq{4, 8, 10, 12, 13, 14, 15, 16}) {
		t.Errorf("after 16 checkpoints: %v", got)
	}
	for behind := seq(1); behind <= last; behind += 37 {
		for ahead := behind; ahead <= min(2*behind, last); ahead += 11 {
			common := slices.ContainsFunc(at[2*behind], func(i seq) bool { return slices.Contains(at[2*ahead], i) })
			if !common {
				t.Fatalf("replicas at checkpoints %d and %d have no number in common: %v and %v", behind, ahead, at[2*behind], at[2*ahead])
			}
		}
	}
}

func TestLack(t *testing.T) {
	c := newCluster(t, 7)
	tr := New(c.Rules, 0)
	for id, name := range map[consensus.ReplicaID]byte{0: 'a', 2: 'b', 3: 'b', 5: 'c'} {
		tr.Add(c.vote(id, 2, name))
	}
	have, missing, roots := tr.Lack(2)
	if !slices.Equal(have, ids{2, 3}) || !slices.Equal(missing, ids{1, 4, 6}) || len(roots) != 3 {
		t.Fatalf("have %v, missing %v, roots %v", have, missing, roots)
	}
	if roots[0].Digest != root('b') || !slices.Equal(roots[0].Replicas, ids{2, 3}) || slices.Compare(roots[1].Digest[:], roots[2].Digest[:]) >= 0 {
		t.Errorf("roots %v", roots)
	}
	have, missing, roots = tr.Lack(4)
	if have != nil || len(missing) != 7 || roots != nil {
		t.Errorf("of a number that nobody spoke of: %v, %v, %v", have, missing, roots)
	}
}

// model counts votes without any bound, in the plainest way.
type model struct {
	first map[seq]map[consensus.ReplicaID]crypto.Digest
	low   seq
}

// add returns whether v is the q-th equal first vote above h.
func (m *model) add(v message.Vote, q int) bool {
	if v.Seq <= m.low {
		return false
	}
	if m.first[v.Seq] == nil {
		m.first[v.Seq] = map[consensus.ReplicaID]crypto.Digest{}
	}
	if _, spoke := m.first[v.Seq][v.Replica]; spoke {
		return false
	}
	m.first[v.Seq][v.Replica] = v.Digest
	count := 0
	for _, d := range m.first[v.Seq] {
		if d == v.Digest {
			count++
		}
	}
	if count == q {
		m.low = v.Seq
	}
	return count == q
}

// Within reach, any votes in any order: the tracker agrees with the model, its
// certificates prove what they say, and memory stays within its bound.
func TestTrackerAgreesWithTheModel(t *testing.T) {
	c := newCluster(t, 4)
	q, reach := c.System.Quorum(), 2*c.Genesis.Window
	rapid.Check(t, func(t *rapid.T) {
		tr := New(c.Rules, 0)
		m := &model{first: map[seq]map[consensus.ReplicaID]crypto.Digest{}}
		for range rapid.IntRange(1, 150).Draw(t, "votes") {
			n := 2 * seq(rapid.IntRange(0, int(reach)/2).Draw(t, "n"))
			v := c.vote(consensus.ReplicaID(rapid.IntRange(0, 3).Draw(t, "id")), m.low/2*2+n, rapid.SampledFrom([]byte("aaaab")).Draw(t, "root"))
			if v.Seq == 0 {
				continue
			}
			low := tr.Low()
			o := tr.Add(v)
			if want := m.add(v, q); (o.Stable != nil) != want || tr.Low() != m.low || tr.Low() < low {
				t.Fatalf("%v: %+v, h=%d, the model's is %d", v, o, tr.Low(), m.low)
			}
			if o.Stable != nil {
				c.proves(t, o.Stable)
			}
			for id := range consensus.ReplicaID(4) {
				if kept := tr.kept(id); seq(kept) > reach/c.Genesis.CheckpointInterval+1 {
					t.Fatalf("%d votes of replica %d are kept", kept, id)
				}
			}
		}
	})
}

// Anything at any height: h rests on certificates that prove themselves, and
// memory stays within its bound.
func TestTrackerStaysBounded(t *testing.T) {
	c := newCluster(t, 4)
	limit := int(2*c.Genesis.Window/c.Genesis.CheckpointInterval) + 1
	heights := []seq{2, 4, 6, 8, 10, 100, 102, 1 << 40, 1<<64 - 2}
	rapid.Check(t, func(t *rapid.T) {
		tr := New(c.Rules, 0)
		for range rapid.IntRange(1, 100).Draw(t, "votes") {
			base := rapid.SampledFrom(heights).Draw(t, "base")
			v := c.vote(consensus.ReplicaID(rapid.IntRange(0, 3).Draw(t, "id")), base-2*seq(rapid.IntRange(0, 1).Draw(t, "less")), rapid.SampledFrom([]byte("aaab")).Draw(t, "root"))
			if o := tr.Add(v); o.Stable != nil {
				c.proves(t, o.Stable)
			}
			for id := range consensus.ReplicaID(4) {
				if kept := tr.kept(id); kept > limit {
					t.Fatalf("%d votes of replica %d are kept, the limit is %d", kept, id, limit)
				}
			}
			if !slices.IsSortedFunc(tr.rounds, func(a, b round) int { return int(int64(a.seq>>1) - int64(b.seq>>1)) }) {
				t.Fatal("rounds out of order")
			}
		}
	})
}
