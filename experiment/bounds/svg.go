package bounds

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/sim"
)

// Distances in a chart, in pixels.
const (
	gutter    = 64 // left of the first lifeline, where the time stands
	margin    = 90 // right of the last one, for what an execution says
	head      = 58 // above the first row
	rowHeight = 30
	tip       = 7 // length of an arrow's head
)

// drawing is an SVG in the making. Colours come from the page's stylesheet, so
// that light, dark and paper each have their own.
type drawing struct {
	b     strings.Builder
	chart *Chart
	gap   int // between lifelines
	width int
}

// SVG draws the chart. Values are told apart by letter and by dashes, not by
// colour alone.
func (c *Chart) SVG(title string) string {
	d := &drawing{chart: c, gap: 108}
	if len(c.Ends) > 5 {
		d.gap = 88
	}
	if len(c.Ends) > 7 {
		d.gap = 76
	}
	d.width = gutter + d.gap*len(c.Ends) + margin
	for _, row := range c.Rows {
		if row.Kind != Message && row.From >= 0 && d.x(row.From)-14-breadth(row.Text) < gutter {
			d.width = max(d.width, d.x(row.From)+14+breadth(row.Text))
		}
	}
	height := head + rowHeight*(len(c.Rows)+1) + 28
	// It shrinks a little to fit beside another one; beyond that the page scrolls.
	fmt.Fprintf(&d.b, `<svg class="chart" viewBox="0 0 %d %d" width="%d" style="min-width:%dpx" role="img" aria-label="%s" xmlns="http://www.w3.org/2000/svg">`,
		d.width, height, d.width, d.width*4/5, html.EscapeString(title))
	d.lifelines(height)
	var last consensus.Time = -1
	for i, row := range c.Rows {
		y := head + rowHeight*(i+1)
		if row.At/sim.Millisecond != last/sim.Millisecond || last < 0 {
			d.text(gutter-10, y+4, "time", "end", clock(row.At))
		}
		last = row.At
		d.row(row, y)
	}
	d.b.WriteString("</svg>")
	return d.b.String()
}

// clock prints a moment of the run.
func clock(t consensus.Time) string {
	if t < sim.Second {
		return fmt.Sprintf("%.1f ms", float64(t)/float64(sim.Millisecond))
	}
	return fmt.Sprintf("%.2f s", float64(t)/float64(sim.Second))
}

// x is where a lifeline stands.
func (d *drawing) x(end int) int { return gutter + d.gap/2 + d.gap*end }

func (d *drawing) text(x, y int, class, anchor, text string) {
	fmt.Fprintf(&d.b, `<text x="%d" y="%d" class="%s" text-anchor="%s">%s</text>`, x, y, class, anchor, html.EscapeString(text))
}

// lifelines draws heads, lines and feet.
func (d *drawing) lifelines(height int) {
	for i, e := range d.chart.Ends {
		class := "end"
		switch {
		case e.Traitor:
			class += " traitor"
		case e.Client:
			class += " client"
		}
		x := d.x(i)
		for _, s := range d.alive(i, height-24) {
			fmt.Fprintf(&d.b, `<line class="life %s" x1="%d" y1="%d" x2="%d" y2="%d"/>`, class, x, s.from, x, s.to)
		}
		for _, y := range []int{8, height - 26} {
			fmt.Fprintf(&d.b, `<rect class="%s" x="%d" y="%d" width="56" height="22" rx="5"/>`, class, x-28, y)
			d.text(x, y+15, "name "+class, "middle", e.Name)
		}
		if e.Note != "" {
			fmt.Fprintf(&d.b, `<text x="%d" y="43" class="note traitor" text-anchor="middle">%s<title>%s</title></text>`, x, html.EscapeString(brief(e.Note, d.gap/6)), html.EscapeString(e.Note))
		}
	}
}

// stretch is a part of a lifeline, from top to bottom.
type stretch struct{ from, to int }

// alive are the stretches in which a process runs.
func (d *drawing) alive(end, bottom int) (all []stretch) {
	from := head - 14
	for i, r := range d.chart.Rows {
		y := head + rowHeight*(i+1)
		switch {
		case r.Kind != Trouble || r.From != end:
		case r.Down:
			all, from = append(all, stretch{from, y}), bottom
		default:
			from = min(from, y)
		}
	}
	return append(all, stretch{from, bottom})
}

// brief cuts a text to about so many letters.
func brief(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}

// row draws one line.
func (d *drawing) row(r Line, y int) {
	switch r.Kind {
	case Message:
		d.message(r, y)
	case Execution, Belief:
		d.box(r, y)
	case Reign:
		d.reign(r, y)
	case Trouble:
		d.trouble(r, y)
	}
}

