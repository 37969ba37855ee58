package report

import (
	_ "embed"
	"fmt"
	"html"
	"strconv"
	"strings"
)

// drawing is an SVG in the making, of paths and texts. They have classes, and
// their colours come from the style sheet; all text is escaped here.
type drawing struct{ strings.Builder }

// open begins a picture, or one within another. Attributes are names and values
// in turn.
func (d *drawing) open(attributes ...string) { d.tag("svg", ">\n", attributes...) }

func (d *drawing) close() { d.WriteString("</svg>\n") }

func (d *drawing) tag(name, end string, attributes ...string) {
	d.WriteString("<" + name)
	for i := 0; i+1 < len(attributes); i += 2 {
		d.WriteString(" " + attributes[i] + `="` + html.EscapeString(attributes[i+1]) + `"`)
	}
	d.WriteString(end)
}

// path draws; tip is what a pointer that rests on it is told.
func (d *drawing) path(class, tip, format string, numbers ...float64) {
	end := "/>\n"
	if tip != "" {
		end = "><title>" + html.EscapeString(tip) + "</title></path>\n"
	}
	short := make([]any, len(numbers))
	for i, v := range numbers {
		short[i] = px(v)
	}
	d.tag("path", end, "class", class, "d", fmt.Sprintf(format, short...))
}

// write writes beside x, so many pixels to the right of it. The classes middle
// and right say which part of the text stands there, if not its left end.
func (d *drawing) write(class, x string, shift, y float64, text string) {
	if text != "" {
		d.tag("text", ">"+html.EscapeString(text)+"</text>\n", "class", class, "x", x, "dx", px(shift), "y", px(y))
	}
}

// px prints a length without more digits than are seen.
func px(v float64) string { return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0") }

// Color is the class of the i-th series or value, and none of a negative one.
// There are six, which letters, dashes or marks tell apart too.
func Color(i int) string {
	if i < 0 {
		return ""
	}
	return "c" + strconv.Itoa(i%6)
}

//go:embed theme.css
var theme string

//go:embed plot.css
var plotStyle string

// Sizes of a picture's panels, in pixels.
const (
	panelShare = 490 // from one to the next
	panelLeft  = 62  // before the plot's area, for numbers
	panelWidth = 330 // of the area; what is right of it has room for names
	panelAbove = 26  // where a plot begins: headings reach into its upper margin
)

// Picture lays plots out side by side, each under its title and a note, as an
// SVG file that stands alone.
func Picture(title string, notes []string, plots ...*Plot) string {
	var d drawing
	width, height := px(float64(panelShare*len(plots))), px(panelAbove+plots[0].height)
	d.open("xmlns", "http://www.w3.org/2000/svg", "class", "plot", "viewBox", "0 0 "+width+" "+height, "width", width, "height", height, "role", "img", "aria-label", title)
	d.WriteString("<style>\n" + theme + plotStyle + "</style>\n")
	d.tag("rect", "/>\n", "class", "paper", "width", "100%", "height", "100%")
	for i, p := range plots {
		x := px(float64(panelShare*i + panelLeft))
		d.write("heading", x, -40, panelAbove, p.title)
		d.write("soft", x, -40, panelAbove+19, notes[i])
		d.open("x", x, "y", px(panelAbove), "width", px(panelWidth), "height", px(p.height), "overflow", "visible")
		d.WriteString(string(p.End()))
		d.close()
	}
	d.close()
	return d.String()
}
