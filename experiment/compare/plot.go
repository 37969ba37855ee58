package compare

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"quorate.dev/quorate/experiment/report"
	"quorate.dev/quorate/protocol"
)

const plotHeight = 272

// color is the class of everything that is drawn of a side.
func (s *Side) color() string { return report.Color(slices.Index(protocol.Names(), s.Protocol)) }

// mark is a fault that happened to one or both sides at about one moment.
type mark struct {
	At    float64
	Kind  string
	Texts map[string]string // by protocol
}

// apart is how far apart, in seconds, the same fault may happen to the sides: looking for a
// leader takes a while.
const apart = 3

// marks joins the events of both sides, by time. What happened after the load is
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

// curve draws a value of each second at its middle; NaN is a gap.
func (s *Side) curve(p *report.Plot, class string, whole float64, value func(Second) float64) {
	var points []report.Point
	for _, x := range s.Seconds {
		middle := min(float64(x.At)+0.5, (float64(x.At)+whole)/2)
		points = append(points, report.Point{X: middle, Y: value(x)})
	}
	p.Curve(s.color()+" "+class, points)
}

// throughput plots the answers of each second.
func throughput(r *Report) report.Figure {
	y := report.UpTo("answers/s", scaleOf(r).done, 4)
	y.Label = grouped
	p := timed(r, "Answered operations per second over time", plotHeight, y)
	var legend []report.Key
	for i := range r.Sides {
		s := &r.Sides[i]
		s.curve(p, "", r.Seconds, func(x Second) float64 { return float64(x.Done) })
		legend = append(legend, report.Key{Class: s.color(), Text: s.Protocol})
	}
	legend = append(legend, report.Key{Text: "red: a fault, numbered as below"})
	return report.Figure{Title: "Answers per second", Legend: legend, Drawing: p.End()}
}

// latency plots the median and the 99th percentile of each second.
func latency(r *Report) report.Figure {
	low := math.Inf(1)
	for i := range r.Sides {
		for _, x := range r.Sides[i].Seconds {
			if x.Available {
				low = min(low, x.P50)
			}
		}
	}
	if math.IsInf(low, 1) {
		low = 1
	}
	p := timed(r, "Latency over time: median and 99th percentile", plotHeight, report.Logarithmic("ms", low, scaleOf(r).wait))
	var legend []report.Key
	for i := range r.Sides {
		s := &r.Sides[i]
		s.curve(p, "", r.Seconds, func(x Second) float64 { return x.answered(x.P50) })
		s.curve(p, "dashed", r.Seconds, func(x Second) float64 { return x.answered(x.P99) })
		legend = append(legend, report.Key{Class: s.color(), Text: s.Protocol + ", median"}, report.Key{Class: s.color() + " dashed", Text: "99 of 100 below"})
	}
	legend = append(legend, report.Key{Text: "logarithmic; a gap: no answer"})
	return report.Figure{Title: "Latency", Legend: legend, Drawing: p.End()}
}

// answered is a value of a second that has one only if anything was answered.
func (s Second) answered(v float64) float64 {
	if !s.Available {
		return math.NaN()
	}
	return v
}

// strips plots which seconds had an answer.
func strips(r *Report) report.Figure {
	const top, height, step = 42, 22, 30.0
	p := timed(r, "Which seconds had an answer", top+step*float64(len(r.Sides))+24, report.Axis{})
	for i := range r.Sides {
		s := &r.Sides[i]
		y := top + step*float64(i)
		p.Text("soft right", 0, -8, y+15, strings.ToUpper(s.Protocol))
		for _, x := range s.Seconds {
			class := "bar " + s.color()
			if !x.Available {
				class = "gap"
			}
			p.Band(class, float64(x.At), min(float64(x.At+1), r.Seconds), y, height, fmt.Sprintf("second %d: %s", x.At+1, x))
		}
	}
	return report.Figure{Title: "Availability", Note: "A filled second had at least one answer; a red one had none.", Drawing: p.End()}
}

// shades are the looks of the classes of frames, in the order of the counters.
var shades = []string{"", "pale", "faint"}

// bars draws what one decision, or operation, cost each side, by class of
// frames.
func bars(r *Report, title string, what func(Traffic) uint64, by func(*Total) uint64) template.HTML {
	var all []report.Bar
	for i := range r.Sides {
		s := &r.Sides[i]
		bar := report.Bar{Name: strings.ToUpper(s.Protocol), Class: s.color(), Value: brief(s.Total.per(what, by(&s.Total)))}
		for k, t := range s.Total.Sent {
			v := ratio(what(t), by(&s.Total))
			bar.Parts = append(bar.Parts, report.Part{Class: shades[k%len(shades)], Length: v, Tip: t.Class + ": " + brief(v)})
		}
		all = append(all, bar)
	}
	return report.Bars(title, all)
}
