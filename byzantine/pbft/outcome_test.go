package pbft

import (
	"errors"
	"fmt"
	"testing"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// turmoil is a run in which everything has its occasion: proposals, votes,
// views that end with slots prepared, a replica that is left behind.
func turmoil(l *lab) {
	l.work(2)
	halfway(l)
	last := l.honest()[len(l.honest())-1]
	left(consensus.ReplicaID(last))(l)
	l.work(4)
}

// At f and at f+1 each behaviour ends as its profile says.
func TestOutcomes(t *testing.T) {
	for _, p := range Lies().Profiles {
		for _, c := range []struct {
			traitors []int
			outcome  byzantine.Outcome
		}{{[]int{1}, p.AtF}, {[]int{0, 3}, p.AtF1}} {
			t.Run(fmt.Sprint(p.Name, c.traitors), func(t *testing.T) {
				t.Parallel()
				l := newLab(t, 4, each(c.traitors, p.Name))
				turmoil(l)
				l.wantOutcome(c.outcome)
			})
		}
	}
}

func (l *lab) wantOutcome(o byzantine.Outcome) {
	l.T.Helper()
	_, forked := l.disagreement()
	switch o {
	case byzantine.SafeLive, byzantine.SafeSlow:
		l.wantAll(4000)
		l.wantSafe()
	case byzantine.MayStop:
		l.wantSafe()
	case byzantine.MayFork:
		l.wantOwnKeys()
	case byzantine.Forks:
		l.wantOwnKeys()
		if !forked {
			l.T.Error("no fork")
		}
	default:
		l.T.Errorf("no run of the lab ends in %q", o)
	}
}

// The same seed tells the same lies, bit for bit.
func TestLiesRepeat(t *testing.T) {
	for _, p := range Lies().Profiles {
		var histories [2]crypto.Digest
		for i := range histories {
			l := newLab(t, 4, map[int]string{1: p.Name + " chance=50%"})
			l.lose = func(m frame) bool {
				histories[i] = crypto.Hash(append(histories[i][:], m.Bytes...))
				return false
			}
			l.work(3)
			l.ticks(3 * labPatience)
			l.work(3)
		}
		if histories[0] != histories[1] {
			t.Errorf("%s has two histories", p.Name)
		}
	}
}

// Each profile is complete: a sentence, a place in the catalogue, outcomes, and
// defaults that work.
func TestProfilesOfPBFT(t *testing.T) {
	l := newLab(t, 4, nil)
	for _, p := range Lies().Profiles {
		if p.Sentence == "" || p.Group == "" || p.AtF == "" || p.AtF1 == "" || p.Client {
			t.Errorf("%+v", p)
		}
		e := byzantine.Env{Genesis: l.Genesis, Self: 1, Signer: l.Keys[1], Patience: 20}
		if _, err := e.Plan(byzantine.Spec{Profile: &p}); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		e.Genesis.Protocol = "raft"
		if _, err := e.Plan(byzantine.Spec{Profile: &p}); err == nil {
			t.Errorf("%s forges another protocol's messages", p.Name)
		}
	}
}

// Values that mean nothing are refused, with the word that is wrong.
func TestLiesRefuseValues(t *testing.T) {
	l := newLab(t, 4, nil)
	e := byzantine.Env{Genesis: l.Genesis, Self: 1, Signer: l.Keys[1], Patience: 20}
	for _, text := range []string{
		"equivocate other", "select 0", "slow-primary soon", "starve 7", "starve votes=perhaps", "bad-batch good", "seq-jump back", "false-stamp ahead by=10%",
		"false-stamp never", "withhold-votes some", "withhold-votes but=4", "bad-certificate none", "hide-prepared nothing", "fake-prepared real", "bad-new-view good",
		"select-view-change few", "lying-checkpoint true", "poison-transfer well", "fetch-flood 0", "fork-views later", "old-view 1",
	} {
		s, err := all.Parse(text)
		if err == nil {
			_, err = e.Plan(s)
		}
		if !errors.Is(err, byzantine.ErrSpec) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
