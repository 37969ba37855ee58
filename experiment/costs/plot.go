package costs

import (
	"fmt"
	"math"
	"slices"

	"quorate.dev/quorate/experiment/report"
	"quorate.dev/quorate/protocol"
)

// curve is a formula over n, with what was counted.
type curve struct {
	class, name string
	formula     func(n int) float64
	counted     func(*Cost) float64
}

// SVG draws what was counted on the curves of the formulas: messages per
// decision, and bytes per request alone and among a hundred. It stands alone.
func SVG(all []Cost) string {
	// What a square does to a line is best seen on a plain scale; bytes are about factors.
	linear := func(_, high float64) report.Axis { return report.UpTo("", high, 8) }
	logarithmic := func(low, high float64) report.Axis { return report.Logarithmic("", low, high) }
	return report.Picture("Messages per decision and bytes per request over the number of replicas, by protocol",
		[]string{"marks: counted; lines: the formulas", "solid: one request per decision; dashed: a hundred"},
		diagram(all, "Messages per decision", linear, messageCurves),
		diagram(all, "Bytes between replicas, per request of 256 bytes", logarithmic, byteCurves))
}

func messageCurves(p protocol.Protocol, _ *Cost) []curve {
	return []curve{{
		name:    p.Title + ": " + p.Costs.Text.Frames,
		formula: func(n int) float64 { return float64(p.Costs.Decision(n).Frames) },
		counted: func(c *Cost) float64 { return c.Alone.each(c.Alone.Frames()) },
	}}
}

func byteCurves(p protocol.Protocol, c *Cost) []curve {
	return []curve{{
		name:    p.Title + ", alone",
		formula: func(n int) float64 { return float64(p.Costs.Bytes(n, c.Alone.batch())) },
		counted: func(c *Cost) float64 { return c.Alone.perRequest(c.Alone.bytes()) },
	}, {
		class: "dashed", name: p.Title + ", 100",
		formula: func(n int) float64 { return float64(p.Costs.Bytes(n, c.Hundred.batch())) / perHundred },
		counted: func(c *Cost) float64 { return c.Hundred.perRequest(c.Hundred.bytes()) },
	}}
}

// diagram draws the curves of every protocol that was counted.
func diagram(all []Cost, title string, axis func(low, high float64) report.Axis, curves func(protocol.Protocol, *Cost) []curve) *report.Plot {
	sizes, low, high := []float64{1}, math.Inf(1), 0.0
	for _, c := range all {
		sizes = append(sizes, float64(c.Replicas))
	}
	slices.Sort(sizes)
	sizes = slices.Compact(sizes)
	most := int(sizes[len(sizes)-1]) + 1
	drawn := map[string][]curve{}
	for _, p := range protocol.All() {
		if i := slices.IndexFunc(all, func(c Cost) bool { return c.Protocol == p.Name }); i >= 0 {
			drawn[p.Name] = curves(p, &all[i])
		}
		for _, x := range drawn[p.Name] {
			low, high = min(low, x.formula(2)), max(high, x.formula(most))
		}
	}
	y := axis(low, high)
	y.Label = thousands
	plot := report.NewPlot(title, 404, report.Axis{Name: "n, the number of replicas", High: float64(most), Ticks: sizes, Label: report.Digits}, y)
	for i, p := range protocol.All() {
		for _, x := range drawn[p.Name] {
			var points []report.Point
			for n := 2; n <= most; n++ {
				points = append(points, report.Point{X: float64(n), Y: x.formula(n)})
			}
			plot.Curve(report.Color(i)+" "+x.class, x.name, points)
			for k := range all {
				if c := &all[k]; c.Protocol == p.Name {
					plot.Mark(i, float64(c.Replicas), x.counted(c), fmt.Sprintf("n = %d: %s", c.Replicas, number(x.counted(c))))
				}
			}
		}
	}
	return plot
}

// thousands is a number on an axis.
func thousands(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%gk", v/1000)
	}
	return report.Digits(v)
}
