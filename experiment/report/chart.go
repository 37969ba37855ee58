package report

import (
	"fmt"
	"html"
	"html/template"
	"slices"
	"time"
)

// Chart is a message sequence chart: lifelines from left to right, time from
// top to bottom, one row for each frame, step or fault.
type Chart struct {
	Lifelines []Lifeline
	Rows      []Row
}

// Lifeline is a client or a replica.
type Lifeline struct {
	Name    string
	Note    string // what a traitor does
	Traitor bool
	Client  bool
}

// Kind says how a row is drawn.
type Kind int

// The kinds of rows.
const (
	Message   Kind = iota
	Execution      // a replica executed a request
	Accepted       // a client accepted a result
	Term           // an election was won
	Fault
)

// Row is one line of a chart.
type Row struct {
	Kind  Kind
	At    time.Duration
	From  int   // whose row it is, by lifeline; -1 = everybody's
	To    []int // who received it
	Lost  []int // to whom it was sent in vain
	Text  string
	Value int  // whose color it has; -1 = none
	Fork  bool // one of the executions that exclude each other
	Down  bool // of a fault: the process has died
	Back  bool // ... and runs again
}

// Distances in a chart, in pixels.
const (
	gutter    = 64 // left of the first lifeline, where the time stands
	margin    = 90 // right of the last one, for what an execution says
	head      = 58 // above the first row
	foot      = 28
	rowHeight = 30
	headWidth = 56 // of a lifeline's name
	beside    = 14 // from a lifeline to what is written beside it
)

// sequence is a chart in the making.
type sequence struct {
	Drawing
	*Chart
	gap           float64 // between lifelines
	width, height float64
}

// SVG draws the chart.
func (c *Chart) SVG(title string) template.HTML {
	s := &sequence{Chart: c, gap: 108, height: float64(head + rowHeight*(len(c.Rows)+1) + foot)}
	if n := len(c.Lifelines); n > 7 {
		s.gap = 76
	} else if n > 5 {
		s.gap = 88
	}
	s.width = gutter + s.gap*float64(len(c.Lifelines)) + margin
	for _, r := range c.Rows {
		if r.Kind != Message && r.From >= 0 && s.x(r.From)-beside-breadth(r.Text) < gutter {
			s.width = max(s.width, s.x(r.From)+beside+breadth(r.Text))
		}
	}
	// It shrinks a little to fit beside another one; beyond that its box scrolls.
	s.open("class", "chart", "viewBox", "0 0 "+px(s.width)+" "+px(s.height), "width", px(s.width), "style", "min-width:"+px(s.width*4/5)+"px",
		"role", "img", "aria-label", title)
	s.lifelines()
	last := time.Duration(-1)
	for i, r := range c.Rows {
		y := rowY(i)
		if r.At/time.Millisecond != last/time.Millisecond || last < 0 {
			s.Text("time right", gutter-10, 0, y+4, Clock(r.At))
		}
		last = r.At
		s.row(r, y)
	}
	s.close()
	return s.HTML()
}

