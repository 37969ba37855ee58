package compare

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestCountBySecond: an answer counts in the second in which it came, and what
// comes after the load in none.
func TestCountBySecond(t *testing.T) {
	const ms = time.Millisecond
	c := newCount(3500 * ms)
	for i := range 100 {
		c.ended(100*ms, time.Duration(i+1)*ms, false)
	}
	c.ended(1500*ms, 0, true)
	c.ended(2*time.Second, 7*ms, false)
	c.ended(3400*ms, 9*ms, false)
	c.ended(3500*ms, ms, false)
	c.ended(-ms, ms, false)
	c.ended(time.Hour, 0, true)
	if got := c.until(3400 * ms); len(got) != 3 {
		t.Errorf("%d seconds are over at 3.4 s", len(got))
	}
	want := []Second{
		{At: 0, Done: 100, P50: 51, P99: 100, Available: true},
		{At: 1, Failed: 1},
		{At: 2, Done: 1, P50: 7, P99: 7, Available: true},
		{At: 3, Done: 1, P50: 9, P99: 9, Available: true},
	}
	if got := c.until(time.Hour); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	total := c.total(time.Hour)
	if total.Done != 102 || total.Failed != 1 || total.PerSecond != 102/3.5 || total.Silence != (Silence{From: 100 * ms, Lasted: 1900 * ms}) {
		t.Errorf("%+v", total)
	}
}

// TestSilenceGoesOn: the longest silence may be the one that has not ended, or
// the one before the first answer; answers out of order make none.
func TestSilenceGoesOn(t *testing.T) {
	c := newCount(10 * time.Second)
	if s := c.total(2 * time.Second).Silence; s.From != 0 || s.Lasted != 2*time.Second {
		t.Errorf("%+v", s)
	}
	c.ended(3*time.Second, 0, false)
	c.ended(time.Second, 0, false)
	if s := c.total(4 * time.Second).Silence; s.From != 0 || s.Lasted != 3*time.Second {
		t.Errorf("%+v", s)
	}
	if s := c.total(8 * time.Second).Silence; s.From != 3*time.Second || s.Lasted != 5*time.Second {
		t.Errorf("%+v", s)
	}
}

// metricsPage is what a replica might serve.
func metricsPage(applied, votes, voteBytes int, leading int) []byte {
	return fmt.Appendf(nil, `# HELP quorate_bytes_sent_total Bytes
go_goroutines 12
quorate_bytes_sent_total{class="bodies"} 1.5e+06
quorate_bytes_sent_total{class="bulk"} 0
quorate_bytes_sent_total{class="votes"} %d
quorate_frames_sent_total{class="bodies"} 10
quorate_frames_sent_total{class="bulk"} 0
quorate_frames_sent_total{class="votes"} %d
quorate_replica{what="applied"} %d
quorate_replica{what="view"} 3
quorate_state{condition="leading"} %d
`, voteBytes, votes, applied, leading)
}

// reads is parseReading of a page that must be good.
func reads(t *testing.T, page []byte) *reading {
	t.Helper()
	r, ok := parseReading(page)
	if !ok {
		t.Fatalf("not read: %s", page)
	}
	return &r
}

// TestMeter: counters are added up over restarts, from the first look on, and
// those of a replica that does not answer wait for the next.
func TestMeter(t *testing.T) {
	m := newMeter()
	m.take([]*reading{reads(t, metricsPage(100, 1000, 5000, 1)), nil})
	if sent, decisions := m.read(); decisions != 0 || sent[0].Messages != 0 || sent[1].Bytes != 0 {
		t.Errorf("at the beginning: %v, %d", sent, decisions)
	}
	m.take([]*reading{reads(t, metricsPage(110, 1040, 5400, 0)), nil})
	m.take([]*reading{nil, nil})
	if leader, _ := m.led(); leader != -1 {
		t.Errorf("nobody answers, and %d leads", leader)
	}
	m.take([]*reading{reads(t, metricsPage(3, 7, 70, 0)), reads(t, metricsPage(120, 1, 8, 1))})
	sent, decisions := m.read()
	if decisions != 20 || sent[0] != (Traffic{"votes", 48, 478}) {
		t.Errorf("%v, %d decisions", sent, decisions)
	}
	if leader, view := m.led(); leader != 1 || view != 3 {
		t.Errorf("leader %d, view %d", leader, view)
	}
}

// TestMeterRefuses pages that have not all of the counters.
func TestMeterRefuses(t *testing.T) {
	for _, page := range []string{"", "nonsense", strings.ReplaceAll(string(metricsPage(1, 1, 1, 1)), "frames_sent", "other"), strings.ReplaceAll(string(metricsPage(1, 1, 1, 1)), "applied", "other")} {
		if r, ok := parseReading([]byte(page)); ok {
			t.Errorf("%q: %+v", page, r)
		}
	}
}

// TestSlotAllows: a key may hold its last acknowledged write or one in doubt, and
// no other.
func TestSlotAllows(t *testing.T) {
	var s slot
	s.wrote(1, nil)
	s.wrote(65, errors.New("no answer"))
	s.wrote(129, nil)
	for n, want := range map[uint64]bool{1: false, 65: true, 129: true, 193: false, 0: false} {
		if s.allows(n) != want {
			t.Errorf("write %d: %v", n, !want)
		}
	}
	if s.writes != 2 {
		t.Errorf("%d writes", s.writes)
	}
}
