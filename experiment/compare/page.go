package compare

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"quorate.dev/quorate/experiment/report"
	"quorate.dev/quorate/protocol"
)

//go:embed page.html
var pageText string

var page = report.Page(pageText)

// The page's data.
type (
	pageData struct {
		*Report
		Titles, Sharing string
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
		Report: r, Titles: r.titles(), Sharing: r.conditions(), Patience: patience(r), Figures: r.figures(), Faults: r.faults(), Bars: r.costs(),
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

// titles names the protocols in a sentence.
func (r *Report) titles() string {
	var b strings.Builder
	for i := range r.Sides {
		switch {
		case i > 0 && i == len(r.Sides)-1:
			b.WriteString(" and ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(r.Sides[i].underTest().Title)
	}
	return b.String()
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

const plotHeight = 272

// color is the class of everything that is drawn of a side.
func (s *Side) color() string { return report.Color(slices.Index(protocol.Names(), s.Protocol)) }

// mark is a fault that happened to one or more sides at about one moment.
type mark struct {
	At    float64
	Kind  string
	Texts map[string]string // by protocol
}

// apart is how far apart, in seconds, the same fault may happen to the sides: looking for a
// leader takes a while.
const apart = 3

// marks joins the events of all sides, by time. What happened after the load is
// none.
func marks(r *Report) []mark {
	var all []mark
	for i := range r.Sides {
		s := &r.Sides[i]
		for _, e := range s.Events {
			if e.At > r.Seconds {
				continue
			}
			at := slices.IndexFunc(all, func(m mark) bool { return m.Kind == e.Kind && m.Texts[s.Protocol] == "" && math.Abs(m.At-e.At) < apart })
			if at < 0 {
				all = append(all, mark{At: e.At, Kind: e.Kind, Texts: map[string]string{}})
				at = len(all) - 1
			}
			all[at].At = min(all[at].At, e.At)
			all[at].Texts[s.Protocol] = oneLine(e.String())
		}
	}
	slices.SortStableFunc(all, func(a, b mark) int { return cmp.Compare(a.At, b.At) })
	return all
}

// timed is a plot over the time of the load, with its faults.
func timed(r *Report, title string, height float64, y report.Axis) *report.Plot {
	p := report.NewPlot(title, height, report.Seconds(r.Seconds), y)
	var events []report.Event
	for _, m := range marks(r) {
		events = append(events, report.Event{At: m.At, Name: m.Kind})
	}
	p.Events(events)
	return p
}

// curves draw a value of each second of each side at its middle.
func (r *Report) curves(p *report.Plot, class, name string, value func(Second) float64) (legend []report.Key) {
	for i := range r.Sides {
		s := &r.Sides[i]
		var points []report.Point
		for _, x := range s.Seconds {
			points = append(points, report.Point{X: min(float64(x.At)+0.5, (float64(x.At)+r.Seconds)/2), Y: value(x)})
		}
		key := report.Key{Class: s.color() + " " + class, Text: s.Protocol + name}
		p.Curve(key.Class, "", points)
		legend = append(legend, key)
	}
	return legend
}

// throughput plots the answers of each second.
func throughput(r *Report) report.Figure {
	y := report.UpTo("answers/s", scaleOf(r).done, 4)
	y.Label = grouped
	p := timed(r, "Answered operations per second over time", plotHeight, y)
	legend := r.curves(p, "", "", func(x Second) float64 { return float64(x.Done) })
	return report.Figure{Title: "Answers per second", Legend: append(legend, report.Key{Text: "red: a fault, numbered as below"}), Drawing: p.End()}
}

// latency plots the median and the 99th percentile of each second.
func latency(r *Report) report.Figure {
	low := scaleOf(r).wait
	for i := range r.Sides {
		for _, x := range r.Sides[i].Seconds {
			if x.Available {
				low = min(low, x.P50)
			}
		}
	}
	p := timed(r, "Latency over time: median and 99th percentile", plotHeight, report.Logarithmic("ms", low, scaleOf(r).wait))
	legend := append(r.curves(p, "", ", median", func(x Second) float64 { return x.P50 }),
		r.curves(p, "dashed", ", 99 of 100 below", func(x Second) float64 { return x.P99 })...)
	return report.Figure{Title: "Latency", Legend: append(legend, report.Key{Text: "logarithmic; a gap: no answer"}), Drawing: p.End()}
}

// strips plots which seconds had an answer.
func strips(r *Report) report.Figure {
	const top, height, step = 42, 22, 30.0
	p := timed(r, "Which seconds had an answer", top+step*float64(len(r.Sides))+24, report.Axis{})
	for i := range r.Sides {
		s, y := &r.Sides[i], top+step*float64(i)
		p.Text("soft right", 0, -8, y+15, strings.ToUpper(s.Protocol))
		for _, x := range s.Seconds {
			class := "bar " + s.color()
			if !x.Available || x.Forked {
				class = "gap"
			}
			p.Band(class, float64(x.At), min(float64(x.At+1), r.Seconds), y, height, fmt.Sprintf("second %d: %s", x.At+1, x))
		}
	}
	return report.Figure{Title: "Availability", Note: "A filled second had at least one answer; a red one had none, or lies behind a fork, when answers contradict each other.", Drawing: p.End()}
}

// shades are the looks of the classes of frames, in the order of the counters.
var shades = []string{"", "pale", "faint"}

// bars plot what one decision, or operation, cost each side, by class of frames.
func bars(r *Report, title string, what func(Traffic) uint64, by func(*Total) uint64) report.Figure {
	const height, step = 24, 34.0
	top := 0.0
	for i := range r.Sides {
		top = max(top, ratio(what(r.Sides[i].Total.sent()), by(&r.Sides[i].Total)))
	}
	p := report.NewPlot(title, step*float64(len(r.Sides)), report.Axis{High: max(1.25*top, 1e-9)}, report.Axis{})
	for i := range r.Sides {
		s, y, sum := &r.Sides[i], 4+step*float64(i), 0.0
		p.Text("soft right", 0, -8, y+16, strings.ToUpper(s.Protocol))
		for k, t := range s.Total.Sent {
			v := ratio(what(t), by(&s.Total))
			p.Band("bar "+s.color()+" "+shades[k%len(shades)], sum, sum+v, y, height, t.Class+": "+brief(v))
			sum += v
		}
		p.Text("strong", sum, 7, y+16, brief(sum))
	}
	return report.Figure{Title: title, Drawing: p.End()}
}
