package report

import (
	"html/template"
	"time"
)

// Timeline is time from left to right, with a lane for everyone who did something.
type Timeline struct {
	Span  time.Duration
	Bands []Band // behind all lanes
	Lanes []Lane
}

// Band is a time in which something held for all.
type Band struct {
	From, To time.Duration
	Text     string
}

// Lane is what one has done.
type Lane struct {
	Name  string
	Marks []Mark
}

// Mark is one thing at its moment. Tip is what a pointer that rests on it is told.
type Mark struct {
	At     time.Duration
	Ending Ending
	Tip    string
}

// Ending is how something ended: it is the class of its mark, and each has a shape
// of its own.
type Ending string

// The endings.
const (
	Answered   Ending = "answered"   // a full dot
	Refused    Ending = "refused"    // an empty square
	Unanswered Ending = "unanswered" // an empty lozenge
	Wrong      Ending = "wrong"      // a cross
)

var shapes = map[Ending]string{
	Answered:   "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z",
	Refused:    "m-3.5 -3.5h7v7h-7Z",
	Unanswered: "m0 -5l5 5l-5 5l-5 -5Z",
	Wrong:      "m-4.5 -4.5l9 9m0 -9l-9 9",
}

// Distances in a time line, in pixels.
const (
	laneNames  = 86 // left of the lanes
	laneWidth  = 860
	laneHeight = 26
	laneHead   = 22 // above the first one, for what bands say
	laneFoot   = 24 // below the last one, for seconds
)

// SVG draws the time line.
func (t *Timeline) SVG(title string) template.HTML {
	var d drawing
	bottom := float64(laneHead + laneHeight*len(t.Lanes))
	width, height := laneNames+laneWidth+16.0, bottom+laneFoot
	x := func(at time.Duration) float64 { return laneNames + laneWidth*float64(at)/float64(max(t.Span, 1)) }
	d.open("class", "timeline", "viewBox", "0 0 "+px(width)+" "+px(height), "width", px(width), "style", "min-width:"+px(width*3/4)+"px", "role", "img", "aria-label", title)
	for _, b := range t.Bands {
		d.path("band", b.Text, "M%s %sH%sV%sH%sZ", x(b.From), laneHead-4, x(b.To), bottom, x(b.From))
		d.write("band middle", px((x(b.From)+x(b.To))/2), 0, laneHead-9, b.Text)
	}
	for i, l := range t.Lanes {
		y := laneHead + laneHeight*(float64(i)+0.5)
		d.write("name right", px(laneNames-12), 0, y+4, l.Name)
		d.path("axis", "", "M%s %sH%s", laneNames, y, laneNames+laneWidth)
		for _, m := range l.Marks {
			d.path(string(m.Ending), m.Tip, "M%s %s"+shapes[m.Ending], x(m.At), y)
		}
	}
	for at := time.Duration(0); at <= t.Span; at += time.Second {
		d.path("axis", "", "M%s %sv5", x(at), bottom)
		if at%(2*time.Second) == 0 {
			d.write("time middle", px(x(at)), 0, bottom+17, at.String())
		}
	}
	d.close()
	return template.HTML(d.String())
}