// tint is the class of a value's colour and dashes.
func tint(value int) string {
	if value < 0 {
		return "plain"
	}
	return fmt.Sprintf("value%d", value%6)
}

// message draws one line from the sender, with a head at each receiver and a
// cross before each whom it did not reach.
func (d *drawing) message(r Line, y int) {
	from := d.x(r.From)
	left, right := from, from
	for _, end := range slices.Concat(r.To, r.Lost) {
		left, right = min(left, d.x(end)), max(right, d.x(end))
	}
	class := tint(r.Value)
	got := r.To
	gl, gr := from, from
	for _, end := range got {
		gl, gr = min(gl, d.x(end)), max(gr, d.x(end))
	}
	if gl < gr {
		fmt.Fprintf(&d.b, `<line class="arrow %s" x1="%d" y1="%d" x2="%d" y2="%d"/>`, class, gl, y, gr, y)
	}
	for _, end := range r.Lost {
		d.lost(from, d.x(end), y, class)
	}
	for _, end := range got {
		d.tip(from, d.x(end), y, class)
	}
	fmt.Fprintf(&d.b, `<circle class="dot %s" cx="%d" cy="%d" r="3.5"/>`, class, from, y)
	mid := (left + right) / 2
	if len(got)+len(r.Lost) == 0 {
		mid = from
	}
	half := breadth(r.Text) / 2
	mid = max(min(mid, d.width-half), half)
	d.text(mid, y-6, "label "+class, "middle", r.Text)
}

// tip draws the head of an arrow.
func (d *drawing) tip(from, to, y int, class string) {
	back := to - tip
	if to < from {
		back = to + tip
	}
	fmt.Fprintf(&d.b, `<path class="tip %s" d="M%d %d L%d %d L%d %d Z"/>`, class, to, y, back, y-4, back, y+4)
}

// lost draws a frame that was not delivered.
func (d *drawing) lost(from, to, y int, class string) {
	end := to - 16
	if to < from {
		end = to + 16
	}
	fmt.Fprintf(&d.b, `<line class="gone %s" x1="%d" y1="%d" x2="%d" y2="%d"/>`, class, from, y, end, y)
	fmt.Fprintf(&d.b, `<path class="cross" d="M%d %d l7 7 m0 -7 l-7 7"/>`, end-3, y-3)
}

// box draws what an end did by itself, text beside it: to the right, or to the
// left where there is no room.
func (d *drawing) box(r Line, y int) {
	x, class := d.x(r.From), "box "+tint(r.Value)
	if r.Fork {
		class += " fork"
	}
	if r.Kind == Belief {
		class += " belief"
	}
	fmt.Fprintf(&d.b, `<rect class="%s" x="%d" y="%d" width="16" height="16" rx="3"/>`, class, x-8, y-10)
	mark := "✓"
	if r.Fork {
		mark = "✗"
	}
	d.text(x, y+3, "mark", "middle", mark)
	d.beside(x, y, "did "+tint(r.Value), r.Text)
}

// reign draws the beginning of a leader's term.
func (d *drawing) reign(r Line, y int) {
	x := d.x(r.From)
	fmt.Fprintf(&d.b, `<path class="reign" d="M%d %d l7 9 l-7 9 l-7 -9 Z"/>`, x, y-11)
	d.beside(x, y, "reign", r.Text)
}

// breadth is how wide a text becomes, about.
func breadth(text string) int { return 7 * len([]rune(text)) }

// beside writes to the right of a lifeline, or to the left where there is no room.
func (d *drawing) beside(x, y int, class, text string) {
	if x+14+breadth(text) > d.width {
		d.text(x-14, y+3, class, "end", text)
		return
	}
	d.text(x+14, y+3, class, "start", text)
}

// trouble draws a fault, at its replica or across the whole chart.
func (d *drawing) trouble(r Line, y int) {
	if r.From < 0 {
		fmt.Fprintf(&d.b, `<line class="cut" x1="%d" y1="%d" x2="%d" y2="%d"/>`, gutter, y, d.width-margin, y)
		d.text((gutter+d.width-margin)/2, y-6, "fault", "middle", r.Text)
		return
	}
	x := d.x(r.From)
	if r.Back {
		fmt.Fprintf(&d.b, `<circle class="back" cx="%d" cy="%d" r="6"/>`, x, y-2)
	} else {
		fmt.Fprintf(&d.b, `<path class="cross" d="M%d %d l12 12 m0 -12 l-12 12"/>`, x-6, y-8)
	}
	d.beside(x, y, "fault", r.Text)
}
