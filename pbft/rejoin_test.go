package pbft

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/enginetest"
	"quorate.dev/quorate/pbft/message"
)

// sleeper is a rejoining replica 3 that knows its limits, restarted.
func sleeper(t *testing.T, low consensus.Seq) *lab {
	l := newLab(t, 4)
	limits := (&rejoining{known: true, asleep: true, target: 2, view: 2}).record()
	d := l.Replicas[3]
	d.Records = append(d.Records, consensus.Record{Slot: 4, Bytes: limits})
	if low > 0 {
		root := crypto.Hash([]byte("root"))
		d.Disk = enginetest.State{Seq: low, Root: root, Proof: l.stable(low, root).Encode()}
	}
	l.Start(3, false)
	return l
}

// answers.
func TestSleeperRestartedTakesAnswers(t *testing.T) {
	l := sleeper(t, 0)
	l.Ticks(100, l.All(), without(message.PrePrepareKind)) // nobody fills for it, so it sleeps on
	if n := len(l.Replicas[3].Engine.rejoin.given()); n != 3 {
		t.Errorf("%d answers, want 3", n)
	}
}

// §8: a replica that restarts asleep when its target is stable wakes up.
func TestSleeperWakesAfterARestart(t *testing.T) {
	l := sleeper(t, 2)
	l.Ticks(1, []int{3})
	if j := &l.Replicas[3].Engine.rejoin; j.asleep {
		t.Errorf("asleep at h=%d with target %d", l.Replicas[3].Engine.low(), j.target)
	}
}

// the rejoining replica vote in views that it has forgotten.
func TestRejoinAnswerAtTheEndOfViews(t *testing.T) {
	for _, v := range []consensus.View{1<<64 - 1, 1<<64 - 2, 1 << 63} {
		l := newLab(t, 7)
		l.Start(6, true)
		for i := range 5 {
			a := message.RejoinAnswer{Nonce: l.Replicas[6].Engine.rejoin.nonce, View: 3}
			if i == 0 {
				a.View = v
			}
			l.Give(6, consensus.ReplicaPeer(consensus.ReplicaID(i)), a.Encode())
		}
		if j := &l.Replicas[6].Engine.rejoin; j.known && j.view < 5 {
			t.Errorf("may vote from view %d on, the others are in 3", j.view)
		}
	}
}

// there may never be another occasion.
func TestWakingSaysCheckpoints(t *testing.T) {
	l := newLab(t, 4)
	d := l.Replicas[3]
	*d = desk{}
	l.Start(3, true)
	l.Deliver()
	d.Engine.rejoin.known, d.Engine.rejoin.target, d.Engine.rejoin.view = true, 2, 2
	for range 5 {
		l.Submit(l.Request(), 0)
		l.Deliver(func(m frame) bool { return m.To != 3 || message.Kind(m.Bytes[0]) != message.CheckpointKind })
	}
	l.WantExecuted(5, 3)
	c := l.Replicas[0].Engine.checkpoints.At(2)
	g := message.FetchReply{What: message.WhatCheckpoint, Seq: 2, Digest: c.Digest, Certificate: c}
	l.Give(3, consensus.ReplicaPeer(0), g.Encode())
	if d.Engine.rejoin.asleep {
		t.Fatal("asleep")
	}
	said := 0
	for _, r := range d.Records {
		if m, err := l.rules.Decode(r.Bytes); err == nil {
			if v, ok := m.(*message.Vote); ok && v.Kind == message.CheckpointKind && v.Replica == 3 {
				said++
			}
		}
	}
	if v, ok := d.Engine.checkpoints.Own(4); !ok || v.Digest != d.Roots[4] || said != 1 {
		t.Errorf("%d CHECKPOINTs, want one for slot 4, which it executed asleep", said)
	}
}

// §6: a replica that may not leave does not lose patience over it.
func TestSleeperKeepsItsPatience(t *testing.T) {
	l := newLab(t, 4)
	l.Start(3, true)
	l.Submit(l.Request(), 3)
	l.Ticks(200, []int{3}, only(3))
	if n := l.Replicas[3].Engine.view.level; n != 0 {
		t.Errorf("patience doubled %d times", n)
	}
}

// §2: a REJOIN-ANSWER that nobody asked for is not worth a verification.
func TestRejoinAnswerUnasked(t *testing.T) {
	l := newLab(t, 4)
	a := message.RejoinAnswer{View: 1}
	if r := l.Give(1, consensus.ReplicaPeer(0), a.Encode()); r != message.ReasonSettled {
		t.Errorf("%q", r)
	}
}

