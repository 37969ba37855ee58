package bench

import (
	_ "embed"
	"fmt"
	"io"
	"slices"

	"quorate.dev/quorate/experiment/report"
)

//go:embed page.html
var pageText string

var page = report.Page(pageText)

// The page's data.
type (
	pageData struct {
		Report  *Report
		Note    string // of the peers
		Figures report.Table
		Loads   []pageLoad
		Curve   *report.Figure
		Costs   report.Table
	}
	pageLoad struct {
		Title, What string
		Apart       []string // reads and writes, of each round that is drawn
		Course      report.Figure
	}
)

// WriteHTML writes the report as one page that needs nothing else.
func WriteHTML(w io.Writer, r *Report) error {
	data := pageData{Report: r, Figures: r.figures(), Curve: r.curve(), Costs: r.costs()}
	if r.Peers != nil {
		data.Note = r.Peers.Note
	}
	for i := range r.Loads {
		if shown := r.shown(r.Loads[i].Name); len(shown) > 0 {
			m := shown[0].Measurement
			data.Loads = append(data.Loads, pageLoad{m.Name, m.load(), r.apart(shown), r.course(shown)})
		}
	}
	if err := page.Execute(w, data); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// figures is the table of what was measured.
func (r *Report) figures() report.Table {
	t := report.Table{Class: "stack", Heads: []report.Cell{{Text: "load"}, {Text: "of"}}}
	for _, q := range quantities {
		t.Heads = append(t.Heads, report.Cell{Text: q.name})
	}
	for _, x := range r.rows() {
		line := []report.Cell{{Text: x.load}, {Text: x.who, Tone: report.Color(x.series)}}
		for _, q := range quantities {
			cell := report.Cell{}
			if f := *q.of(&x.figures); f != nil {
				short := *f
				short.Least, short.Most = f.Median, f.Median
				cell.Text = short.text(x.ratio)
				if f.Least != f.Most {
					cell.Note = fmt.Sprintf("%s–%s", (&figure{Median: f.Least, Least: 1, Most: 1}).text(x.ratio), (&figure{Median: f.Most, Least: 1, Most: 1}).text(x.ratio))
				}
			}
			line = append(line, cell)
		}
		t.Rows = append(t.Rows, line)
	}
	return t
}

// shown is, of each side, the round that is drawn: the one with the longest time
// without an answer.
func (r *Report) shown(load string) (all []*Result) {
	for _, side := range r.Sides {
		var worst *Result
		for i := range r.Results {
			x := &r.Results[i]
			if x.Name == load && x.Side == side && len(x.Course.Answered) > 0 && (worst == nil || *x.LongestGap > *worst.LongestGap) {
				worst = x
			}
		}
		if worst != nil {
			all = append(all, worst)
		}
	}
	return all
}

// apart tells latencies of reads from those of writes, where both were measured: a
// median of the two together says little.
func (r *Report) apart(shown []*Result) (lines []string) {
	for _, x := range shown {
		if reads, writes := x.ReadLatency, x.WriteLatency; reads != nil && writes != nil {
			lines = append(lines, fmt.Sprintf("%s: reads take %s ms in the median, 99 of 100 within %s ms; writes %s and %s ms.",
				r.who(slices.Index(r.Sides, x.Side)), brief(reads.P50), brief(reads.P99), brief(writes.P50), brief(writes.P99)))
		}
	}
	return lines
}

// Sizes of the plots, in pixels.
const (
	plotHeight = 272
	stripTop   = 4
	stripStep  = 30
	strip      = 22
)

// course draws answers over time, and below them who was answered when.
func (r *Report) course(shown []*Result) report.Figure {
	var most, whole float64
	for _, x := range shown {
		whole = max(whole, x.Seconds)
		for _, p := range x.points() {
			most = max(most, p.Y)
		}
	}
	y := report.UpTo("answers/s", most, 4)
	y.Label = thousands
	seconds := report.Seconds(whole)
	seconds.High = whole
	figure := report.Figure{Note: "Answers per second, over slices of " + brief(shown[0].Course.Slice) + " ms; of several rounds the one with the longest time without any answer. Below: red is a time of 100 ms or more without an answer to anybody."}
	answers := report.NewPlot("Answered operations per second over time", plotHeight, seconds, y)
	gaps := report.NewPlot("Times without any answer", stripTop+stripStep*float64(len(shown)), report.Axis{High: whole}, report.Axis{})
	for i, x := range shown {
		side := slices.Index(r.Sides, x.Side)
		color, top := report.Color(side), stripTop+stripStep*float64(i)
		answers.Curve(color, "", x.points())
		figure.Legend = append(figure.Legend, report.Key{Class: color, Text: r.who(side)})
		gaps.Band("bar "+color, 0, x.Seconds, top, strip, fmt.Sprintf("%s: longest time without an answer %s ms", r.who(side), brief(*x.LongestGap)))
		for _, g := range x.Gaps {
			gaps.Band("gap", g.From, g.From+g.Lasted/1000, top, strip, fmt.Sprintf("no answer for %s ms", brief(g.Lasted)))
		}
	}
	if len(shown) < len(r.Sides) {
		figure.Legend = append(figure.Legend, report.Key{Text: "an older program does not tell its course"})
	}
	figure.Drawing = answers.End() + gaps.End()
	return figure
}

// points are the answers of each slice, as a rate, at its middle.
func (r *Result) points() (all []report.Point) {
	width := r.Course.Slice / 1000
	for i, n := range r.Course.Answered {
		from := float64(i) * width
		lasted := min(width, max(r.Seconds-from, 1e-3))
		all = append(all, report.Point{X: from + lasted/2, Y: float64(n) / lasted})
	}
	return all
}

// reached is what a side or a peer reached with a load.
type reached struct {
	series              int
	who, load           string
	perSecond, p50, p99 float64
}

// curve draws latency over throughput, where there is more than one point to see.
func (r *Report) curve() *report.Figure {
	var all []reached
	most, low, high := 0.0, 1e9, 0.0
	seen := map[string]bool{}
	for _, x := range r.rows() {
		if x.ratio || x.Throughput == nil || x.P50 == nil || x.P99 == nil {
			continue
		}
		p := reached{series: x.series, who: x.who, load: x.load, perSecond: x.Throughput.Median, p50: x.P50.Median, p99: x.P99.Median}
		if p.series >= len(r.Sides) {
			if seen[p.who] {
				continue
			}
			p.series, seen[p.who] = p.series+len(seen), true
		}
		all = append(all, p)
		most, low, high = max(most, p.perSecond), min(low, p.p50), max(high, p.p99)
	}
	if len(all) < 2 {
		return nil
	}
	x := report.UpTo("operations/s", most, 4)
	x.Label = thousands
	plot := report.NewPlot("Latency over throughput", plotHeight+60, x, report.Logarithmic("ms", low, high))
	f := &report.Figure{Note: "Each mark is a load: its throughput, its median latency, and above it the 99th percentile, medians of all rounds. Logarithmic. To the right and below is better."}
	for len(all) > 0 {
		series, some := all[0].series, []reached{}
		all = slices.DeleteFunc(all, func(p reached) bool {
			if p.series == series {
				some = append(some, p)
			}
			return p.series == series
		})
		draw(plot, f, some, r.family())
	}
	f.Drawing = plot.End()
	return f
}

// draw draws what one side has reached. Loads of one family are joined.
func draw(plot *report.Plot, f *report.Figure, some []reached, family bool) {
	var p50, p99 []report.Point
	series := some[0].series
	for _, p := range some {
		p50, p99 = append(p50, report.Point{X: p.perSecond, Y: p.p50}), append(p99, report.Point{X: p.perSecond, Y: p.p99})
		plot.Mark(series, p.perSecond, p.p50, fmt.Sprintf("%s, %s: %s/s, median %s ms", p.who, p.load, thousands(p.perSecond), brief(p.p50)))
		plot.Mark(series, p.perSecond, p.p99, fmt.Sprintf("%s, %s: %s/s, 99 of 100 within %s ms", p.who, p.load, thousands(p.perSecond), brief(p.p99)))
	}
	color := report.Color(series)
	f.Legend = append(f.Legend, report.Key{Class: color, Text: some[0].who + ", median"})
	if family && len(some) > 1 {
		plot.Curve(color, "", p50)
		plot.Curve(color+" dashed", "", p99)
		f.Legend = append(f.Legend, report.Key{Class: color + " dashed", Text: "99 of 100 within"})
	}
}

// family reports whether the loads differ in nothing but their number of callers, or
// their rate: then a line between them means something.
func (r *Report) family() bool {
	for i := range r.Loads {
		a, b := r.Loads[0], r.Loads[i]
		b.Name, b.Clients, b.Rate, b.Keys = a.Name, a.Clients, a.Rate, a.Keys
		if a.OneEach != b.OneEach || a.Volatile != b.Volatile || a.Reads != b.Reads || a.ValueBytes != b.ValueBytes {
			return false
		}
	}
	return true
}

// costs is the table of what it took: medians are not taken here, the round is the one
// that is drawn.
func (r *Report) costs() report.Table {
	t := report.Table{Class: "stack", Heads: []report.Cell{
		{Text: "load"}, {Text: "of"}, {Text: "operations per decision"}, {Text: "messages per decision"}, {Text: "syncs per decision"},
		{Text: "CPU of the replicas"}, {Text: "CPU of the callers"}, {Text: "resident, each replica"},
	}}
	for i := range r.Loads {
		for _, side := range r.Sides {
			rounds := r.rounds(r.Loads[i].Name, side)
			if len(rounds) == 0 || len(rounds[0].Processes) == 0 {
				continue
			}
			x := rounds[len(rounds)/2]
			var cpu, resident float64
			for _, p := range x.Processes {
				cpu, resident = cpu+p.CPU, max(resident, float64(p.RSS>>20))
			}
			k := slices.Index(r.Sides, side)
			t.Rows = append(t.Rows, []report.Cell{
				{Text: x.Name}, {Text: r.who(k), Tone: report.Color(k)}, {Text: brief(x.Each.Operations)}, {Text: brief(x.Each.Frames)},
				{Text: brief(x.Each.Syncs)}, {Text: brief(cpu) + " %"}, {Text: brief(x.ClientCPU) + " %"}, {Text: fmt.Sprintf("up to %.0f MiB", resident)},
			})
		}
	}
	return t
}

// thousands is a number on an axis.
func thousands(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%.3gk", v/1000)
	}
	return report.Digits(float64(int(v*10+0.5)) / 10)
}
