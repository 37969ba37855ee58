package report

import (
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