// having restarted since.
func TestRejoinerIsJoinedByTheRestarted(t *testing.T) {
	l := newLab(t, 4)
	l.Replicas[3].Records = []consensus.Record{{Slot: 4, Bytes: (&rejoining{known: true, view: 2}).record()}}
	l.Start(3, false)
	l.Ticks(200, l.All())
	l.wantView(2, l.All()...)
}

// and R2 must not vote in view 2.
func TestRejoinCountsViewsThatOthersGoFor(t *testing.T) {
	l := newLab(t, 4)
	l.Start(2, true)
	for _, i := range []consensus.ReplicaID{0, 1, 3} {
		a := message.RejoinAnswer{Nonce: l.Replicas[2].Engine.rejoin.nonce, View: 2}
		l.Give(2, consensus.ReplicaPeer(i), a.Encode())
	}
	if j := &l.Replicas[2].Engine.rejoin; !j.known || j.view <= 2 || j.allows(2, 1<<20) {
		t.Errorf("may vote from view %d on", j.view)
	}
}

// far future keeps nobody out.
func TestLowestAnswersCount(t *testing.T) {
	l := newLab(t, 7)
	l.Start(6, true)
	for i, v := range []consensus.View{1 << 60, 3, 3, 3, 3, 3} {
		a := message.RejoinAnswer{Nonce: l.Replicas[6].Engine.rejoin.nonce, View: v}
		l.Give(6, consensus.ReplicaPeer(consensus.ReplicaID(i)), a.Encode())
	}
	if j := &l.Replicas[6].Engine.rejoin; j.view != 5 {
		t.Errorf("may vote from view %d on, want 5", j.view)
	}
}

// §8: awake, a replica that has forgotten votes in no view before V*+2.
func TestAwakeVotesInLaterViewsOnly(t *testing.T) {
	l := newLab(t, 4)
	l.Replicas[3].Records = []consensus.Record{{Slot: 4, Bytes: (&rejoining{known: true, view: 2}).record()}}
	l.Start(3, false)
	l.Give(3, consensus.ReplicaPeer(0), l.propose(0, 1, l.Now, l.Request()).Frame)
	if s := l.Replicas[3].Engine.log.slots[1]; s == nil || s.voted {
		t.Error("voted in view 0, or has not even kept the proposal")
	}
	l.Give(3, consensus.ReplicaPeer(2), l.newView(2, []*message.ViewChange{l.viewChange(0, 2), l.viewChange(1, 2), l.viewChange(2, 2)}))
	l.Give(3, consensus.ReplicaPeer(2), l.propose(2, 1, l.Now, l.Request()).Frame)
	if s := l.Replicas[3].Engine.log.slots[1]; !s.voted {
		t.Error("did not vote in view 2")
	}
}

// §8: the VIEW-CHANGEs of its own that others hold count for V*.
func TestRejoinCountsItsForgottenViewChange(t *testing.T) {
	l := newLab(t, 4)
	l.Start(2, true)
	for _, i := range []consensus.ReplicaID{0, 1, 3} {
		a := message.RejoinAnswer{Nonce: l.Replicas[2].Engine.rejoin.nonce}
		if i == 1 {
			a.Yours = l.viewChange(2, 5)
		}
		l.Give(2, consensus.ReplicaPeer(i), a.Encode())
	}
	if j := &l.Replicas[2].Engine.rejoin; j.view != 7 {
		t.Errorf("may vote from view %d on, want 7", j.view)
	}
}

// §8: others join a rejoining replica once, for its claim costs nothing.
func TestRejoinerIsJoinedOnce(t *testing.T) {
	l := newLab(t, 4)
	settle := func() { l.Ticks(2*20+1, []int{0}, only(0)) }
	settle()
	l.Give(0, consensus.ReplicaPeer(3), l.viewChange(3, 2).Frame)
	l.wantView(0, 0) // it has not said that it rejoins
	m := message.Rejoin{Nonce: 9}
	l.Give(0, consensus.ReplicaPeer(3), m.Encode())
	l.Give(0, consensus.ReplicaPeer(3), l.viewChange(3, 2).Frame)
	goesFor := func(v consensus.View) {
		t.Helper()
		if st := l.Replicas[0].Engine.Status(); st.View != v || !st.Changing {
			t.Fatalf("view %d, changing %v: did not go for %d", st.View, st.Changing, v)
		}
	}
	// One view at a time: nobody has entered view 1, nor have q asked for it,
	// and to go for 2 from 0 is what the next amnesiac counts on not happening.
	goesFor(1)
	l.Give(0, consensus.ReplicaPeer(1), l.newView(1, []*message.ViewChange{l.viewChange(0, 1), l.viewChange(1, 1), l.viewChange(2, 1)}))
	settle()
	goesFor(2)
	l.Give(0, consensus.ReplicaPeer(2), l.newView(2, []*message.ViewChange{l.viewChange(1, 2), l.viewChange(2, 2), l.viewChange(3, 2)}))
	l.wantView(2, 0)
	l.Give(0, consensus.ReplicaPeer(3), m.Encode())
	l.Give(0, consensus.ReplicaPeer(3), l.viewChange(3, 4).Frame)
	settle()
	l.wantView(2, 0)
}

