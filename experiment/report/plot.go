package report

import (
	"cmp"
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strings"
)

// Axis is a range of values, with the ticks that are numbered.
type Axis struct {
	Name      string
	Low, High float64
	Log       bool
	Ticks     []float64
	Label     func(float64) string // of a tick; nil = its digits
}

// UpTo is a linear axis from 0 that reaches a value, with about so many steps.
func UpTo(name string, value float64, steps int) Axis {
	step := nice(value / float64(steps))
	a := Axis{Name: name, High: max(math.Ceil(value/step-1e-9), 1) * step}
	a.Ticks = every(step, a.High)
	return a
}

// Seconds is an axis of time that ends when the run did.
func Seconds(whole float64) Axis {
	return Axis{High: max(whole, 1), Ticks: every(max(nice(whole/8), 1), whole), Label: func(v float64) string { return fmt.Sprintf("%g s", v) }}
}

// Logarithmic is an axis around two values. It numbers 1, 2 and 5 of each power
// of ten, or the powers alone where there are many.
func Logarithmic(name string, low, high float64) Axis {
	low = max(low, 1e-3)
	a := Axis{Name: name, Low: 1 / nice(1/low), High: nice(max(high, 2*low)), Log: true}
	few := a.High/a.Low <= 1e3
	for v := a.Low; v <= a.High*(1+1e-9); v = nice(v * 1.5) {
		if power := math.Log10(v); few || math.Abs(power-math.Round(power)) < 1e-9 {
			a.Ticks = append(a.Ticks, v)
		}
	}
	return a
}

// every lists the multiples of a step up to a value.
func every(step, high float64) (all []float64) {
	for i := 0.0; i*step <= high+1e-9; i++ {
		all = append(all, i*step)
	}
	return all
}

// nice is 1, 2 or 5 times a power of ten, not below v.
func nice(v float64) float64 {
	if v <= 0 {
		return 1
	}
	base := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*base*(1+1e-9) {
			return m * base
		}
	}
	return 10 * base
}

// part is where a value lies, from 0 to 1. What the axis does not reach lies at
// its end.
func (a *Axis) part(v float64) float64 {
	part := (v - a.Low) / (a.High - a.Low)
	if a.Log {
		part = math.Log(max(v, a.Low)/a.Low) / math.Log(a.High/a.Low)
	}
	return min(max(part, 0), 1)
}

func (a *Axis) label(v float64) string {
	if a.Label == nil {
		return fmt.Sprintf("%g", v)
	}
	return a.Label(v)
}

// Room around a plot's area, in pixels.
const (
	above = 40 // for the names of the vertical axis and of events
	below = 24 // for the numbers of the horizontal axis
	named = 24 // ... and for its name
)

// Plot is a diagram: one value to the right, another upwards. It is as wide as
// there is room, and as high as it is told: horizontal lengths are parts of its
// width, so that the area stretches and text does not.
type Plot struct {
	Drawing
	x, y               Axis
	top, floor, height float64 // in pixels
}

// NewPlot begins a plot. An axis without ticks is a line, or nothing.
func NewPlot(title string, height float64, x, y Axis) *Plot {
	p := &Plot{Drawing: Drawing{unit: "%"}, x: x, y: y, top: above, floor: height - below, height: height}
	if x.Name != "" {
		p.floor -= named
	}
	p.open("class", "plot", "height", px(height), "role", "img", "aria-label", title)
	for _, v := range y.Ticks {
		p.Line("grid", 0, p.Y(v), 100, p.Y(v))
		p.Text("soft right", 0, -8, p.Y(v)+4, y.label(v))
	}
	p.Line("axis", 0, p.floor, 100, p.floor)
	for _, v := range x.Ticks {
		p.Line("axis", p.X(v), p.floor, p.X(v), p.floor+4)
		p.Text("soft middle", p.X(v), 0, p.floor+18, x.label(v))
	}
	p.Text("soft", 0, -48, p.top-14, y.Name)
	p.Text("soft middle", 50, 0, p.floor+42, x.Name)
	return p
}

// X is where a value stands, in parts of a hundred of the width.
func (p *Plot) X(v float64) float64 { return 100 * p.x.part(v) }

// Y is where a value lies, in pixels.
func (p *Plot) Y(v float64) float64 { return p.floor - (p.floor-p.top)*p.y.part(v) }

// End completes the plot.
func (p *Plot) End() template.HTML {
	p.close()
	return p.HTML()
}

// Point is a pair of values; a Y that is not a number is a gap.
type Point struct{ X, Y float64 }

