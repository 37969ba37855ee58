package compare

import (
	"cmp"
	"fmt"
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
