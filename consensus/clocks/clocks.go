package clocks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/consensus"
)

// Clocks holds what one member knows of the clocks of all.
type Clocks struct {
	cfg      Config
	now      consensus.Time // this member's own clock
	tick     int
	ticked   int       // ticks since the clock was looked at
	readings []reading // by member
	jumped   bool      // the own clock was set, or ticks were lost ...
	since    int       // ... in this tick
	doubted  bool      // a clock was wrong when this was looked at last
	alarmed  int       // tick of the last alarm; 0 = never
}

// Config says whose clocks they are.
type Config struct {
	Members int
	Quorum  int                 // of readings, without which nothing is known
	Self    consensus.ReplicaID // who compares
	Tick    consensus.Time      // length of a tick
	Every   int                 // ticks between two readings of one member
	Skew    consensus.Time      // by how much clocks may differ
}

// reading is what a member said of its clock, and when that came.
type reading struct {
	clock consensus.Time
	tick  int
	known bool
}

// forgotten is how many readings in a row must be missing to forget the last.
const forgotten = 8

// New knows no clock but its own.
func New(cfg Config, now consensus.Time) *Clocks {
	cfg.Skew = max(cfg.Skew, 10*cfg.Tick) // readings come a little late
	return &Clocks{cfg: cfg, now: now, readings: make([]reading, cfg.Members)}
}

// Tick counts a tick.
func (c *Clocks) Tick() { c.tick, c.ticked = c.tick+1, c.ticked+1 }

// Advance sets the own clock. It reports whether that jumped, so that the
// others' are to be heard anew.
func (c *Clocks) Advance(now consensus.Time) bool {
	expected := c.now + consensus.Time(c.ticked)*c.cfg.Tick
	c.now, c.ticked = now, 0
	if distance(now, expected) <= c.cfg.Skew {
		return false
	}
	clear(c.readings)
	c.jumped, c.since = true, c.tick
	return true
}

// Own is what this member's own clock shows, for the others.
func (c *Clocks) Own() consensus.Clock { return consensus.Clock{Time: c.now} }

// latest is as much as a member may say that its clock shows: with it nothing overflows.
const latest = consensus.Time(1 << 62)

// Hear takes what a member says of its clock.
func (c *Clocks) Hear(from consensus.ReplicaID, m *consensus.Clock) {
	if int(from) < len(c.readings) {
		c.readings[from] = reading{clock: min(m.Time, latest), tick: c.tick, known: true}
	}
}

// Due reports whether members are to be told this one's clock in this tick.
func (c *Clocks) Due() bool { return c.tick%c.cfg.Every == 1%c.cfg.Every }

// at is what a member's clock shows now, if that is known.
func (c *Clocks) at(id int) (consensus.Time, bool) {
	r := c.readings[id]
	switch {
	case id == int(c.cfg.Self):
		return c.now, true
	case !r.known || c.tick-r.tick > forgotten*c.cfg.Every:
		return 0, false
	}
	return r.clock + consensus.Time(c.tick-r.tick)*c.cfg.Tick, true
}

// median is what the clock in the middle shows; false if too few are known.
func (c *Clocks) median() (consensus.Time, bool) {
	var known []consensus.Time
	for id := range c.readings {
		if at, ok := c.at(id); ok {
			known = append(known, at)
		}
	}
	if len(known) < c.cfg.Quorum {
		return 0, false
	}
	slices.Sort(known)
	return known[(len(known)-1)/2], true
}

// Ready reports whether the own clock can be relied on: after a jump the others
// are waited for, for a while.
func (c *Clocks) Ready() bool {
	if _, known := c.median(); known || c.tick-c.since > 2*c.cfg.Every {
		c.jumped = false
	}
	return !c.jumped
}

// Time is what this member goes by: its own clock, but no further from the
// median than clocks may differ.
func (c *Clocks) Time() consensus.Time {
	median, known := c.median()
	if !known {
		return c.now
	}
	return min(max(c.now, median-c.cfg.Skew), median+c.cfg.Skew)
}

// Offsets are by how much each known clock differs from this member's.
func (c *Clocks) Offsets() (list []consensus.ClockOffset) {
	median, known := c.median()
	for id := range c.readings {
		if at, ok := c.at(id); ok {
			list = append(list, consensus.ClockOffset{
				Replica: consensus.ReplicaID(id), Offset: at - c.now, Wrong: known && distance(at, median) > c.cfg.Skew,
			})
		}
	}
	return list
}

// Wrong names the members whose clocks differ from the median by more than
// clocks may. It is what they say: a liar may say anything.
func (c *Clocks) Wrong() (list []consensus.Lack) {
	median, known := c.median()
	for id := range c.readings {
		if at, ok := c.at(id); known && ok && distance(at, median) > c.cfg.Skew {
			list = append(list, consensus.Lack{What: c.describe(id, at, median), Missing: []consensus.ReplicaID{consensus.ReplicaID(id)}})
		}
	}
	return list
}

// describe says in words by how much a clock is wrong.
func (c *Clocks) describe(id int, at, median consensus.Time) string {
	who, direction := fmt.Sprintf("clock of replica %d, which says that it is", id), "behind"
	if id == int(c.cfg.Self) {
		who = "clock of this replica, which is"
	}
	if at > median {
		direction = "ahead of"
	}
	return fmt.Sprintf("%s %s %s most others", who, time.Duration(distance(at, median)).Round(time.Millisecond), direction)
}

// alarmEvery is how many readings lie between two alarms.
const alarmEvery = 60

// Alarm is what an operator should hear of wrong clocks, once in a while; ""
// otherwise. A clock must be wrong when two readings in a row are due: readings
// come late after a pause. Call it once in each tick.
func (c *Clocks) Alarm() string {
	if !c.Due() {
		return ""
	}
	wrong := c.Wrong()
	before := c.doubted
	c.doubted = len(wrong) > 0
	if !c.doubted || !before || c.alarmed > 0 && c.tick-c.alarmed < alarmEvery*c.cfg.Every {
		return ""
	}
	c.alarmed = c.tick
	var all []string
	for _, l := range wrong {
		all = append(all, l.What)
	}
	return "set right the " + strings.Join(all, ", and the ")
}

func distance(a, b consensus.Time) consensus.Time { return max(a, b) - min(a, b) }
