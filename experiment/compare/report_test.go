package compare

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"quorate.dev/quorate/consensus"
)

// sample is a report of a run with a gap, a fork, and words that must be
// escaped.
func sample() *Report {
	seconds := func(done ...int) (all []Second) {
		for i, n := range done {
			s := Second{At: i, Done: n, Available: n > 0}
			if n > 0 {
				s.P50, s.P99 = 2.5, 40
			}
			all = append(all, s)
		}
		return all
	}
	total := func(frames uint64) Total {
		return Total{Done: 600, PerSecond: 150, P50: 2.5, P99: 40, Silence: Silence{time.Second, 1500 * time.Millisecond}, Decisions: 100,
			Sent: []Traffic{{"votes", frames, 10 * frames}, {"bodies", 100, 50_000}, {"bulk", 0, 0}}}
	}
	return &Report{
		Scenario: "<kill> & \"restart\"", Seconds: 4, Clients: 3, ValueBytes: 256, Cores: 2,
		Sides: []Side{
			{Protocol: "raft", Replicas: 3, Faults: 1, Phase: "done", Elapsed: 4, Leader: 2, View: 7, Seconds: seconds(100, 0, 200, 300), Total: total(400),
				Events:  []Event{{At: 1.1, Kind: "crash", Replica: 0, What: "crash leader: replica 0"}, {At: 5, Kind: "restart", Replica: 0, What: "after the load, replica 0 is started again", Error: "it <failed>\nwith a log"}},
				Verdict: &Verdict{Forked: true, ForkAt: 12, Traitors: []consensus.ReplicaID{0}, Linearizable: "no", Violations: []string{"fork: <a> & b"}, More: 2}},
			{Protocol: "pbft", Replicas: 4, Faults: 1, Phase: "judging", Elapsed: 4, Leader: -1, View: 1, Seconds: seconds(100, 100, 0, 400), Total: total(2000),
				Events: []Event{{At: 1.3, Kind: "crash", Replica: 0, What: "crash primary: replica 0"}, {At: 1.9, Kind: "pause", Replica: 1, What: "pause backup: replica 1"}}},
		},
	}
}

// safe is nil if neither side did what must never happen; else its error names
// the side.
func (r *Report) safe() error {
	var errs []error
	for i := range r.Sides {
		s := &r.Sides[i]
		if s.Verdict != nil && !s.Verdict.Safe {
			errs = append(errs, fmt.Errorf("%s: %s", s.title(), s.Verdict.word()))
		}
	}
	return errors.Join(errs...)
}

// TestPage: both protocols stand on the page, which needs nothing else, and in
// every plot.
func TestPage(t *testing.T) {
	for name, r := range map[string]*Report{"sample": sample(), "empty": {Seconds: 1, Sides: []Side{{Protocol: "raft"}, {Protocol: "pbft"}}}} {
		var b bytes.Buffer
		if err := WriteHTML(&b, r); err != nil {
			t.Fatal(name, err)
		}
		text := b.String()
		if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") || strings.Contains(text, "src=") || strings.Contains(text, "@import") {
			t.Errorf("%s: a number that is none, or something to fetch", name)
		}
		plots := strings.Split(text, `<svg class="plot"`)[1:]
		if len(plots) != 7 {
			t.Errorf("%s: %d plots", name, len(plots))
		}
		for _, p := range plots {
			if name == "sample" && (!strings.Contains(p, "c0") || !strings.Contains(p, "c1")) {
				t.Errorf("a plot without one of them: %s", p)
			}
		}
	}
}

