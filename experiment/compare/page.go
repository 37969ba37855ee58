package compare

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// The page's data.
type (
	pageData struct {
		*Report
		Rows                        []pageRow
		Marks                       []pageMark
		Throughput, Latency, Strips template.HTML
		Bars                        []pageBars
		Judged                      []pageVerdict
		Patience                    string
		Classes                     []string
	}
	pageRow struct {
		Name   string
		Values []string
	}
	pageMark struct {
		Number int
		At     string
		Texts  []string // by side; empty = nothing happened there
	}
	pageBars struct {
		Title string
		Plot  template.HTML
	}
	pageVerdict struct {
		Title, Tone, Word, Protocol string
		Lines                       []string
		After                       []string // what happened once the load was over
	}
)

// WriteHTML writes the report as one page that needs nothing else.
func WriteHTML(w io.Writer, r *Report) error {
	// The plots escape all that comes from outside of them.
	data := pageData{Report: r, Throughput: template.HTML(throughput(r)), Latency: template.HTML(latency(r)), Strips: template.HTML(strips(r)), Patience: patience(r)}
	for _, x := range rows() {
		line := pageRow{Name: x.name}
		for i := range r.Sides {
			line.Values = append(line.Values, x.of(&r.Sides[i]))
		}
		data.Rows = append(data.Rows, line)
	}
	for _, m := range marks(r) {
		line := pageMark{Number: m.Number, At: fmt.Sprintf("%.1f s", m.At)}
		for i := range r.Sides {
			line.Texts = append(line.Texts, m.Texts[r.Sides[i].Protocol])
		}
		data.Marks = append(data.Marks, line)
	}
	decisions, operations := func(t *Total) uint64 { return t.Decisions }, func(t *Total) uint64 { return uint64(t.Done) }
	for _, x := range []struct {
		title string
		what  func(Traffic) uint64
		by    func(*Total) uint64
	}{
		{"Messages per decision", messages, decisions}, {"Bytes per decision", bytesOf, decisions},
		{"Messages per answered operation", messages, operations}, {"Bytes per answered operation", bytesOf, operations},
	} {
		data.Bars = append(data.Bars, pageBars{x.title, template.HTML(bars(r, x.title, x.what, x.by))})
	}
	for i := range r.Sides {
		data.Judged = append(data.Judged, newPageVerdict(r, &r.Sides[i]))
	}
	if len(r.Sides) > 0 {
		for _, t := range r.Sides[0].Total.Sent {
			data.Classes = append(data.Classes, t.Class)
		}
	}
	if err := page.Execute(w, data); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// newPageVerdict is how one side ended.
func newPageVerdict(r *Report, s *Side) pageVerdict {
	v := pageVerdict{Title: s.title(), Tone: tone(s.Verdict), Word: s.Verdict.Word(), Protocol: s.Protocol}
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
