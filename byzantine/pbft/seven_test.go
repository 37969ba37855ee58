package pbft

import (
	"fmt"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/enginetest"
	"quorate.dev/quorate/pbft/message"
)

// Two of seven, at different things.
func TestLiesOfTwo(t *testing.T) {
	for _, c := range []struct {
		traitors map[int]string
		setting  func(*lab)
	}{
		{traitors: map[int]string{0: "equivocate", 6: "double-vote"}},
		{traitors: map[int]string{1: "equivocate-new-view", 6: "double-vote"}, setting: halfway},
		{traitors: map[int]string{0: "bad-batch", 1: "bad-new-view"}},
		{traitors: map[int]string{0: "seq-jump any", 1: "seq-jump far"}},
		{traitors: map[int]string{1: "silent-new-view", 2: "silent-new-view"}, setting: deposed},
		{traitors: map[int]string{1: "hide-prepared", 3: "fake-prepared stale"}, setting: uncommitted(1)},
		{traitors: map[int]string{3: "vc-spam", 4: "vc-spam"}},
		{traitors: map[int]string{3: "huge-view", 4: "select-view-change"}, setting: deposed},
		{traitors: map[int]string{0: "starve", 1: "starve client=0"}},
		{traitors: map[int]string{0: "select 3", 5: "withhold-votes"}},
		{traitors: map[int]string{5: "lying-checkpoint equivocate", 6: "lying-checkpoint root"}},
		{traitors: map[int]string{0: "poison-transfer claims", 2: "poison-transfer bytes"}, setting: left(1)},
		{traitors: map[int]string{5: "rejoin-lies", 6: "fetch-flood"}},
		{traitors: map[int]string{0: "slow-primary", 6: "bad-certificate"}},
	} {
		t.Run(fmt.Sprint(c.traitors), func(t *testing.T) {
			t.Parallel()
			l := newLab(t, 7, c.traitors)
			l.work(2)
			if c.setting != nil {
				c.setting(l)
			}
			l.work(6)
			l.wantAll(2500)
			l.wantSafe()
			for i := range c.traitors {
				if !l.lied(i) {
					t.Errorf("R%d has not lied", i)
				}
			}
		})
	}
}

// A replica that lost its disk comes back although one of those whom it asks
// answers with a view of the far future.
func TestRejoinAmongTraitors(t *testing.T) {
	for _, behaviour := range []string{"rejoin-lies", "poison-checkpoint", "huge-view"} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, 7, map[int]string{2: behaviour})
			l.work(8)
			l.wipe(4)
			l.work(10)
			l.wantAll(2000)
			for range 2000 {
				if !l.Replicas[4].Engine.Status().Rejoining {
					break
				}
				l.ticks(1)
			}
			l.wantSafe()
			st := l.Replicas[4].Engine.Status()
			if st.Rejoining || st.View > 1000 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// Who asks for more than its share is not answered any more.
func TestFloodMeetsItsBudget(t *testing.T) {
	l := newLab(t, 4, map[int]string{3: "fetch-flood"}, func(g *consensus.Genesis) {
		g.Limits.OperationBytes, g.Limits.RequestBytes = 1<<20, 2<<20
	})
	for range 3 {
		l.submit(0, 1<<20-64)
		l.ticks(2)
	}
	l.ticks(30)
	l.work(4)
	l.wantAll(1000)
	l.wantSafe()
	l.wantReason("peer asks too much")
}

// A slow primary is left together, and what it does until then costs its delay.
func TestSlowPrimaryIsLeft(t *testing.T) {
	slow, fast := newLab(t, 4, map[int]string{0: "slow-primary"}), newLab(t, 4, nil)
	for _, l := range []*lab{slow, fast} {
		l.submit(0, 0)
		l.deliver()
		for len(l.Replicas[1].Executed) == 0 {
			l.ticks(1)
		}
	}
	if waited := int((slow.Now - fast.Now) / enginetest.Tick); waited != labPatience*8/10 {
		t.Errorf("the batch came %d ticks later", waited)
	}
	for range 20 * labPatience {
		for _, l := range []*lab{slow, fast} {
			if l.Replicas[1].Engine.Status().Pending == 0 {
				l.submit(0, 0)
			}
			l.ticks(1)
		}
	}
	for l, want := range map[*lab]consensus.View{slow: 1, fast: 0} {
		l.wantAll(10)
		if st := l.Replicas[1].Engine.Status(); st.View != want || st.Changing {
			t.Errorf("view %d, want %d", st.View, want)
		}
	}
	if s, f := len(slow.Replicas[1].Executed), len(fast.Replicas[1].Executed); 4*s < 3*f {
		t.Errorf("%d batches with a slow first primary, %d with a quick one", s, f)
	}
}

// Both halves of an equivocator's victims are told a story that verifies.
func TestEquivocationIsEvidence(t *testing.T) {
	l := newLab(t, 4, map[int]string{0: "equivocate"})
	stories := map[string]bool{}
	l.lose = func(m frame) bool {
		if m.From == 0 && message.Kind(m.Bytes[0]) == message.PrePrepareKind {
			p, _ := l.rules.Promised(m.Bytes)
			stories[p.Content] = true
		}
		return false
	}
	l.submit(0, 0)
	l.deliver()
	if len(stories) != 2 {
		t.Errorf("%d stories", len(stories))
	}
	l.wantOwnKeys()
}

// A lie is told to those it is meant for, at its time, and no longer.
func TestLieOfASpec(t *testing.T) {
	l := newLab(t, 4, map[int]string{0: "bad-batch signature to=2 after=100ms until=300ms"})
	l.work(2) // 60 ms
	if l.lies() != 0 {
		t.Error("too early")
	}
	l.ticks(5)
	l.work(2)
	before := l.lies()
	if before == 0 {
		t.Error("not told")
	}
	l.ticks(30)
	l.work(4)
	if l.lies() != before {
		t.Error("told after its time")
	}
	l.wantAll(1000)
	for i, d := range l.Replicas {
		if st := d.Engine.Status(); st.View != 0 {
			t.Errorf("R%d is in view %d: one victim is no reason", i, st.View)
		}
	}
	l.wantReason(message.ReasonOtherBatch)
}