// §6: who says again and again that it has left alone moves the others once in two
// patiences at most. What is to be decided is decided.
func TestViewsLastAmongLiars(t *testing.T) {
	viewsLast(t, func(l *lab, i, _ int) {
		next := l.Replicas[i].Engine.view.number + 1
		l.Give(i, consensus.ReplicaPeer(3), l.viewChange(3, next).Frame)
		l.Give(i, consensus.ReplicaPeer(3), (&message.Status{View: next, Changing: true}).Encode())
	})
}

// §8: who says again and again that it rejoins, to each at another time, and is always
// some views ahead, moves the others a few times, and then ever so seldom.
func TestFalseRejoinsMoveFewViews(t *testing.T) {
	l := newLab(t, 4)
	honest := []int{0, 1, 2}
	every := l.Replicas[0].Engine.cfg.RejoinEvery
	moved := func(ticks int) (views int) {
		before := l.Replicas[1].Engine.view.number
		for tick := range ticks {
			for _, i := range honest {
				if m := (message.Rejoin{Nonce: uint64(1 + l.Replicas[0].Engine.tick)}); tick%every == every*i/3 {
					l.Give(i, consensus.ReplicaPeer(3), m.Encode())
				}
				l.Give(i, consensus.ReplicaPeer(3), l.viewChange(3, l.Replicas[i].Engine.view.number+2).Frame)
			}
			l.Ticks(1, honest, only(honest...))
		}
		return int(l.Replicas[1].Engine.view.number - before)
	}
	at, later := moved(4*every), moved(16*every)
	if each := len(honest) * farRejoin; at < farRejoin || at > rejoinsAtOnce*each || later > 2*each {
		t.Errorf("moved %d times at first, and then %d times in 16 pauses", at, later)
	}
	l.Submit(l.Request(), 0)
	l.Ticks(200, honest, only(honest...))
	for _, i := range honest {
		if st := l.Replicas[i].Engine.Status(); st.Executed == 0 {
			t.Errorf("R%d executed nothing", i)
		}
	}
}

// §8: who hears the VIEW-CHANGE of one that rejoins follows at once, and what it says
// by that is on disk: when all have restarted, and that one has lost its disk again, it
// is told of a view by which it does not sign the same one anew (seed 13002468).
func TestRejoinerIsFollowedAtOnce(t *testing.T) {
	l := newLab(t, 4)
	for _, i := range []int{0, 1, 2} {
		l.Give(i, consensus.ReplicaPeer(3), (&message.Rejoin{Nonce: 1}).Encode())
		l.Give(i, consensus.ReplicaPeer(3), l.viewChange(3, 2).Frame)
	}
	l.Ticks(1, []int{0, 1, 2}, only())
	for _, i := range []int{0, 1, 2} {
		if e := l.Replicas[i].Engine; e.view.number < 1 || len(l.recorded(i, message.ViewChangeKind)) == 0 {
			t.Errorf("R%d is in view %d", i, e.view.number)
		}
	}
}

// viewsLast has replica 3 tell the others a lie in each tick, in which they need patience.
func viewsLast(t *testing.T, lie func(l *lab, i, tick int)) {
	l := newLab(t, 4)
	honest := []int{0, 1, 2}
	for _, i := range honest {
		l.Replicas[i].Engine.view.level = 2
	}
	entered, views := 0, 1
	for tick := range 1200 {
		patience := l.Replicas[0].Engine.view.patience()
		for _, i := range honest {
			patience = min(patience, l.Replicas[i].Engine.view.patience())
			lie(l, i, tick)
		}
		before := l.Replicas[1].Engine.view
		l.Ticks(1, honest, only(honest...))
		if now := l.Replicas[1].Engine.view; now.number > before.number {
			if before.primary() != 3 && tick-entered < 2*patience { // its own views it ends when it likes
				t.Fatalf("view %d lasted %d ticks", before.number, tick-entered)
			}
			entered, views = tick, views+1
		}
		if tick%100 == 99 {
			l.Submit(l.Request(), 0)
		}
	}
	if views < 6 {
		t.Errorf("%d views: nobody was followed", views)
	}
	for _, i := range honest {
		if st := l.Replicas[i].Engine.Status(); st.Executed < 11 {
			t.Errorf("R%d executed %d", i, st.Executed)
		}
	}
}