// Clock prints a moment of a run.
func Clock(t time.Duration) string {
	if t < time.Second {
		return fmt.Sprintf("%.1f ms", float64(t)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.2f s", t.Seconds())
}

// x is where a lifeline stands.
func (s *sequence) x(lifeline int) float64 { return gutter + s.gap/2 + s.gap*float64(lifeline) }

// rowY is where a row stands.
func rowY(i int) float64 { return float64(head + rowHeight*(i+1)) }

// lifelines draws heads, lines and feet.
func (s *sequence) lifelines() {
	for i, l := range s.Lifelines {
		class := ""
		switch {
		case l.Traitor:
			class = " traitor"
		case l.Client:
			class = " client"
		}
		x := s.x(i)
		for _, part := range s.alive(i, s.height-foot) {
			s.Line("life"+class, x, part.from, x, part.to)
		}
		for _, y := range []float64{8, s.height - foot} {
			s.Rect("head"+class, x-headWidth/2, y, headWidth, 22, "")
			s.Text("name middle"+class, x, 0, y+15, l.Name)
		}
		if l.Note != "" {
			s.text("note middle", x, 0, 43, html.EscapeString(cut(l.Note, int(s.gap/6)))+"<title>"+html.EscapeString(l.Note)+"</title>")
		}
	}
}

// stretch is a part of a lifeline, from top to bottom.
type stretch struct{ from, to float64 }

// alive are the stretches in which a process runs.
func (c *Chart) alive(lifeline int, bottom float64) (all []stretch) {
	from := float64(head - 14)
	for i, r := range c.Rows {
		switch {
		case r.Kind != Fault || r.From != lifeline:
		case r.Down:
			all, from = append(all, stretch{from, rowY(i)}), bottom
		default:
			from = min(from, rowY(i))
		}
	}
	return append(all, stretch{from, bottom})
}

// cut shortens a text to so many letters.
func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// row draws one row.
func (s *sequence) row(r Row, y float64) {
	color := " " + Color(r.Value)
	switch {
	case r.Kind == Message:
		s.message(r, y, color)
	case r.From < 0:
		s.Line("cut", gutter, y, s.width-margin, y)
		s.Text("fault middle", (gutter+s.width-margin)/2, 0, y-6, r.Text)
	default:
		s.did(r, s.x(r.From), y, color)
	}
}

// message draws one line from the sender, with a tip at each receiver and a
// cross before each whom it did not reach.
func (s *sequence) message(r Row, y float64, color string) {
	from := s.x(r.From)
	left, right := s.reach(from, r.To)
	if left < right {
		s.Line("arrow"+color, left, y, right, y)
	}
	for _, to := range r.Lost {
		x := s.x(to)
		end := x - toward(from, x, 16)
		s.Line("lost"+color, from, y, end, y)
		s.path("cross", at(end-3, y-3)+"l7 7m0 -7l-7 7", "")
	}
	for _, to := range r.To {
		x := s.x(to)
		s.path("tip"+color, at(x, y)+"l"+px(-toward(from, x, 7))+" -4v8Z", "")
	}
	s.Circle("tip"+color, from, y, 3.5, "")
	left, right = s.reach(from, slices.Concat(r.To, r.Lost))
	half := breadth(r.Text) / 2
	s.Text("label middle"+color, max(min((left+right)/2, s.width-half), half), 0, y-6, r.Text)
}

// reach is how far to the left and right some lifelines stand, and the sender.
func (s *sequence) reach(from float64, lifelines []int) (left, right float64) {
	left, right = from, from
	for _, l := range lifelines {
		left, right = min(left, s.x(l)), max(right, s.x(l))
	}
	return left, right
}

// toward is a distance with the sign of the way from one place to another.
func toward(from, to, distance float64) float64 {
	if to < from {
		return -distance
	}
	return distance
}

// at begins a path.
func at(x, y float64) string { return "M" + px(x) + " " + px(y) }

// did draws what somebody did, or what happened to him, and says it: to the
// right, or to the left where there is no room.
func (s *sequence) did(r Row, x, y float64, color string) {
	class := "did label"
	switch {
	case r.Kind == Term:
		s.path("term", at(x, y-11)+"l7 9l-7 9l-7 -9Z", "")
		class = "term"
	case r.Kind == Fault && r.Back:
		s.Circle("back", x, y-2, 6, "")
		class = "fault"
	case r.Kind == Fault:
		s.path("cross", at(x-6, y-8)+"l12 12m0 -12l-12 12", "")
		class = "fault"
	default:
		s.step(r, x, y, color)
		class += color
	}
	if x+beside+breadth(r.Text) > s.width {
		s.Text(class+" right", x-beside, 0, y+3, r.Text)
		return
	}
	s.Text(class, x+beside, 0, y+3, r.Text)
}

// step draws the box of an execution or an accepted result.
func (s *sequence) step(r Row, x, y float64, color string) {
	class, mark := "step"+color, "✓"
	if r.Kind == Accepted {
		class += " accepted"
	}
	if r.Fork {
		class, mark = class+" fork", "✗"
	}
	s.Rect(class, x-8, y-10, 16, 16, "")
	s.Text("mark middle", x, 0, y+3, mark)
}

// breadth is how wide a text becomes, about.
func breadth(text string) float64 { return 7 * float64(len([]rune(text))) }
