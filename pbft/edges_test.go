package pbft

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// What belongs to a view goes with it, all of it; what was certified stays.
func TestResetForgetsTheView(t *testing.T) {
	s := newSlot(3, 4)
	v := &message.Vote{Kind: message.PrepareKind, Seq: 3, Replica: 1}
	s.proposal, s.chosen, s.voted, s.asked = v, true, true, 7
	s.prepares.add(v)
	s.commits.add(v)
	s.prepared, s.committed = &message.Certificate{Seq: 3}, &message.Certificate{Seq: 3}
	s.keep(crypto.Hash(nil), &consensus.Batch{})
	s.reset()
	if s.proposal != nil || s.chosen || s.voted || s.asked != 0 || s.prepares.votes[1] != nil || s.commits.votes[1] != nil {
		t.Errorf("of the view before there is left: %+v", s)
	}
	if s.prepared == nil || s.committed == nil || len(s.bodies) != 1 {
		t.Errorf("what was certified is gone: %+v", s)
	}
}

// §8: after a restart, one's own votes of an earlier view are none of this view:
// they would stand in a certificate that nobody believes.
func TestVotesOfAnEarlierViewDoNotCountAfterARestart(t *testing.T) {
	l := newLab(t, 4)
	a := l.propose(0, 1, l.Now, l.Request())
	l.Give(2, consensus.ReplicaPeer(0), a.Frame)
	l.Give(2, consensus.ReplicaPeer(1), l.vote(1, message.PrepareKind, 0, 1, a.Digest))
	vcs := []*message.ViewChange{l.viewChange(0, 1), l.viewChange(1, 1), l.viewChange(3, 1)}
	if r := l.Give(2, consensus.ReplicaPeer(1), l.newView(1, vcs)); r != "" {
		t.Fatal(r)
	}
	for _, k := range []message.Kind{message.PrepareKind, message.CommitKind} {
		if len(l.recorded(2, k)) == 0 {
			t.Fatalf("no %s of view 0 is recorded", k)
		}
	}
	l.Crash(2)
	l.Start(2, false)
	l.wantView(1, 2)
	if s := l.Replicas[2].Engine.log.slots[1]; s != nil && (s.voted || s.prepares.votes[2] != nil || s.commits.votes[2] != nil) {
		t.Errorf("in view 1 there counts %v and %v", s.prepares.votes[2], s.commits.votes[2])
	}
}

// §7: a slot takes the batch that it lacks, and no other that somebody gives it
// unasked: what is recorded with its certificate must be what that is for.
func TestOnlyTheBatchThatLacksIsTaken(t *testing.T) {
	l := newLab(t, 4)
	a, b := l.propose(0, 1, l.Now, l.Request()), l.propose(0, 1, l.Now, l.Request())
	vcs := []*message.ViewChange{l.viewChange(0, 1), l.viewChange(1, 1, l.prepared(a)), l.viewChange(2, 1)}
	l.Give(3, consensus.ReplicaPeer(1), l.newView(1, vcs, a.Digest))
	d := l.Replicas[3]
	s := d.Engine.log.slots[1]
	if _, lacks := s.needs(); !lacks {
		t.Fatal("nothing lacks")
	}
	records := len(d.Records)
	give := func(pp *message.PrePrepare) consensus.Reason {
		g := message.FetchReply{What: message.WhatBatch, Seq: 1, Digest: pp.Digest, Batch: pp.Batch}
		return l.Give(3, consensus.ReplicaPeer(2), g.Encode())
	}
	if r := give(b); r != reasonUnasked || len(s.bodies) != 0 || len(d.Records) != records {
		t.Errorf("another batch: %q, %d bodies, %d records", r, len(s.bodies), len(d.Records)-records)
	}
	if r := give(a); r != "" || len(s.bodies) != 1 {
		t.Errorf("the batch: %q, %d bodies", r, len(s.bodies))
	}
}

// A replica that loses its disk a second time is followed to where it goes then.
func TestEachRejoinIsFollowed(t *testing.T) {
	p := peer{rejoin: -1}
	for _, step := range []struct {
		nonce uint64 // 0: no rejoin begins
		says  consensus.View
		next  consensus.View
		want  bool
	}{{1, 6, 5, true}, {0, 9, 6, true}, {0, 9, 7, false}, {2, 8, 7, true}, {0, 8, 8, true}, {0, 9, 9, false}} {
		if step.nonce > 0 {
			p.rejoins(step.nonce, 10, 1, 0)
		}
		if got := p.follow(&message.ViewChange{View: step.says}, step.next, 10); got != step.want {
			t.Errorf("%+v: followed %v", step, got)
		}
	}
}

// §8: an answer to the question of an earlier life counts for nothing: who gave
// it may have gone on since.
func TestAnswersToAnEarlierLifeDoNotCount(t *testing.T) {
	l := newLab(t, 4)
	l.Start(3, true)
	j := &l.Replicas[3].Engine.rejoin
	for i := range consensus.ReplicaID(3) {
		a := message.RejoinAnswer{Nonce: j.nonce + 1, View: 3}
		if r := l.Give(3, consensus.ReplicaPeer(i), a.Encode()); r != reasonNonce {
			t.Errorf("of replica %d: %q", i, r)
		}
	}
	if n := len(j.given()); n != 0 || j.known {
		t.Errorf("%d answers to another life count, limits known %v", n, j.known)
	}
	a := message.RejoinAnswer{Nonce: j.nonce, View: 3}
	if r := l.Give(3, consensus.ReplicaPeer(0), a.Encode()); r != "" || len(j.given()) != 1 {
		t.Errorf("the answer to this life: %q", r)
	}
}

// §8: what is helped is a life, which its nonce names: the same one once, and the
// next one only after a while, however often they ask.
func TestEachLifeIsHelpedOnce(t *testing.T) {
	l := newLab(t, 4)
	e := l.Replicas[0].Engine
	asks := func(nonce uint64) consensus.Reason {
		m := message.Rejoin{Nonce: nonce}
		return l.Give(0, consensus.ReplicaPeer(3), m.Encode())
	}
	wait := func(ticks int) {
		for range ticks {
			l.Step(0, consensus.Tick{})
		}
	}
	if r := asks(1); r != "" || e.peers[3].nonce != 1 || e.peers[3].rejoin != e.tick {
		t.Fatalf("the first life: %q, %+v", r, e.peers[3])
	}
	begun := e.tick
	wait(e.cfg.StatusEvery)
	if r := asks(2); r != reasonRejoinOften || e.peers[3].nonce != 1 {
		t.Errorf("another life at once: %q, helped is %d", r, e.peers[3].nonce)
	}
	wait(e.cfg.RejoinEvery)
	if r := asks(1); r != "" || e.peers[3].rejoin != begun {
		t.Errorf("the first life again: %q, helped from tick %d on, want %d", r, e.peers[3].rejoin, begun)
	}
	wait(e.cfg.StatusEvery)
	if r := asks(2); r != "" || e.peers[3].nonce != 2 || e.peers[3].rejoin != e.tick {
		t.Errorf("another life after a while: %q, %+v", r, e.peers[3])
	}
}
