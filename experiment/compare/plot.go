package compare

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// The plots' sizes, in pixels of a page of usual width.
const (
	plotWidth  = 1000
	plotLeft   = 62 // where the axis of values has its numbers
	plotRight  = 14
	plotTop    = 40 // where the marks of faults have their names
	plotBottom = 34 // where the axis of time has its numbers
	nameWidth  = 78 // of a fault's name, before the next needs a line of its own
)

// plot is an SVG over the time of the load. Colours come from the page's
// stylesheet, so that light, dark and paper each have their own.
type plot struct {
	b      strings.Builder
	height int
	whole  float64               // seconds
	y      func(float64) float64 // of a value
}

// newPlot begins one.
func newPlot(title string, height int, whole float64) *plot {
	p := &plot{height: height, whole: max(whole, 1)}
	fmt.Fprintf(&p.b, `<svg class="plot" viewBox="0 0 %d %d" role="img" aria-label="%s" xmlns="http://www.w3.org/2000/svg">`, plotWidth, height, html.EscapeString(title))
	return p
}

func (p *plot) end() string { p.b.WriteString("</svg>"); return p.b.String() }

// x is where a moment stands.
func (p *plot) x(at float64) float64 {
	return plotLeft + at/p.whole*(plotWidth-plotLeft-plotRight)
}

func (p *plot) text(x, y float64, class, anchor, text string) {
	fmt.Fprintf(&p.b, `<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`, x, y, class, anchor, html.EscapeString(text))
}

// line draws a straight line.
func (p *plot) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&p.b, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, class, x1, y1, x2, y2)
}

// floor is where the axis of time lies.
func (p *plot) floor() float64 { return float64(p.height - plotBottom) }

// timeAxis draws the seconds.
func (p *plot) timeAxis() {
	p.line("axis", plotLeft, p.floor(), plotWidth-plotRight, p.floor())
	step := nice(p.whole / 12)
	for t := 0.0; t <= p.whole+1e-9; t += max(step, 1) {
		p.line("axis", p.x(t), p.floor(), p.x(t), p.floor()+4)
		p.text(p.x(t), p.floor()+17, "tick", "middle", fmt.Sprintf("%.0f s", t))
	}
}

// linear makes the axis of values begin at 0.
func (p *plot) linear(top float64, name string) {
	step := nice(top / 4)
	top = max(math.Ceil(top/step)*step, step)
	height := p.floor() - plotTop
	p.y = func(v float64) float64 { return p.floor() - v/top*height }
	for v := 0.0; v <= top+step/2; v += step {
		p.grid(v, grouped(v))
	}
	p.text(8, plotTop-12, "unit", "start", name)
}

// logarithmic makes an axis of powers of ten around the values.
func (p *plot) logarithmic(low, top float64, name string) {
	from, to := math.Floor(math.Log10(max(low, 1e-3))), math.Ceil(math.Log10(max(top, 1e-3)))
	to = max(to, from+1)
	height := p.floor() - plotTop
	p.y = func(v float64) float64 {
		return p.floor() - (math.Log10(max(v, 1e-3))-from)/(to-from)*height
	}
	for e := from; e <= to; e++ {
		v := math.Pow(10, e)
		p.grid(v, fmt.Sprintf("%g", v))
	}
	p.text(8, plotTop-12, "unit", "start", name)
}