// TestPageSays what matters, escaped.
func TestPageSays(t *testing.T) {
	var b bytes.Buffer
	if err := WriteHTML(&b, sample()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"&lt;kill&gt; &amp;", "forked at n=12", "nobody can be convicted", "fork: &lt;a&gt; &amp; b", "not judged", "crash leader: replica 0", "crash primary: replica 0",
		"after the load, replica 0 is started again: it &lt;failed&gt;", ">1 crash<", ">2 pause<", `class="gap"`, "3 of 4", "all at once on the same machine of 2 cores",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(b.String(), "<kill>") || strings.Contains(b.String(), "<a>") {
		t.Error("something was not escaped")
	}
}

// TestMarks: the same fault of both sides is one mark, what came after the load
// none.
func TestMarks(t *testing.T) {
	all := marks(sample())
	if len(all) != 2 || all[0].Kind != "crash" || all[0].At != 1.1 || len(all[0].Texts) != 2 || all[1].Kind != "pause" || len(all[1].Texts) != 1 {
		t.Errorf("%+v", all)
	}
}

// TestCosts: what a decision and an operation cost.
func TestCosts(t *testing.T) {
	x := sample().Sides[0].Total
	sent, done := x.sent(), uint64(x.Done)
	for _, c := range []struct {
		a, b uint64
		want float64
	}{
		{sent.Messages, x.Decisions, 5}, {sent.Bytes, x.Decisions, 540}, {done, x.Decisions, 6}, {sent.Messages, done, 500.0 / 600}, {sent.Bytes, done, 90}, {1, 0, 0},
	} {
		if got := ratio(c.a, c.b); got != c.want {
			t.Errorf("%d of %d: got %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

// TestTable: no line is wider than a terminal, and both sides are in it.
func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := WriteTable(&b, sample(), 0); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"RAFT, 3 REPLICAS", "PBFT, 4 REPLICAS", "forked at n=12", "and 2 more", "not judged", "it <failed>"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, b.String())
		}
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if err := sample().safe(); err == nil || !strings.Contains(err.Error(), "Raft, 3 replicas: forked at n=12") {
		t.Errorf("got %v", err)
	}
}

// TestPicture: columns fit the terminal, whatever there is to say, and show
// all sides.
func TestPicture(t *testing.T) {
	r := sample()
	r.Scenario = strings.Repeat("a long name ", 20)
	r.Sides[1].Events[1].Error = strings.Repeat("äöü ", 60)
	for _, width := range []int{60, 80, 140} {
		lines := picture(r, width)
		for _, line := range lines {
			if utf8.RuneCountInString(line) > width || strings.Contains(line, "\n") {
				t.Errorf("width %d: %q", width, line)
			}
		}
	}
	three := sample()
	three.Sides = append(three.Sides, three.Sides[0])
	three.Sides[2].Leader = 1
	for _, test := range []struct{ width, beside int }{{60, 2}, {80, 2}, {100, 3}, {140, 3}} {
		beside := 0
		for _, line := range picture(three, test.width) {
			beside = max(beside, strings.Count(line, "│")+1)
			if utf8.RuneCountInString(line) > test.width {
				t.Errorf("width %d: %q", test.width, line)
			}
		}
		if text := strings.Join(picture(three, test.width), "\n"); beside != test.beside || !strings.Contains(text, "Raft, 3 replicas: leader 1") {
			t.Errorf("width %d: %d of three sides beside each other, want %d:\n%s", test.width, beside, test.beside, text)
		}
	}
	text := strings.Join(picture(sample(), 80), "\n")
	for _, want := range []string{"Raft, 3 replicas: leader 2, term 7", "PBFT, 4 replicas: no primary, view 1", "█·██", "✗ forked at n=12", "crash primary: replica 0", "▃ ▅▇", "mute for 1.5 s"} {
		if !strings.Contains(text, want) {
			t.Errorf("the screen lacks %q:\n%s", want, text)
		}
	}
}

// TestPlainLines: each second and event is told once.
func TestPlainLines(t *testing.T) {
	var b bytes.Buffer
	s := NewScreen(&b, false, nil)
	r := sample()
	half := *r
	half.Sides = []Side{r.Sides[0], r.Sides[1]}
	half.Sides[0].Seconds, half.Sides[0].Events = half.Sides[0].Seconds[:2], nil
	s.Show(&half)
	s.Show(r)
	s.Show(r)
	if n := strings.Count(b.String(), "\n"); n != 2+8+4 { // phases, seconds, events
		t.Errorf("%d lines:\n%s", n, b.String())
	}
	if !strings.Contains(b.String(), "2 s  raft: no answer") || strings.Contains(b.String(), "\x1b") {
		t.Error(b.String())
	}
}

// TestScreenDraws in place: the second picture begins where the first did.
func TestScreenDraws(t *testing.T) {
	var b bytes.Buffer
	s := NewScreen(&b, true, func() int { return 80 })
	s.Show(sample())
	lines := strings.Count(b.String(), "\n")
	b.Reset()
	s.Show(sample())
	if up := regexp.MustCompile(`^\x1b\[(\d+)A`).FindStringSubmatch(b.String()); up == nil || up[1] != strings.TrimSpace(grouped(float64(lines))) {
		t.Errorf("%d lines, then %q", lines, b.String()[:20])
	}
}