// §8: who says for ever that it has lost its disk has an idle cluster fill for it four
// times, and then ever so seldom: else it would never be idle, and who is slow never level.
func TestFalseRejoinsAreHelpedSeldom(t *testing.T) {
	l := newLab(t, 4)
	honest := []int{0, 1, 2}
	st := message.Status{Rejoining: true, Target: 1 << 50}
	every := l.Replicas[0].Engine.cfg.RejoinEvery
	for tick := range 40 * every {
		m := message.Rejoin{Nonce: uint64(tick)}
		for _, i := range honest {
			l.Give(i, consensus.ReplicaPeer(3), m.Encode())
			l.Give(i, consensus.ReplicaPeer(3), st.Encode())
		}
		l.Ticks(1, honest, only(honest...))
	}
	if n, most := len(l.Replicas[0].Executed), int(6*4*l.Genesis.Window); n > most {
		t.Errorf("filled %d slots, want at most %d", n, most)
	}
	if n := len(l.Replicas[0].Executed); n < int(5*4*l.Genesis.Window) {
		t.Errorf("filled %d slots: a true loss would not be helped", n)
	}
}

// §8: a liar that rejoins again and again starts no clock of another that rejoins.
func TestClockOfFillingIsItsOwn(t *testing.T) {
	l := newLab(t, 4)
	r := l.Replicas[1].Engine
	r.view.level = 3 // 160 ticks: three times as long as it takes to claim a loss again
	m := message.Rejoin{Nonce: 1}
	l.Give(1, consensus.ReplicaPeer(3), m.Encode())
	for tick := range 170 {
		liar := message.Rejoin{Nonce: uint64(2 + tick)}
		l.Give(1, consensus.ReplicaPeer(2), liar.Encode())
		l.Give(1, consensus.ReplicaPeer(3), (&message.Status{Rejoining: true, Target: 8}).Encode())
		l.Ticks(1, []int{1}, only(1))
	}
	if st := r.Status(); st.View != 1 || !st.Changing {
		t.Errorf("view %d, changing %v: waits for the primary for ever", st.View, st.Changing)
	}
}

// §8: how far a rejoining replica is followed is settled once. A traitor that
// asks for two views more whenever the others come near leads nobody on.
func TestRejoinerThatRunsAheadIsNotFollowed(t *testing.T) {
	l := newLab(t, 4)
	honest := []int{0, 1, 2}
	m := message.Rejoin{Nonce: 9}
	for _, i := range honest {
		l.Give(i, consensus.ReplicaPeer(3), m.Encode())
	}
	for range 400 {
		carrot := l.viewChange(3, l.Replicas[0].Engine.view.number+2).Frame
		for _, i := range honest {
			l.Give(i, consensus.ReplicaPeer(3), carrot)
		}
		l.Ticks(1, honest, only(honest...))
	}
	l.wantView(2, honest...)
}

// §8: a liar among the first n-f answers names a view of the far future. Awake,
// the replica signs nothing for it, asks on, and takes the limit of the lowest
// answers when one more has come.
func TestLiarsViewIsNotGoneFor(t *testing.T) {
	l := newLab(t, 7)
	l.Start(6, true)
	r := l.Replicas[6].Engine
	answer := func(i int, v consensus.View) {
		a := message.RejoinAnswer{Nonce: r.rejoin.nonce, View: v}
		l.Give(6, consensus.ReplicaPeer(consensus.ReplicaID(i)), a.Encode())
	}
	for i, v := range []consensus.View{1 << 40, 3, 3, 3, 3} {
		answer(i, v)
	}
	r.rejoin.target = 0 // as if it were stable
	l.Ticks(2, []int{6})
	if st := r.Status(); st.Rejoining || st.Changing || st.View != 0 {
		t.Fatalf("rejoining %v, changing %v, view %d: want awake and waiting", st.Rejoining, st.Changing, st.View)
	}
	answer(5, 3)
	l.Ticks(2, []int{6})
	if st := r.Status(); !st.Changing || st.View != 5 {
		t.Fatalf("changing %v, view %d: want to go for 5", st.Changing, st.View)
	}
}
