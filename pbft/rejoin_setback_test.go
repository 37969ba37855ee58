package pbft

import (
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/enginetest"
	"quorate.dev/quorate/pbft/message"
)

// setBack restarts replica i with an older copy of its log, and the state that
// stood beside it.
func (l *lab) setBack(i int, records []consensus.Record, disk enginetest.State) {
	d := l.Replicas[i]
	l.Crash(i)
	d.Records, d.Disk = slices.Clone(records), disk
	l.Start(i, false)
}

func (l *lab) noticed(i int) bool { return len(l.Replicas[i].Noted(consensus.SetBack)) > 0 }

// §8: a replica is started from a copy of its disk that lacks its votes. Others
// give it its words back, whichever it lacks; it stops signing, and comes back as
// one that lost its disk: what it says then is above its limits.
func TestReplicaThatIsSetBackNotices(t *testing.T) {
	for _, c := range []struct {
		name string
		does func(l *lab) // what the copy lacks
	}{
		{"votes", func(l *lab) {
			l.Submit(l.Request(), 0)
			l.Deliver()
		}},
		{"its votes only", func(l *lab) { // nothing is committed without R2
			l.Submit(l.Request(), 0)
			l.Deliver(only(0, 1, 3), without(message.CommitKind))
		}},
		{"a VIEW-CHANGE", func(l *lab) {
			l.Step(3, consensus.Tick{})
			l.Replicas[3].Engine.leave(1, "a test")
			l.Step(3, consensus.Tick{})
			l.Deliver()
		}},
		{"a view", func(l *lab) {
			for i := 1; i < 4; i++ {
				l.Replicas[i].Engine.leave(1, "a test")
				l.Step(i, consensus.Tick{})
			}
			l.Deliver()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, 4)
			d := l.Replicas[3]
			records, disk := slices.Clone(d.Records), d.Disk
			c.does(l)
			l.setBack(3, records, disk)
			l.Ticks(12, l.All())
			e := d.Engine
			if !l.noticed(3) || !e.rejoin.asleep {
				t.Fatalf("noticed %v, asleep %v", l.noticed(3), e.rejoin.asleep)
			}
			// A restart must not wake it.
			l.Crash(3)
			l.Start(3, false)
			if e = d.Engine; !e.rejoin.asleep {
				t.Fatal("a restart wakes it")
			}
			signed := len(d.Records)
			l.Ticks(600, l.All())
			if e.rejoin.asleep || e.view.number < e.rejoin.view || e.view.changing {
				t.Fatalf("after a while asleep %v, view %d, limits %d and view %d", e.rejoin.asleep, e.view.number, e.rejoin.target, e.rejoin.view)
			}
			for _, r := range d.Records[signed:] {
				m, err := l.rules.Decode(r.Bytes)
				if v, ok := m.(*message.Vote); ok && err == nil && v.Replica == 3 && v.Kind != message.CheckpointKind && !e.rejoin.allows(v.View, v.Seq) {
					t.Errorf("signed %v below its limits", v)
				}
			}
			l.Submit(l.Request(), l.All()...)
			l.Ticks(60, l.All())
			l.WantExecuted(int(l.Replicas[0].Engine.exec.handed), 0, 1, 2)
			if len(d.Noted(consensus.SetBack)) != 1 {
				t.Errorf("noticed %d times", len(d.Noted(consensus.SetBack)))
			}
		})
	}
}

// §8: words of its own that a replica may rightly have forgotten, or remembers,
// have no effect, however often a liar repeats them.
func TestRememberedAndForgottenWordsMeanNothing(t *testing.T) {
	l := newLab(t, 4)
	var said [][]byte
	for i := range l.Replicas {
		l.Replicas[i].Heard = func(frame []byte) {
			switch message.Kind(frame[0]) {
			case message.StatusKind, message.RejoinKind, message.RejoinAnswerKind, message.FetchKind: // by channel
			default:
				said = append(said, frame)
			}
		}
	}
	repeat := func() {
		t.Helper()
		for _, frame := range slices.Clone(said) {
			for i := range l.Replicas {
				l.Give(i, consensus.ReplicaPeer(consensus.ReplicaID((i+1)%4)), frame)
			}
		}
		for i := range l.Replicas {
			if l.noticed(i) {
				t.Fatalf("R%d: %v", i, l.Replicas[i].Noted(consensus.SetBack))
			}
		}
	}
	for range 3 { // within a window, past a stable checkpoint
		l.Submit(l.Request(), 0)
		l.Deliver()
		repeat()
	}
	for i := range l.Replicas { // after a restart from the whole log, and from a cut one
		l.Crash(i)
		l.Start(i, false)
		repeat()
		l.Replicas[i].Cut()
		l.Crash(i)
		l.Start(i, false)
		repeat()
	}
	for i := range l.Replicas { // between views, and in the next one
		l.Replicas[i].Engine.leave(1, "a test")
		repeat()
		l.Step(i, consensus.Tick{})
	}
	l.Deliver()
	repeat()
	for range 3 {
		l.Submit(l.Request(), 1)
		l.Deliver()
	}
	repeat()
	*l.Replicas[3] = desk{} // a lost disk, which is known to be one
	l.Manual = false
	l.Start(3, true)
	l.Ticks(600, l.All())
	if l.Replicas[3].Engine.rejoin.asleep {
		t.Fatal("still asleep")
	}
	repeat()
}

