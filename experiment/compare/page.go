package compare

import (
	_ "embed"
	"fmt"
	"io"
	"strconv"
	"time"

	"quorate.dev/quorate/experiment/report"
)

//go:embed page.html
var pageText string

var page = report.Page(pageText)

// The page's data.
type (
	pageData struct {
		*Report
		Sharing         string
		Patience        string
		Results         []pageResult
		Figures, Faults report.Table
		Plots           []report.Figure
		Classes         []report.Key
		Bars            []report.Figure
	}
	pageResult struct {
		Title, Color, Tone, Word string
		Lines                    []string
		After                    []string // what happened once the load was over
	}
)

// WriteHTML writes the report as one page that needs nothing else.
func WriteHTML(w io.Writer, r *Report) error {
	data := pageData{
		Report: r, Sharing: r.conditions(), Patience: patience(r), Figures: r.figures(), Faults: r.faults(), Bars: r.costs(),
		Plots: []report.Figure{throughput(r), latency(r), strips(r)},
	}
	for i := range r.Sides {
		data.Results = append(data.Results, newPageResult(r, &r.Sides[i]))
	}
	if len(r.Sides) > 0 {
		for i, t := range r.Sides[0].Total.Sent {
			data.Classes = append(data.Classes, report.Key{Class: "block " + shades[i%len(shades)], Text: t.Class})
		}
	}
	if err := page.Execute(w, data); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// table has a column for each side behind some others.
func (r *Report) table(head func(*Side) string, before ...report.Cell) report.Table {
	t := report.Table{Heads: before}
	for i := range r.Sides {
		s := &r.Sides[i]
		t.Heads = append(t.Heads, report.Cell{Text: head(s), Tone: s.color()})
	}
	return t
}

// figures is the table of what was measured.
func (r *Report) figures() report.Table {
	t := r.table(func(s *Side) string { return fmt.Sprintf("%s, n = %d", s.Protocol, s.Replicas) }, report.Cell{})
	for _, x := range rows() {
		line := []report.Cell{{Text: x.name}}
		for i := range r.Sides {
			line = append(line, report.Cell{Text: x.of(&r.Sides[i])})
		}
		t.Rows = append(t.Rows, line)
	}
	return t
}

// faults is the table of what happened to each side, numbered as in the plots.
func (r *Report) faults() report.Table {
	t := r.table(func(s *Side) string { return s.Protocol }, report.Cell{}, report.Cell{Text: "at"})
	for k, m := range marks(r) {
		line := []report.Cell{{Text: strconv.Itoa(k + 1)}, {Text: fmt.Sprintf("%.1f\u00a0s", m.At)}}
		for i := range r.Sides {
			line = append(line, report.Cell{Text: m.Texts[r.Sides[i].Protocol]})
		}
		t.Rows = append(t.Rows, line)
	}
	return t
}

// costs are the bars of what a decision and an operation cost.
func (r *Report) costs() (all []report.Figure) {
	messages, bytes := func(x Traffic) uint64 { return x.Messages }, func(x Traffic) uint64 { return x.Bytes }
	decisions, operations := func(t *Total) uint64 { return t.Decisions }, func(t *Total) uint64 { return uint64(t.Done) }
	for _, x := range []struct {
		title string
		what  func(Traffic) uint64
		by    func(*Total) uint64
	}{
		{"Messages per decision", messages, decisions}, {"Bytes per decision", bytes, decisions},
		{"Messages per answered operation", messages, operations}, {"Bytes per answered operation", bytes, operations},
	} {
		all = append(all, bars(r, x.title, x.what, x.by))
	}
	return all
}

// newPageResult is how one side ended.
func newPageResult(r *Report, s *Side) pageResult {
	v := pageResult{Title: s.title(), Color: s.color(), Tone: tone(s.Verdict), Word: s.Verdict.word()}
	if s.Verdict != nil {
		v.Lines = append([]string{s.Verdict.measure()}, s.Verdict.details()...)
	}
	for _, e := range s.Events {
		if e.At > r.Seconds {
			v.After = append(v.After, oneLine(e.String()))
		}
	}
	return v
}

// tone is how a verdict is coloured.
func tone(v *Verdict) string {
	switch {
	case v == nil:
		return "missing"
	case !v.Safe:
		return "bad"
	case v.ReadBack.Unanswered > 0:
		return "stopped"
	}
	return "good"
}

// patience says how long who leads may be silent.
func patience(r *Report) string {
	if r.Patience == 0 {
		return "with the timeouts that homes are shipped with"
	}
	return fmt.Sprintf("with a patience of %v", time.Duration(r.Patience*float64(time.Millisecond)))
}
