package compare

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"quorate.dev/quorate/internal/noun"
)

// Screen shows a comparison while it runs: on a terminal as columns that are
// drawn in place, and otherwise as plain lines, one for each second and event.
type Screen struct {
	w        io.Writer
	terminal bool
	columns  func() int // of the terminal now; 0 = not known
	lines    int        // drawn last time
	told     []told     // by side, in plain lines
	err      error
}

// told is how much of a side stands in plain lines.
type told struct {
	phase           string
	seconds, events int
}

// NewScreen writes to w, which is a terminal of so many columns, or none.
func NewScreen(w io.Writer, terminal bool, columns func() int) *Screen {
	return &Screen{w: w, terminal: terminal, columns: columns}
}

// Show shows a report. It may be called from any goroutine, one call at a time.
// After a failed write it does nothing.
func (s *Screen) Show(r *Report) {
	if s.err != nil {
		return
	}
	if s.terminal {
		s.err = s.draw(r)
	} else {
		s.err = s.tell(r)
	}
}

// tell writes what is new.
func (s *Screen) tell(r *Report) error {
	var b strings.Builder
	if s.told == nil {
		s.told = make([]told, len(r.Sides))
	}
	for i := range r.Sides {
		x, seen := &r.Sides[i], &s.told[i]
		if x.Phase != seen.phase {
			seen.phase = x.Phase
			fmt.Fprintf(&b, "%s: %s\n", x.title(), x.Phase)
		}
		for _, e := range x.Events[min(seen.events, len(x.Events)):] {
			fmt.Fprintf(&b, "%6.1f s  %s: %s\n", e.At, x.Protocol, oneLine(e.String()))
		}
		seen.events = len(x.Events)
		for _, y := range x.Seconds[min(seen.seconds, len(x.Seconds)):] {
			fmt.Fprintf(&b, "%4d s  %s: %s\n", y.At+1, x.Protocol, y)
		}
		seen.seconds = len(x.Seconds)
	}
	_, err := io.WriteString(s.w, b.String())
	return err
}

// String is a second in one line.
func (x Second) String() string {
	text := "no answer"
	if x.Available {
		text = fmt.Sprintf("%s answers, median %s ms, 99 of 100 below %s ms", grouped(float64(x.Done)), brief(x.P50), brief(x.P99))
	}
	if x.Forked {
		text += ", after the fork: what is answered here is contradicted there"
	}
	if x.Failed > 0 {
		text += fmt.Sprintf(", %d given up", x.Failed)
	}
	return text
}

// The widths of the screen. What is wider than a terminal is cut off by it.
const (
	usualColumns = 80
	leastColumns = 60
	mostColumns  = 140
	leastSide    = 28 // of one side: as many stand beside each other as have that
	shownEvents  = 6
)

// draw writes the columns over those before, in one write, so that they do
// not flicker.
func (s *Screen) draw(r *Report) error {
	width := usualColumns
	if s.columns != nil && s.columns() > 0 {
		width = min(max(s.columns(), leastColumns), mostColumns)
	}
	var b bytes.Buffer
	if s.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.lines)
	}
	s.lines = 0
	for _, line := range picture(r, width) {
		// No wrapping while it is drawn, or the count of lines would be wrong.
		fmt.Fprintf(&b, "\x1b[?7l%s\x1b[K\x1b[?7h\n", line)
		s.lines++
	}
	fmt.Fprint(&b, "\x1b[J")
	_, err := s.w.Write(b.Bytes())
	return err
}

// picture is what the screen shows, without colours: lines of at most width
// columns.
func picture(r *Report, width int) []string {
	beside := max(1, min(len(r.Sides), (width+3)/(leastSide+3)))
	each := (width+3)/beside - 3
	top := scaleOf(r)
	lines := []string{clip(r.Scenario, width), clip(fmt.Sprintf("%s each, %s", noun.Several(r.Clients, "caller"), sharing(r)), width), ""}
	for sides := range slices.Chunk(r.Sides, beside) {
		var rows []string
		for i := range sides {
			for k, cell := range sides[i].column(each, top, r.Seconds) {
				if i == 0 {
					rows = append(rows, cell)
				} else {
					rows[k] = pad(rows[k], i*(each+3)-3) + " │ " + cell
				}
			}
		}
		lines = append(append(lines, rows...), "")
	}
	return append(lines, eventLines(r, width)...)
}

// sharing is Report.conditions in few words.
func sharing(r *Report) string {
	if r.Turns {
		return fmt.Sprintf("one after the other on %d cores", r.Cores)
	}
	return fmt.Sprintf("all at once on the same %d cores", r.Cores)
}

// scale is the greatest value of each bar chart, for all sides: bars of one
// height mean the same.
type scale struct{ done, wait float64 }

