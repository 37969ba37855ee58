package report

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
)

// Axis is a range of values, with the ticks that are numbered.
type Axis struct {
	Name      string
	Low, High float64
	Log       bool
	Ticks     []float64
	Label     func(float64) string // of a tick
}

// UpTo is a linear axis from 0 that reaches a value, with about so many steps.
func UpTo(name string, value float64, steps int) Axis {
	step := nice(value / float64(steps))
	high := max(math.Ceil(value/step-1e-9), 1) * step
	return Axis{Name: name, High: high, Ticks: every(step, high), Label: Digits}
}

// Seconds is an axis of time that ends when the run did.
func Seconds(whole float64) Axis {
	return Axis{High: max(whole, 1), Ticks: every(max(nice(whole/8), 1), whole), Label: func(v float64) string { return fmt.Sprintf("%g s", v) }}
}

// Logarithmic is an axis around two values. It numbers 1, 2 and 5 of each power
// of ten, or the powers alone where there are many.
func Logarithmic(name string, low, high float64) Axis {
	low = max(low, 1e-3)
	a := Axis{Name: name, Low: 1 / nice(1/low), High: nice(max(high, 2*low)), Log: true, Label: Digits}
	few := a.High/a.Low <= 1e3
	for v := a.Low; v <= a.High*(1+1e-9); v = nice(v * 1.5) {
		if power := math.Log10(v); few || math.Abs(power-math.Round(power)) < 1e-9 {
			a.Ticks = append(a.Ticks, v)
		}
	}
	return a
}

// Digits prints a number as short as it is.
func Digits(v float64) string { return fmt.Sprintf("%g", v) }

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

// Room around a plot's area, in pixels.
const (
	above = 40 // for the names of the vertical axis and of events
	below = 24 // for the numbers of the horizontal axis
	named = 24 // ... and for its name
)

// Plot is a diagram: one value to the right, another upwards. It is as wide as
// there is room, and as high as it is told: the area stretches, and what is
// written over it does not.
type Plot struct {
	title              string
	x, y               Axis
	top, floor, height float64 // in pixels
	area, over         drawing
	names              []label
}

// label is the name of a curve.
type label struct {
	class, text string
	y           float64
}

// NewPlot begins a plot. If nothing is numbered on the horizontal axis, there is
// none, nor room for it.
func NewPlot(title string, height float64, x, y Axis) *Plot {
	p := &Plot{title: title, x: x, y: y, floor: height, height: height}
	if len(x.Ticks) == 0 {
		return p
	}
	p.top, p.floor = above, height-below
	if x.Name != "" {
		p.floor -= named
	}
	for _, v := range y.Ticks {
		p.area.path("grid", "", "M0 %sH1000", p.up(v))
		p.Text("soft right", 0, -8, p.up(v)+4, y.Label(v))
	}
	p.area.path("axis", "", "M0 %sH1000", p.floor)
	for _, v := range x.Ticks {
		p.area.path("axis", "", "M%s %sv4", p.along(v), p.floor)
		p.Text("soft middle", v, 0, p.floor+18, x.Label(v))
	}
	p.Text("soft", 0, -48, p.top-14, y.Name)
	p.Text("soft middle", x.High/2, 0, p.floor+42, x.Name)
	return p
}

// along is where a value stands, in thousandths of the width.
func (p *Plot) along(v float64) float64 { return 1000 * p.x.part(v) }

// up is where a value lies, in pixels.
func (p *Plot) up(v float64) float64 { return p.floor - (p.floor-p.top)*p.y.part(v) }

// Text writes beside a value of the horizontal axis, so many pixels to the right
// of it and below the upper edge.
func (p *Plot) Text(class string, x, shift, y float64, text string) {
	p.over.write(class, px(p.along(x)/10)+"%", shift, y, text)
}

// Point is a pair of values; on a logarithmic axis, a Y of 0 is a gap.
type Point struct{ X, Y float64 }

func (p *Plot) gap(at Point) bool { return p.y.Log && at.Y <= 0 }

// Curve joins points. One that stands alone between gaps is a dot. A name is
// written behind the last point.
func (p *Plot) Curve(class, name string, points []Point) {
	data, command := "", "M"
	for i, at := range points {
		switch x, y := p.along(at.X), p.up(at.Y); {
		case p.gap(at):
			command = "M"
		case command == "M" && (i+1 == len(points) || p.gap(points[i+1])):
			p.area.path("dot "+class, "", "M%s %sh0", x, y)
		default:
			data += command + px(x) + " " + px(y)
			command = "L"
		}
	}
	if data != "" {
		p.area.path("curve "+class, "", data)
	}
	if name != "" && len(points) > 0 {
		p.names = append(p.names, label{class, name, p.up(points[len(points)-1].Y)})
	}
}

// marks are the shapes of measurements: rings, squares, diamonds, so that the
// series differ without colour.
var marks = []string{"M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0Z", "M-4 -4h8v8h-8Z", "M0 -5.5L5.5 0L0 5.5L-5.5 0Z"}

// Mark draws one measurement of a series.
func (p *Plot) Mark(series int, x, y float64, tip string) {
	p.over.open("x", px(p.along(x)/10)+"%", "y", px(p.up(y)), "overflow", "visible")
	p.over.path("mark "+Color(series), tip, marks[series%len(marks)])
	p.over.close()
}

// Band draws a stretch of the horizontal axis, so many pixels below the upper
// edge.
func (p *Plot) Band(class string, from, to, y, height float64, tip string) {
	p.area.path(class, tip, "M%s %sH%sv%sH%sZ", p.along(from), y, p.along(to), height, p.along(from))
}

// Event is something that happened while it was measured.
type Event struct {
	At   float64
	Name string
}

// Events draws each as a line with its number. Names stand in two rows where
// they are close, and are left out where the screen is narrow.
func (p *Plot) Events(all []Event) {
	last, row := -1000.0, 0.0
	for i, e := range all {
		x, side := p.along(e.At), ""
		if row = 1 - row; x-last > 90 {
			row = 0
		}
		if last = x; x > 920 {
			side = " right"
		}
		p.area.path("fault", "", "M%s %sV%s", x, p.top-5-14*row, p.floor)
		p.Text("fault narrow"+side, e.At, 0, p.top-8-14*row, strconv.Itoa(i+1))
		p.Text("fault wide"+side, e.At, 0, p.top-8-14*row, fmt.Sprintf("%d %s", i+1, e.Name))
	}
}

// End completes the plot. Names stand at their curves, or below the one before.
func (p *Plot) End() template.HTML {
	slices.SortStableFunc(p.names, func(a, b label) int { return cmp.Compare(a.y, b.y) })
	y := 0.0
	for _, n := range p.names {
		y = max(y+15, n.y+1)
		p.Text("label "+n.class, p.x.High, 7, y, n.text)
	}
	var d drawing
	d.open("class", "plot", "height", px(p.height), "role", "img", "aria-label", p.title)
	d.open("viewBox", "0 0 1000 "+px(p.height), "width", "100%", "height", px(p.height), "preserveAspectRatio", "none", "overflow", "visible")
	d.WriteString(p.area.String())
	d.close()
	d.WriteString(p.over.String())
	d.close()
	return template.HTML(d.String())
}
