package pbft

import (
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/enginetest"
	"quorate.dev/quorate/pbft/message"
)

// lab moves replicas by hand. States do not move by themselves: a test plays
// the host of whoever takes one.
type lab struct {
	*enginetest.Lab[*replica]
	rules *message.Rules
}

type (
	desk  = enginetest.Replica[*replica]
	frame = enginetest.Frame
)

const labTick = enginetest.Tick

var only = enginetest.Only

func newLab(t *testing.T, n int, change ...func(*consensus.Genesis)) *lab {
	l := &lab{Lab: enginetest.New[*replica](t, "pbft", n)}
	l.Manual = true
	for _, f := range change {
		f(&l.Genesis)
	}
	rules, err := message.NewRules(l.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	l.rules = rules
	l.Open(func(i int) (consensus.Protocol, error) {
		c := DefaultConfig(l.Genesis, consensus.ReplicaID(i), l.Keys[i], l.Verify)
		c.Patience, c.PatienceCap, c.StatusEvery, c.RejoinEvery, c.CheckEachStep = 20, 160, 5, 50, true
		return New(c)
	})
	return l
}

// vote signs as replica i.
func (l *lab) vote(i int, k message.Kind, v consensus.View, n consensus.Seq, d crypto.Digest) []byte {
	w := l.rules.SignVote(l.Keys[i], message.Vote{Kind: k, View: v, Seq: n, Digest: d, Replica: consensus.ReplicaID(i)})
	return w.Encode()
}

// propose signs a proposal as the primary of view v.
func (l *lab) propose(v consensus.View, n consensus.Seq, stamp consensus.Time, requests ...*consensus.Request) *message.PrePrepare {
	b := &consensus.Batch{Stamp: stamp, Requests: requests}
	i := l.rules.System.Primary(v)
	return l.rules.NewPrePrepare(l.Keys[i], message.Vote{View: v, Seq: n, Digest: b.Digest(), Replica: i}, b)
}

func (l *lab) wantView(v consensus.View, at ...int) {
	l.T.Helper()
	for _, i := range at {
		if st := l.Replicas[i].Engine.Status(); st.View != v || st.Changing {
			l.T.Errorf("R%d is in view %d (changing %v), want %d", i, st.View, st.Changing, v)
		}
	}
}

// without loses frames of these kinds.
func without(kinds ...message.Kind) func(frame) bool {
	return func(m frame) bool { return !slices.Contains(kinds, message.Kind(m.Bytes[0])) }
}
