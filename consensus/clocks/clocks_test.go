package clocks

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
)

const (
	second = consensus.Time(1e9)
	hour   = 3600 * second
	start  = consensus.Time(1e18)
)

// testClocks are those of a member of four that has heard the others' offsets.
func testClocks(n, quorum int, offsets ...consensus.Time) *Clocks {
	c := New(Config{Members: n, Quorum: quorum, Self: 0, Tick: second / 100, Every: 50, Skew: 2 * second}, start)
	for id, o := range offsets {
		c.Hear(consensus.ReplicaID(id+1), &consensus.Clock{Time: start + o})
	}
	return c
}

// What time it is for a member whose own clock is right, or is not, or who
// cannot know.
func TestTime(t *testing.T) {
	for name, tc := range map[string]struct {
		n, quorum int
		offsets   []consensus.Time
		want      consensus.Time // from the own clock
		wrong     string
	}{
		"all agree":                   {4, 3, []consensus.Time{1, -1, second}, 0, ""},
		"nobody was heard":            {4, 3, nil, 0, ""},
		"one is too few":              {4, 3, []consensus.Time{hour}, 0, ""},
		"the own clock is ahead":      {4, 3, []consensus.Time{-hour, -hour, -hour}, 2*second - hour, "clock of this replica, which is 1h0m0s ahead of most others"},
		"the own clock is behind":     {3, 2, []consensus.Time{hour, hour}, hour - 2*second, "clock of this replica, which is 1h0m0s behind most others"},
		"one other is ahead":          {4, 3, []consensus.Time{hour, 0, 0}, 0, "clock of replica 1, which says that it is 1h0m0s ahead of most others"},
		"one other is behind":         {3, 2, []consensus.Time{0, -hour}, 0, "clock of replica 2, which says that it is 1h0m0s behind most others"},
		"of two the lower one counts": {2, 2, []consensus.Time{-hour}, 2*second - hour, "clock of this replica"},
		"alone":                       {1, 1, nil, 0, ""},
	} {
		c := testClocks(tc.n, tc.quorum, tc.offsets...)
		if got := c.Time() - start; got != tc.want {
			t.Errorf("%s: the time is %d, want %d", name, got, tc.want)
		}
		var text string
		for _, l := range c.Wrong() {
			text += l.What
		}
		if (text == "") != (tc.wrong == "") || !strings.Contains(text, tc.wrong) {
			t.Errorf("%s: wrong is %q, want %q", name, text, tc.wrong)
		}
	}
}

// With at most f that lie and n = 3f+1, whatever they say, the time lies within
// the skew of what clocks show that are right.
func TestLiarsDoNotMoveTheTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.IntRange(1, 4).Draw(t, "f")
		right := rapid.Int64Range(-1e9, 1e9)
		offsets := make([]consensus.Time, 3*f)
		for i := range offsets {
			offsets[i] = consensus.Time(right.Draw(t, "right"))
		}
		for range f {
			offsets[rapid.IntRange(0, len(offsets)-1).Draw(t, "who")] = consensus.Time(rapid.Int64Range(-1e18, 1e18).Draw(t, "lie"))
		}
		c := testClocks(3*f+1, 2*f+1, offsets...)
		if got := c.Time(); got != start {
			t.Fatalf("the time is %d", got-start)
		}
	})
}

// A clock that is set, or a pause, makes the readings void: the others are to be
// heard anew, for a while at most.
func TestJump(t *testing.T) {
	c := testClocks(3, 2, 0, 0)
	c.Tick()
	if c.Advance(start+second/100) || !c.Ready() {
		t.Error("a tick is a jump")
	}
	if !c.Advance(start+hour) || c.Ready() || c.Advance(start+hour) || c.Ready() {
		t.Error("an hour is none")
	}
	c.Hear(1, &consensus.Clock{Time: start})
	if !c.Ready() || c.Time() != start+2*second {
		t.Errorf("the time is %d after one was heard", c.Time()-start)
	}
	c.Advance(start + 2*hour)
	now := start + 2*hour
	for ticks := 0; !c.Ready(); ticks++ {
		if now += second / 100; ticks > 200 {
			t.Fatal("others are waited for without end")
		}
		c.Tick()
		c.Advance(now)
	}
	if c.Time() != now {
		t.Error("without readings the own clock does not count")
	}
}

// Readings go on by ticks, and are forgotten when their members fall silent.
func TestReadingsAge(t *testing.T) {
	c := testClocks(2, 2, -3*second)
	for tick := 1; tick <= forgotten*50; tick++ {
		c.Tick()
		c.Advance(start + consensus.Time(tick)*second/100)
	}
	if o := c.Offsets(); len(o) != 2 || o[1].Offset != -3*second || o[1].Wrong || !o[0].Wrong {
		t.Errorf("offsets %+v", o)
	}
	c.Tick()
	if o := c.Offsets(); len(o) != 1 || len(c.Wrong()) > 0 {
		t.Errorf("offsets %+v of a member that was not heard for long", o)
	}
}

// An alarm needs a clock that stays wrong, and comes once in a while.
func TestAlarm(t *testing.T) {
	c := testClocks(3, 2)
	var at []int
	for tick := 1; tick <= 5000; tick++ {
		now := start + consensus.Time(tick)*second/100
		c.Tick()
		c.Advance(now)
		for id := range consensus.ReplicaID(2) {
			offset := consensus.Time(id) * hour
			c.Hear(id+1, &consensus.Clock{Time: now + offset})
		}
		if text := c.Alarm(); text != "" {
			at = append(at, tick)
			if text != "set right the clock of replica 2, which says that it is 1h0m0s ahead of most others" {
				t.Errorf("alarm: %s", text)
			}
		}
	}
	if len(at) != 2 || at[0] != 51 || at[1] != 51+alarmEvery*50 {
		t.Errorf("alarms at ticks %v", at)
	}
}

// Who says what no clock shows is named like any other, later, too.
func TestNoClockShowsThat(t *testing.T) {
	c := testClocks(4, 3, 1<<63-1-start, 0, 0)
	c.Tick()
	c.Advance(start + second/100)
	if l := c.Wrong(); len(l) != 1 || !strings.Contains(l[0].What, "clock of replica 1") || !strings.Contains(l[0].What, "ahead of") {
		t.Errorf("wrong: %+v", l)
	}
	if o := c.Offsets(); o[1].Offset < hour {
		t.Errorf("offset %d", o[1].Offset)
	}
}
