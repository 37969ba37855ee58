package report

import (
	"fmt"
	"html/template"
	"math"
	"time"
)

// Chart is a message sequence chart: lifelines from left to right, time from
// top to bottom, one row for each frame, step or fault.
type Chart struct {
	Lifelines []Lifeline
	Rows      []Row
	Untimed   bool // the rows have an order and no time
}

// Lifeline is a client or a replica.
type Lifeline struct {
	Name    string
	Note    string // what a traitor does
	Traitor bool
	Client  bool
}

// Kind says how a row is drawn: it is the class of its mark.
type Kind string

// The kinds of rows.
const (
	Message   Kind = "message"
	Execution Kind = "execution" // a replica executed a request
	Accepted  Kind = "accepted"  // a client accepted a result
	Term      Kind = "term"      // an election was won
	Fault     Kind = "fault"
	Crash     Kind = "crash"
	Return    Kind = "return" // of what crashed
)

// marksOf are the marks beside which it stands what somebody did.
var marksOf = map[Kind]string{
	Execution: "m-6.5 -8.5h13v13h-13Z",
	Accepted:  "m-8 -2a8 8 0 1 0 16 0a8 8 0 1 0 -16 0Z",
	Term:      "m0 -11l7 9l-7 9l-7 -9Z",
	Fault:     "m-6 -8l12 12m0 -12l-12 12",
	Crash:     "m-6 -8l12 12m0 -12l-12 12",
	Return:    "m-6 -2a6 6 0 1 0 12 0a6 6 0 1 0 -12 0Z",
}

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
}

// Distances in a chart, in pixels.
const (
	gutter    = 64 // left of the first lifeline, where the time stands
	margin    = 90 // right of the last one, for what an execution says
	head      = 58 // above the first row
	foot      = 28
	rowHeight = 30
	beside    = 14 // from a lifeline to what is written beside it
)

// sequence is a chart in the making.
type sequence struct {
	drawing
	*Chart
	gap           float64 // between lifelines
	width, height float64
}

// SVG draws the chart.
func (c *Chart) SVG(title string) template.HTML {
	n := float64(len(c.Lifelines))
	s := &sequence{Chart: c, gap: max(76, min(108, 560/n)), height: float64(head + rowHeight*(len(c.Rows)+1) + foot)}
	s.width = gutter + s.gap*n + margin
	for _, r := range c.Rows {
		if r.Kind != Message && r.From >= 0 && s.x(r.From)-beside-breadth(r.Text) < gutter {
			s.width = max(s.width, s.x(r.From)+beside+breadth(r.Text))
		}
	}
	// It shrinks a little to fit beside another one; beyond that its box scrolls.
	s.open("class", "chart", "viewBox", "0 0 "+px(s.width)+" "+px(s.height), "width", px(s.width), "style", "min-width:"+px(s.width*4/5)+"px",
		"role", "img", "aria-label", title)
	for i, l := range s.Lifelines {
		s.lifeline(i, l)
	}
	last := time.Duration(-1)
	for i, r := range c.Rows {
		if y := rowY(i); !c.Untimed && (r.At/time.Millisecond != last/time.Millisecond || last < 0) {
			s.text("time right", gutter-10, y+4, Clock(r.At))
		}
		last = r.At
		s.row(r, rowY(i), " "+Color(r.Value))
	}
	s.close()
	return template.HTML(s.String())
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

func (s *sequence) text(class string, x, y float64, text string) { s.write(class, px(x), 0, y, text) }

// lifeline draws its head and foot, and a line where its process runs.
func (s *sequence) lifeline(i int, l Lifeline) {
	class := ""
	if l.Traitor {
		class = " traitor"
	} else if l.Client {
		class = " client"
	}
	x := s.x(i)
	from, bottom := float64(head-14), s.height-foot
	for row, r := range s.Rows {
		if r.From == i && r.Kind == Crash {
			s.path("life"+class, "", "M%s %sV%s", x, from, rowY(row))
			from = bottom
		} else if r.From == i && r.Kind == Return {
			from = rowY(row)
		}
	}
	s.path("life"+class, "", "M%s %sV%s", x, from, bottom)
	for _, y := range []float64{8, bottom} {
		s.path("head"+class, l.Note, "M%s %sh46q5 0 5 5v12q0 5 -5 5h-46q-5 0 -5 -5v-12q0 -5 5 -5Z", x-23, y)
		s.text("name middle"+class, x, y+15, l.Name)
	}
	note := []rune(l.Note)
	if most := int(s.gap / 6); len(note) > most {
		note = append(note[:most-1], '…')
	}
	s.text("note middle", x, 43, string(note))
}

// row draws what somebody did, or what happened to him, and says it beside: to
// the right, or to the left where there is no room.
func (s *sequence) row(r Row, y float64, color string) {
	switch {
	case r.Kind == Message:
		s.message(r, y, color)
		return
	case r.From < 0:
		s.path("cut", "", "M%s %sH%s", gutter, y, s.width-margin)
		s.text("fault middle", (gutter+s.width-margin)/2, y-6, r.Text)
		return
	}
	class, mark, x := string(r.Kind)+color, "✓", s.x(r.From)
	if r.Fork {
		class, mark = class+" fork", "✗"
	}
	s.path(class, "", "M%s %s"+marksOf[r.Kind], x, y)
	if r.Kind == Execution || r.Kind == Accepted {
		s.text("mark middle", x, y+3, mark)
	}
	if x+beside+breadth(r.Text) > s.width {
		s.text("did right "+class, x-beside, y+3, r.Text)
	} else {
		s.text("did "+class, x+beside, y+3, r.Text)
	}
}

// message draws one line from the sender, with a tip at each receiver and a
// cross before each whom it did not reach.
func (s *sequence) message(r Row, y float64, color string) {
	from := s.x(r.From)
	left, right := from, from
	for _, to := range r.To {
		x := s.x(to)
		left, right = min(left, x), max(right, x)
		s.path("tip"+color, "", "M%s %sl%s -4v8Z", x, y, math.Copysign(7, from-x))
	}
	s.path("arrow"+color, "", "M%s %sH%s", left, y, right)
	for _, to := range r.Lost {
		x := s.x(to)
		end := x + math.Copysign(16, from-x)
		left, right = min(left, x), max(right, x)
		s.path("lost"+color, "", "M%s %sH%s", from, y, end)
		s.path("cross", "", "M%s %sl7 7m0 -7l-7 7", end-3, y-3)
	}
	s.path("dot"+color, "", "M%s %sh0", from, y)
	half := breadth(r.Text) / 2
	s.text("label middle"+color, max(min((left+right)/2, s.width-half), half), y-6, r.Text)
}

// breadth is how wide a text becomes, about.
func breadth(text string) float64 { return 7 * float64(len([]rune(text))) }