// §8: every word that only this replica can have said, and did not, as far as it
// remembers. None of them needs a peer that means well.
func TestWordsThatProveASetBack(t *testing.T) {
	d := crypto.Hash([]byte("a batch"))
	for _, c := range []struct {
		name  string
		words func(l *lab) []byte
		want  bool
	}{
		{"PREPARE in the window", func(l *lab) []byte { return l.vote(3, message.PrepareKind, 0, 3, d) }, true},
		{"COMMIT in the window", func(l *lab) []byte { return l.vote(3, message.CommitKind, 0, 8, d) }, true},
		{"PREPARE of a later view", func(l *lab) []byte { return l.vote(3, message.PrepareKind, 1, 3, d) }, true},
		{"CHECKPOINT above the low mark", func(l *lab) []byte { return l.vote(3, message.CheckpointKind, 0, 4, d) }, true},
		{"VIEW-CHANGE", func(l *lab) []byte { return l.viewChange(3, 1).Frame }, true},
		{"NEW-VIEW", func(l *lab) []byte {
			return l.newView(3, []*message.ViewChange{l.viewChange(0, 3), l.viewChange(1, 3), l.viewChange(2, 3)})
		}, true},
		{"COMMIT in a certificate", func(l *lab) []byte {
			c := &message.Certificate{Kind: message.CommittedCertificate, Seq: 1, Digest: consensus.NullDigest}
			for _, i := range []int{0, 1, 3} {
				v := l.rules.SignVote(l.Keys[i], message.Vote{Kind: message.CommitKind, Seq: 1, Digest: c.Digest, Replica: consensus.ReplicaID(i)})
				c.Signed = append(c.Signed, message.Signed{Replica: v.Replica, Sig: v.Sig})
			}
			g := message.FetchReply{What: message.WhatCommitted, Seq: 1, Digest: c.Digest, Certificate: c}
			return g.Encode()
		}, true},
		{"PREPARE for another batch than it remembers", func(l *lab) []byte {
			l.Submit(l.Request(), 0)
			l.Deliver(without(message.PrepareKind)) // what is prepared is settled
			return l.vote(3, message.PrepareKind, 0, 1, d)
		}, true},
		{"PREPARE of a view that is over", func(l *lab) []byte {
			for i := range l.Replicas {
				l.Replicas[i].Engine.leave(1, "a test")
				l.Step(i, consensus.Tick{})
			}
			l.Deliver()
			return l.vote(3, message.PrepareKind, 0, 3, d)
		}, false},
		{"another's vote", func(l *lab) []byte { return l.vote(2, message.PrepareKind, 0, 3, d) }, false},
		{"a forged vote", func(l *lab) []byte {
			b := l.vote(3, message.PrepareKind, 0, 3, d)
			b[len(b)-1] ^= 1
			return b
		}, false},
	} {
		l := newLab(t, 4)
		l.Give(3, consensus.ReplicaPeer(1), c.words(l))
		if l.noticed(3) != c.want || l.Replicas[3].Engine.rejoin.asleep != c.want {
			t.Errorf("%s: noticed %v, want %v", c.name, l.noticed(3), c.want)
		}
	}
}

// With f = 0 nobody can vouch for what was forgotten: the replica halts.
func TestSetBackWithoutFaultsHalts(t *testing.T) {
	l := newLab(t, 2)
	l.Give(1, consensus.ReplicaPeer(0), l.viewChange(1, 1).Frame)
	if l.Replicas[1].Halt == "" {
		t.Fatal("goes on")
	}
}

// In a new view the log says nothing of the votes of the one before: also in a
// certificate they prove nothing.
func TestVotesOfAViewThatIsOverMayBeForgotten(t *testing.T) {
	l := newLab(t, 4)
	for i := range l.Replicas {
		l.Replicas[i].Engine.leave(1, "a test")
		l.Step(i, consensus.Tick{})
	}
	l.Deliver()
	d := crypto.Hash([]byte("a batch"))
	words := ownWords{l.Replicas[3].Engine}
	if words.forgot(message.CommitKind, 0, 3, d) || !words.forgot(message.CommitKind, 1, 3, d) {
		t.Error("in view 1 a vote of view 0 counts as forgotten, or one of view 1 does not")
	}
}