// Curve joins points. One that stands alone between gaps is a dot.
func (p *Plot) Curve(class string, points []Point) {
	var data strings.Builder
	run := 0
	for i, at := range points {
		if math.IsNaN(at.Y) {
			run = 0
			continue
		}
		if run++; run > 1 {
			fmt.Fprintf(&data, "L%s %s", px(10*p.X(at.X)), px(p.Y(at.Y)))
		} else if i+1 == len(points) || math.IsNaN(points[i+1].Y) {
			p.Circle("dot "+class, p.X(at.X), p.Y(at.Y), 2.5, "")
		} else {
			fmt.Fprintf(&data, "M%s %s", px(10*p.X(at.X)), px(p.Y(at.Y)))
		}
	}
	if data.Len() == 0 {
		return
	}
	// Only a picture of its own can stretch in one direction; its strokes do not.
	p.open("viewBox", "0 0 1000 "+px(p.height), "width", "100%", "height", px(p.height), "preserveAspectRatio", "none", "overflow", "visible")
	p.path("curve "+class, data.String(), "")
	p.close()
}

// marks are the shapes of measurements: rings, squares, diamonds, so that the
// series differ without colour.
var marks = []string{"M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0Z", "M-4 -4h8v8h-8Z", "M0 -5.5L5.5 0L0 5.5L-5.5 0Z"}

// Mark draws one measurement of a series.
func (p *Plot) Mark(series int, x, y float64, tip string) {
	p.open("x", p.across(p.X(x)), "y", px(p.Y(y)), "overflow", "visible")
	p.path("mark "+Color(series), marks[series%len(marks)], tip)
	p.close()
}

// Name is written at the right end of a curve.
type Name struct {
	Class string
	Y     float64 // where the curve ends
	Text  string
}

// Names writes beside the plot, each as near to its curve as the others allow.
func (p *Plot) Names(all ...Name) {
	const line = 15
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Name) int { return cmp.Compare(b.Y, a.Y) })
	places := make([]float64, len(all))
	for i, n := range all {
		places[i] = p.Y(n.Y) + 4
	}
	// From the middle outwards nobody moves far.
	middle := len(all) / 2
	for i := middle - 1; i >= 0; i-- {
		places[i] = min(places[i], places[i+1]-line)
	}
	for i := middle + 1; i < len(all); i++ {
		places[i] = max(places[i], places[i-1]+line)
	}
	for i, n := range all {
		p.Text("label "+n.Class, 100, 7, places[i], n.Text)
	}
}

// Band draws a stretch of the horizontal axis.
func (p *Plot) Band(class string, from, to, y, height float64, tip string) {
	p.Rect(class, p.X(from)+0.05, y, max(p.X(to)-p.X(from)-0.1, 0.05), height, tip)
}

// Event is something that happened while it was measured.
type Event struct {
	At   float64
	Name string
}

// Events draws each as a line with its number. Names stand in two rows where
// they are close, and are left out where the screen is narrow.
func (p *Plot) Events(all []Event) {
	last, row := -100.0, 0
	for i, e := range all {
		x := p.X(e.At)
		row = (row + 1) % 2
		if x-last > 9 {
			row = 0
		}
		last = x
		y := p.top - 8 - 14*float64(row)
		p.Line("fault", x, y+3, x, p.floor)
		class := "fault"
		if x > 92 {
			class += " right"
		}
		p.text(class, x, 0, y, fmt.Sprintf(`%d<tspan class="wide"> %s</tspan>`, i+1, html.EscapeString(e.Name)))
	}
}

// Bar is a row of parts, laid end to end.
type Bar struct {
	Name, Value string
	Class       string
	Parts       []Part
}

// Part is a piece of a bar.
type Part struct {
	Class  string
	Length float64
	Tip    string
}

const barStep = 34

// Bars draws them to one scale, the longest as long as there is room.
func Bars(title string, all []Bar) template.HTML {
	d := &Drawing{unit: "%"}
	d.open("class", "plot", "height", px(float64(barStep*len(all))), "role", "img", "aria-label", title)
	longest := 0.0
	for _, bar := range all {
		longest = max(longest, bar.length())
	}
	for i, bar := range all {
		x, y := 0.0, float64(4+barStep*i)
		d.Text("soft right", 0, -8, y+16, bar.Name)
		for _, part := range bar.Parts {
			width := 80 * part.Length / max(longest, 1e-9)
			d.Rect("bar "+bar.Class+" "+part.Class, x, y, width, 24, part.Tip)
			x += width
		}
		d.Text("strong", x, 7, y+16, bar.Value)
	}
	d.close()
	return d.HTML()
}

func (b *Bar) length() (sum float64) {
	for _, part := range b.Parts {
		sum += part.Length
	}
	return sum
}