func scaleOf(r *Report) (top scale) {
	for i := range r.Sides {
		for _, x := range r.Sides[i].Seconds {
			top.done = max(top.done, float64(x.Done))
			top.wait = max(top.wait, x.P99)
		}
	}
	return top
}

// column is one side in lines of so many columns.
func (s *Side) column(width int, top scale, whole float64) []string {
	now := Second{}
	if n := len(s.Seconds); n > 0 {
		now = s.Seconds[n-1]
	}
	t := &s.Total
	bars := width - 12
	done := func(x Second) float64 { return float64(x.Done) / max(top.done, 1) }
	wait := func(x Second) float64 { return x.P99 / max(top.wait, 1e-9) }
	with, _, of := s.availability()
	latest := "no answer"
	if now.Available {
		latest = fmt.Sprintf("%s ms now, median %s", brief(now.P99), brief(now.P50))
	}
	lines := []string{
		s.title() + s.head(),
		fmt.Sprintf("%s, %.0f of %.0f s", s.Phase, s.Elapsed, whole),
		"",
		fmt.Sprintf("%-11s %s", "answers/s", s.bars(bars, done)),
		fmt.Sprintf("%-11s %s now, mean %s", "", grouped(float64(now.Done)), grouped(t.PerSecond)),
		fmt.Sprintf("%-11s %s", "99% within", s.bars(bars, wait)),
		fmt.Sprintf("%-11s %s", "", latest),
		fmt.Sprintf("%-11s %s", "available", s.strip(bars)),
		fmt.Sprintf("%-11s %d of %d s; mute for %.1f s", "", with, of, t.Silence.Lasted.Seconds()),
		fmt.Sprintf("%-11s %s messages, %s", "a decision", brief(ratio(t.sent().Messages, t.Decisions)), volume(ratio(t.sent().Bytes, t.Decisions))),
		s.ending(),
	}
	for i := range lines {
		lines[i] = clip(lines[i], width)
	}
	return lines
}

// ending is the verdict, once there is one.
func (s *Side) ending() string {
	switch {
	case s.Verdict == nil:
		return ""
	case s.Verdict.Safe:
		return "✓ " + s.Verdict.word()
	}
	return "✗ " + s.Verdict.word()
}

// volume is a number of bytes in few columns.
func volume(bytes float64) string {
	if bytes < 10_000 {
		return grouped(bytes) + " bytes"
	}
	return fmt.Sprintf("%.1f KiB", bytes/1024)
}

// head says who leads, and in which view.
func (s *Side) head() string {
	if s.Elapsed == 0 {
		return ""
	}
	word := s.underTest().Words.View
	if s.Leader < 0 {
		return fmt.Sprintf(": no %s, %s %d", s.leads(), word, s.View)
	}
	return fmt.Sprintf(": %s %d, %s %d", s.leads(), s.Leader, word, s.View)
}

// heights are the bars, lowest first.
var heights = []rune("▁▂▃▄▅▆▇█")

// bars draws a value of each of the last seconds, from 0 to 1; a second without
// an answer is a gap.
func (s *Side) bars(width int, value func(Second) float64) string {
	var b strings.Builder
	for _, x := range s.Seconds[max(0, len(s.Seconds)-width):] {
		if !x.Available {
			b.WriteByte(' ')
			continue
		}
		b.WriteRune(heights[min(len(heights)-1, int(value(x)*float64(len(heights))))])
	}
	return b.String()
}

// strip draws which of the last seconds had an answer.
func (s *Side) strip(width int) string {
	var b strings.Builder
	for _, x := range s.Seconds[max(0, len(s.Seconds)-width):] {
		switch {
		case x.Available && x.Forked:
			b.WriteRune('▒')
		case x.Available:
			b.WriteRune('█')
		default:
			b.WriteRune('·')
		}
	}
	return b.String()
}

// eventLines are the last events of all sides, by time.
func eventLines(r *Report, width int) []string {
	type named struct {
		Event
		protocol string
	}
	var all []named
	for i := range r.Sides {
		for _, e := range r.Sides[i].Events {
			all = append(all, named{e, r.Sides[i].Protocol})
		}
	}
	slices.SortStableFunc(all, func(a, b named) int {
		return int(time.Duration((a.At - b.At) * float64(time.Second)))
	})
	var lines []string
	for _, e := range all[max(0, len(all)-shownEvents):] {
		lines = append(lines, clip(fmt.Sprintf("%6.1f s  %-4s  %s", e.At, e.protocol, oneLine(e.String())), width))
	}
	return lines
}

// oneLine is the first line of a text that may quote a log.
func oneLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}

// clip cuts a text to so many columns.
func clip(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:max(0, width-1)]) + "…"
}

// pad fills a text up to so many columns.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}
