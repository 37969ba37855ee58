package bench

import (
	"reflect"
	"testing"
	"time"
)

const ms = time.Millisecond

// TestWhatCounts: latencies are of operations wholly within the measured time, answers
// over time and gaps of all that came within.
func TestWhatCounts(t *testing.T) {
	m := newMeter(1000*ms, 2000*ms)
	for _, x := range []struct {
		asked, at time.Duration
		how       outcome
	}{
		{800 * ms, 900 * ms, answered},   // the warm-up
		{900 * ms, 1010 * ms, answered},  // asked before
		{1000 * ms, 1250 * ms, answered}, // 240 ms after the last one
		{1240 * ms, 1245 * ms, answered}, // overtaken
		{1260 * ms, 1270 * ms, refused},
		{1260 * ms, 1280 * ms, unknown},
		{1800 * ms, 1900 * ms, answered}, // 650 ms
		{1700 * ms, 2001 * ms, answered}, // too late
		{1600 * ms, 2300 * ms, cut},
		{2100 * ms, 2300 * ms, cut}, // asked after the end
	} {
		m.ended(x.asked, x.at, x.how, false)
	}
	m.stop(2500 * ms)
	if m.writes.n != 3 || m.writes.max != 250*ms || m.refused != 1 || m.unknown != 1 {
		t.Errorf("%d counted, up to %v; %d refused, %d unknown", m.writes.n, m.writes.max, m.refused, m.unknown)
	}
	if m.underWay != 2 || m.oldest != 400*ms {
		t.Errorf("%d under way, the oldest for %v", m.underWay, m.oldest)
	}
	if want := []int{1, 0, 2, 0, 0, 0, 0, 0, 0, 1}; !reflect.DeepEqual(m.course.Answered, want) {
		t.Errorf("answers over time: %v, want %v", m.course.Answered, want)
	}
	if want := []int{0, 0, 2, 0, 0, 0, 0, 0, 0, 0}; !reflect.DeepEqual(m.course.Failed, want) {
		t.Errorf("failures over time: %v, want %v", m.course.Failed, want)
	}
	want := []Gap{{0.01, 235}, {0.25, 650}, {0.9, 100}}
	want[0].Lasted = 240 // the one that was overtaken was heard later
	if !reflect.DeepEqual(m.gaps, want) || m.longest != 650*ms || m.gapsInAll != 3 {
		t.Errorf("gaps %v of %d, the longest %v", m.gaps, m.gapsInAll, m.longest)
	}
}

// TestSilenceAtBothEnds: nobody was answered until late, nor at the end.
func TestSilenceAtBothEnds(t *testing.T) {
	m := newMeter(0, 3*time.Second)
	m.ended(0, 1200*ms, answered, true)
	m.stop(2200 * ms) // interrupted
	if want := []Gap{{0, 1200}, {1.2, 1000}}; !reflect.DeepEqual(m.gaps, want) || len(m.course.Answered) != 22 || m.reads.n != 1 {
		t.Errorf("gaps %v, %d slices, %d reads", m.gaps, len(m.course.Answered), m.reads.n)
	}
	m.ended(2150*ms, 2199*ms, answered, true) // heard late
	none := newMeter(0, time.Second)
	none.stop(0)
	none.ended(0, 0, answered, false)
	if none.longest != 0 {
		t.Errorf("a gap of %v in no time", none.longest)
	}
}

// TestGapsAreBounded, and the longest stay.
func TestGapsAreBounded(t *testing.T) {
	m, at := newMeter(0, time.Hour), time.Duration(0)
	for i := range 200 {
		at += gapLeast + time.Duration(i*7919%200)*ms
		m.ended(at, at, answered, false)
	}
	m.ended(at+gapLeast-1, at+gapLeast-1, answered, false)
	m.stop(at + gapLeast)
	least := 1e9
	for i, g := range m.gaps {
		least = min(least, g.Lasted)
		if i > 0 && g.From < m.gaps[i-1].From {
			t.Error("gaps are out of order")
		}
	}
	if len(m.gaps) != gapsMost || m.gapsInAll != 200 || least != 268 {
		t.Errorf("%d of %d gaps, from %v ms", len(m.gaps), m.gapsInAll, least)
	}
}

func TestSlices(t *testing.T) {
	for whole, want := range map[time.Duration]time.Duration{
		0: 100 * ms, time.Second: 100 * ms, time.Minute: 100 * ms, time.Minute + 1: 200 * ms, 3 * time.Minute: 500 * ms, time.Hour: 10 * time.Second, 24 * time.Hour: 200 * time.Second,
	} {
		if got := sliceOf(whole); got != want {
			t.Errorf("slices of %v for %v, want %v", got, whole, want)
		}
		if m := newMeter(0, whole); len(m.course.Answered) > slicesMost {
			t.Errorf("%d slices", len(m.course.Answered))
		}
	}
}

// TestSchedule of an open loop: no drift, and nothing that is due is forgotten.
func TestSchedule(t *testing.T) {
	for _, rate := range []int{1, 3, 7, 1000, 999_999, 1_000_000} {
		for n := range 5000 {
			if gap := due(n+1, rate) - due(n, rate); gap < time.Second/time.Duration(rate) || gap > time.Second/time.Duration(rate)+1 {
				t.Fatalf("rate %d: %v between %d and the next", rate, gap, n)
			}
		}
		if at := due(86_400*rate, rate); at != 24*time.Hour {
			t.Errorf("rate %d: a day ends after %v", rate, at)
		}
		m := newMeter(0, 10*time.Second)
		m.late(4*rate, rate, time.Minute)
		if m.underWay != 6*rate || m.oldest != 6*time.Second {
			t.Errorf("rate %d: %d are late, the oldest by %v", rate, m.underWay, m.oldest)
		}
	}
	m := newMeter(0, time.Second)
	if m.late(10, 10, time.Minute); m.underWay != 0 {
		t.Errorf("%d are late though none was due", m.underWay)
	}
	hour := newMeter(0, time.Hour)
	hour.ended(time.Second, 3*time.Second, cut, false)
	if hour.late(20, 10, 3*time.Second); hour.underWay != 11 || hour.oldest != 2*time.Second {
		t.Errorf("%d were under way when it was interrupted, the oldest for %v", hour.underWay, hour.oldest)
	}
}
