package costs

import (
	"fmt"
	"math"
	"slices"

	"quorate.dev/quorate/experiment/report"
	protocols "quorate.dev/quorate/protocol"
)

const plotHeight = 404

// diagram is what both plots show: formulas over n, and what was counted.
type diagram struct {
	series []series
	most   int           // where the horizontal axis ends
	sizes  []float64     // ... and its numbers
	plot   *report.Plot  // nil until the axes are known
	names  []report.Name // of its curves
}

// series is what was counted of one protocol.
type series struct {
	protocols.Protocol
	color   int
	counted []Cost
}

// SVG draws what was counted on the curves of the formulas: messages per
// decision, and bytes per request alone and among a hundred. It stands alone.
func SVG(all []Cost) string {
	return report.Picture("Messages per decision and bytes per request over the number of replicas, by protocol",
		report.Panel{Heading: "Messages per decision", Note: "marks: counted; lines: the formulas", Plot: plotMessages(all)},
		report.Panel{Heading: "Bytes between replicas, per request of 256 bytes", Note: "solid: one request per decision; dashed: a hundred", Plot: plotBytes(all)})
}

func newDiagram(all []Cost) *diagram {
	d := &diagram{sizes: []float64{1}}
	for i, p := range protocols.All() {
		x := series{Protocol: p, color: i}
		for _, c := range all {
			if c.Protocol == p.Name {
				x.counted = append(x.counted, c)
				d.sizes = append(d.sizes, float64(c.Replicas))
				d.most = max(d.most, c.Replicas+1)
			}
		}
		if len(x.counted) > 0 {
			d.series = append(d.series, x)
		}
	}
	slices.Sort(d.sizes)
	d.sizes = slices.Compact(d.sizes)
	return d
}

// draw begins the plot.
func (d *diagram) draw(title string, y report.Axis) {
	y.Label = thousands
	d.plot = report.NewPlot(title, plotHeight, report.Axis{Name: "n, the number of replicas", High: float64(d.most), Ticks: d.sizes}, y)
}

// end completes it, the names of its curves beside it.
func (d *diagram) end() *report.Plot {
	d.plot.Names(d.names...)
	return d.plot
}

// plotMessages is linear: what a square does to a line is best seen on a plain
// scale.
func plotMessages(all []Cost) *report.Plot {
	d, top := newDiagram(all), 1.0
	for _, x := range d.series {
		top = max(top, x.frames(d.most))
	}
	d.draw("Messages per decision", report.UpTo("", top, 8))
	for _, x := range d.series {
		d.curve(&x, "", x.Title+": "+x.Costs.Text.Frames, x.frames)
		for _, c := range x.counted {
			d.mark(&x, c.Replicas, c.Alone.each(c.Alone.Frames()))
		}
	}
	return d.end()
}

// plotBytes is logarithmic: it is about factors.
func plotBytes(all []Cost) *report.Plot {
	d, low, top := newDiagram(all), math.Inf(1), 1.0
	for _, x := range d.series {
		low, top = min(low, x.hundred(2)), max(top, x.alone(d.most))
	}
	d.draw("Bytes per request", report.Logarithmic("", min(low, top), top))
	for _, x := range d.series {
		d.curve(&x, "", x.Title+", alone", x.alone)
		d.curve(&x, "dashed", x.Title+", 100", x.hundred)
		for _, c := range x.counted {
			d.mark(&x, c.Replicas, c.Alone.perRequest(c.Alone.Bytes()))
			d.mark(&x, c.Replicas, c.Hundred.perRequest(c.Hundred.Bytes()))
		}
	}
	return d.end()
}

// frames, alone and hundred are the formulas: messages per decision, and bytes
// per request, one or a hundred in a decision.
func (x *series) frames(n int) float64 { return float64(x.Costs.Decision(n).Frames) }

func (x *series) alone(n int) float64 {
	return float64(x.Costs.Bytes(n, x.counted[0].Alone.batch()))
}

func (x *series) hundred(n int) float64 {
	return float64(x.Costs.Bytes(n, x.counted[0].Hundred.batch())) / Hundred
}

// curve draws a formula from n = 2 to the end of the plot.
func (d *diagram) curve(x *series, class, name string, f func(n int) float64) {
	var points []report.Point
	for n := 2; n <= d.most; n++ {
		points = append(points, report.Point{X: float64(n), Y: f(n)})
	}
	class = report.Color(x.color) + " " + class
	d.plot.Curve(class, points)
	d.names = append(d.names, report.Name{Class: class, Y: f(d.most), Text: name})
}

// mark draws one measurement.
func (d *diagram) mark(x *series, n int, v float64) {
	d.plot.Mark(x.color, float64(n), v, fmt.Sprintf("n = %d: %s", n, number(v)))
}

// thousands is a number on an axis.
func thousands(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%gk", v/1000)
	}
	return fmt.Sprintf("%g", v)
}