// grid draws one value's line.
func (p *plot) grid(v float64, text string) {
	p.line("grid", plotLeft, p.y(v), plotWidth-plotRight, p.y(v))
	p.text(plotLeft-8, p.y(v)+4, "tick", "end", text)
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

// curve draws a value of each second at its middle. Seconds without one are a
// gap; one alone is a dot.
func (p *plot) curve(class string, all []Second, value func(Second) (float64, bool)) {
	var path []string
	flush := func() {
		if len(path) == 1 {
			x, y, _ := strings.Cut(path[0], " ")
			fmt.Fprintf(&p.b, `<circle class="dot %s" cx="%s" cy="%s" r="2.5"/>`, class, x, y)
		} else if len(path) > 1 {
			fmt.Fprintf(&p.b, `<path class="curve %s" d="M%s"/>`, class, strings.Join(path, " L"))
		}
		path = nil
	}
	for _, s := range all {
		v, there := value(s)
		if !there {
			flush()
			continue
		}
		middle := min(float64(s.At)+0.5, (float64(s.At)+p.whole)/2)
		path = append(path, fmt.Sprintf("%.1f %.1f", p.x(middle), p.y(v)))
	}
	flush()
}

// mark is a fault that happened to one or both sides at about one moment.
type mark struct {
	At     float64
	Number int
	Kind   string
	Texts  map[string]string // by protocol
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
	slices.SortStableFunc(all, func(a, b mark) int { return int(math.Copysign(1, a.At-b.At)) })
	for i := range all {
		all[i].Number = i + 1
	}
	return all
}

// faults draws the marks across the plot, their names in two rows where they
// stand close.
func (p *plot) faults(all []mark) {
	last, row := -1e9, 0
	for _, m := range all {
		x := p.x(m.At)
		row = (row + 1) % 2
		if x-last > nameWidth {
			row = 0
		}
		last = x
		y := float64(plotTop - 8 - 14*row)
		p.line("fault", x, y+3, x, p.floor())
		text, anchor := fmt.Sprintf("%d %s", m.Number, m.Kind), "start"
		if x > plotWidth-nameWidth {
			anchor = "end"
		}
		p.text(x, y, "fault", anchor, text)
	}
}

// throughput plots the answers of each second.
func throughput(r *Report) string {
	p := newPlot("Answered operations per second over time", 280, r.Seconds)
	p.linear(scaleOf(r).done, "answers/s")
	p.timeAxis()
	p.faults(marks(r))
	for i := range r.Sides {
		p.curve(r.Sides[i].Protocol, r.Sides[i].Seconds, func(s Second) (float64, bool) { return float64(s.Done), true })
	}
	return p.end()
}

// latency plots the median and the 99th percentile of each second.
func latency(r *Report) string {
	p := newPlot("Latency over time: median and 99th percentile", 280, r.Seconds)
	low := math.Inf(1)
	for i := range r.Sides {
		for _, s := range r.Sides[i].Seconds {
			if s.Available {
				low = min(low, s.P50)
			}
		}
	}
	if math.IsInf(low, 1) {
		low = 1
	}
	p.logarithmic(low, scaleOf(r).wait, "ms")
	p.timeAxis()
	p.faults(marks(r))
	for i := range r.Sides {
		s := &r.Sides[i]
		p.curve(s.Protocol, s.Seconds, func(x Second) (float64, bool) { return x.P50, x.Available })
		p.curve("high "+s.Protocol, s.Seconds, func(x Second) (float64, bool) { return x.P99, x.Available })
	}
	return p.end()
}

// stripHeight is that of one side's row of seconds.
const stripHeight = 22

// strips plots which seconds had an answer.
func strips(r *Report) string {
	p := newPlot("Which seconds had an answer", plotTop+len(r.Sides)*(stripHeight+8)+plotBottom, r.Seconds)
	for i := range r.Sides {
		s := &r.Sides[i]
		y := plotTop + 2 + float64(i)*(stripHeight+8)
		p.text(plotLeft-8, y+15, "tick", "end", strings.ToUpper(s.Protocol))
		for _, x := range s.Seconds {
			class, what := "up "+s.Protocol, fmt.Sprintf("second %d: %s", x.At+1, x)
			if !x.Available {
				class = "mute"
			}
			to := min(float64(x.At+1), p.whole)
			fmt.Fprintf(&p.b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%d"><title>%s</title></rect>`,
				class, p.x(float64(x.At))+0.5, y, max(p.x(to)-p.x(float64(x.At))-1, 0.5), stripHeight, html.EscapeString(what))
		}
	}
	p.timeAxis()
	p.faults(marks(r))
	return p.end()
}

// Sizes of the bars.
const (
	barWidth  = 490
	barLeft   = 50
	barHeight = 24
	barRoom   = 84 // for the number behind the longest bar
)

// bars draws what one decision, or operation, cost each side, by class of
// frames.
func bars(r *Report, title string, what func(Traffic) uint64, by func(*Total) uint64) string {
	var b strings.Builder
	height := len(r.Sides)*(barHeight+10) + 6
	fmt.Fprintf(&b, `<svg class="plot" viewBox="0 0 %d %d" role="img" aria-label="%s" xmlns="http://www.w3.org/2000/svg">`, barWidth, height, html.EscapeString(title))
	top := 0.0
	for i := range r.Sides {
		top = max(top, r.Sides[i].Total.per(what, by(&r.Sides[i].Total)))
	}
	for i := range r.Sides {
		s := &r.Sides[i]
		y := 4 + i*(barHeight+10)
		fmt.Fprintf(&b, `<text x="%d" y="%d" class="tick" text-anchor="end">%s</text>`, barLeft-8, y+16, strings.ToUpper(s.Protocol))
		x := float64(barLeft)
		for _, t := range s.Total.Sent {
			v := ratio(what(t), by(&s.Total))
			w := v / max(top, 1e-9) * (barWidth - barLeft - barRoom)
			fmt.Fprintf(&b, `<rect class="bar %s %s" x="%.1f" y="%d" width="%.1f" height="%d"><title>%s: %s</title></rect>`,
				s.Protocol, html.EscapeString(t.Class), x, y, w, barHeight, html.EscapeString(t.Class), brief(v))
			x += w
		}
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" class="value" text-anchor="start">%s</text>`, x+7, y+16, brief(s.Total.per(what, by(&s.Total))))
	}
	b.WriteString("</svg>")
	return b.String()
}
